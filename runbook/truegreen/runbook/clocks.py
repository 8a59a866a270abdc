"""The clocks of an incident: acknowledge, classify, resolve, by its severity. Pure.

What meets a clock is an event, never a moment alone: a machine's clock that jumps makes nothing met, and no time negative. The order is that of the
log: an event is judged by the largest time that was seen up to it, so that a clock that jumped back makes nothing early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from truegreen.core.words.terms import SEVERITIES
from truegreen.runbook.model import Event, Incident

ACKNOWLEDGE: Final = "acknowledge"
CLASSIFY: Final = "classify"
RESOLVE: Final = "resolve"
RUNNING: Final = "running"
MET: Final = "met"
LATE: Final = "late"
RAN_OUT: Final = "ran out"
_MEETS: Final = {ACKNOWLEDGE: ("acknowledged", "owner set", "triaged"), CLASSIFY: ("triaged",), RESOLVE: ("incident closed",)}
"""A clock and the kinds of events that meet it; who triages has seen the page."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock; times in unix seconds.

    Args:
        name: `acknowledge`, `classify` or `resolve`.
        of: the severity that sets it.
        started: when the incident had that severity.
        met: when it was met by the clock of that machine, None while it is not.
        state: `running`, `met`, `late` (met after it was due, by the largest time seen until then) or `ran out`.
    """

    name: str
    of: str
    started: float
    due: float
    met: float | None
    state: str


def severity(incident: Incident, events: Sequence[Event]) -> tuple[str, float]:
    """The severity by the log, and since when: of the opening, or of the newest change."""
    for event, seen in reversed(_seen(incident, events)):
        if event.kind == "sev changed" and event.data.get("sev"):
            return str(event.data["sev"]), seen
    return incident.sev, incident.opened


def clocks(incident: Incident, events: Sequence[Event], now: float) -> tuple[Clock, ...]:
    """How each clock of an incident stands; a severity without an hour for something has no clock of it.

    Args:
        events: those of this incident, in order.
        now: unix seconds.
    """
    sev, started = severity(incident, events)
    asked = next((s for s in SEVERITIES if s.sev == sev), SEVERITIES[0])
    minutes = {ACKNOWLEDGE: asked.acknowledge_minutes, CLASSIFY: asked.classify_minutes, RESOLVE: asked.resolve_minutes}
    told = _seen(incident, events)
    latest = max(now, told[-1][1] if told else incident.opened)
    return tuple(
        _clock(name, asked.sev, started, allowed * 60.0, told, latest) for name, allowed in minutes.items() if allowed is not None
    )


def _seen(incident: Incident, events: Sequence[Event]) -> list[tuple[Event, float]]:
    """Each event with the largest time that was seen when it was written."""
    times = accumulate((e.time for e in events), max, initial=incident.opened)
    next(times)
    return list(zip(events, times, strict=True))


def _clock(name: str, sev: str, started: float, seconds: float, told: Sequence[tuple[Event, float]], now: float) -> Clock:
    due = started + seconds
    for event, seen in told:
        if event.kind in _MEETS[name]:
            return Clock(name, sev, started, due, max(event.time, started), MET if max(seen, started) <= due else LATE)
    return Clock(name, sev, started, due, None, RUNNING if now <= due else RAN_OUT)
