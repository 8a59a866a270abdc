"""Places for what may not be done by many at once: waited for a while, and not kept by who is slow while others wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from truegreen.collector.refusals import busy

WAIT_SECONDS: Final = 2.0
"""A request waits so long for a place, well under the 10 s after which its sender gives up: what is counted after that is counted again."""
KEEP_SECONDS: Final = 1.0
"""Who has waited so long takes the place of the one that has had its own longest, and at least so long."""


class Turns:
    """So many places."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._taken: dict[asyncio.Timeout, float] = {}

    @asynccontextmanager
    async def one(self, seconds: float | None = None) -> AsyncIterator[None]:
        """A place while the block runs: for at most so many seconds, less while others wait; None for a block that cannot be ended early.

        Raises:
            Refused: there was no place in time, or the block was ended.
        """
        await self._wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds) as limit:
                if seconds is not None:
                    self._taken[limit] = began
                try:
                    yield
                finally:
                    self._taken.pop(limit, None)
        except TimeoutError:
            raise busy("timed_out", f"the body was not whole after {loop.time() - began:.3g} s") from None
        finally:
            self._places.release()

    async def _wait(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        ending = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._end_one)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise busy("overloaded", "too many bodies are being read") from None
        finally:
            ending.cancel()

    def _end_one(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit, began in self._taken.items():
            if now - began >= KEEP_SECONDS and not limit.expired():
                limit.reschedule(now)
                return
