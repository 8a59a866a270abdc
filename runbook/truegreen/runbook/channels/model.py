"""What is to be delivered and what became of it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from truegreen.core.errors import Failed
from truegreen.runbook.model import Event

CHANNEL: Final = "channel"
INVITE: Final = "invite"
MESSAGE: Final = "message"
TICKET: Final = "ticket"
CONTACT: Final = "contact"

DONE: Final = "done"
BEGUN: Final = "begun"
"""Somebody is sending it, or stopped in the middle: it may have arrived."""
REFUSED: Final = "refused"
"""It did not arrive; it is tried again when it is due."""


class Undelivered(Failed):
    """A target did not take it; `wait` is the seconds that the target asks for, `unsure` says that it may have arrived all the same."""

    def __init__(self, message: str, wait: float = 0.0, *, unsure: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.unsure = unsure


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to deliver.

    Args:
        key: names it for all time: the same incident and event give the same key.
        lane: what is delivered in order; `ticket compliance`, `contact legal: Slack`. One lane does not wait for another.
        what: `channel`, `invite`, `message`, `ticket` or `contact`.
        name: which ticket or contact; empty else.
        event: the line of the log that it tells.
        once: of a ticket, the key by which a tracker finds it again.
    """

    key: str
    lane: str
    what: str
    name: str
    event: Event
    once: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an item stands: `due` is when it may be tried again (unix seconds), `ref` what the target called it."""

    key: str
    state: str
    attempts: int
    due: float
    ref: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one pass did with an item: `ref` where it arrived, else `said` why not."""

    item: Item
    ok: bool
    ref: str
    said: str = ""
