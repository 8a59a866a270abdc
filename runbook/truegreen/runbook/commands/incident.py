"""`truegreen incident`: open, list, show, log, note, close."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.terms import SEVERITIES
from truegreen.runbook import alert as alerts
from truegreen.runbook import clocks
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, any_one, desk, newest, open_one, opened_scale_option, owned_by, scale_option
from truegreen.runbook.model import Event, Incident, Target
from truegreen.runbook.times import clock, iso, span


@click.group()
def incident() -> None:
    """The incident: open it or let `serve` do so; ack, owner, sev, note; list, show, log; actions, done, case, archive; channels, deliver; close."""


@incident.command("open")
@click.option("--service", metavar="S")
@click.option("--environment", metavar="E")
@click.option("--slo", metavar="N")
@click.option("--sev", type=click.Choice([s.sev for s in SEVERITIES]))
@click.option("--alert", "alert_file", type=click.File("rb"), metavar="FILE|-", help="The body of an Alertmanager webhook.")
@opened_scale_option
@desk
def open_(
    desk: Desk, service: str | None, environment: str | None, slo: str | None, sev: str | None, alert_file: Any, time_scale: int
) -> None:  # fmt: skip
    """Open an incident for one service, environment and SLO, or from an alert."""
    from truegreen.runbook.closing import AGAIN, scaled
    from truegreen.runbook.log import Draft, alone
    from truegreen.runbook.serve.hearing import graver

    content, where = (alert_file.read(alerts.MOST_BYTES + 1), getattr(alert_file, "name", "-")) if alert_file else (b"", "")
    found = alerts.parse(content, where) if alert_file else None
    labels = found.labels if found else {}
    parts = {name: clean(given or labels.get(name, ""), 200)
             for name, given in (("service", service), ("environment", environment), ("slo", slo))}  # fmt: skip
    lacking = [f"--{name}" for name, value in parts.items() if not value]
    if lacking:
        raise BadInput(
            f"{', '.join(lacking)} missing{' and not among the alert’s labels' if found else '; or give --alert FILE'}"
        )
    asked = sev or (labels.get("sev") if labels.get("sev") in {s.sev for s in SEVERITIES} else None)
    target = Target(**parts)
    text = found.summary if found and found.summary else f"opened by hand for {target}"
    now, opened = desk.clock(), str(asked or "1")
    facts: dict[str, Any] = {"labels": dict(labels), "fired": alerts.fired(found, now) if found else None}
    if found:
        # As `serve` writes them: it knows the alert again, and the ticket is that of Alertmanager's own receivers.
        group, heard = alerts.every(content, where)
        facts |= {"alert_key": next(h.key for h in heard if h.alert == found), "group_hash": group}

    def join(draft: Draft) -> tuple[Incident, bool]:
        same = next((i for i in draft.incidents() if i.closed is None and i.target == target), None)
        if same is None:
            return draft.open(target, opened, now, *scaled(text, facts, time_scale)), False
        draft.append(same.id, now, "detect", AGAIN, text, facts)
        return (replace(same, sev=graver(draft, same, asked, now, "incident open")) if asked else same), True

    # In one step: of two who open at once one opens, and the other joins.
    made, again = alone(desk.log(), join)
    if again:
        same = made
        desk.say(
            (f"incident {same.id} is open for {target} already, sev {same.sev}; noted",),
            {"incident": same.id, "sev": same.sev, **asdict(target), "again": True},
        )
        return
    desk.say(
        (f"incident {made.id} opened: sev {opened} {target}", f"next: truegreen triage --incident {made.id}"),
        {"incident": made.id, "sev": opened, **asdict(target), "opened": made.opened, "text": text},
    )


@incident.command("list")
@desk
def list_(desk: Desk) -> None:
    """All incidents, oldest first."""
    from truegreen.runbook.log import incidents

    rows = incidents(desk.log())
    lines = [_line(i) for i in rows] or ["no incidents"]
    desk.say(lines, {"incidents": [asdict(i) for i in rows]})


@incident.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@desk
def show(desk: Desk, number: int | None) -> None:
    """One incident: how it stands, and what was done."""
    from truegreen.runbook.log import events

    log = desk.log()
    one = any_one(desk, log, number)
    told = events(log, one.id)
    validated = newest(told, "validated")
    standing = clocks.clocks(one, told, desk.clock()) if one.closed is None else ()
    owner = owned_by(desk.config, one, told)
    lines = [
        _line(one),
        f"owner: {owner or 'nobody'}",
        *(_clock(c, desk.clock()) for c in standing),
        *(_event(e) for e in told if e.kind != "note"),
        f"last validation: {validated.text if validated else 'none'}",
    ]
    desk.say(lines, {**asdict(one), "owner": owner, "clocks": [asdict(c) for c in standing], "events": [asdict(e) for e in told]})


def _clock(one: clocks.Clock, now: float) -> str:
    colour = {clocks.RAN_OUT: "red", clocks.LATE: "yellow", clocks.MET: "green"}.get(one.state)
    left = f"{span(one.due - now)} left" if one.state == clocks.RUNNING else f"due {clock(one.due)} UTC"
    return f"{one.name:<12}{click.style(one.state, fg=colour)}, {left}"


@incident.command("log")
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--verify", is_flag=True, help="Check the hash chain of the whole log; exit 1 when it was altered or is not there.")
@click.option("--head", metavar="HASH", default="", help="With --verify: a hash noted earlier that must be in the chain.")
@desk
def log_(desk: Desk, number: int | None, verify: bool, head: str) -> None:
    """Every event of an incident, in order."""
    from truegreen.runbook import log as store

    # A store that is looked for in the wrong folder is not made there and found good.
    log = store.open_log(desk.config.incidents.store, make=not verify)
    if verify:
        found = store.verified(log, head)
        if found.wrong:
            raise Failed(f"{log.address}: altered: {found.wrong}")
        count, newest_hash = found.events, found.head
        if not count:
            raise Failed(f"{log.address}: holds no events, so nothing was verified; is it the store that is meant (--store)?")
        lines = [f"{count} events, chain unbroken, head {newest_hash}"]
        lines += (
            []
            if head
            else ["a log that was rewritten or cut off is seen only beside a head that was noted elsewhere: --head HASH"]
        )
        desk.say(lines, {"events": count, "ok": True, "head": newest_hash})
        return
    told = store.events(log, any_one(desk, log, number).id)
    desk.say((f"{_event(e)}  {e.hash[:12]}" for e in told), {"events": [asdict(e) for e in told]})


@incident.command()
@click.argument("text")
@click.option("--action", is_flag=True, help="An action item of the postmortem: what will be different.")
@click.option(
    "--changed",
    is_flag=True,
    help="Something that serves was changed without truegreen, such as a deployment: validate looks from now.",
)
@click.option("--owner", default="", metavar="NAME")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD")
@click.option("--by", default="", metavar="NAME", help="Who says so.")
@desk
def note(desk: Desk, text: str, action: bool, changed: bool, owner: str, due: Any, by: str) -> None:
    """Add a note to the open incident, an action item also to the one that --incident names. Do not paste prompts or answers: the log is kept."""
    from truegreen.runbook.log import append
    from truegreen.runbook.standing import CHANGED

    if action and changed:
        raise BadInput("--action is what will be different, --changed what is already: give two notes")
    log = desk.log()
    one = any_one(desk, log, None) if action and desk.number else open_one(desk, log)
    facts = {"owner": clean(owner, 100), "due": due.strftime("%Y-%m-%d") if due else ""} if action else {}
    facts |= {"by": clean(by, 100)} if by else {}
    phase, kind = ("review", "action item") if action else ("mitigate", CHANGED) if changed else ("triage", "note")
    made = append(log, one.id, desk.clock(), phase, kind, text, facts)
    desk.say((f"noted as event {made.seq} of incident {one.id}",), {"incident": one.id, "event": made.seq})


@incident.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--override", metavar="NAME", default="", help="Who closes it although the checks are not green.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@scale_option
@desk
def close(desk: Desk, number: int | None, override: str, reason: str, time_scale: int) -> None:
    """Close the incident: refused unless the last validation is green and recent, and neither a sev 1 nor its own alert is active."""
    from truegreen.runbook.closing import lacking, overtaken, serving
    from truegreen.runbook.contain import standing_switches
    from truegreen.runbook.log import Draft, alone, events, incidents
    from truegreen.runbook.standing import elsewhere

    log = desk.log()
    one = open_one(replace(desk, number=number or desk.number), log)
    if bool(override.strip()) != bool(reason.strip()):
        raise BadInput("--override NAME and --reason TEXT belong together")
    sources = desk.sources()
    now = desk.clock()
    everything = events(log)
    told = tuple(e for e in everything if e.incident == one.id)
    others = elsewhere(everything, one, incidents(log))
    wrong = lacking(told, sources.alertmanager, one, now, time_scale, others)
    if wrong and not override:
        raise Failed(f"cannot close an incident that is not over: {'; '.join(wrong)} (--override NAME --reason TEXT is logged)")
    text = f"closed {span(now - one.opened)} after it was opened"
    if time_scale > 1:
        text += f", windows divided by {time_scale}"
    if wrong:
        text += f", overridden by {clean(override, 100)}: {clean(reason)}"
    left = standing_switches(log, one.id)
    if left:
        text += f"; {len(left)} switch{'' if len(left) == 1 else 'es'} left on"
    facts = {
        "override": clean(override, 100),
        "reason": clean(reason),
        "not over": wrong,
        "standing": left,
        "versions": serving(sources, one.target, 300 / time_scale),
    }

    def shut(draft: Draft) -> Event:
        # While Alertmanager and Prometheus were asked, an alert may have joined: closed over it, all its repeats would be known.
        late = overtaken(told, draft.events(one.id))
        if late:
            raise Failed(f"not closed: {late}; see truegreen incident show {one.id}, then close again")
        return draft.close(one.id, now, text, facts)

    made = alone(log, shut)
    desk.say(
        (
            f"incident {one.id} {text}",
            *(f"warning: still on, until somebody undoes it: {line}" for line in left),
            f"next: truegreen postmortem {one.id} --out postmortem.md",
        ),
        {"incident": one.id, "standing": left, "closed": made.time, "overridden": bool(wrong), "text": text, "head": made.hash},
    )


def _line(one: Incident) -> str:
    state = f"closed {iso(one.closed)} after {span(one.closed - one.opened)}" if one.closed is not None else "OPEN"
    return f"{one.id}  sev {one.sev}  {one.target}  opened {iso(one.opened)}  {state}"


def _event(event: Event) -> str:
    return f"{event.seq:>4}  {clock(event.time)}  {event.phase:<8}  {event.kind:<18}  {event.text}"
