"""Writes a reminder into the log 24 and 48 hours after a clock of the law began. A hook of `incident serve`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from truegreen.core.config.response import Law
from truegreen.runbook import log as store
from truegreen.runbook.law.clocks import legal
from truegreen.runbook.law.model import MET, MET_LATE, REMINDER
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.times import iso

if TYPE_CHECKING:
    from truegreen.runbook.commands.common import Desk


def tick(desk: Desk, log: store.Log, incident: Incident, events: Sequence[Event], now: float) -> None:
    """Write the reminders that are due and not written; what was missed while nobody ran is written late, once."""
    if not due(incident, events, desk.config.incidents.law, now):
        return

    # Another server may have written them since the events were read.
    def write(draft: store.Draft) -> None:
        for text, facts in due(incident, draft.events(incident.id), desk.config.incidents.law, now):
            draft.append(incident.id, now, "review", REMINDER, text, facts)

    store.alone(log, write)


def due(incident: Incident, events: Sequence[Event], law: Law, now: float) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The reminders to write at `now`, as (text, data): one for each moment, whichever clocks share it."""
    written = {(e.data.get("moment"), name) for e in events if e.kind == REMINDER for name in e.data.get("clocks", ())}
    moments: dict[float, list[str]] = {}
    for clock in legal(incident, events, law, now):
        for moment in clock.reminders:
            # The log keeps milliseconds.
            key = round(moment, 3)
            if moment <= now and clock.state not in (MET, MET_LATE) and (key, clock.name) not in written:
                moments.setdefault(key, []).append(clock.name)
    return tuple(
        (f"since {iso(moment)} it is time to look at {', '.join(names)} again: truegreen law show --incident {incident.id}",
         {"moment": moment, "clocks": names})
        for moment, names in sorted(moments.items())
    )  # fmt: skip
