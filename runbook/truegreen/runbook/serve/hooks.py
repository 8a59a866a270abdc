"""What runs beside the page, once a second for each incident: escalation, channels, policies, reminders of the law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from truegreen.runbook import clocks, policy
from truegreen.runbook import log as store
from truegreen.runbook.channels import outbox
from truegreen.runbook.channels.plan import RAN_OUT
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.law import reminders
from truegreen.runbook.model import Event, Incident

Hook = Callable[[Desk, store.Log, Incident, tuple[Event, ...], float], None]


def escalate(desk: Desk, log: store.Log, incident: Incident, events: Sequence[Event], now: float) -> None:
    """Log each clock that ran out, once, with who is to be told next: the n-th clock tells the n-th of incidents.escalation."""
    if not _ran_out(incident, events, now):
        return

    # Another server may have told it since the events were read.
    def write(draft: store.Draft) -> None:
        still = next(one for one in draft.incidents() if one.id == incident.id)
        _tell(desk, draft, still, draft.events(incident.id), now)

    store.alone(log, write)


def _ran_out(incident: Incident, events: Sequence[Event], now: float) -> list[clocks.Clock]:
    """The clocks that ran out and are not told; a severity that comes again has clocks of its own."""
    if incident.closed is not None:
        return []
    done = {(e.data.get("clock"), e.data.get("sev"), e.data.get("due")) for e in events if e.kind == RAN_OUT}
    return [c for c in clocks.clocks(incident, events, now) if c.state == clocks.RAN_OUT and (c.name, c.of, c.due) not in done]


def _tell(desk: Desk, draft: store.Draft, incident: Incident, events: Sequence[Event], now: float) -> None:
    asked = desk.config.incidents
    told = sum(e.kind == RAN_OUT for e in events)
    for number, one in enumerate(_ran_out(incident, events, now), start=told):
        name = asked.escalation[min(number, len(asked.escalation) - 1)] if asked.escalation else ""
        contact = asked.contacts[name].name if name in asked.contacts else "nobody is configured: incidents.escalation"
        facts = {"clock": one.name, "sev": one.of, "due": one.due, "tell": [name] if name else []}
        text = f"the time to {one.name} a sev {one.of} is over; next: {contact}"
        draft.append(incident.id, now, "detect", RAN_OUT, text, facts)


HOOKS: Final[Sequence[tuple[str, Hook]]] = (
    ("escalation", escalate), ("policy", policy.tick), ("law", reminders.tick), ("outbox", outbox.tick),
)  # fmt: skip
"""A new one is a function and a row here; what it raises is said once, and stops no other."""
