"""Deliver what the log is to tell: each item once, tried again with longer and longer pauses, never in the way of a command."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import log as store
from truegreen.runbook.channels import contacts, deliveries, github, jira, slack, words
from truegreen.runbook.channels.model import BEGUN, CHANNEL, CONTACT, DONE, INVITE, REFUSED, TICKET, Item, Outcome, Undelivered
from truegreen.runbook.channels.plan import plan, target_of
from truegreen.runbook.clean import clean
from truegreen.runbook.log import Log
from truegreen.runbook.model import Event, Incident

if TYPE_CHECKING:
    from truegreen.runbook.commands.common import Desk

FIRST: Final = 5.0
"""Seconds until a refused item is tried again, doubled each time up to `LONGEST`."""
LONGEST: Final = 300.0
PATIENT: Final = 3_600.0
"""Seconds: a target that asks for a longer rest is asked again after this."""
_TURN: Final = threading.Lock()
_AT_IT: Final[set[tuple[str, str]]] = set()
"""Store and target of what is being delivered in the background."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one target is to be told of one incident; `refs` are the keys of what was delivered, each with what the target called it."""

    incident: Incident
    events: Sequence[Event]
    refs: dict[str, str]
    items: list[Item]


def tick(desk: Desk, log: Log, incident: Incident, events: Sequence[Event], now: float) -> None:  # noqa: ARG001 - the shape of a hook
    """Deliver in the background what all incidents are to tell; a target that is still at it is left alone.

    A hook of `incident serve`: one that hangs must hold up neither the clocks nor another target. What fails is in the log and tried again.
    """
    if _TURN.acquire(blocking=False):
        threading.Thread(target=_in_background, args=(desk, log), name="truegreen-outbox", daemon=True).start()


def _in_background(desk: Desk, log: Log) -> None:
    try:
        for target, parts in _waiting(desk, log).items():
            one = (log.address, target)
            if one not in _AT_IT:
                _AT_IT.add(one)
                # What becomes of it is in the log. Where the store does not answer the next tick tries again, and the loop says so by itself.
                _begun(desk, log, target, parts).add_done_callback(lambda _, one=one: _AT_IT.discard(one))  # type: ignore[misc]
    except (BadInput, Failed):
        pass  # As above.
    finally:
        _TURN.release()


def deliver(desk: Desk, log: Log) -> list[Outcome]:
    """Try everything that is due, of every incident that is open or of which something was written not long ago; all targets at once.

    Raises:
        Failed: the store cannot be used.
    """
    begun = [_begun(desk, log, target, parts) for target, parts in _waiting(desk, log).items()]
    return [outcome for one in begun for outcome in one.result()]


def _begun(desk: Desk, log: Log, target: str, parts: Sequence[_Part]) -> Future[list[Outcome]]:
    # Not of a pool: who ends the process must not wait for a target that hangs.
    made: Future[list[Outcome]] = Future()

    def run() -> None:
        try:
            made.set_result([outcome for part in parts for outcome in _of(desk, log, part)])
        except Exception as error:  # it is raised where the result is asked for
            made.set_exception(error)

    threading.Thread(target=run, name=f"truegreen-{target}", daemon=True).start()
    return made


def _waiting(desk: Desk, log: Log) -> dict[str, list[_Part]]:
    # Target to what is not delivered to it yet, incident by incident.
    deliveries.prepare(log)
    found: dict[str, list[_Part]] = {}
    for incident in store.recent(log, desk.clock()):
        events = store.events(log, incident.id)
        refs = {key: each.ref for key, each in deliveries.known(log, incident.id).items() if each.state == DONE}
        if incident.closed is not None and not refs:
            continue  # It was over before anybody was to be told.
        parts: dict[str, list[Item]] = {}
        for item in plan(events, desk.config.incidents):
            if item.key not in refs:
                parts.setdefault(target_of(item), []).append(item)
        for target, items in parts.items():
            found.setdefault(target, []).append(_Part(incident, events, dict(refs), items))
    return found


def pending(desk: Desk, log: Log, incident: Incident, events: Sequence[Event]) -> tuple[Item, ...]:
    """What is not delivered yet."""
    known = deliveries.known(log, incident.id)
    return tuple(i for i in plan(events, desk.config.incidents) if i.key not in known or known[i.key].state != DONE)


def _of(desk: Desk, log: Log, part: _Part) -> Iterator[Outcome]:
    incident, events, refs, stopped = part.incident, part.events, part.refs, set[str]()
    for item in part.items:
        if item.lane in stopped or (item.what == INVITE and f"channel {events[0].hash}" not in refs):
            continue
        # Not the time at which all began: a target may take long, and the lease of what comes after it begins with its own claim.
        before = deliveries.claim(log, incident.id, item.key, desk.clock())
        if before is None:
            stopped.add(item.lane)
            continue
        try:
            ref, facts = _send(desk, incident, events, item, refs, unsure=before.state == BEGUN)
        except Exception as error:  # whatever one target answers, the others are told
            why, now = _why(error), desk.clock()
            due = now + min(max(why.wait, min(FIRST * 2 ** min(before.attempts, 10), LONGEST)), PATIENT)
            deliveries.settle(log, item.key, BEGUN if why.unsure else REFUSED, due, said=str(why))
            _once(log, incident, item.lane, now, "delivery failed", f"{item.lane}: {why}", {"target": item.lane})
            stopped.add(item.lane)
            yield Outcome(item, ok=False, ref="", said=str(why))
            continue
        if facts:
            _once(log, incident, item.key, desk.clock(), *_told(item, facts), facts)
        deliveries.settle(log, item.key, DONE, desk.clock(), ref=ref)
        refs[item.key] = ref
        yield Outcome(item, ok=True, ref=ref)


