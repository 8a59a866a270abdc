"""`truegreen rollback`: move a component back, and watch the old version serve."""

from __future__ import annotations

import os
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, open_one
from truegreen.runbook.commands.contain import bundle_facts, bundle_lines, concerned, duration, opened, verify
from truegreen.runbook.rollback.model import LABELS

_COUNT = click.option(
    "--verify-count",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Answers in a row by that version; 0 does not look.",
)
_TIMEOUT = click.option(
    "--timeout", default="2m", show_default=True, metavar="DURATION", help="How long to look; an app's prompt cache lives 60 s."
)
_HELP = {
    "prompt": "Move a prompt back: Langfuse's label `production`, or as incidents.rollback.prompt says.",
    "model": "Move a model back, as incidents.rollback.model says.",
    "index": "Move the retrieval index back, as incidents.rollback.index says.",
    "guardrail": "Move the guardrail back, as incidents.rollback.guardrail says.",
    "tools": "Move the tool schemas back, as incidents.rollback.tools says.",
}


@click.group()
def rollback() -> None:
    """Move back to a version that served before, and watch it serve."""


def _add(component: str) -> None:
    @rollback.command(component, help=_HELP[component])
    @click.option(
        "--name", metavar="N", default="", help="What moves (default: incidents.prompt, or the name of incidents.rollback)."
    )
    @click.option("--to", metavar="VERSION", default="", help="The version (default: the one before the onset, from triage).")
    @click.option("--dry-run", is_flag=True, help="Look at everything, change nothing.")
    @click.option("--override", metavar="NAME", default="", help="Who takes a version that is not known to be good.")
    @click.option("--reason", metavar="TEXT", default="", help="Why.")
    @_COUNT
    @_TIMEOUT
    @desk
    def run(desk: Desk, name: str, to: str, dry_run: bool, override: str, reason: str, verify_count: int, timeout: str) -> None:
        if bool(override.strip()) != bool(reason.strip()):
            raise BadInput("--override NAME and --reason TEXT belong together")
        patience = duration("--timeout", timeout)
        case = opened(desk)
        where, to = _wanted(desk, component, name, to)
        from truegreen.runbook.rollback.alone import alone

        with alone(case.log, component):
            done = _move(desk, case, where, to, dry_run, {"forced_by": clean(override, 100), "reason": clean(reason)} if override else {}, verify_count)  # fmt: skip
        if done:
            _watch(desk, case, where, to, done, verify_count, patience)


for _component in LABELS:
    _add(_component)


@rollback.command()
@desk
def check(desk: Desk) -> None:
    """Dry-run every way back that is configured; exit 1 when one would not work."""
    from truegreen.runbook import rollback as rolling

    found = rolling.dry_run(desk.config)
    if not found:
        raise BadInput("no way back is configured: write incidents.rollback, or incidents.prompt, into truegreen.yaml")
    lines = [f"{'ok     ' if one.ok else 'NOT OK '} {one.component}: {one.says}" for one in found]
    facts = [{"component": one.component, "ok": one.ok, "says": one.says} for one in found]
    good = all(one.ok for one in found)
    desk.say(lines, {"ok": good, "findings": facts})
    if not good:
        raise Failed(f"{sum(not one.ok for one in found)} of {len(found)} ways back would not work")


@rollback.command()
@click.argument("number", type=click.IntRange(1))
@_COUNT
@_TIMEOUT
@desk
def undo(desk: Desk, number: int, verify_count: int, timeout: str) -> None:
    """Move back to where it was before event NUMBER; its incident may be closed."""
    from truegreen.runbook.rollback import moving, seen
    from truegreen.runbook.rollback.alone import alone

    patience = duration("--timeout", timeout)
    case = concerned(desk, number)
    found = moving.undoable(case, number)
    where = moving.place(desk.config, found.component, os.environ, desk.flags(), found.name)
    with alone(case.log, found.component):
        found = moving.undoable(case, number)
        made = moving.back(case, where, found)
        read = seen.reader(case.sources.prometheus, case.incident.target, where)
        before = _before(read, verify_count)
        held, event = moving.apply(case, made, {"undone": found.number, "from": found.to})
    again = f"truegreen rollback {found.component} --to {found.to}"
    _told(desk, held, event, "")
    _watch(desk, case, where, made.to, (held, event, read, before, str(found.to), again), verify_count, patience)


