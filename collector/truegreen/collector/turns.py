"""Places for what may not be done by many at once: waited for a while, and not kept by who is slow while others wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from math import inf
from typing import Final

from truegreen.collector.refusals import busy

WAIT_SECONDS: Final = 2.0
"""A request waits so long for a place, well under the 10 s after which its sender gives up: what is counted after that is counted again."""
KEEP_SECONDS: Final = 1.0
"""While others wait, a place that was had so long may be taken from who has it."""


class Turns:
    """So many places; who has fewest of them is given the next, and who has most loses one first.

    Args:
        places: how many.
        waiting: how many of one sender may wait.
    """

    def __init__(self, places: int, waiting: float = inf) -> None:
        self._free, self._most_waiting = places, waiting
        self._taken: dict[asyncio.Timeout, tuple[Callable[[], str], float]] = {}
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def one(self, seconds: float | None = None, sender: Callable[[], str] = str) -> AsyncIterator[None]:
        """A place while the block runs: for at most so many seconds, less while others wait; None for a block that cannot be ended early.

        Args:
            sender: names who has it; only asked while others wait.

        Raises:
            Refused: there was no place in time, too many of the same sender wait, or the block was ended.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(sender())
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds) as limit:
                self._taken[limit] = sender, began
                try:
                    yield
                finally:
                    del self._taken[limit]
        except TimeoutError:
            raise busy("timed_out", f"the body was not whole after {loop.time() - began:.3g} s") from None
        finally:
            self._give()

    async def _wait(self, sender: str) -> None:
        if sum(one == sender for one, _ in self._waiting) >= self._most_waiting:
            raise busy("overloaded", "too many bodies of this sender wait to be read")
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        self._waiting.append((sender, place))

        def end() -> None:
            timer[0] = loop.call_at(self._end_one(), end)

        timer = [loop.call_later(KEEP_SECONDS, end)]
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._give()  # it was given in the moment in which the wait ended
            if isinstance(error, TimeoutError):
                raise busy("overloaded", "too many bodies are being read") from None
            raise
        finally:
            timer[0].cancel()
            self._waiting = [one for one in self._waiting if one[1] is not place]

    def _give(self) -> None:
        waiting = [one for one in self._waiting if not one[1].done()]
        if not waiting:
            self._free += 1
            return
        held = self._held()
        _, place = min(waiting, key=lambda one: held[one[0]])
        place.set_result(None)

    def _end_one(self) -> float:
        """End the block of who has most, if one is old enough; when to try again."""
        now, held = asyncio.get_running_loop().time(), self._held()
        may = [
            (held[sender()], -began, limit)
            for limit, (sender, began) in self._taken.items()
            if (ends := limit.when()) is not None and ends > now
        ]
        old = [one for one in may if now + one[1] >= KEEP_SECONDS]
        if old:
            max(old, key=lambda one: one[:2])[2].reschedule(now)
        young = [-began for _, began, limit in may if now + began < KEEP_SECONDS]
        return min(young, default=now) + KEEP_SECONDS

    def _held(self) -> Counter[str]:
        given = (sender for sender, place in self._waiting if place.done() and not place.cancelled())
        return Counter(chain(given, (sender() for sender, _ in self._taken.values())))
