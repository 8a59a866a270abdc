"""A service's numbers and ratios of some days from a Prometheus, hour by hour: what it has of them, without a rule loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.words import catalogue
from truegreen.core.words.counts import counts
from truegreen.core.words.promql import matcher, selector
from truegreen.core.words.slo import BoundSli, EventSli, FreshnessSli, Slo
from truegreen.core.words.terms import MARKERS
from truegreen.evaluation.baselines import distributions
from truegreen.evaluation.baselines.event_baseline import design_effect
from truegreen.evaluation.model import Distribution, Ratio

LEAST: Final = 20
"""Events or values under which a ratio or number is left out: no test could say anything of it."""
_HOUR: Final = 3_600
_SLICED: Final[Mapping[str, tuple[str, ...]]] = {
    catalogue.LLM_DURATION.prometheus: ("operation",),
    catalogue.LLM_TIME_TO_FIRST_CHUNK.prometheus: ("operation",),
    catalogue.LLM_TIME_PER_OUTPUT_TOKEN.prometheus: ("operation",),
    catalogue.EVALUATION_SCORE.prometheus: ("evaluation", "scale"),
}
"""The labels under which a histogram is looked at; every other one as a whole."""
_HISTOGRAMS: Final = tuple(
    metric.prometheus for metric in catalogue.ALL if metric.kind == "histogram" and metric.identity and "span" in metric.source
)
_MARKERS: Final = tuple(
    Slo(
        f"marker_{marker}", f"Answers without the marker {marker}",
        EventSli(catalogue.ANSWER_MARKERS.prometheus, "marker", (marker,), total=catalogue.ANSWERS.prometheus), "baseline", "quality",
        "hallucination",
    )
    for marker in MARKERS
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """What a Prometheus had: numbers, ratios, and the snapshot that served, empty where there were several or none."""

    numbers: Mapping[str, Distribution] = field(default_factory=dict)
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    snapshot: str = ""


def count(server: Server, slos: Sequence[Slo], service: str, environment: str, days: int, until: float) -> Counted:
    """Everything of one service and environment.

    Args:
        slos: whose ratios to take; those that count minutes are left out.
        until: the end, seconds since 1970; the hours are whole ones.

    Raises:
        Failed: Prometheus does not answer.
    """
    asked = _Asked(server, service, environment, until - until % _HOUR, days)
    there = set(prometheus.label_values(server, "__name__", f"{{{asked.who}}}"))
    numbers = {
        name: made
        for metric in _HISTOGRAMS
        if f"{metric}_bucket" in there
        for name, made in _histogram(asked, metric, _SLICED.get(metric, ())).items()
    }
    numbers.update(_tokens(asked) if catalogue.LLM_TOKENS.prometheus in there else {})
    ratios = {slo.name: made for slo in (*slos, *_MARKERS) if (made := _ratio(asked, slo, there)) is not None}
    return Counted(numbers, ratios, _snapshot(asked) if numbers or ratios else "")


@dataclass(frozen=True, slots=True)
class _Asked:
    server: Server
    service: str
    environment: str
    end: float
    days: int

    @property
    def who(self) -> str:
        return f"{matcher('service', (self.service,))},{matcher('environment', (self.environment,))}"

    def hours(self, expression: str) -> list[prometheus.Series]:
        start = self.end - self.days * 24 * _HOUR + _HOUR
        return prometheus.query_range(self.server, expression, start, self.end, _HOUR)


def _histogram(asked: _Asked, metric: str, sliced: tuple[str, ...]) -> dict[str, Distribution]:
    by = ", ".join(("le", *sliced))
    buckets: dict[tuple[str, ...], dict[float, dict[float, float]]] = {}
    for series in asked.hours(f"sum by ({by}) (increase({selector(f'{metric}_bucket', asked.who)}[1h]))"):
        bound = float(series.labels.get("le", "NaN").replace("+Inf", "inf"))
        key = tuple(series.labels.get(label, "") for label in sliced)
        if not math.isnan(bound):
            buckets.setdefault(key, {})[bound] = dict(_finite(series.points))
    outer = f" by ({', '.join(sliced)})" if sliced else ""
    totals = {
        tuple(series.labels.get(label, "") for label in sliced): sum(value for _, value in _finite(series.points))
        for series in asked.hours(f"sum{outer} (increase({selector(f'{metric}_sum', asked.who)}[1h]))")
    }
    made = {}
    for key, found in sorted(buckets.items()):
        bounds = sorted(bound for bound in found if math.isfinite(bound))
        if not bounds or math.inf not in found:
            continue
        hours = [_split([found[bound].get(time, 0.0) for bound in (*bounds, math.inf)]) for time in sorted(found[math.inf])]
        if sum(map(sum, hours)) >= LEAST:
            told = ",".join(f"{label}={value}" for label, value in zip(sliced, key, strict=True) if value)
            made[f"{metric}{{{told}}}" if told else metric] = distributions.of_buckets(bounds, hours, totals.get(key, 0.0))
    return made


def _split(cumulative: Sequence[float]) -> list[float]:
    """What lies in each bucket, of counts up to each bound; scrapes between two bounds must not make it negative."""
    through, made = 0.0, []
    for count in cumulative:
        made.append(max(count - through, 0.0))
        through = max(through, count)
    return made


def _tokens(asked: _Asked) -> dict[str, Distribution]:
    """Tokens of a call: of each hour their mean, since only sums are counted."""
    tokens = f"sum by (type) (increase({selector(catalogue.LLM_TOKENS.prometheus, asked.who)}[1h]))"
    calls = f"(sum (increase({selector(catalogue.LLM_REQUESTS.prometheus, asked.who)}[1h])) > 0)"
    found = {
        f"tokens_per_call{{type={series.labels.get('type', '')}}}": [value for _, value in _finite(series.points)]
        for series in asked.hours(f"{tokens} / on () group_left () {calls}")
    }
    return {name: distributions.of_values(values) for name, values in sorted(found.items()) if values and any(values)}


def _ratio(asked: _Asked, slo: Slo, there: set[str]) -> Ratio | None:
    sli = slo.sli
    if isinstance(sli, FreshnessSli | BoundSli) or (isinstance(sli, EventSli) and (sli.total or sli.metric) not in there):
        return None
    told = counts(replace(slo, services=(asked.service,), matching=""), "1h")
    events, bad = (_one_service(asked, expression) for expression in (told.events, told.bad))
    hours = [(number, min(bad.get(time, 0.0), number)) for time, number in sorted(events.items()) if number > 0]
    number = sum(hour for hour, _ in hours)
    return Ratio(sum(wrong for _, wrong in hours), number, design_effect(hours)) if number >= LEAST else None


def _one_service(asked: _Asked, expression: str) -> dict[float, float]:
    of = (asked.service, asked.environment)
    found = (one for one in asked.hours(expression) if (one.labels.get("service"), one.labels.get("environment")) == of)
    return {time: value for one in found for time, value in _finite(one.points)}


def _snapshot(asked: _Asked) -> str:
    answers = selector(catalogue.ANSWERS.prometheus, asked.who, 'snapshot!="unknown"')
    served = prometheus.query(asked.server, f"sum by (snapshot) (increase({answers}[{asked.days}d])) > 0", asked.end)
    names = {sample.labels.get("snapshot", "") for sample in served}
    return names.pop() if len(names) == 1 else ""


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(time, value) for time, value in points if math.isfinite(value)]
