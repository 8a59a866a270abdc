"""An SLI to PromQL: how many events were judged and how many of them were bad, by service and environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from truegreen.core.words import catalogue
from truegreen.core.words.metric import bound
from truegreen.core.words.promql import any_of, matcher, number, quoted, selector
from truegreen.core.words.slo import (
    ALL_SERVICES,
    BASELINE,
    BoundSli,
    EvaluationSli,
    EventSli,
    FreshnessSli,
    MinuteSli,
    Slo,
    ThresholdSli,
)
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS

CANARY: Final = "truegreen-canary"
"""truegreen's own probe: never judged."""
BY: Final = "by (service, environment)"
ON: Final = "on (service, environment)"
ANSWERS: Final = catalogue.EVALUATED_ANSWERS.prometheus
SCORE: Final = catalogue.EVALUATION_SCORE.prometheus
BAD_MINUTE: Final = "truegreen:slo_bad_minute:bool"
"""Of an SLO that counts minutes: 1 in a minute that is bad, 0 in one that is good."""


@dataclass(frozen=True, slots=True)
class Counts:
    """PromQL for the events and the bad events of one window."""

    events: str
    bad: str


def services(slo: Slo) -> str:
    """The matchers of the services that the SLO is for; never the canary."""
    if slo.services == ALL_SERVICES:
        rest = matcher("service", (CANARY,), negate=True)
        return f"service=~{quoted(slo.matching)},{rest}" if slo.matching else rest
    names = (slo.services,) if isinstance(slo.services, str) else slo.services
    return matcher("service", sorted({name for name in names if name != CANARY}))


def bad_minute(slo: Slo, sli: MinuteSli, seconds: int = 0) -> str:
    """PromQL that is 1 where the worst of a service's gauges is out of bounds, else 0.

    Args:
        seconds: of a timestamp, the age that is too old.
    """
    who = services(slo)
    if isinstance(sli, FreshnessSli):
        return f"(time() - min {BY} ({selector(sli.metric, who)}))\n>= bool {seconds}"
    gauge = selector(sli.metric, who, *_only(sli.where))
    sides = [
        *([f"max {BY} ({gauge}) > bool {number(sli.most)}"] if sli.most is not None else []),
        *([f"min {BY} ({gauge}) < bool {number(sli.least)}"] if sli.least is not None else []),
    ]
    return sides[0] if len(sides) == 1 else f"clamp_max(\n  ({sides[0]})\n  + {ON} ({sides[1]}),\n  1\n)"


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
        case EventSli(metric, label, bad, among, total, where):
            only = _only(where)
            events = _sum(total or metric, window, who, *only, matcher(label, among) if label and among and not total else "")
            return _told_apart(events, _sum(metric, window, who, *only, matcher(label, bad) if label else ""))
        case ThresholdSli(metric, threshold, where):
            events = _sum(f"{metric}_count", window, who, *_only(where))
            good = _sum(f"{metric}_bucket", window, who, *_only(where), boundary(threshold))
            return Counts(events, f"clamp_min(\n  {events}\n  - {good},\n  0)")
        case FreshnessSli() | BoundSli():
            of = selector(BAD_MINUTE, f"slo={quoted(slo.name)}")
            return Counts(f"sum {BY} (count_over_time({of}[{window}]))", f"sum {BY} (sum_over_time({of}[{window}]))")


def unrecorded(slo: Slo, window: str, every: str) -> Counts:
    """The counts over one window where no rule has recorded anything yet.

    Args:
        every: how often a minute is looked at, where minutes are what is counted.
    """
    sli = slo.sli
    if not isinstance(sli, FreshnessSli | BoundSli):
        return counts(slo, window)
    minute = f"({bad_minute(slo, sli, sli.seconds if isinstance(sli, FreshnessSli) else 0)})[{window}:{every}]"
    return Counts(f"count_over_time({minute})", f"sum_over_time({minute})")


def boundary(value: Decimal) -> str:
    """The matcher of one bucket: exporters write 10, Prometheus 3 normalises it to 10.0."""
    text = bound(value)
    return f"le={quoted(text)}" if "." in text or "e" in text else f"le=~{quoted(any_of((text,)) + '([.]0)?')}"


def _only(where: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}={quoted(value)}" for key, value in sorted(where.items()))


def _sum(metric: str, window: str, *matchers: str) -> str:
    return f"sum {BY} (increase({selector(metric, *matchers)}[{window}]))"


def _told_apart(events: str, bad: str) -> Counts:
    return Counts(events, f"{bad}\nor 0 * {events}")
