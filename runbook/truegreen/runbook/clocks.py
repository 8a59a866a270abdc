"""The clocks of an incident: acknowledge, classify, resolve, by its severity. Pure.

What meets a clock is an event, never a moment alone: a machine's clock that jumps makes nothing met, and no time negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
        met: when it was met, None while it is not.
        state: `running`, `met`, `late` (met after it was due) or `ran out`.
    """

    name: str
    of: str
    started: float
    due: float
    met: float | None
    state: str


def severity(incident: Incident, events: Sequence[Event]) -> tuple[str, float]:
    """The severity by the log, and since when: of the opening, or of the newest change."""
    changed = next((e for e in reversed(events) if e.kind == "sev changed" and e.data.get("sev")), None)
    return (str(changed.data["sev"]), max(changed.time, incident.opened)) if changed else (incident.sev, incident.opened)


def clocks(incident: Incident, events: Sequence[Event], now: float) -> tuple[Clock, ...]:
    """How each clock of an incident stands; a severity without an hour for something has no clock of it.

    Args:
        events: those of this incident, in order.
        now: unix seconds.
    """
    sev, started = severity(incident, events)
    asked = next((s for s in SEVERITIES if s.sev == sev), SEVERITIES[0])
    minutes = {ACKNOWLEDGE: asked.acknowledge_minutes, CLASSIFY: asked.classify_minutes, RESOLVE: asked.resolve_minutes}
    return tuple(
        _clock(name, asked.sev, started, allowed * 60.0, events, now) for name, allowed in minutes.items() if allowed is not None
    )


def _clock(name: str, sev: str, started: float, seconds: float, events: Sequence[Event], now: float) -> Clock:
    due = started + seconds
    met = next((max(e.time, started) for e in events if e.kind in _MEETS[name]), None)
    if met is not None:
        return Clock(name, sev, started, due, met, MET if met <= due else LATE)
    return Clock(name, sev, started, due, None, RUNNING if now <= due else RAN_OUT)
