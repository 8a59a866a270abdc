"""Action items: from the events that note them and say that they are done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.runbook.model import Event

ITEM: Final = "action item"
DONE: Final = "action item done"
CASE: Final = "eval case added"
"""Kinds of events."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action item.

    Args:
        number: of the event that noted it; `truegreen incident done` takes it.
        due: a day as YYYY-MM-DD, empty where none was given.
        noted, done: unix seconds; `done` is None while it is open.
        by: who said that it is done.
        cases: ids of the evaluation cases that were added for it.
    """

    number: int
    incident: int
    text: str
    owner: str
    due: str
    noted: float
    done: float | None
    by: str
    cases: tuple[str, ...]


def actions(events: Sequence[Event]) -> tuple[Action, ...]:
    """The action items among events, of one incident or of the whole log, oldest first."""
    done: dict[object, Event] = {}
    for e in events:
        if e.kind == DONE:
            done.setdefault(e.data.get("action"), e)
    return tuple(
        Action(
            e.seq, e.incident, e.text, str(e.data.get("owner", "")), str(e.data.get("due", "")), e.time,
            done[e.seq].time if e.seq in done else None, str(done[e.seq].data.get("by", "")) if e.seq in done else "",
            tuple(str(c.data.get("case", "")) for c in events if c.kind == CASE and c.data.get("action") == e.seq),
        )
        for e in events if e.kind == ITEM
    )  # fmt: skip


def completion(items: Sequence[Action]) -> float | None:
    """The share of them that is done; None where there are none."""
    return sum(1 for item in items if item.done is not None) / len(items) if items else None
