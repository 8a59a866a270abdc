"""What the charts show: the bad ratio of an SLO and its volume, as PromQL and as what Prometheus answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.core.words.slo import BASELINE, Slo
from truegreen.runbook import selectors
from truegreen.runbook.model import Event, Incident

Points = tuple[tuple[float, float], ...]
BEFORE: Final = 1_800.0
"""Seconds that are shown before the incident began."""
AFTER: Final = 900.0
"""Seconds that are shown after its end."""
WINDOW: Final = 300
"""Seconds over which a point counts, as the alert's short windows do."""
STEPS: Final = 120
PATIENCE: Final = 3.0
"""Seconds that Prometheus has: somebody waits."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth a line: `letter` stands in the chart, `says` below it."""

    letter: str
    says: str
    time: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    Args:
        points: (unix seconds, bad ratio) and (unix seconds, judged events per minute); a step without events is absent.
        budget: the bad ratio that the objective allows, None where it is not known.
        wrong: why there is nothing to draw, in words.
    """

    start: float
    end: float
    step: float
    ratio: Points = ()
    volume: Points = ()
    budget: float | None = None
    marks: tuple[Mark, ...] = ()
    wrong: str = ""


def expressions(slo: Slo | None, incident: Incident, window: int = WINDOW) -> tuple[str, str] | None:
    """The bad ratio and the judged events per minute as PromQL; None for an SLO that no pair of counters holds."""
    pair = selectors.counters(slo, incident.target) if slo else None
    if slo is None or pair is None:
        return None
    total, part = (f"sum(increase({selector}[{window}s]))" for selector in pair)
    bad = f"({total} - {part})" if selectors.bad_is_rest(slo) else f"({part} or 0 * {total})"
    return f"{bad} / ({total} > 0)", f"{total} * 60 / {window}"


def gather(server: Server, slo: Slo | None, incident: Incident, events: Sequence[Event], now: float) -> Chart:
    """Ask Prometheus; a chart that says why where there is nothing to draw."""
    marks = moments(incident, events)
    start = min([incident.opened, *(m.time for m in marks if m.letter == "A")]) - BEFORE
    end = min(now, incident.closed + AFTER) if incident.closed is not None else now
    step = max(15.0, (end - start) / STEPS)
    chart = Chart(start, end, step, marks=marks, budget=_budget(slo, incident))
    asked = expressions(slo, incident, max(WINDOW, math.ceil(2 * step)))
    if asked is None:
        return replace(
            chart, wrong=f"the SLO {incident.target.slo} is not counted by events, or not known here: look at the board"
        )
    try:
        ratio, volume = (_one(prometheus.query_range(replace(server, timeout=PATIENCE), q, start, end, step)) for q in asked)
    except Failed as error:
        return replace(chart, wrong=f"Prometheus does not answer: {error}")
    return replace(chart, ratio=ratio, volume=volume, wrong="" if ratio else "Prometheus has no judged events in this time")


def moments(incident: Incident, events: Sequence[Event]) -> tuple[Mark, ...]:
    """True start, detection, each change, the green validation and the end, in the order of time."""
    triaged = next((e for e in reversed(events) if e.kind == "triaged"), None)
    start = triaged.data.get("start") if triaged else None
    found: list[tuple[str, float]] = []
    if isinstance(start, Mapping) and isinstance(start.get("time"), int | float) and 0 < start["time"] <= incident.opened:
        found.append(("true start", float(start["time"])))
    found.append(("detected", incident.opened))
    words = {"contain applied": "contained", "rollback applied": "rolled back", "incident closed": "closed"}
    found += [(words[e.kind], e.time) for e in events if e.kind in words]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ordered = sorted(found, key=lambda one: one[1])[: len(letters)]
    return tuple(Mark(letter, says, time) for letter, (says, time) in zip(letters, ordered, strict=False))


def _budget(slo: Slo | None, incident: Incident) -> float | None:
    if slo is None:
        return None
    objective = slo.objectives.get(incident.target.service, slo.objective)
    return None if objective == BASELINE or isinstance(objective, str) else float(1 - objective)


def _one(found: Sequence[prometheus.Series]) -> Points:
    return tuple(p for p in found[0].points if math.isfinite(p[1])) if found else ()
