"""Which lines of the log are told to whom. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from truegreen.core.config.response import Contact, Incidents
from truegreen.runbook.channels.model import CHANNEL, CONTACT, INVITE, MESSAGE, TICKET, Item
from truegreen.runbook.model import Event

GRAVE: Final = "1"
"""The sev that opens a channel and a compliance ticket, and tells the contacts of `LEGAL`."""
LEGAL: Final = ("legal", "compliance")
REMINDERS: Final = ("law reminder", "law awareness")
"""Kinds of events that the contacts of `LEGAL` are told of."""
RAN_OUT: Final = "clock ran out"
"""The kind of event that tells whom its data names under `tell`."""
ACTION: Final = "action item"


def plan(events: Sequence[Event], config: Incidents) -> tuple[Item, ...]:
    """Everything that one incident's log is to tell, in the order of the log; a drill tells nobody.

    Args:
        events: of one incident, from its opening on.
    """
    if not events or events[0].data.get("drill"):
        return ()
    grave = since(events)
    return (*_tickets(events, grave, config), *_contacts(events, grave, config), *_slack(events, grave, config))


def since(events: Iterable[Event]) -> Event | None:
    """The event by which the incident became one of sev 1; None while it is none."""
    return next((e for e in events if e.kind in ("incident opened", "sev changed") and str(e.data.get("sev")) == GRAVE), None)


def group_key(events: Sequence[Event]) -> str:
    """SHA-256 in hex of Alertmanager's group key, as its own receivers make it; of the opening event where no webhook opened the incident."""
    hashed, given = (events[0].data.get(name) for name in ("group_hash", "group_key"))
    if isinstance(hashed, str) and hashed:
        return hashed
    # Before there was a hash in the log, the key was.
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest() if isinstance(given, str) and given else events[0].hash


def channel_name(config: Incidents, opened: Event) -> str:
    """The name of an incident's own channel: no other incident of any log has it."""
    return f"{config.slack.prefix}{opened.incident}-{opened.hash[:6]}"


def ways(contact: Contact, *, slack: bool) -> tuple[str, ...]:
    """How somebody is told, in words: all that is configured; `slack` is whether there is a token."""
    return tuple(
        way for way, there in (("Slack", contact.channel and slack), ("webhook", contact.secret_file), ("JSON", contact.url)) if there
    )  # fmt: skip


def _tickets(events: Sequence[Event], grave: Event | None, config: Incidents) -> Iterator[Item]:
    opened, shared = events[0], group_key(events)
    if "incident" in config.tickets:
        yield Item(f"ticket incident {opened.hash}", "ticket incident", TICKET, "incident", opened, f"ALERT{{{shared}}}")
    if grave and "compliance" in config.tickets:
        yield Item(
            f"ticket compliance {opened.hash}",
            "ticket compliance",
            TICKET,
            "compliance",
            grave,
            f"truegreen-compliance-{opened.hash}",
        )
    if "action" in config.tickets:
        for event in events:
            if event.kind == ACTION:
                yield Item(
                    f"ticket action {event.hash}", "ticket action", TICKET, "action", event, f"truegreen-action-{event.hash}"
                )


def _contacts(events: Sequence[Event], grave: Event | None, config: Incidents) -> Iterator[Item]:
    for event in events:
        for name in dict.fromkeys(_told_of(event, grave)):
            contact = config.contacts.get(name)
            for way in ways(contact, slack=bool(config.slack.token_file)) if contact else ():
                yield Item(f"contact {name} {way} {event.hash}", f"contact {name}: {way}", CONTACT, name, event)


def _told_of(event: Event, grave: Event | None) -> tuple[str, ...]:
    asked = event.data.get("tell") if event.kind == RAN_OUT else None
    named = tuple(str(one) for one in asked) if isinstance(asked, list) else ()
    return (*named, *(LEGAL if event is grave or event.kind in REMINDERS else ()))


def _slack(events: Sequence[Event], grave: Event | None, config: Incidents) -> Iterator[Item]:
    slack, opened = config.slack, events[0]
    if not slack.token_file or grave is None:
        return
    if not slack.channel:
        yield Item(f"channel {opened.hash}", "Slack", CHANNEL, channel_name(config, opened), grave)
        if slack.invite:
            yield Item(f"invite {opened.hash}", "Slack invitations", INVITE, "", grave)
    for event in events:
        yield Item(f"message {event.hash}", "Slack", MESSAGE, "", event)


def target_of(item: Item) -> str:
    """Who takes an item: all that goes through Slack is one target, any other lane is a target of its own."""
    return "Slack" if item.lane.startswith("Slack") or item.lane.endswith(": Slack") else item.lane


def lanes(items: Iterable[Item]) -> Mapping[str, int]:
    """Each lane with how many items it has, in order."""
    found: dict[str, int] = {}
    for item in items:
        found[item.lane] = found.get(item.lane, 0) + 1
    return found
