"""`truegreen rollback prompt`: move a prompt's label back, and watch the old version serve."""

from __future__ import annotations

from dataclasses import asdict

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, open_one
from truegreen.runbook.commands.contain import bundle_facts, bundle_lines, concerned, duration, opened, verify


@click.group()
def rollback() -> None:
    """Move back to a version that served before, and watch it serve."""


@rollback.command()
@click.option("--name", metavar="P", help="The prompt (default: incidents.prompt).")
@click.option(
    "--to",
    "version",
    type=click.IntRange(1),
    metavar="VERSION",
    help="The version (default: the one before the onset, from triage).",
)
@click.option("--dry-run", is_flag=True, help="Look at everything, change nothing.")
@click.option("--force", metavar="NAME", default="", help="Who takes a version that never served here.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@click.option(
    "--verify-count",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Answers in a row by that version; 0 does not look.",
)
@click.option(
    "--timeout", default="2m", show_default=True, metavar="DURATION", help="How long to look; an app's prompt cache lives 60 s."
)
@desk
def prompt(
    desk: Desk, name: str | None, version: int | None, dry_run: bool, force: str, reason: str, verify_count: int, timeout: str
) -> None:
    """Move the label `production` of a Langfuse prompt to a version that served before."""
    from truegreen.core.clients import langfuse
    from truegreen.runbook import rollback as rolling

    if bool(force.strip()) != bool(reason.strip()):
        raise BadInput("--force NAME and --reason TEXT belong together")
    patience = duration("--timeout", timeout)
    case = opened(desk)
    before_name, before_version = _before(desk)
    name = name or desk.config.incidents.prompt or before_name
    if not name:
        raise BadInput("which prompt? --name P, or incidents.prompt in truegreen.yaml")
    wanted = version or (before_version if before_name in ("", name) else None)
    if wanted is None:
        raise BadInput("which version? --to VERSION: triage of this incident names no earlier one")
    server = langfuse.connect()
    made = rolling.plan(server, case.sources.prometheus, case.incident.target, name, wanted)
    if not made.seen and not force:
        raise Failed(f"{name} version {wanted} never served {case.incident.target.service}/{case.incident.target.environment} as far as Prometheus "
                     f"remembers: it is not known to be good; take it all the same with --force NAME --reason TEXT")  # fmt: skip
    half = rolling.half_done(case, made)
    if not made.moves and half is None:
        raise Failed(
            f"{name} version {wanted} has the label {langfuse.PRODUCTION} already; the cause is elsewhere, or caches still hold the other"
        )
    if dry_run:
        text = f"would move {langfuse.PRODUCTION} of {name} from {made.current or 'no version'} to {wanted}; nothing was changed"
        if not made.moves:
            text = f"would finish event {half.number if half else 0}, which moved {langfuse.PRODUCTION} of {name} to {wanted} and was cut off; nothing was changed"
        desk.say((text,), {**asdict(made), "text": text, "dry_run": True})
        return
    read = rolling.reader(case.sources.prometheus, case.incident.target)
    before = read() if verify_count else {}
    forced = {"forced_by": clean(force, 100), "reason": clean(reason)} if force else {}
    completed = {"completes": half.begun, "from": made.current if made.moves else half.old} if half else {}
    held, event = rolling.apply(case, server, made, {**forced, **completed})
    undo = (
        f"truegreen rollback undo {event.seq}"
        if event.data["from"]
        else f"take the label {langfuse.PRODUCTION} off version {wanted}"
    )
    if not desk.as_json:
        for line in (*bundle_lines(held), f"{event.text}; undo: {undo}"):
            click.echo(line)
    facts = {"event": event.seq, "evidence": bundle_facts(held), "undo": undo, "text": event.text}
    verify(desk, case, read, before, rolling.classifier(name, wanted), rolling.KINDS, verify_count, patience, event,
           f"by {name}@{wanted}", facts)  # fmt: skip


@rollback.command()
@click.argument("number", type=click.IntRange(1))
@click.option(
    "--verify-count",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Answers in a row by the version that is back; 0 does not look.",
)
@click.option("--timeout", default="2m", show_default=True, metavar="DURATION", help="How long to look.")
@desk
def undo(desk: Desk, number: int, verify_count: int, timeout: str) -> None:
    """Move the label back to where it was before event NUMBER; its incident may be closed."""
    from truegreen.core.clients import langfuse
    from truegreen.runbook import rollback as rolling

    patience = duration("--timeout", timeout)
    case = concerned(desk, number)
    server = langfuse.connect()
    made, found = rolling.back(case, server, number)
    read = rolling.reader(case.sources.prometheus, case.incident.target)
    before = read() if verify_count else {}
    held, event = rolling.apply(case, server, made, {"undone": found.number, "from": found.to})
    again = f"truegreen rollback prompt --name {found.name} --to {found.to}"
    if not desk.as_json:
        for line in (*bundle_lines(held), event.text):
            click.echo(line)
    facts = {"event": event.seq, "evidence": bundle_facts(held), "undo": again, "text": event.text}
    verify(desk, case, read, before, rolling.classifier(made.name, made.version), rolling.KINDS, verify_count, patience, event,
           f"by {made.name}@{made.version}", facts)  # fmt: skip


def _before(desk: Desk) -> tuple[str, int | None]:
    """The prompt and the version that served before the onset, from the last triage."""
    from truegreen.runbook.log import events

    log = desk.log()
    triaged = newest(events(log, open_one(desk, log).id), "triaged")
    for change in triaged.data.get("changes", ()) if triaged else ():
        if change["component"] == "prompt":
            name, _, version = change["old"].rpartition("@")
            return name, int(version) if version.isdecimal() else None
    return "", None
