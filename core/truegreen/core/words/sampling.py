"""Which share of the answers is evaluated where nobody says one."""

from __future__ import annotations

from typing import Final

INLINE_RATE: Final = 1.0
BACKGROUND_RATE: Final = 0.05
"""Of an evaluator that runs in the background: a judge costs money and time."""
WANTED_AN_HOUR: Final = 2_000
"""Evaluated answers in an hour that a burn-rate alert needs to see a 10x burn in minutes; more of them add little."""
LEAST: Final = 0.05


def default(*, background: bool, answers_per_hour: float | None = None) -> float:
    """The share, 0 to 1, of an evaluation for which none is written; the volume decides for an inline one only: a judge costs money."""
    if background:
        return BACKGROUND_RATE
    return proposed(answers_per_hour) if answers_per_hour else INLINE_RATE


def proposed(answers_per_hour: float) -> float:
    """The share, 0.05 to 1 and in whole percent, that gives about 2,000 evaluated answers in an hour.

    Args:
        answers_per_hour: the service's volume, over 0.
    """
    return min(1.0, max(LEAST, round(WANTED_AN_HOUR / answers_per_hour, 2)))
