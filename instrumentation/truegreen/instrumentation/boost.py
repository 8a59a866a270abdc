"""More answers are evaluated while a flag says so: what is asked for during an incident."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import entry_points

from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.background import background
from truegreen.instrumentation.rates import percentage

FLAG = "evaluation_boost"
"""A percentage, such as `100%`: the share of answers that is evaluated while it is set; empty is off."""
GROUP = "truegreen_flag"
"""The entry-point group of whoever reads flags: `string(flag) -> str`."""
SECONDS = 1.0

Read = Callable[[str], str]


class Boost:
    """The share that the flag asks for, looked up at most once a second and never in the caller's thread: the answer is that of before.

    Args:
        read: gives the flag's value; None finds the reader by entry point, where the process uses flags at all.
        clock: seconds that only rise.
    """

    def __init__(self, read: Read | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._asked = -SECONDS
        self._share = 0.0

    def share(self) -> float:
        """0 to 1; 0 without a flag, and while it cannot be read."""
        now = self._clock()
        if now - self._asked >= SECONDS:
            self._asked = now
            try:
                if self._read is not None or _uses_flags():
                    background.first(self._look)
            except Exception as error:
                failures.count("boost", error)
        return self._share

    def _look(self) -> None:
        share: float | None = 0.0
        try:
            if self._read is None:
                found = next(iter(entry_points(group=GROUP)), None)
                self._read = found.load() if found else _none
            value = self._read(FLAG)
            share = percentage(value) if value else 0.0
            if share is None:
                failures.count("boost", ValueError(FLAG))
                notices.once(
                    f"boost:{str(value)[:40]}",
                    f"flag {FLAG}: found {str(value)[:40]!r}, nothing is boosted; write a percentage, such as 100%",
                )
        except Exception as error:
            failures.count("boost", error)
            share = None
        self._share = share or 0.0


def _none(flag: str) -> str:
    del flag
    return ""


def _uses_flags() -> bool:
    return bool(os.environ.get("TRUEGREEN_FLAGS")) or "openfeature.api" in sys.modules
