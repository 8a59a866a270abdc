"""Requests that carry an `Idempotency-Key` are taken once: sent again they get the same answer, and nothing is counted twice."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEYS: Final = 10_000
SECONDS: Final = 86_400.0
"""So many keys are remembered, and each for so long; the oldest goes first."""


class Repeats:
    """Which keys were used, and for what.

    Args:
        keys: how many are remembered.
        clock: seconds that only rise.
    """

    def __init__(self, keys: int = KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._known: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def known(self, who: str, key: str, body: bytes) -> bool:
        """Whether this sender has sent this request before.

        Args:
            body: a digest of path and body.

        Raises:
            ValueError: the key was used for another request.
        """
        found = self._known.get((who, key))
        if found is None or self._clock() - found[0] > SECONDS:
            return False
        if found[1] != body:
            raise ValueError(key)
        return True

    def keep(self, who: str, key: str, body: bytes) -> None:
        """Remember a request that was taken."""
        self._known[who, key] = (self._clock(), body)
        self._known.move_to_end((who, key))
        while len(self._known) > self._keys:
            self._known.popitem(last=False)
