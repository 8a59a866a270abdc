"""Requests that carry an `Idempotency-Key` are taken once: sent again, they get the first answer and nothing is counted twice."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEYS: Final = 10_000
SECONDS: Final = 86_400.0
"""So many keys are remembered, and each for so long; the oldest goes first."""


class Repeats:
    """What was answered to a key.

    Args:
        clock: seconds that only rise.
    """

    def __init__(self, keys: int = KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._known: OrderedDict[tuple[str, str], tuple[float, bytes, str]] = OrderedDict()

    def find(self, who: str, key: str, body: bytes) -> str | None:
        """The answer to the same request of the same sender before; None for a new one.

        Args:
            body: a digest of path and body.

        Raises:
            ValueError: the key was used for another request.
        """
        known = self._known.get((who, key))
        if known is None or self._clock() - known[0] > SECONDS:
            return None
        if known[1] != body:
            raise ValueError(key)
        return known[2]

    def keep(self, who: str, key: str, body: bytes, answer: str) -> None:
        """Remember an answer."""
        self._known[who, key] = (self._clock(), body, answer)
        self._known.move_to_end((who, key))
        while len(self._known) > self._keys:
            self._known.popitem(last=False)
