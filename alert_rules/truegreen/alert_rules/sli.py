"""What the rules of one SLO count: by service and environment, over short windows from the metrics, over long ones from recorded counts."""

from __future__ import annotations

from truegreen.alert_rules.text import quoted, selector
from truegreen.core.config.pattern import example
from truegreen.core.words import records
from truegreen.core.words.counts import (
    ANSWERS,
    BAD_MINUTE,
    BY,
    CANARY,
    ON,
    SCORE,
    Counts,
    bad_minute,
    boundary,
    counts,
    services,
)
from truegreen.core.words.slo import ALL_SERVICES, Slo

__all__ = [
    "ANSWERS", "BAD_MINUTE", "BY", "CANARY", "ON", "SCORE", "Counts", "bad_minute", "boundary", "counts", "long_counts", "services",
    "some_services",
]  # fmt: skip


def long_counts(slo: Slo, window: str, step: str) -> Counts:
    """The counts of a long window from the recorded counts of 5 min: still a ratio of sums, and cheap.

    They are added up over labels that the SLO had before: one whose layer was changed has one count.
    """
    only = f"slo={quoted(slo.name)}"

    def over(record: str) -> str:
        return f"sum {BY} (sum_over_time({selector(record, only)}[{window}:{step}]))"

    return Counts(over(records.events("5m")), over(records.bad("5m")))


def some_services(slo: Slo, otherwise: str) -> tuple[str, ...]:
    """Names of services that the SLO is for: those that it lists, one that its pattern matches, else `otherwise`."""
    if slo.services == ALL_SERVICES:
        return (example(slo.matching) if slo.matching else otherwise,)
    return (slo.services,) if isinstance(slo.services, str) else slo.services