def _why(error: Exception) -> Undelivered:
    if isinstance(error, Undelivered):
        return error
    if isinstance(error, BadInput | Failed):
        return Undelivered(str(error))
    # The text of an error that nobody foresaw may hold a secret. It may have come after the message arrived.
    return Undelivered(f"what it answers, or how it is configured, is not understood ({type(error).__name__})", unsure=True)


def _send(
    desk: Desk, incident: Incident, events: Sequence[Event], item: Item, refs: Mapping[str, str], *, unsure: bool
) -> tuple[str, dict[str, Any]]:
    # What the target calls it, and what the log keeps of it (nothing of a message: it would have to tell itself).
    config, opened = desk.config, events[0]
    asked, where = config.incidents, words.links(config, incident, events)
    sev = incident.sev
    own = refs.get(f"channel {opened.hash}", "")
    if item.what == TICKET:
        return _ticket(desk, incident, events, item, sev, where)
    if item.what == CONTACT and not item.lane.endswith(": Slack"):
        return _contact(desk, incident, item, sev, where)
    server = slack.connect(asked.slack.url, asked.slack.token_file)
    if item.what == CHANNEL:
        channel = slack.open_channel(server, item.name)
        return channel, {"target": item.key, "channel": channel, "name": item.name}
    if item.what == INVITE:
        slack.invite(server, own, asked.slack.invite)
        return own, {}
    if item.what == CONTACT:
        channel, message = (
            asked.contacts[item.name].channel,
            {"text": words.slack_text(words.contact(item, incident, sev, where))},
        )
        facts = {"target": item.key, "contact": item.name, "name": asked.contacts[item.name].name, "way": "Slack"}
        return slack.post(server, channel, message, item.key)[1], facts
    channel = asked.slack.channel or own
    # In a channel that is there already, an incident is one thread below its first message.
    thread = refs.get(f"message {opened.hash}", "") if asked.slack.channel else ""
    place, _, root = thread.partition(" ")
    if unsure and (ts := slack.find(server, place or channel, item.event.hash, incident.opened - 1, root)):
        return f"{place or channel} {ts}", {}
    message = words.slack(item, incident, sev, where)
    return " ".join(slack.post(server, place or channel, message, item.event.hash, root)), {}


def _ticket(
    desk: Desk, incident: Incident, events: Sequence[Event], item: Item, sev: str, where: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    tracker = desk.config.incidents.tickets[item.name]
    rows, steps, title = (
        words.facts(item, incident, sev, events[0]),
        words.advice(item, incident),
        words.title(item, incident, sev),
    )
    if tracker.type == "jira":
        key, url, found = jira.ticket(tracker, item.once, title, words.jira(rows, steps, where))
    else:
        key, url, found = github.ticket(tracker, item.once, title, words.github(item, rows, steps, where))
    facts = {"target": item.key, "ticket": item.name, "key": key, "url": url, "found": found, "event": item.event.seq}
    return f"{key} {url}", facts


def _contact(desk: Desk, incident: Incident, item: Item, sev: str, where: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    contact, target = desk.config.incidents.contacts[item.name], incident.target
    if item.lane.endswith(": webhook"):
        text = words.contact(item, incident, sev, where, words.anywhere)
        contacts.incoming(contact, f"incidents.contacts.{item.name}", text)
    else:
        text = words.contact(item, incident, sev, where)
        facts = {"incident": incident.id, "sev": sev, "service": target.service, "environment": target.environment, "slo": target.slo,
                 "kind": item.event.kind, "time": item.event.time, "url": where["incident"], "key": item.event.hash}  # fmt: skip
        contacts.plain(contact, text, facts)
    return "", {"target": item.key, "contact": item.name, "name": contact.name, "way": item.lane.rpartition(": ")[2]}


def _told(item: Item, facts: Mapping[str, Any]) -> tuple[str, str]:
    if item.what == CHANNEL:
        return "channel opened", f"Slack: #{facts['name']}"
    if item.what == TICKET:
        return "ticket opened", f"{item.name}: {facts['key']} {facts['url']}{' (it was there)' if facts['found'] else ''}"
    return "contact told", f"{facts['name']} ({item.name}) by {facts['way']}: {item.event.kind}"


def _once(log: Log, incident: Incident, target: str, now: float, kind: str, text: str, facts: Mapping[str, Any]) -> None:
    # Killed between the line and the mark that it is done, the next attempt finds the line.
    if not any(e.kind == kind and e.data.get("target") == target for e in store.events(log, incident.id)):
        store.append(log, incident.id, now, "detect", kind, clean(text, 1_000), facts)
