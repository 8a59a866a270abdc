"""What switches do by themselves while `truegreen incident serve` runs: they expire, and degraded mode follows an open sev 1 where that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from truegreen.containment.model import DEGRADED_MODE
from truegreen.runbook import contain, standing
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.log import Log
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.standing import Active

BY: Final = {"by": "containment.degraded_on_sev1"}
"""In the data of the events of the policy's own switch: no other one is touched by it."""
AGAIN: Final = 60.0
"""Seconds until a switch that could not be turned is tried again."""


def tick(desk: Desk, log: Log, incident: Incident, events: tuple[Event, ...], now: float) -> None:
    """Log what expired; turn degraded mode on while this incident is an open sev 1, renew it, and off afterwards.

    A person who undoes it has the last word: it is not turned on again for the same incident until its severity changes.

    Args:
        events: of this incident, or of the whole log.
        now: unix seconds.

    Raises:
        BadInput, Failed: the switch cannot be turned; it is tried again after a minute.
    """
    asked = desk.config.incidents
    prompt, url = asked.langfuse
    case = Case(log, incident, desk.sources(), Path(asked.evidence), desk.flags(), prompt, lambda: now, url)
    contain.expire(case, events, desk.config.containment)
    mine = [e for e in events if e.incident == incident.id]
    own = _own(events, incident)
    if any(e.kind in ("contain failed", "contain unanswered") and now - e.time < AGAIN for e in mine[-3:]):
        return
    how = desk.config.containment
    wanted = how.degraded_on_sev1 and incident.closed is None and incident.sev == "1"
    if wanted and own is None and not _taken_back(mine) and not _on_already(store.events(log), incident, now):
        contain.turn(
            case,
            DEGRADED_MODE,
            how.degraded_message,
            how.expires,
            "turn degraded mode on while the sev 1 is open",
            how=how,
            facts=BY,
        )
    elif wanted and own is not None and own.finished and own.expires - now < how.expires / 4 and _newest(store.events(log), own):
        contain.renew(case, own.number, how.expires, how=how, facts=BY)
    elif not wanted and own is not None and _newest(store.events(log), own):
        contain.undo(case, own.number, how=how, facts=BY)


def _own(events: tuple[Event, ...], incident: Incident) -> Active | None:
    """The policy's switch of this incident, while it is on."""
    made = {e.seq for e in events if e.incident == incident.id and e.data.get("by") == BY["by"]}
    return next(
        (
            a
            for a in reversed(standing.switches(events))
            if a.incident == incident.id and a.flag == DEGRADED_MODE and a.number in made
        ),
        None,
    )


def _newest(everything: tuple[Event, ...], own: Active) -> bool:
    """Whether nobody turned degraded mode over it; who did is asked to undo that first."""
    same = [a for a in standing.switches(everything) if a.flag == own.flag]
    return bool(same) and same[-1].number == own.number


def _on_already(everything: tuple[Event, ...], incident: Incident, now: float) -> bool:
    """Whether the policy holds degraded mode on for another incident: all incidents share the one flag."""
    made = {e.seq for e in everything if e.incident != incident.id and e.data.get("by") == BY["by"]}
    same = [a for a in standing.switches(everything) if a.flag == DEGRADED_MODE]
    return bool(same) and same[-1].number in made and now < same[-1].expires


def _taken_back(mine: list[Event]) -> bool:
    """Whether the policy's switch was undone by a person since the severity was last set."""
    since = max((e.seq for e in mine if e.kind == "sev changed"), default=0)
    made = {
        e.seq for e in mine if e.kind in ("contain begun", "contain applied") and e.data.get("by") == BY["by"] and e.seq > since
    }
    return any(e.kind == "contain undone" and e.data.get("undone") in made and e.data.get("by") != BY["by"] for e in mine)
