"""`truegreen rollout`: start, status, step, watch, abort, clear."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets.options import share
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk
from truegreen.runbook.commands.contain import duration
from truegreen.runbook.times import iso, span

if TYPE_CHECKING:
    from truegreen.runbook.rollout.drive import Road
    from truegreen.runbook.rollout.model import Rollout

POLL = 15.0
"""Seconds between two looks for an alert or for harm."""


@click.group()
def rollout() -> None:
    """Bring a model, prompt or guardrail in by steps, on evidence, and back by itself."""


@rollout.command()
@click.argument("component", type=click.Choice(("model", "prompt", "guardrail")))
@click.option("--to", "to", required=True, metavar="VERSION", help="The candidate, as the application names it.")
@click.option("--service", required=True, metavar="S")
@click.option("--environment", required=True, metavar="E")
@click.option("--slo", default="grounding", show_default=True, metavar="N", help="The SLO whose evaluation judges both versions.")
@click.option("--steps", default="1,5,20,100", show_default=True, metavar="LIST", help="Percent of users, rising, to 100.")
@click.option("--shadow", type=click.FloatRange(0, 100), default=20, show_default=True, metavar="PERCENT",
              help="Mirror this share of calls first, for its score alone; 0 leaves that step out.")  # fmt: skip
@click.option(
    "--window",
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="How long a step holds at least, and the time between two looks.",
)
@click.option(
    "--events",
    type=click.IntRange(30),
    default=200,
    show_default=True,
    help="Judged answers of either version without which nothing is decided.",
)
@click.option(
    "--margin", default="3%", show_default=True, callback=share, metavar="SHARE", help="By how much the bad ratio may be higher."
)
@desk
def start(
    desk: Desk, component: str, to: str, service: str, environment: str, slo: str, steps: str, shadow: float, window: str, events: int,
    margin: float,
) -> None:  # fmt: skip
    """Begin: mirrored calls first, then the smallest share of users."""
    from truegreen.runbook.rollout import drive
    from truegreen.runbook.rollout.model import RUNNING, Rollout, Rule, Stage

    for option, text in (("--to", to), ("--service", service), ("--environment", environment)):
        if not text.strip() or text != clean(text, 200):
            raise BadInput(f"{option}: found {clean(text, 60)!r}, expected one line of at most 200 characters")
    if margin <= 0:
        raise BadInput("--margin 0%: no number of answers shows that; write a share such as 3%")
    stages = (*((Stage(0.0, shadow),) if shadow else ()), *(Stage(percent, 0.0) for percent in _percents(steps)))
    rule = Rule(duration("--window", window), events, margin)
    now = desk.clock()
    wanted = Rollout(0, service, environment, slo, component, to, stages, rule, 0, now, now, RUNNING, "")
    made = drive.start(_road(desk), wanted, now)
    lines = (
        f"{made.says}; steps: {', '.join(map(str, stages))}",
        "next: truegreen rollout watch   (back at once: truegreen rollout abort)",
    )
    desk.say(lines, _facts(made))


@rollout.command()
@desk
def status(desk: Desk) -> None:
    """Where the newest rollout stands, and what the evidence says of its step."""
    from truegreen.runbook.rollout import drive
    from truegreen.runbook.rollout.model import RUNNING

    road, now = _road(desk), desk.clock()
    found = drive.newest(road.log)
    if found is None:
        desk.say(("no rollout was ever begun",), {"rollout": None})
        return
    lines, facts = [_line(found, now)], _facts(found)
    if found.state == RUNNING:
        try:
            decision = drive.decided(road, found, now)
            facts, told = {**facts, "decision": asdict(decision)}, f"{decision.do}: {decision.says}"
        except Failed as error:
            told = f"hold: not known ({error})"
            facts = {**facts, "decision": None, "error": str(error)}
        lines.append(told)
    desk.say((*lines, f"last: {found.says}"), facts)


@rollout.command()
@click.option("--override", metavar="NAME", default="", help="Who takes the step without the evidence.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@desk
def step(desk: Desk, override: str, reason: str) -> None:
    """Do what the evidence says now: the next step, back, or nothing (exit 1)."""
    from truegreen.runbook.rollout import decide, drive

    if bool(override.strip()) != bool(reason.strip()):
        raise BadInput("--override NAME and --reason TEXT belong together")
    road, now = _road(desk), desk.clock()
    found = drive.running(road.log)
    by = {"override": clean(override, 100), "reason": clean(reason)} if override else {}
    try:
        decision = drive.decided(road, found, now)
    except Failed as error:
        if not by:
            raise
        decision = decide.Decision(decide.HOLD, f"not known ({error})")
    if by and decision.do == decide.HOLD:
        decision = decide.Decision(decide.PROMOTE, f"override by {by['override']}: {by['reason']}; the evidence: {decision.says}")
    _done(desk, drive.act(road, found, decision, now, by), decision)


@rollout.command()
@desk
def watch(desk: Desk) -> None:
    """Hold each step until its evidence is there, to the end, or back: exit 0 promoted, 1 rolled back."""
    from truegreen.runbook.rollout import decide, drive
    from truegreen.runbook.rollout.model import PROMOTED, RUNNING

    road = _road(desk)
    found = drive.running(road.log)
    told = ""
    while found.state == RUNNING:
        now = desk.clock()
        try:
            decision = drive.decided(road, found, now)
            drive.act(road, found, decision, now)
            said = f"{decision.do}: {decision.says}" if decision.do == decide.HOLD else ""
        except Failed as error:
            # Nothing is promoted blind, and the flag is not renewed: a Prometheus that stays away brings the incumbent back.
            said = f"hold: not known ({error})"
        before, found = found, drive.newest(road.log) or found
        if said and said != told:
            _tell(desk, f"{found.stage}: {said}")
        told = said
        if found != before:
            _tell(desk, found.says)
        elif found.state == RUNNING:
            desk.sleep(min(POLL, found.rule.window))
    if found.state != PROMOTED:
        raise Failed(found.says)
    if desk.as_json:
        desk.say((), _facts(found))


@rollout.command()
@click.option("--reason", metavar="TEXT", default="", help="Why; for the log.")
@desk
def abort(desk: Desk, reason: str) -> None:
    """Give all users the version of before, at once."""
    from truegreen.runbook.rollout import decide, drive
    from truegreen.runbook.rollout.model import PROMOTED

    road = _road(desk)
    found = drive.newest(road.log)
    if found is None or found.state != PROMOTED:
        found = drive.running(road.log)
    decision = decide.Decision(decide.GO_BACK, f"aborted{f': {clean(reason)}' if reason else ''}")
    event = drive.act(road, found, decision, desk.clock())
    desk.say((event.text if event else "",), {"event": event.seq if event else None, "rollout": found.id})


@rollout.command()
@desk
def clear(desk: Desk) -> None:
    """After a promotion, once the version is the configured one: take the flag away."""
    from truegreen.runbook.rollout import drive

    event = drive.clear(_road(desk), desk.clock())
    desk.say((event.text,), {"event": event.seq})


def _done(desk: Desk, event: Any, decision: Any) -> None:
    from truegreen.runbook.rollout import decide

    if event is None or decision.do == decide.GO_BACK:
        raise Failed(f"hold: {decision.says}" if event is None else event.text)
    desk.say((event.text,), {"event": event.seq, "decision": asdict(decision)})


def _road(desk: Desk) -> Road:
    from truegreen.runbook.rollout.drive import Road

    return Road(desk.log(), desk.flags(), desk.config.containment, desk.sources().prometheus, desk.config.slos)


def _percents(text: str) -> list[float]:
    try:
        found = [float(part.strip().removesuffix("%")) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or any(not 0 < b <= 100 for b in found) or found != sorted(set(found)) or found[-1] != 100:
        raise BadInput(f"--steps: found {clean(text, 60)!r}, expected rising percentages that end with 100, such as 1,5,20,100")
    return found


def _line(found: Rollout, now: float) -> str:
    where = f"{found.component} {found.to} in {found.service}/{found.environment}"
    return f"rollout {found.id}: {where}: {found.state} at {found.stage} since {iso(found.since)} ({span(max(now - found.since, 0.0))})"


def _facts(found: Rollout) -> dict[str, Any]:
    return {**asdict(found), "rollout": found.id, "stage": asdict(found.stage)}


def _tell(desk: Desk, line: str) -> None:
    if not desk.as_json:
        click.echo(f"{iso(desk.clock())}  {line}")
