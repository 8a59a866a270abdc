"""What a Prometheus counted of an SLO, by every label that it has: cells for the search, cohorts for the tests, hours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.counts import SCORE, boundary, counts
from truegreen.core.words.metric import IDENTITY
from truegreen.core.words.promql import matcher, quoted, selector
from truegreen.core.words.slo import BASELINE, BoundSli, EvaluationSli, EventSli, FreshnessSli, Slo, ThresholdSli
from truegreen.core.words.terms import CALIBRATED, FAIL, OVERFLOW, PASS
from truegreen.evaluation import start
from truegreen.evaluation.cohorts.find import Cell
from truegreen.evaluation.start import TrueStart

TOOLS: Final = catalogue.TOOL_CALLS.prometheus
STEPS: Final = 180
_SHORTEST: Final = 15.0
"""Steps of the stream in which the true start is looked for, and the least seconds of one."""
_NOBODY: Final = ("", "unknown", OVERFLOW)
"""Label values that choose no traffic of which somebody could do something."""
_VERSION: Final = "_version"
_TOOL_BAD: Final = ("error", "timeout", "invalid_output", "silent_error")
_OF_EVALUATIONS: Final = ("model", "cohort", "snapshot")
_OF_SCORES: Final = ("model", "cohort")
_TARGET: Final = ("job", "instance", "pod", "namespace", *IDENTITY)
"""Labels that say who was scraped; of a metric that is not the catalogue's all others are looked at."""

Key = tuple[tuple[str, str], ...]
Counted = Mapping[Key, tuple[float, float]]
"""Labels to events and bad events."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, seconds since 1970."""

    begin: float
    end: float

    @property
    def window(self) -> str:
        """As PromQL has it."""
        return f"{max(round(self.end - self.begin), 1)}s"


@dataclass(frozen=True, slots=True)
class Who:
    """Whose traffic, and where it is counted."""

    server: Server
    service: str
    environment: str

    @property
    def matchers(self) -> str:
        """Of the service and environment."""
        return f"{matcher('service', (self.service,))},{matcher('environment', (self.environment,))}"


@dataclass(frozen=True, slots=True)
class _Series:
    events: str
    bad: str
    labels: tuple[str, ...]
    left_out: tuple[str, ...] = _TARGET
    bad_is_rest: bool = False


def table(who: Who, slo: Slo, before: Span, after: Span) -> list[Cell]:
    """The cells of the search: every combination of labels of the SLO's counters, snapshots with their versions.

    Raises:
        BadInput: the SLO counts minutes, or Prometheus has no event of it.
        Failed: Prometheus does not answer.
    """
    versions = _versions(who, Span(before.begin, after.end))
    made = _cells(_with_versions(counted(who, slo, before), versions), _with_versions(counted(who, slo, after), versions))
    if not any(cell.events for cell in made):
        raise BadInput(
            f"{who.server.name} has no event of {slo.name} of the service {who.service!r} in the environment {who.environment!r} "
            f"in the {after.window} before the end; check both names, or look at another time with --at"
        )
    return made


def tools(who: Who, before: Span, after: Span) -> list[Cell]:
    """The calls of each tool; a bad one did not work. Tool calls know no model and no cohort: they are a table of their own."""
    asked = _Series(selector(TOOLS, who.matchers), selector(TOOLS, who.matchers, matcher("outcome", _TOOL_BAD)), ("tool",))
    return _cells(_counts(who, asked, before), _counts(who, asked, after))


def counted(who: Who, slo: Slo, span: Span, labels: Sequence[str] | None = None) -> Counted:
    """Events and bad events of one span of time, by labels; None for all that the SLO's counters have."""
    asked = _series(who, slo)
    if labels is not None:
        unknown = [label for label in labels if label not in asked.labels]
        if unknown:
            raise BadInput(
                f"--by: the counters of {slo.name} have no label {unknown[0]!r}; write one of {', '.join(asked.labels)}"
            )
        asked = replace(asked, labels=tuple(labels))
    return _counts(who, asked, span)


def by(who: Who, slo: Slo, span: Span, label: str) -> dict[str, tuple[float, float]]:
    """Events and bad events by one label; by the version of a component, through the snapshots.

    Raises:
        BadInput: the SLO's counters have no such label.
    """
    if label.endswith(_VERSION) and "snapshot" in _series(who, slo).labels:
        found = _with_versions(counted(who, slo, span, ["snapshot"]), _versions(who, span))
    else:
        found = counted(who, slo, span, [label])
    made: dict[str, tuple[float, float]] = {}
    for key, (events, bad) in found.items():
        value = dict(key).get(label)
        if value is not None:
            known = made.get(value, (0.0, 0.0))
            made[value] = (known[0] + events, known[1] + bad)
    return made


def hours(who: Who, slo: Slo, span: Span) -> list[tuple[float, float, float]]:
    """End, events and bad events of each hour that had events."""
    return _stream(who, slo, span, 3_600.0)


def onset(who: Who, slo: Slo, span: Span) -> TrueStart | None:
    """The true start of a drop within a span, None where the counts show none."""
    step = max((span.end - span.begin) / STEPS, _SHORTEST)
    return start.find([start.Count(time, events, bad) for time, events, bad in _stream(who, slo, span, step)])


