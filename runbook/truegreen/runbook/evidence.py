"""Asks Prometheus, Alertmanager and the collector what triage needs to know. I/O and unpacking; it judges nothing."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Final

from truegreen.core.clients import http
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.clients.prometheus import Series
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import triage as table
from truegreen.core.words.slo import EvaluationSli, Slo
from truegreen.core.words.terms import NO_PILLAR
from truegreen.evaluation import start as true_start
from truegreen.evaluation.provider import probes, store, verdict
from truegreen.evaluation.provider.model import Entry, Round
from truegreen.evaluation.start import Count
from truegreen.runbook import firing, in_time, names, selectors, serving
from truegreen.runbook.answers import Ask
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Evidence, Target

FEW: Final = 20
"""Names that an error lists."""
LOOKBACK: Final = 6 * 3_600
STEP: Final = 30
LONG: Final = 7 * 86_400
LONG_STEP: Final = 840
SLACK: Final = 600
SPLIT: Final = 900
"""Nominal seconds, divided by the time scale: how far back to look and how finely, and the same for what began days ago; how far apart cause
and effect may lie; where to split the windows when no true start is found."""
_SLOW_TIERS: Final = ("ticket", "drift")
"""Of alerts whose windows are days: six hours may hold nothing but the fault."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where evidence comes from."""

    prometheus: Server
    alertmanager: Server
    collector: Server


class Silent(Failed):
    """Prometheus does not answer; `found` is what is known without it."""

    def __init__(self, error: Failed, found: Evidence) -> None:
        super().__init__(in_time.said("Prometheus", error))
        self.found = found


