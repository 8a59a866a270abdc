"""The log to the changes that stand: which switches are on, which labels were moved, also by a command that was killed half way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from truegreen.containment.model import EVALUATION_BOOST
from truegreen.runbook.model import Event, Incident

CHANGED: Final = "changed elsewhere"
"""What somebody says they changed without truegreen, such as a deployment: `truegreen incident note --changed`."""
ROLLOUTS: Final = ("rollout started", "rollout step", "rollout promoted", "rollout rolled back", "rollout cleared")
"""Of a staged rollout, which is of no incident."""
CHANGES: Final = (
    "contain begun", "contain applied", "contain expired", "undo begun", "contain undone", "rollback begun", "rollback applied",
    "refresh begun", "refresh applied", CHANGED, *ROLLOUTS,
)  # fmt: skip
"""Events after which a validation says nothing any more, when they change what serves."""
LIFTED: Final = "containment lifted"


@dataclass(frozen=True, slots=True)
class Active:
    """A switch that is on, or may be.

    Args:
        number: of the event that `contain undo` takes: the applied one, or the begun one of a change that was never finished.
        begun: of the event that announced it; the same as `number` while it is not finished.
        previous_expires: unix seconds, None where what was before did not expire.
        finished: False when the command was killed between its announcement and its end: the file may be turned or not.
    """

    number: int
    incident: int
    flag: str
    value: str
    previous: str
    applied: float
    expires: float
    previous_expires: float | None
    begun: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A component that was moved, or may be; `old` is None when no version was set before. The rest as in `Active`."""

    number: int
    incident: int
    name: str
    to: int | str
    old: int | str | None
    begun: int
    finished: bool
    component: str = "prompt"


def serves(event: Event) -> bool:
    """Whether another thing may serve since an event; the share of answers that is evaluated is none."""
    return event.kind in CHANGES and event.data.get("flag") != EVALUATION_BOOST


def disturbs(event: Event) -> bool:
    """Whether a validation of before an event says nothing any more: not after what `contain lift` took away and watched."""
    return serves(event) and not event.data.get("lift")


def elsewhere(events: Sequence[Event], incident: Incident, known: Sequence[Incident]) -> tuple[Event, ...]:
    """What changed since an incident was opened in what serves its service, and is told of another incident, or of a rollout.

    Args:
        events: the whole log.
        known: all incidents.
    """
    where = (incident.target.service, incident.target.environment)
    near = {i.id for i in known if i.id != incident.id and (i.target.service, i.target.environment) == where}
    staged = {
        e.seq for e in events if e.kind == ROLLOUTS[0] and (e.data.get("service"), e.data.get("environment")) == where
    }  # fmt: skip
    opened = next((e.seq for e in events if e.incident == incident.id), 0)
    return tuple(
        e for e in events if e.seq > opened
        and ((e.incident in near and serves(e)) or (e.kind in ROLLOUTS and not staged.isdisjoint((e.seq, e.data.get("rollout")))))
    )  # fmt: skip


def half_lifted(events: Sequence[Event]) -> bool:
    """Whether a `contain lift` was cut off after it took a switch away: nobody saw then how the service does without it."""
    newest = next(
        (e for e in reversed(events) if e.kind == LIFTED or disturbs(e) or (e.kind == "contain undone" and serves(e))), None
    )
    return newest is not None and bool(newest.data.get("lift"))


def switches(events: Sequence[Event]) -> tuple[Active, ...]:
    """The switches that the log says are on, oldest first; one that was renewed expires when its renewal does."""
    undone = {_number(e.data.get("undone")) for e in events if e.kind in ("contain undone", "contain expired")}
    undone |= {_number(e.data.get("replaces")) for e in events if e.kind == "contain applied"} - {None}
    renewed = {_number(e.data.get("renewed")): e.data["expires"] for e in events if e.kind == "contain renewed"}
    return tuple(
        Active(e.seq, e.incident, e.data["flag"], e.data["value"], e.data["previous"], e.time, renewed.get(e.seq, e.data["expires"]),
               e.data.get("previous_expires"), begun, finished)
        for e, begun, finished in _made(events, "contain", ("flag", "value")) if e.seq not in undone
    )  # fmt: skip


def moves(events: Sequence[Event]) -> tuple[Moved, ...]:
    """The components that the log says are moved, oldest first."""
    undone = {_number(e.data.get("undone")) for e in events if e.kind == "rollback applied"}
    return tuple(
        Moved(e.seq, e.incident, str(e.data["name"]), e.data["to"], e.data.get("from"), begun, finished, e.data.get("component", "prompt"))
        for e, begun, finished in _made(events, "rollback", ("component", "name", "to")) if e.seq not in undone
    )  # fmt: skip


def announced(events: Sequence[Event], number: int) -> bool:
    """Whether an undo of event `number` was begun."""
    return any(e.kind in ("undo begun", "rollback begun") and _number(e.data.get("undone")) == number for e in events)


def first(events: Sequence[Event]) -> Event | None:
    """The event with which somebody began to change the system, None when nobody did; a change that failed is none."""
    parts = (*_made(events, "contain", ("flag", "value")), *_made(events, "rollback", ("component", "name", "to")))
    began = {begun for _, begun, _ in parts}
    return next((e for e in events if e.seq in began), None)


def _made(events: Sequence[Event], command: str, key: tuple[str, ...]) -> list[tuple[Event, int, bool]]:
    """(event, the number of its announcement, finished), oldest first; an undo is not among them."""
    ended: list[tuple[Event, int, bool]] = []
    open_: dict[tuple[Any, ...], list[Event]] = {}
    for e in events:
        if "undone" in e.data:
            continue
        mine = open_.setdefault(tuple(e.data.get(k) for k in key), [])
        if e.kind == f"{command} begun":
            mine.append(e)
        elif e.kind == f"{command} failed" and mine:
            mine.pop()
        elif e.kind == f"{command} applied":
            begun = mine.pop() if mine else None
            ended.append((e, begun.seq if begun else e.seq, True))
            completed = begun.data.get("completes") if begun else None
            while completed is not None:
                gone = next((other for other in mine if other.seq == completed), None)
                mine[:] = [other for other in mine if other is not gone]
                completed = gone.data.get("completes") if gone else None
    left = [e for mine in open_.values() for e in mine]
    again = {e.data.get("completes") for e in left}
    return sorted([*ended, *((e, e.seq, False) for e in left if e.seq not in again)], key=lambda made: made[0].seq)


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None
