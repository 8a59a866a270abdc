"""`truegreen incident ack`, `owner` and `sev`: who has seen it, who has it, and how grave it is."""

from __future__ import annotations

import getpass

import click

from truegreen.core.errors import BadInput
from truegreen.core.words.terms import SEVERITIES
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, open_one
from truegreen.runbook.commands.incident import incident

_BY = click.option("--by", default="", metavar="NAME", help="Who does it (default: who is logged in).")


@incident.command("ack")
@_BY
@desk
def ack(desk: Desk, by: str) -> None:
    """Say that somebody has seen it: its first clock stops."""
    from truegreen.runbook import log as store

    log = desk.log()
    one = open_one(desk, log)
    seen = newest(store.events(log, one.id), "acknowledged")
    if seen:
        desk.say((f"incident {one.id} was acknowledged {seen.text}",), {"incident": one.id, "event": seen.seq, "again": True})
        return
    who = _who(by)
    event = store.append(log, one.id, desk.clock(), "detect", "acknowledged", f"by {who}", {"by": who})
    desk.say((f"incident {one.id} acknowledged by {who}",), {"incident": one.id, "event": event.seq, "by": who})


@incident.command("owner")
@click.argument("name")
@_BY
@desk
def owner(desk: Desk, name: str, by: str) -> None:
    """Say who has it from now on."""
    from truegreen.runbook import log as store

    log = desk.log()
    one, whose = open_one(desk, log), clean(name, 100)
    if not whose:
        raise BadInput("NAME: found nothing that can be printed; write who has it")
    event = store.append(log, one.id, desk.clock(), "detect", "owner set", f"{whose} owns it", {"owner": whose, "by": _who(by)})
    desk.say((f"incident {one.id}: {whose} owns it",), {"incident": one.id, "event": event.seq, "owner": whose})


@incident.command("sev")
@click.argument("sev", type=click.Choice([s.sev for s in SEVERITIES]))
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@_BY
@desk
def sev(desk: Desk, sev: str, reason: str, by: str) -> None:
    """Change the severity: its clocks begin anew."""
    from truegreen.runbook import clocks
    from truegreen.runbook import log as store

    log = desk.log()
    one, why = open_one(desk, log), clean(reason, 500)
    if not why:
        raise BadInput("--reason: found nothing that can be printed; write why")
    before, _ = clocks.severity(one, store.events(log, one.id))
    if before == sev:
        raise BadInput(f"incident {one.id} is sev {sev} already")
    facts = {"sev": sev, "before": before, "reason": why, "by": _who(by)}
    event = store.append(log, one.id, desk.clock(), "triage", "sev changed", f"sev {before} to sev {sev}: {why}", facts)
    desk.say((f"incident {one.id} is sev {sev} now (was {before})",), {"incident": one.id, "event": event.seq, "sev": sev})


def _who(by: str) -> str:
    try:
        who = clean(by or getpass.getuser(), 100)
    except (OSError, KeyError):
        who = ""
    if not who:
        raise BadInput("--by NAME: nobody is logged in by a name; say who you are")
    return who
