"""`truegreen incident actions`, `done` and `case`: what an incident left to be done, and the evaluation case that keeps it from coming again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from truegreen.core.errors import BadInput
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, any_one, desk
from truegreen.runbook.commands.incident import incident
from truegreen.runbook.times import iso


@incident.command("actions")
@click.option("--all", "every", is_flag=True, help="Those that are done too.")
@desk
def actions_(desk: Desk, every: bool) -> None:
    """Action items that are open, of all incidents; --incident ID: of one."""
    from truegreen.runbook import actions
    from truegreen.runbook.log import events

    log = desk.log()
    number = any_one(desk, log, None).id if desk.number else None
    items = actions.actions(events(log, number))
    today = datetime.fromtimestamp(desk.clock(), UTC).strftime("%Y-%m-%d")
    share = actions.completion(items)
    lines = [_line(item, today) for item in items if every or item.done is None] or ["no action item is open"]
    if share is not None:
        lines.append(f"{sum(1 for item in items if item.done is not None)} of {len(items)} done ({share:.0%})")
    desk.say(lines, {"actions": [asdict(i) for i in items if every or i.done is None], "completion": share, "all": len(items)})


@incident.command("done")
@click.argument("action", metavar="N", type=click.IntRange(1))
@click.option("--by", required=True, metavar="NAME", help="Who says so.")
@desk
def done(desk: Desk, action: int, by: str) -> None:
    """Action item N (its number in `incident actions`) is done; also after the incident was closed."""
    from truegreen.runbook import actions
    from truegreen.runbook.log import append, events

    who = clean(by, 100)
    if not who:
        raise BadInput("--by: found nothing; write who says that it is done")
    log = desk.log()
    item = _item(events(log), action)
    if item.done is not None:
        desk.say(
            (f"action {action} was done {iso(item.done)}, by {item.by}; nothing was written",),
            {"action": action, "again": True, "by": item.by},
        )
        return
    made = append(
        log,
        item.incident,
        desk.clock(),
        "review",
        actions.DONE,
        f"action {action} done, says {who}: {item.text}",
        {"action": action, "by": who},
    )
    desk.say((made.text,), {"action": action, "again": False, "by": who, "incident": item.incident, "event": made.seq})


@incident.command("case")
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--action", type=click.IntRange(1), metavar="N", help="The action item that it belongs to.")
@click.option("--trace", default="", metavar="ID", help="The failing trace.  [default: the first that triage saw]")
@click.option("--query", default="", metavar="TEXT", help="The question.  [default: looked up in Langfuse]")
@click.option(
    "--recorded",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A replay file with the trace.",
)
@click.option("--expected", default="", metavar="TEXT", help="A right answer.")
@click.option("--contains", multiple=True, metavar="TEXT", help="What the answer must contain; repeatable.")
@click.option("--not-contains", "not_contains", multiple=True, metavar="TEXT", help="What it must not contain; repeatable.")
@click.option("--floor", "floors", multiple=True, metavar="NAME=RAW", help="The least raw value of an evaluator; repeatable.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    default=Path("calibration"),
    show_default=True,
    help="The calibration folder.",
)
@click.option("--id", "identity", default="", metavar="ID", help="The case's id.  [incident-ID-…]")
@desk
def case(
    desk: Desk, number: int | None, action: int | None, trace: str, query: str, recorded: Path | None, expected: str, contains: tuple[str, ...],
    not_contains: tuple[str, ...], floors: tuple[str, ...], calibration: Path, identity: str,
) -> None:  # fmt: skip
    """Add what went wrong to `incidents.evalset`, so that no fix forgets it; the log keeps the case's id, never its text."""
    from truegreen.evaluation.evalsets import adding
    from truegreen.runbook import actions
    from truegreen.runbook.cases import told
    from truegreen.runbook.log import append, events

    place = desk.config.incidents.evalset
    if not place:
        raise BadInput(
            "incidents.evalset: found nothing; write the file of the evaluation set that gets the case, such as evalset.jsonl"
        )
    log = desk.log()
    one = any_one(desk, log, number)
    if action is not None and _item(events(log), action).incident != one.id:
        raise BadInput(
            f"--action {action}: belongs to another incident; write one of: truegreen incident actions --incident {one.id}"
        )
    facts = told(desk.config, one, events(log, one.id))
    given = {"contains": list(contains), "not_contains": list(not_contains), "floors": adding.floors(floors)}
    wanted = {key: value for key, value in given.items() if value}
    now = desk.clock()
    asked = adding.question(facts, trace, query, recorded)
    made = adding.case(
        facts, asked, expected, wanted, calibration, identity=identity, note=f"action {action}" if action else "", added=iso(now)
    )
    if not expected and not wanted:
        adding.check(made, None)
    before, after = adding.add(Path(place), made)
    data: dict[str, Any] = {
        "case": made["id"],
        "file": Path(place).name,
        "version": after,
        **({"action": action} if action else {}),
    }
    append(
        log,
        one.id,
        now,
        "review",
        actions.CASE,
        f"evaluation case {made['id']} added to {Path(place).name}, version {after}",
        data,
    )
    desk.say(
        (f"added     {made['id']} to {place}: {', '.join(adding.what(made))}", f"version   {before or '(new)'} -> {after}"),
        {"incident": one.id, **data, "before": before},
    )


def _item(log: Any, number: int) -> Any:
    from truegreen.runbook.actions import actions

    items = {item.number: item for item in actions(log)}
    if number not in items:
        open_ = ", ".join(str(n) for n, item in items.items() if item.done is None) or "none"
        raise BadInput(f"N: found {number}, which is no action item; open ones: {open_}")
    return items[number]


def _line(item: Any, today: str) -> str:
    late = " OVERDUE" if item.done is None and item.due and item.due < today else ""
    state = f"done {iso(item.done)[:10]} by {item.by}" if item.done is not None else f"due {item.due or 'open'}{late}"
    return f"{item.number:>4}  incident {item.incident}  {state:<24}  {item.owner or 'no owner'}: {item.text}"
