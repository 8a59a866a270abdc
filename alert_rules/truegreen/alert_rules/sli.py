"""An SLI to PromQL: how many events were judged and how many of them were bad, by service and environment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from truegreen.alert_rules.text import any_of, matcher, quoted, selector
from truegreen.core.words import catalogue, records
from truegreen.core.words.metric import bound
from truegreen.core.words.slo import ALL_SERVICES, BASELINE, EvaluationSli, EventSli, FreshnessSli, Slo, ThresholdSli
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS

CANARY: Final = "truegreen-canary"
"""truegreen's own probe: never judged."""
BY: Final = "by (service, environment)"
ON: Final = "on (service, environment)"
ANSWERS: Final = catalogue.EVALUATED_ANSWERS.prometheus
SCORE: Final = catalogue.EVALUATION_SCORE.prometheus
STALE: Final = "truegreen:slo_stale:bool"
"""Of a freshness SLO: 1 in a minute that is bad, 0 in one that is good."""


@dataclass(frozen=True, slots=True)
class Counts:
    """PromQL for the events and the bad events of one window."""

    events: str
    bad: str


def services(slo: Slo) -> str:
    """The matcher of the services that the SLO is for; never the canary."""
    if slo.services == ALL_SERVICES:
        return matcher("service", (CANARY,), negate=True)
    names = (slo.services,) if isinstance(slo.services, str) else slo.services
    return matcher("service", sorted({name for name in names if name != CANARY}))


def stale(slo: Slo, sli: FreshnessSli, seconds: int) -> str:
    """PromQL of the bool record: 1 where the oldest of a service's timestamps is older than `seconds`."""
    return f"(time() - min {BY} ({selector(sli.metric, services(slo))}))\n>= bool {seconds}"


def counts(slo: Slo, window: str) -> Counts:
    """The counts over one window.

    Every window is a ratio of sums. Where nothing was bad the count is 0 and not absent, made from the *same* aggregation of all
    events: with other labels on the two sides of `or`, Prometheus refuses the result.

    Args:
        window: the real window, such as `15m`.
    """
    who, sli = services(slo), slo.sli
    match sli:
        case EvaluationSli(evaluation, floor) if floor == BASELINE:
            named = f"evaluation={quoted(evaluation)}"
            results = (matcher("result", results) for results in ((PASS, FAIL), (FAIL,)))
            return _told_apart(*(_sum(ANSWERS, window, who, named, result) for result in results))
        case EvaluationSli(evaluation, floor):
            scored = (who, f"evaluation={quoted(evaluation)}", f'scale="{CALIBRATED}"')
            # A score at the floor itself is counted with those under it: a bucket includes its boundary.
            return Counts(
                _sum(f"{SCORE}_count", window, *scored), _sum(f"{SCORE}_bucket", window, *scored, boundary(Decimal(floor)))
            )
        case EventSli(metric, label, bad, among, total):
            events = _sum(total or metric, window, who, matcher(label, among) if label and among and not total else "")
            return _told_apart(events, _sum(metric, window, who, matcher(label, bad) if label else ""))
        case ThresholdSli(metric, threshold, where):
            only = tuple(f"{key}={quoted(value)}" for key, value in sorted(where.items()))
            events = _sum(f"{metric}_count", window, who, *only)
            good = _sum(f"{metric}_bucket", window, who, *only, boundary(threshold))
            return Counts(events, f"clamp_min(\n  {events}\n  - {good},\n  0)")
        case FreshnessSli():
            of = selector(STALE, f"slo={quoted(slo.name)}")
            return Counts(f"count_over_time({of}[{window}])", f"sum_over_time({of}[{window}])")


def boundary(value: Decimal) -> str:
    """The matcher of one bucket: exporters write 10, Prometheus 3 normalises it to 10.0."""
    text = bound(value)
    return f"le={quoted(text)}" if "." in text or "e" in text else f"le=~{quoted(any_of((text,)) + '([.]0)?')}"


def long_counts(slo: Slo, window: str, step: str) -> Counts:
    """The counts of a long window from the recorded counts of 5 min: still a ratio of sums, and cheap."""
    only = f"slo={quoted(slo.name)}"

    def over(record: str) -> str:
        return f"sum_over_time({selector(record, only)}[{window}:{step}])"

    return Counts(over(records.events("5m")), over(records.bad("5m")))


def _sum(metric: str, window: str, *matchers: str) -> str:
    return f"sum {BY} (increase({selector(metric, *matchers)}[{window}]))"


def _told_apart(events: str, bad: str) -> Counts:
    return Counts(events, f"{bad}\nor 0 * {events}")
