"""What a button of the page writes into the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.runbook import log as store
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import newest
from truegreen.runbook.log import Log
from truegreen.runbook.model import Event, Incident

DEEDS: Final = ("acknowledge", "own", "note")


def act(log: Log, incident: Incident, events: Sequence[Event], deed: str, by: str, text: str, now: float) -> Event:
    """Acknowledge, take ownership, or add a note: the event that says so. What is so already is not written again.

    Raises:
        BadInput: an unknown deed, nobody's name, a note without words, or a closed incident.
    """
    if deed not in DEEDS:
        raise BadInput(f"There is no {clean(deed, 50)!r}; there is: {', '.join(DEEDS)}.")
    if not by:
        raise BadInput("Say who you are: fill in your name.")
    if deed == "note":
        said = clean(text, 4_000)
        if not said:
            raise BadInput("A note needs words.")
        return store.append(log, incident.id, now, "triage", "note", said, {"by": by})
    if incident.closed is not None:
        raise BadInput("This incident is closed.")
    kind, key, said = ("acknowledged", "by", f"by {by}") if deed == "acknowledge" else ("owner set", "owner", f"{by} owns it")
    before = newest(events, kind)
    if before and (deed == "acknowledge" or before.data.get(key) == by):
        return before
    return store.append(log, incident.id, now, "detect", kind, said, {key: by, "by": by})