def _move(desk: Desk, case: Any, where: Any, to: str, dry_run: bool, forced: dict[str, str], count: int) -> Any:
    from truegreen.runbook.rollback import moving, seen
    from truegreen.runbook.rollback.ways import KINDS

    made = moving.look(where, case.sources.prometheus, case, to)
    target, advice = case.incident.target, "take it all the same with --override NAME --reason TEXT"
    if not made.seen and not forced:
        if made.seen is None:
            raise Failed(f"whether {where} version {to} is good cannot be known: {made.because}; {advice}")
        raise Failed(f"{where.name} version {to} is not known to be good: {made.because}; {advice}")
    half, unseen = moving.half_done(case, made), moving.unseen(case, made)
    read = seen.reader(case.sources.prometheus, target, where)
    if not made.moves and unseen and not dry_run:
        if not desk.as_json:
            click.echo(f"event {unseen.seq} moved {where} to {to}, and nobody has seen it serve yet: looking again")
        return None, unseen, read, _before(read, count), str(unseen.data["from"] or ""), f"truegreen rollback undo {unseen.seq}"
    if not made.moves and half is None:
        raise Failed(f"{where} is on {to} already; the cause is elsewhere, or caches still hold the other")
    if dry_run:
        text = f"would move {where} from {made.current or 'no version'} to {to}; nothing was changed"
        if not made.moves:
            text = f"would finish event {half.number if half else 0}, which moved {where} to {to} and was cut off; nothing was changed"
        ready = KINDS[where.way.type].ready(where, to)
        desk.say(
            (ready, f"{to}: {made.because}", text),
            {"component": where.component, "name": where.name, "to": to, "from": made.current, "moves": made.moves, "seen": made.seen,
             "because": made.because, "ready": ready, "text": text, "dry_run": True},
        )  # fmt: skip
        return None
    if not desk.as_json:
        click.echo(f"{to}: {made.because}")
    before = None if made.seen is None else _before(read, count)
    completed = {"completes": half.begun, **({} if made.moves else {"from": half.old})} if half else {}
    old = made.current if made.moves else str((half.old if half else "") or "")
    held, event = moving.apply(case, made, {**forced, **completed})
    undo = f"truegreen rollback undo {event.seq}"
    if event.data["from"] is None:
        undo = f"there was no version before: take {to} out of service where {where.name} is kept"
    _told(desk, held, event, undo)
    return held, event, read, before, old, undo


def _watch(desk: Desk, case: Any, where: Any, to: str, done: Any, count: int, patience: float) -> None:
    from truegreen.runbook.rollback import labels

    held, event, read, before, old, undo = done
    facts = {"event": event.seq, "evidence": bundle_facts(held) if held else None, "undo": undo, "text": event.text}
    if not to:
        desk.say(("not verified: spans do not say which version serves by default",), {**facts, "verified": None})
        return
    words = f"by {where.name}@{to}" if where.component == "prompt" else f"by {to}"
    verify(desk, case, read, before, labels.classifier(where, to, old), labels.KINDS, count, patience, event, words, facts)


def _told(desk: Desk, held: Any, event: Any, undo: str) -> None:
    if not desk.as_json:
        for line in (*bundle_lines(held), f"{event.text}; undo: {undo}" if undo else event.text):
            click.echo(line)


def _before(read: Any, count: int) -> Any:
    """The counters before the change; None where Prometheus does not answer, which does not hold the change up."""
    try:
        return read() if count else {}
    except Failed:
        return None


def _wanted(desk: Desk, component: str, name: str, to: str) -> tuple[Any, str]:
    """The place and the version: from the options, else what served before the onset by the last triage."""
    from truegreen.runbook.log import events
    from truegreen.runbook.rollback import labels, moving

    log = desk.log()
    triaged = newest(events(log, open_one(desk, log).id), "triaged")
    changes = triaged.data.get("changes", ()) if triaged else ()
    label = next((one["old"] for one in changes if one["component"] == labels.COMPONENTS[component]), "")
    if (
        component == "prompt"
        and not name
        and not desk.config.incidents.prompt
        and component not in desk.config.incidents.rollback
    ):
        name = label.rpartition("@")[0]
    where = moving.place(desk.config, component, os.environ, desk.flags(), name)
    to = to or labels.version_in(where, label)
    if not to:
        raise BadInput("which version? --to VERSION: triage of this incident names no earlier one")
    return where, to
