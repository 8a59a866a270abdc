"""What the log of an incident says of how a drill was answered. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from truegreen.runbook.drills.model import Fault, Timings
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.standing import CHANGES, disturbs, serves


def timings(incident: Incident, events: Sequence[Event], onset: float, whose: str, scale: int = 1) -> Timings:
    """When what happened, seconds of production time after the fault.

    Where windows were divided, what waits for windows took so many times longer in production: the way to the alert, and from the change to the
    green gate. People and commands take as long there as here.

    Args:
        incident: of the drill.
        events: of that incident, in order.
        onset: when the fault was planted, unix seconds.
        whose: what triage must have said to count.
        scale: windows were divided by it.
    """

    def first(kind: str, **data: object) -> float | None:
        return next((e.time for e in events if e.kind == kind and all(e.data.get(k) == v for k, v in data.items())), None)

    detected = max(incident.opened - onset, 0.0) * scale

    def after(at: float | None) -> float | None:
        return None if at is None else detected + max(at - incident.opened, 0.0)

    changed = _contained(events)
    since = incident.opened if changed is None else changed.time
    green = _green(events, changed, scale)
    waited = None if green is None else (after(since) or detected) + max(green - since, 0.0) * scale
    return Timings(detected, after(first("triaged", whose=whose)), after(None if changed is None else changed.time), waited)


def _contained(events: Sequence[Event]) -> Event | None:
    """When spans first showed a change that answers serve by; more sampling is none."""
    begun = None
    for event in events:
        if event.kind in CHANGES:
            begun = event if serves(event) else None
        elif event.kind == "verified by spans" and begun is not None:
            return event
    return None


def _green(events: Sequence[Event], changed: Event | None, scale: int) -> float | None:
    """When the six checks were first green of themselves, after the change, of that moment, and stayed so."""
    since = changed.seq if changed else 0
    last = max((e.seq for e in events if disturbs(e)), default=0)
    return next((
        e.time for e in events
        if e.kind == "validated" and e.seq > max(since, last) and e.data.get("ok") and not e.data.get("override")
        and e.data.get("at") is None and e.data.get("time_scale", 1) == scale
    ), None)  # fmt: skip


def triage(events: Sequence[Event]) -> tuple[str, str, tuple[str, ...]]:
    """What triage said last, why, and the commands that it offered; empty where it was not asked."""
    event = next((e for e in reversed(events) if e.kind == "triaged"), None)
    if event is None:
        return "", "", ()
    return str(event.data.get("whose", "")), str(event.data.get("because", "")), tuple(map(str, event.data.get("commands", ())))


def remedies(fault: Fault, command: str) -> bool:
    """Whether a command is the one that mends a fault."""
    words = spoken(command)
    return tuple(words[:2]) == fault.remedy and (not fault.to or fault.to in words)


def spoken(command: str) -> list[str]:
    """The words of a truegreen command; there may be some for people before it, and behind it: `# reroute: truegreen contain …`, `truegreen … # to X`."""
    _, found, rest = command.partition("truegreen ")
    try:
        return shlex.split(rest.replace("#", " ")) if found else []
    except ValueError:
        return []