def gather(sources: Sources, target: Target, slo: Slo | None, now: float, scale: int, until: float | None = None) -> Evidence:
    """All evidence for one target, asked side by side; what has no answer within `in_time.REST` seconds is listed as missing.

    Args:
        slo: its definition, None when nobody knows it: then there is no true start.
        now: unix seconds.
        scale: divides every window (the demo); 1 in production.
        until: when containment or a rollback began; what came later is not evidence of the cause.

    Raises:
        Silent: Prometheus does not answer.
        BadInput: no series has the target's service and environment, so that every answer would be empty and read as an all-clear.
    """
    began, missing = time.monotonic(), list[str]()
    end, step = min(now, until or now), max(STEP / scale, 1.0)
    begin = end - LOOKBACK / scale
    asked = _bounded(sources, began + in_time.NEEDED)
    first, failed = in_time.side_by_side({
        "names": lambda: _must_exist(asked.prometheus, target),
        "counts": lambda: stream(asked.prometheus, target, slo, begin, end, step),
        "Alertmanager": lambda: firing.known(asked.alertmanager),
        "ALERTS": lambda: firing.recorded(asked.prometheus, now, target),
        "scores": lambda: scores(asked.prometheus, target, slo, begin, end, step),
    }, began + in_time.NEEDED)  # fmt: skip
    sev, labels, fired = firing.gravest(first.get("Alertmanager", first.get("ALERTS", ())), target)
    failure_mode = labels.get("failure_mode") or (slo.failure_mode if slo else "none")
    pillar = labels.get("pillar") or (slo.pillar if slo else NO_PILLAR)
    if "Alertmanager" in first:
        failed.pop("ALERTS", None)
    for error in (failed[name] for name in ("names", "counts") if name in failed):
        if isinstance(error, BadInput):
            raise error
        onset, slack = end - SPLIT / scale, max(SLACK / scale, step)
        bare = Evidence(target, now, sev, failure_mode, pillar, None, onset, slack, begin, fired=fired)
        raise Silent(error, _without(bare, _bounded(sources, began + in_time.REST), slo, failed, began + in_time.REST))
    missing += [in_time.said(name, error) for name, error in failed.items()]
    counts = first["counts"]
    # Scores may fall before any is under the floor; where both changed, the floor's is what the alert is about.
    found = true_start.find(counts) or true_start.find_scores(first.get("scores", {}))
    if found is None and labels.get("burn_tier") in _SLOW_TIERS:
        longer = end - LONG / scale
        more, failed = in_time.side_by_side({
            "the days before": lambda: stream(asked.prometheus, target, slo, longer, end, max(LONG_STEP / scale, 1.0)),
        }, began + in_time.NEEDED)  # fmt: skip
        missing += [in_time.said(name, error) for name, error in failed.items()]
        if found := true_start.find(more.get("the days before", ())):
            counts, begin, step = more["the days before"], longer, max(LONG_STEP / scale, 1.0)
    # A sample may be one scrape old, and a span waits for its export: what is seen in a step may have happened one step earlier.
    start = replace(found, low=found.low - step) if found else None
    onset = start.time if start else end - SPLIT / scale
    # Samples that may lie on either side of the onset belong to neither.
    low, high = (start.low, start.high) if start else (onset, onset)
    before, after = max(low - begin, 2 * step), max(end - high, 2 * step)
    asked = _bounded(sources, began + in_time.REST)
    prometheus = asked.prometheus
    ask = Ask(prometheus, target, low, before, end, after)
    rest, failed = in_time.side_by_side({
        "served models": lambda: serving.served(prometheus, target, begin, end, step, low, high),
        "snapshots": lambda: serving.snapshots(prometheus, target, begin, end, step, low, high),
        "relevance": ask.relevance,
        "sessions": lambda: _distinct(prometheus, names.SESSIONS, target, slo, end),
        "users": lambda: _distinct(prometheus, names.USERS, target, slo, end),
        "failing traces": lambda: failing(asked, target, slo, end, after, missing),
        **ask.table(failure_mode, pillar),
    }, began + in_time.REST)  # fmt: skip
    missing += [in_time.said(name, error) for name, error in failed.items()]
    return Evidence(
        target, now, sev, failure_mode, pillar, start, onset, max(SLACK / scale, step), begin,
        served=rest.get("served models", ()),
        snapshots=rest.get("snapshots", ()),
        answers={name: rest[name] for name in table.QUERIES if rest.get(name) is not None},
        relevance=rest.get("relevance"),
        affected=sum(c.bad for c in counts if c.time > low),
        sessions=rest.get("sessions"),
        users=rest.get("users"),
        failing=rest.get("failing traces", ()),
        missing=tuple(missing),
        fired=fired,
    )  # fmt: skip


def _without(bare: Evidence, asked: Sources, slo: Slo | None, failed: Mapping[str, BadInput | Failed], ends: float) -> Evidence:
    """What is known although Prometheus does not answer: the alert, and the failing traces that the collector keeps."""
    evaluation = slo.sli.evaluation if slo and isinstance(slo.sli, EvaluationSli) else ""
    jobs = {"failing traces": lambda: _newest(asked.collector, bare.target, evaluation)} if evaluation else {}
    more, silent = in_time.side_by_side(jobs, ends)
    missing = tuple(in_time.said(name, error) for name, error in {**failed, **silent}.items())
    return replace(bare, failing=more.get("failing traces", ())[:3], missing=missing)


def _bounded(sources: Sources, ends: float) -> Sources:
    return Sources(*(in_time.bounded(one, ends) for one in (sources.prometheus, sources.alertmanager, sources.collector)))


def with_provider(found: Evidence, place: Path) -> Evidence:
    """The evidence with what is kept of the provider: its changelog and the rounds of probes. A file that cannot be read is said."""
    missing = list(found.missing)
    entries: tuple[Entry, ...] | None = None
    rounds: tuple[Round, ...] = ()
    try:
        if (place / store.CHANGES).exists():
            entries = verdict.recent(store.read(place / store.CHANGES), found.onset, found.now)
    except BadInput as error:
        missing.append(str(error))
    try:
        rounds, broken = probes.history(place / store.PROBES)
        missing += [f"{place / store.PROBES}: {broken} lines are no rounds of probes"] if broken else []
    except BadInput as error:
        missing.append(str(error))
    return replace(found, entries=entries, probes=tuple(r for r in rounds if r.time <= found.now), missing=tuple(missing))