def _stream(who: Who, slo: Slo, span: Span, step: float) -> list[tuple[float, float, float]]:
    _countable(slo)
    told = counts(replace(slo, services=(who.service,), matching=""), f"{round(step)}s")
    of = (who.service, who.environment)

    def asked(expression: str) -> dict[float, float]:
        made = prometheus.query_range(who.server, expression, span.begin + step, span.end, step)
        ours = (one for one in made if (one.labels.get("service"), one.labels.get("environment")) == of)
        return {time: value for one in ours for time, value in one.points if math.isfinite(value)}

    events, bad = asked(told.events), asked(told.bad)
    return [(time, number, min(bad.get(time, 0.0), number)) for time, number in sorted(events.items()) if number > 0]


def _series(who: Who, slo: Slo) -> _Series:
    sli = _countable(slo)
    if isinstance(sli, EvaluationSli):
        named = (who.matchers, f"evaluation={quoted(sli.evaluation)}")
        if sli.floor == BASELINE:
            base, metric = (*named, 'sampled="base"'), catalogue.EVALUATIONS.prometheus
            every, bad = (selector(metric, *base, matcher("result", results)) for results in ((PASS, FAIL), (FAIL,)))
            return _Series(every, bad, _OF_EVALUATIONS)
        scored = (*named, f'scale="{CALIBRATED}"')
        return _Series(
            selector(f"{SCORE}_count", *scored), selector(f"{SCORE}_bucket", *scored, boundary(Decimal(sli.floor))), _OF_SCORES
        )
    if isinstance(sli, ThresholdSli):
        where = (who.matchers, *_only(sli.where))
        good = selector(f"{sli.metric}_bucket", *where, boundary(sli.threshold))
        return _Series(
            selector(f"{sli.metric}_count", *where), good, _labels(sli.metric, sli.where), (*_TARGET, "le"), bad_is_rest=True
        )
    where = (who.matchers, *_only(sli.where))
    bad = selector(sli.metric, *where, matcher(sli.label, sli.bad) if sli.label else "")
    among = matcher(sli.label, sli.among) if sli.label and sli.among and not sli.total else ""
    left_out = {sli.label, *sli.where}
    names = _labels(sli.metric, left_out)
    if sli.total:
        names = tuple(name for name in names if name in _labels(sli.total, left_out))
    return _Series(selector(sli.total or sli.metric, *where, among), bad, names, (*_TARGET, *filter(None, (sli.label,))))


def _labels(metric: str, left_out: Mapping[str, str] | set[str]) -> tuple[str, ...]:
    known = next((one for one in catalogue.ALL if one.prometheus == metric), None)
    return () if known is None else tuple(name for name in known.labels if name not in left_out and name not in IDENTITY)


def _counts(who: Who, asked: _Series, span: Span) -> Counted:
    def grown(chosen: str) -> dict[Key, float]:
        names = f"by ({', '.join(asked.labels)})" if asked.labels else f"without ({', '.join(asked.left_out)})"
        found = prometheus.query(who.server, f"sum {names} (increase({chosen}[{span.window}]))", span.end)
        made: dict[Key, float] = {}
        for sample in found:
            if math.isfinite(sample.value):
                key = tuple(sorted((k, v) for k, v in sample.labels.items() if v not in _NOBODY))
                made[key] = made.get(key, 0.0) + sample.value
        return made

    events, marked = grown(asked.events), grown(asked.bad)
    if asked.bad_is_rest and events and not marked:
        raise BadInput(f"{who.server.name} has events and no bucket of that bound: {asked.bad}")
    made = {}
    for key, number in events.items():
        bad = number - marked.get(key, 0.0) if asked.bad_is_rest else marked.get(key, 0.0)
        if number > 0:
            made[key] = (number, min(max(bad, 0.0), number))
    return made


def _versions(who: Who, span: Span) -> dict[str, Key]:
    info = f"last_over_time({selector(catalogue.SNAPSHOT_INFO.prometheus, who.matchers)}[{span.window}])"
    return {
        sample.labels.get("snapshot", ""): tuple(
            sorted((k, v) for k, v in sample.labels.items() if k.endswith(_VERSION) and v not in _NOBODY)
        )
        for sample in prometheus.query(who.server, info, span.end)
    }


def _with_versions(found: Counted, versions: Mapping[str, Key]) -> Counted:
    return {tuple(sorted({*key, *versions.get(dict(key).get("snapshot", ""), ())})): value for key, value in found.items()}


def _cells(before: Counted, after: Counted) -> list[Cell]:
    made = []
    for key in sorted(before.keys() | after.keys()):
        (was, was_bad), (now, bad) = before.get(key, (0.0, 0.0)), after.get(key, (0.0, 0.0))
        made.append(Cell(dict(key), bad, now, was_bad, was))
    return made


def _only(where: Mapping[str, str]) -> list[str]:
    return [f"{key}={quoted(value)}" for key, value in sorted(where.items())]


def _countable(slo: Slo) -> EvaluationSli | EventSli | ThresholdSli:
    if isinstance(slo.sli, FreshnessSli | BoundSli):
        raise BadInput(
            f"--slo: {slo.name} counts minutes of a gauge, which has no parts; write an SLO that counts answers or events"
        )
    return slo.sli
