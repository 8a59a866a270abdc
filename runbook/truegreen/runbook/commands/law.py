"""`truegreen law`: the clocks of the law, what a person recorded of them, and drafts. Advice, no legal opinion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from truegreen.core.errors import BadInput
from truegreen.runbook.commands.common import Desk, desk, force_option, sure_one
from truegreen.runbook.model import Event
from truegreen.runbook.times import iso

_MOMENT = "RFC3339"


@click.group()
def law() -> None:
    """The clocks of the law: show, record, draft. Advice, no legal opinion."""


@law.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--all", "every", is_flag=True, help="Those of other roles, tiers and places too.")
@desk
def show(desk: Desk, number: int | None, every: bool) -> None:
    """Which clocks could apply to an incident, and how they stand."""
    from truegreen.runbook.law import clocks
    from truegreen.runbook.law.model import AWARENESS
    from truegreen.runbook.log import events

    log = desk.log()
    one = sure_one(desk, log, number)
    told, said, now = events(log, one.id), desk.config.incidents.law, desk.clock()
    shown = (clocks.every if every else clocks.legal)(one, told, said, now)
    lines = [line for clock in shown for line in _lines(clock, now)]
    reviewed = shown[0].law_reviewed_as_of
    aware = [f"{iso(e.time)} {e.text}" for e in told if e.kind == AWARENESS]
    lines += [f"recorded: {line}" for line in aware]
    unread = clocks.unread(said)
    lines += [
        f"incidents.law.jurisdictions: found {place!r}, which is compared with no law, so every clock is left in; write EU, DE, US: two letters"
        for place in unread
    ]
    desk.say(
        [*lines, f"law as read on {reviewed}. {clocks.NOTE}"],
        {
            "incident": one.id,
            "clocks": [asdict(c) for c in shown],
            "awareness": aware,
            "unread": list(unread),
            "law_reviewed_as_of": reviewed,
            "note": clocks.NOTE,
        },
    )


@law.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--at", metavar=_MOMENT, required=True, help="Since when, such as 2027-12-03T09:30:00Z.")
@click.option("--by", default="", metavar="NAME", help="Who says so.")
@click.option("--reason", default="", metavar="TEXT", help="Why a later moment than the recorded one is right.")
@desk
def aware(desk: Desk, number: int | None, at: str, by: str, reason: str) -> None:
    """Record when we became aware: the clocks of the AI Act start there."""
    from truegreen.runbook.law import clocks, model, records

    _record(
        desk, number, model.AWARENESS, lambda told: records.aware(_unix(at), by, desk.clock(), reason, clocks.awareness(told))
    )


@law.command()
@click.argument("clock")
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--decision", required=True, metavar="applies|does-not-apply|open|reported")
@click.option("--at", metavar=_MOMENT, help="When it was reported.  [default: now]")
@click.option("--by", required=True, metavar="NAME", help="Who decided.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@desk
def decide(desk: Desk, clock: str, number: int | None, decision: str, at: str | None, by: str, reason: str) -> None:
    """Record what a person decided of a clock; the clock stays in sight whatever it is."""
    from truegreen.runbook.law import model, records

    when = _unix(at) if at else None
    _record(desk, number, model.DECISION, lambda _: records.decided(clock, decision, by, reason, when, desk.clock()))


@law.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--at", metavar=_MOMENT, help="When it was determined.  [default: now]")
@click.option("--by", required=True, metavar="NAME", help="Who determined it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@desk
def determine(desk: Desk, number: int | None, at: str | None, by: str, reason: str) -> None:
    """Record that it is a material cybersecurity incident: four business days of Form 8-K start."""
    from truegreen.runbook.law import model, records

    now = desk.clock()
    _record(desk, number, model.DECISION, lambda _: records.determined(_unix(at) if at else now, by, reason, now))


@law.command()
@click.argument("kind", type=click.Choice(["art73", "deployer", "sec"]))
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@force_option
@desk
def draft(desk: Desk, kind: str, number: int | None, out: Path, force: bool) -> None:
    """Write a report with what the log knows; the rest is marked `to be filled`."""
    import hashlib

    from truegreen.runbook import written
    from truegreen.runbook.law import drafts, model
    from truegreen.runbook.log import append, events

    log = desk.log()
    one = sure_one(desk, log, number)
    now = desk.clock()
    text = written.text(out, drafts.draft(kind, one, events(log, one.id), desk.config.incidents.law, now), force=force)
    digest, left = hashlib.sha256(text).hexdigest(), text.count(drafts.BLANK.encode())
    append(
        log,
        one.id,
        now,
        "review",
        model.DRAFT,
        f"draft {kind}: sha256 {digest}",
        {"kind": kind, "file": out.name, "sha256": digest},
    )
    desk.say(
        (f"{out}: draft, {left} fields to be filled; nothing is sent",),
        {"incident": one.id, "kind": kind, "out": str(out), "blank": left, "sha256": digest},
    )


def _record(desk: Desk, number: int | None, kind: str, words: Callable[[Sequence[Event]], tuple[str, dict[str, Any]]]) -> None:
    from truegreen.runbook.log import Draft, alone

    log = desk.log()
    one = sure_one(desk, log, number)

    def write(draft: Draft) -> tuple[Event, dict[str, Any]]:
        text, facts = words(draft.events(one.id))
        return draft.append(one.id, desk.clock(), "review", kind, text, facts), facts

    made, facts = alone(log, write)
    desk.say(
        (f"recorded as event {made.seq} of incident {one.id}: {made.text}", f"next: truegreen law show {one.id}"),
        {"incident": one.id, "event": made.seq, "kind": kind, "text": made.text, **facts},
    )


def _lines(clock: Any, now: float) -> tuple[str, ...]:
    from truegreen.runbook.law.table import BY_NAME
    from truegreen.runbook.times import span

    if clock.started is None:
        begin = {"awareness": "truegreen law aware --at TIME", "determination": "truegreen law determine --by NAME --reason TEXT"}
        when = f"not started; starts with: {begin[BY_NAME[clock.name].starts]}"
    elif clock.due is None:
        when = (
            f"since {iso(clock.started)}; at once, no number of days is given"
            if clock.jurisdiction != "any"
            else f"since {iso(clock.started)}"
        )
    else:
        left = clock.due - now
        when = f"due {iso(clock.due)}, {f'{span(left)} left' if left >= 0 else f'{span(-left)} AGO'}"
    lines = [
        f"{clock.name:<15}  {clock.state:<8}  {clock.status:<9}  {when}",
        f"    {clock.source}; role {clock.role}, tier {clock.tier}, in {clock.jurisdiction}",
        f"    about: {clock.concerns}",
        f"    {clock.says}",
        f"    {clock.status}: {clock.why}",
    ]
    if clock.decision:
        lines.append(f"    decided: {clock.decision}")
    return tuple(lines)


def _unix(text: str) -> float:
    from truegreen.runbook.alert import moment

    found = moment(text)
    if found is None:
        raise BadInput(f"--at: found {text[:80]!r}; write the moment with its zone, such as 2027-12-03T09:30:00Z")
    return found
