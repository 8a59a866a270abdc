"""`truegreen incident deliver` and `truegreen incident channels`: what an incident tells by itself, sent and looked at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.commands.common import Desk, desk
from truegreen.runbook.commands.incident import incident

PAUSE = 1.0
"""Seconds between two passes."""
BEFORE = ("escalation", "law")
"""The hooks of `serve` that write what is to be told."""


@incident.command("deliver")
@click.option("--once", is_flag=True, help="One pass, for cron; exit 1 when something was not taken.")
@desk
def deliver(desk: Desk, once: bool) -> None:
    """Send what is due to Slack, trackers and contacts; `incident serve` does it by itself.

    First it escalates and reminds of the law, as `serve` does. Switches that go on or end by themselves are `serve`'s alone.
    """
    from truegreen.runbook.channels import outbox
    from truegreen.runbook.serve.hooks import HOOKS
    from truegreen.runbook.serve.loop import Loop

    log = desk.log()
    before = Loop(desk, log, lambda line: click.echo(line, err=True), [(name, hook) for name, hook in HOOKS if name in BEFORE])
    if not once:
        click.echo(f"delivers what is due every {PAUSE:g} s; Ctrl-C ends it", err=True)
    while True:
        before.once()
        made = outbox.deliver(desk, log)
        rows = [{"incident": o.item.event.incident, "target": o.item.lane, "what": o.item.what, "event": o.item.event.seq, "ok": o.ok,
                 "ref": o.ref, "said": o.said} for o in made]  # fmt: skip
        if once or rows:
            desk.say([_line(row) for row in rows] or ["nothing is due"], {"deliveries": rows})
        if once:
            break
        desk.sleep(PAUSE)
    if bad := [row for row in rows if not row["ok"]]:
        raise Failed(f"{len(bad)} of {len(rows)} not delivered; they are tried again")
    if before.failed:
        raise Failed(f"what was to be written first failed {before.failed} times, as said above; it is tried again")


@incident.command("channels")
@desk
def channels(desk: Desk) -> None:
    """Whom an incident tells of what, and what is still to be told. Nothing is sent."""
    from truegreen.runbook import log as store
    from truegreen.runbook.channels import deliveries, outbox, plan

    config = desk.config.incidents
    rows = [*_set(desk)]
    waiting: dict[str, int] = {}
    log = desk.log()
    deliveries.prepare(log)
    now = desk.clock()
    for one in store.recent(log, now):
        for lane, count in plan.lanes(outbox.pending(desk, log, one, store.events(log, one.id))).items():
            waiting[f"incident {one.id}: {lane}"] = count
    lines = [f"{row['target']:<22}  {row['when']:<42}  {row['wrong'] or 'ready'}" for row in rows]
    lines = lines or ["nobody is told: set incidents.slack, incidents.tickets or incidents.contacts"]
    lines += [f"waiting: {name}: {count}" for name, count in waiting.items()]
    lines += [f"escalation: {' -> '.join(config.escalation) or 'nobody'}"]
    desk.say(lines, {"targets": rows, "waiting": waiting, "escalation": list(config.escalation)})
    if wrong := [row for row in rows if row["wrong"]]:
        raise Failed(f"{len(wrong)} of {len(rows)} targets would not be reached")


def _set(desk: Desk) -> Iterator[dict[str, Any]]:
    from truegreen.runbook.channels import calls, contacts, plan

    config = desk.config.incidents

    def row(target: str, when: str, *files: Any, look: Callable[[], object] = lambda: None) -> dict[str, Any]:
        try:
            for file in files:
                calls.secret(file, target)
            look()
        except BadInput as error:
            return {"target": target, "when": when, "wrong": str(error)}
        return {"target": target, "when": when, "wrong": ""}

    slack = config.slack
    if slack.token_file:
        where = f"a thread in {slack.channel}" if slack.channel else f"a channel {slack.prefix}ID-HASH"
        yield row("Slack", f"sev 1: {where}, every line of the log", slack.token_file)
    when = {"incident": "every incident", "compliance": "sev 1", "action": "every action item"}
    for name, tracker in config.tickets.items():
        place = tracker.project if tracker.type == "jira" else tracker.repository
        yield row(f"ticket {name}", f"{when[name]}: {tracker.type} {place}", tracker.secret_file)
    for name, contact in config.contacts.items():
        reasons = ["sev 1, reminders of the law"] if name in plan.LEGAL else []
        reasons += ["a clock runs out"] if name in config.escalation else []
        for way in plan.ways(contact, slack=bool(slack.token_file)) or ("no way",):
            told, where = " and ".join(reasons) or "nothing: not in escalation", f"incidents.contacts.{name}"
            look = functools.partial(contacts.address, contact, where) if way == "webhook" else lambda: None
            found = row(f"contact {name}: {way}", told, look=look)
            yield {**found, "wrong": found["wrong"] or ("give a channel, secret_file or url" if way == "no way" else "")}


def _line(row: dict[str, Any]) -> str:
    state = row["ref"] or "told" if row["ok"] else f"NOT DELIVERED: {row['said']}"
    return f"incident {row['incident']}  {row['target']}  event {row['event']} {row['what']}: {state}"
