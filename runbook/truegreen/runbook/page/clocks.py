"""The clocks of an incident as the page shows them: those of its sev, and those of the law. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from truegreen.core.config.response import Law
from truegreen.runbook import clocks
from truegreen.runbook.law.clocks import NOTE, legal
from truegreen.runbook.model import Event, Incident

_SAYS: Final = {clocks.ACKNOWLEDGE: "Acknowledge", clocks.CLASSIFY: "Classify", clocks.RESOLVE: "Resolve"}


def of_sev(incident: Incident, events: Sequence[Event], now: float) -> list[dict[str, Any]]:
    """The clocks of the incident's severity."""
    return [
        {
            "name": c.name,
            "says": f"{_SAYS[c.name]} (sev {c.of})",
            "due": c.due,
            "left": c.due - now,
            "met": c.met,
            "state": c.state,
        }
        for c in clocks.clocks(incident, events, now)
    ]


def of_law(incident: Incident, events: Sequence[Event], law: Law, now: float) -> dict[str, Any]:
    """The clocks of the law with what they are worth; a clock waits until somebody records what starts it."""
    found = legal(incident, events, law, now)
    rows = [
        {"name": c.name, "says": c.says, "concerns": c.concerns, "source": c.source, "status": c.status, "why": c.why, "state": c.state,
         "due": c.due, "left": None if c.due is None else c.due - now, "decision": c.decision}
        for c in found
    ]  # fmt: skip
    return {
        "note": NOTE,
        "reviewed": found[0].law_reviewed_as_of if found else "",
        "running": [r for r in rows if r["state"] != "waiting"],
        "waiting": [r for r in rows if r["state"] == "waiting"],
    }
