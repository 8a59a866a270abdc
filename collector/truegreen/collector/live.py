"""One line in a terminal that says how the collector does, rewritten each second; absent where nobody looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Final, TextIO

from truegreen.collector.state import Store
from truegreen.core.words import catalogue

SECONDS: Final = 1.0
CLEAR: Final = "\r\x1b[K"


def wanted(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal that can rewrite a line."""
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"


def line(spans: float, refused: float, series: float) -> str:
    """The line: spans a second since the last one, requests refused in all, series of applications."""
    return f"{spans:,.0f} spans/s  {refused:,.0f} refused  {series:,.0f} series"


class Status:
    """The line in a terminal.

    Args:
        stream: the terminal.
        timer: seconds, never backwards.
    """

    def __init__(self, stream: TextIO, timer: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._timer = timer

    def clear(self) -> None:
        """Make room for a line of the log."""
        self._write(CLEAR)

    async def run(self, store: Store) -> None:
        """Write the line each second until cancelled; then clear it."""
        spans, since = store.accepted[0], self._timer()
        refused = store.families[catalogue.COLLECTOR_REFUSED_REQUESTS.prometheus].cells
        try:
            while True:
                await asyncio.sleep(SECONDS)
                now, counted = self._timer(), store.accepted[0]
                rate = (counted - spans) / max(now - since, 1e-9)
                self._write(CLEAR + line(rate, sum(cell[0] for cell in refused.values()), store.series))
                spans, since = counted, now
        finally:
            self.clear()

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal has gone
            self._stream.write(text)
            self._stream.flush()
