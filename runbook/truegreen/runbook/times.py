"""Times and durations in words. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def iso(time: float) -> str:
    """UTC to the second, such as `2026-01-31T03:04:05Z`; a number that is no time of the calendar, as it may stand in a file, is said so."""
    return _said(time, "%Y-%m-%dT%H:%M:%SZ")


def clock(time: float | None) -> str:
    """The clock in UTC, such as `03:04:05`; `always` without a time."""
    return "always" if time is None else _said(time, "%H:%M:%S")


def _said(time: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(time, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"no time ({time:g})"


def span(seconds: float) -> str:
    """A duration, such as `2.8 s`, `12 min` or `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def seconds(text: str) -> float:
    """`60m`, `30s`, `1.5h` or `2d` in seconds.

    Raises:
        ValueError: it is none of these, or zero.
    """
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|h|d)", text.strip())
    if not found or float(found[1]) == 0:
        raise ValueError(f"{text!r} is not a duration; write 60m, 30s or 2h")
    return float(found[1]) * _UNITS[found[2]]