def _must_exist(prometheus: Server, target: Target) -> None:
    if prom.label_values(prometheus, "service", selectors.at(target)):
        return
    services, environments = (
        ", ".join(shlex.quote(clean(value, 80)) for value in prom.label_values(prometheus, label)[:FEW]) or "none"
        for label in ("service", "environment")
    )
    raise BadInput(
        f"Prometheus has no series of service {clean(target.service, 80)!r} in environment {clean(target.environment, 80)!r}: nothing can be said of it; "
        f"write one of its services ({services}) and environments ({environments})"
    )


def stream(prometheus: Server, target: Target, slo: Slo | None, begin: float, end: float, step: float) -> tuple[Count, ...]:
    """Judged and bad events by step; empty where no pair of counters holds them."""
    pair = selectors.counters(slo, target) if slo else None
    if slo is None or pair is None:
        return ()
    every, bad = (prom.query_range(prometheus, expr, begin, end, step) for expr in pair)
    counts = true_start.counts(_points(every), _points(bad))
    return tuple(Count(c.time, c.events, max(c.events - c.bad, 0.0)) for c in counts) if selectors.bad_is_rest(slo) else counts


def scores(
    prometheus: Server, target: Target, slo: Slo | None, begin: float, end: float, step: float
) -> Mapping[float, tuple[Count, ...]]:
    """Scores by step, counted against each bound of their histogram; nothing for an SLO that reads none."""
    if slo is None or not isinstance(slo.sli, EvaluationSli):
        return {}
    expr = names.SCORES + selectors.at(target, evaluation=slo.sli.evaluation)
    by_bound: dict[float, list[Series]] = {}
    for series in prom.query_range(prometheus, expr, begin, end, step):
        by_bound.setdefault(float(series.labels.get("le", "NaN")), []).append(series)
    every = _points(by_bound.pop(inf, []))
    return {bound: true_start.counts(every, _points(found)) for bound, found in sorted(by_bound.items())}


def _points(series: Sequence[Series]) -> list[tuple[tuple[float, float], ...]]:
    return [tuple(s.points) for s in series]


def _distinct(prometheus: Server, metric: str, target: Target, slo: Slo | None, end: float) -> float | None:
    if slo is None or not isinstance(slo.sli, EvaluationSli):
        return None
    found = prom.query(prometheus, metric + selectors.at(target, evaluation=slo.sli.evaluation), end)
    return sum(s.value for s in found) if found else None


def failing(sources: Sources, target: Target, slo: Slo | None, end: float, window: float, missing: list[str]) -> tuple[str, ...]:
    """Up to three ids of failing traces, newest first: from the collector, else from what Prometheus scraped."""
    if slo is None or not isinstance(slo.sli, EvaluationSli):
        return ()
    try:
        found = _newest(sources.collector, target, slo.sli.evaluation)
    except Failed as error:
        missing.append(str(error))
        found = ()
    if not found:
        selector = selectors.at(target, evaluation=slo.sli.evaluation)
        rows = prom.query(sources.prometheus, f"last_over_time({names.FAILING}{selector}[{max(int(window), 1)}s])", end)
        found = tuple(sorted({s.labels.get("trace_id", "") for s in rows} - {""}))
    return found[:3]


def _newest(collector: Server, target: Target, evaluation: str) -> tuple[str, ...]:
    path = "/failing"
    answer = http.get(collector, path, [("service", target.service), ("environment", target.environment)])
    return http.shaped(collector, path, answer, lambda found: tuple(
        clean(row["trace_id"], 32) for row in found["failing"] if row["evaluation"] == evaluation
    ))  # fmt: skip
