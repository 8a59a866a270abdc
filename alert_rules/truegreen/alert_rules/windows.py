"""Durations: nominal in names, divided by the time scale in expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.core.words.records import SECONDS

MOST: Final = 60
"""Above it the shortest window (5 min) would hold fewer than five scrapes of a second each."""
SAMPLES: Final = 4
"""The fewest scrapes that a window needs: `increase` extrapolates from what it finds."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One factor for every duration; `scale` 60 makes a minute last a second."""

    scale: int = 1

    def seconds(self, nominal: int) -> int:
        """`nominal` seconds as they really pass, at least 1."""
        return max(1, nominal // self.scale)

    def text(self, nominal: int | str) -> str:
        """A duration in Prometheus' words; `nominal` is seconds or a name such as `15m`."""
        return duration(self.seconds(nominal if isinstance(nominal, int) else parse(nominal)))

    def exact(self, nominal: int) -> str:
        """A duration for tests, to the millisecond: steps of whole seconds would drift from windows at scales that do not divide 60."""
        thousandths = nominal * 1_000 // self.scale
        return duration(thousandths // 1_000) if thousandths % 1_000 == 0 else f"{thousandths}ms"


def clock(scale: int, scrape_interval_seconds: float) -> Clock:
    """Make the clock.

    Args:
        scale: 1 to 60.
        scrape_interval_seconds: how often the collector is scraped, before scaling.

    Raises:
        BadInput: the scale is out of range, or the shortest window would hold fewer than four scrapes.
    """
    if not 1 <= scale <= MOST:
        raise BadInput(
            f"--time-scale: found {scale}, expected a whole number from 1 to {MOST}: more leaves the 5 min window too few scrapes"
        )
    made = Clock(scale)
    scrape, shortest = max(1.0, scrape_interval_seconds / scale), made.seconds(SECONDS["5m"])
    if scrape * SAMPLES > shortest:
        raise BadInput(
            f"scrape_interval: {scrape_interval_seconds:g} s leaves the shortest window (5 min) fewer than {SAMPLES} scrapes; "
            f"write at most {SECONDS['5m'] // SAMPLES}s"
        )
    return made


def parse(text: str) -> int:
    """`30s`, `15m`, `6h`, `3d` in seconds."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[text[-1]]


def duration(seconds: int) -> str:
    """Seconds in the largest unit that holds them whole, such as `90s`, `15m`, `6h`, `3d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
