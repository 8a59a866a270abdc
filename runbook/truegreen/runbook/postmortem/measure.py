"""Asks Prometheus for the charts of a postmortem and for what the incident cost. Without an answer it says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.core.words import triage as table
from truegreen.core.words.slo import Slo, ThresholdSli
from truegreen.runbook import evidence, names, selectors
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.page import sli
from truegreen.runbook.postmortem.model import Figure, Measured

PATIENCE: Final = 10.0
"""Seconds that Prometheus has for one question."""
STEPS: Final = 72
"""Points of a chart."""
LEAST: Final = 15.0
"""Seconds of a step at least."""


def measure(server: Server, slo: Slo | None, incident: Incident, events: Sequence[Event], now: float) -> Measured:
    """The charts and the counts of an incident.

    Args:
        slo: its definition, None when nobody knows it.
        now: unix seconds.
    """
    marks = sli.moments(incident, events)
    low, began = _began(incident, events)
    over = incident.closed if incident.closed is not None else now
    end = min(now, over + sli.AFTER)
    start = min(began, incident.opened) - sli.BEFORE
    step = max(LEAST, math.ceil((end - start) / STEPS))
    patient = replace(server, timeout=PATIENCE)
    objective = slo.objectives.get(incident.target.service, slo.objective) if slo else ""
    bound = None if isinstance(objective, str) else float(1 - objective)
    shares = Figure("sli", "Share of bad events", "share", start, end, step, bound=bound)
    counts = Figure("affected", "Bad events in each step", "count", start, end, step)
    slow = Figure("latency", "99th percentile of a call, the slowest model's", "seconds", start, end, step,
                  bound=float(slo.sli.threshold) if slo and isinstance(slo.sli, ThresholdSli) else None)  # fmt: skip
    if slo is None or selectors.counters(slo, incident.target) is None:
        why = f"the SLO {incident.target.slo} is not counted by events, or not known here"
        shares, counts = replace(shares, wrong=why), replace(counts, wrong=why)
        return Measured((shares, counts, _latency(patient, incident, slow)), marks, why=why)
    try:
        found = evidence.stream(patient, incident.target, slo, start, end, step)
    except Failed as error:
        why = f"Prometheus does not answer: {error}"
        return Measured(tuple(replace(f, wrong=why) for f in (shares, counts, slow)), marks, why=why)
    nothing = (
        "" if any(c.events for c in found) else "Prometheus holds no judged events of this time: it was not there, or keeps less"
    )
    shares = replace(shares, points=tuple((c.time, c.bad / c.events) for c in found if c.events > 0), wrong=nothing)
    counts = replace(counts, points=tuple((c.time, c.bad) for c in found), wrong=nothing)
    inside = [c for c in found if low < c.time <= over + step]
    bad, judged = (None, None) if nothing else (sum(c.bad for c in inside), sum(c.events for c in inside))
    served = _quiet(lambda: _served(patient, incident, low, min(over, now)))
    return Measured((shares, counts, _latency(patient, incident, slow)), marks, bad, judged, served, nothing)


def _began(incident: Incident, events: Sequence[Event]) -> tuple[float, float]:
    triaged = next((e for e in reversed(events) if e.kind == "triaged"), None)
    start = triaged.data.get("start") if triaged else None
    return (float(start["low"]), float(start["time"])) if start else (incident.opened, incident.opened)


def _latency(server: Server, incident: Incident, figure: Figure) -> Figure:
    window = f"{max(300, math.ceil(2 * figure.step))}s"
    expr = table.QUERIES["latency_p99"].fill(incident.target.service, incident.target.environment, window)
    try:
        found = prometheus.query_range(server, f"max({expr})", figure.start, figure.end, figure.step)
    except Failed as error:
        return replace(figure, wrong=f"Prometheus does not answer: {error}")
    points = tuple(p for p in found[0].points if math.isfinite(p[1])) if found else ()
    return replace(figure, points=points, wrong="" if points else "Prometheus holds no calls of this time")


def _served(server: Server, incident: Incident, since: float, until: float) -> float | None:
    where = selectors.at(incident.target)
    found = prometheus.query(server, f"sum(increase({names.ANSWERS}{where}[{max(int(until - since), 60)}s]))", until)
    return found[0].value if found else None


def _quiet(ask: Callable[[], float | None]) -> float | None:
    try:
        return ask()
    except Failed:
        return None
