"""What comes again is taken once: a request with an `Idempotency-Key`, and a sample with an `id` of its sender's."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEYS: Final = 10_000
SECONDS: Final = 86_400.0
"""So many keys are remembered, and each for so long; the oldest goes first."""
SAMPLES: Final = 100_000
"""So many samples with an `id` are remembered."""


class Repeats:
    """Which keys were used, and for what; which samples were taken.

    Args:
        keys, samples: how many are remembered.
        clock: seconds that only rise.
    """

    def __init__(self, keys: int = KEYS, samples: int = SAMPLES, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._samples, self._clock = keys, samples, clock
        self._known: OrderedDict[tuple[str, str], tuple[float, bytes, int]] = OrderedDict()
        self._taken: OrderedDict[int, None] = OrderedDict()

    def known(self, who: str, key: str, body: bytes) -> int | None:
        """How many samples of this request were repeated when this sender sent it before; None for a new request.

        Args:
            body: a digest of path and body.

        Raises:
            ValueError: the key was used for another request.
        """
        found = self._known.get((who, key))
        if found is None or self._clock() - found[0] > SECONDS:
            return None
        if found[1] != body:
            raise ValueError(key)
        return found[2]

    def keep(self, who: str, key: str, body: bytes, repeated: int) -> None:
        """Remember a request that was taken."""
        self._known[who, key] = (self._clock(), body, repeated)
        self._known.move_to_end((who, key))
        while len(self._known) > self._keys:
            self._known.popitem(last=False)

    def taken(self, trace: int) -> bool:
        """Whether a sample with this trace was taken before."""
        return trace in self._taken

    def forget(self, trace: int) -> None:
        """A sample is lost: sent again it is a new one."""
        self._taken.pop(trace, None)

    def take(self, trace: int) -> None:
        """Remember a sample."""
        self._taken[trace] = None
        while len(self._taken) > self._samples:
            self._taken.popitem(last=False)
