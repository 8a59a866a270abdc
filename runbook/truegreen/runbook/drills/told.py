"""What the log of an incident says of how a drill was answered. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from truegreen.runbook.drills.model import Fault, Timings
from truegreen.runbook.model import Event, Incident


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

    changed = first("verified by spans")
    over = first("validated", ok=True) or incident.closed
    since = incident.opened if changed is None else changed
    waited = None if over is None else (after(since) or detected) + max(over - since, 0.0) * scale
    return Timings(detected, after(first("triaged", whose=whose)), after(changed), waited)


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
