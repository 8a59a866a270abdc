"""What was accepted and is not delivered yet: bounded by items and bytes, all of a request or none of it; and what became of everything."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

from truegreen.evaluation.server.model import Item, named_by_sender

ITEMS: Final = 10_000
BYTES: Final = 64_000_000
ITEM_BYTES: Final = 4_096
"""What one item takes beyond its texts."""
LEAST, MOST, FIRST = 1, 60, 5
"""Seconds of a Retry-After: the range, and what is said while nothing was delivered lately."""
LATELY: Final = 30.0
"""Seconds over which the rate of delivery is taken."""


class Waiting:
    """The queue between the requests and the worker.

    Args:
        items, most_bytes: how much may wait, what is on its way included.
        clock: seconds that only rise.
    """

    def __init__(self, items: int = ITEMS, most_bytes: int = BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._most_bytes, self._clock = items, most_bytes, clock
        self._queue: deque[Item] = deque()
        self._held = self._bytes = 0
        self._open = True
        self._change = threading.Condition()
        self._lately: deque[tuple[float, int]] = deque()
        self.accepted: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        """By kind and reason."""
        self.lost: deque[int] = deque()
        """Traces of dropped samples that their sender has named, until they are forgotten where it is known what was taken."""

    def fits(self, count: int, size: int) -> bool:
        """Whether so many items with so many bytes of texts would be taken now."""
        most = self._most_bytes - count * ITEM_BYTES
        return self._open and self._held + count <= self.limit and self._bytes + size <= most

    def offer(self, items: Sequence[Item]) -> bool:
        """Take all of them, or none where they do not fit or the end has begun."""
        size = sum(item.size + ITEM_BYTES for item in items)
        with self._change:
            if not self.fits(len(items), size - ITEM_BYTES * len(items)):
                return False
            self._queue.extend(items)
            self._held += len(items)
            self._bytes += size
            for item in items:
                self.accepted[item.kind] += 1
            self._change.notify()
        return True

    def take(self, most: int) -> list[Item]:
        """At least one item, waiting for it; none when the queue was closed and is empty. They count as waiting until `settle`."""
        with self._change:
            while not self._queue and self._open:
                self._change.wait()
            return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    def settle(self, items: Sequence[Item], dropped: str = "") -> None:
        """They are delivered, or dropped for a reason."""
        with self._change:
            for item in items:
                self._held -= 1
                self._bytes -= item.size + ITEM_BYTES
                if dropped:
                    self.dropped[item.kind, dropped] += 1
                    if named := named_by_sender(item):
                        self.lost.append(named)
                else:
                    self.delivered[item.kind] += 1
            if not dropped:
                self._lately.append((self._clock(), len(items)))
                self._forget()

    def close(self) -> None:
        """Take no more; what waits is still given out."""
        with self._change:
            self._open = False
            self._change.notify_all()

    def give_up(self, reason: str) -> None:
        """Drop what nobody has taken yet."""
        with self._change:
            left = list(self._queue)
            self._queue.clear()
        self.settle(left, reason)

    @property
    def held(self) -> int:
        """Items that wait or are on their way."""
        return self._held

    @property
    def bytes(self) -> int:
        """Bytes that they may hold."""
        return self._bytes

    @property
    def closed(self) -> bool:
        """Whether the end has begun."""
        return not self._open

    def retry_after(self) -> int:
        """Whole seconds after which half of what waits should be gone at the rate of the last half minute, 1 to 60."""
        with self._change:
            self._forget()
            gone = sum(count for _, count in self._lately)
            if not gone:
                return FIRST
            took = max(1.0, self._clock() - self._lately[0][0])
            return max(LEAST, min(MOST, math.ceil(self._held / 2 / (gone / took))))

    def _forget(self) -> None:
        while self._lately and self._clock() - self._lately[0][0] > LATELY:
            self._lately.popleft()
