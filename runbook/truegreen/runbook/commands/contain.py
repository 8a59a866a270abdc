"""`truegreen contain`: pin-model, list, undo."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import times
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, open_one


@click.group()
def contain() -> None:
    """Flip a switch that the application obeys; logged, with an undo."""


@contain.command("pin-model")
@click.argument("model")
@click.option(
    "--expires", default="60m", show_default=True, metavar="DURATION", help="When the pin is to be looked at again at the latest."
)
@click.option(
    "--instead-of",
    multiple=True,
    metavar="MODEL",
    help="A requested model that the pin replaces (default: those of the last triage).",
)
@click.option(
    "--verify-count",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Requests in a row on the pinned model; 0 does not look.",
)
@click.option("--timeout", default="60s", show_default=True, metavar="DURATION", help="How long to look.")
@desk
def pin_model(desk: Desk, model: str, expires: str, instead_of: tuple[str, ...], verify_count: int, timeout: str) -> None:
    """Use MODEL in place of the configured one: evidence first, then the switch, then verified by spans."""
    from truegreen.runbook import contain as containing

    if not model or model != clean(model, 200):
        raise BadInput(f"MODEL: found {clean(model)!r}, expected the name of a model on one line")
    seconds, patience = duration("--expires", expires), duration("--timeout", timeout)
    case = opened(desk)
    read = containing.reader(case.sources.prometheus, case.incident.target)
    before = read() if verify_count else {}
    held, event = containing.pin(case, model, seconds)
    undo = f"truegreen contain undo {event.seq}"
    shown = bundle_lines(held)
    for line in (*shown, f"{event.text}; undo: {undo}"):
        if not desk.as_json:
            click.echo(line)
    replaced = instead_of or _models(case, model)
    facts = {"event": event.seq, "evidence": bundle_facts(held), "undo": undo, "text": event.text}
    verify(desk, case, read, before, containing.classifier(model, replaced), containing.KINDS, verify_count, patience, event,
           "on the pinned model", facts)  # fmt: skip


@contain.command("list")
@desk
def list_(desk: Desk) -> None:
    """The switches that the log says are on, and how the flag file stands."""
    from truegreen.runbook import flags, standing
    from truegreen.runbook.log import events

    now = desk.clock()
    active = standing.switches(events(desk.log()))
    data = flags.load(desk.flags())
    rows = [(a, now > a.expires, flags.state(data, a.flag).value) for a in active]
    lines = [
        f"{a.number}  {a.flag} = {a.value}  since {times.iso(a.applied)}  {'EXPIRED' if late else 'expires'} {times.iso(a.expires)}"
        + ("" if a.finished else "  NOT FINISHED: pin it again, or undo it")
        + ("" if value == a.value else f"  (the file says {value or 'off'!r})")
        + f"  undo: truegreen contain undo {a.number}"
        for a, late, value in rows
    ]  # fmt: skip
    desk.say(
        lines or ["no switch is on"], {"switches": [{**asdict(a), "expired": late, "file": value} for a, late, value in rows]}
    )


@contain.command()
@click.argument("number", type=click.IntRange(1))
@desk
def undo(desk: Desk, number: int) -> None:
    """Put a switch back to what it was before event NUMBER; its incident may be closed."""
    from truegreen.runbook import contain as containing

    held, event = containing.undo(concerned(desk, number), number)
    desk.say((*bundle_lines(held), event.text), {"event": event.seq, "evidence": bundle_facts(held), "text": event.text})


def opened(desk: Desk) -> Any:
    """The open incident with all that a change needs."""
    log = desk.log()
    return _case(desk, log, open_one(desk, log))


def concerned(desk: Desk, number: int) -> Any:
    """The incident of event `number`, open or closed, with all that its undo needs.

    Raises:
        BadInput: there is no such event, or --incident names another incident.
    """
    from truegreen.runbook.log import events, incidents

    log = desk.log()
    told = next((e for e in events(log) if e.seq == number), None)
    if told is None:
        raise BadInput(f"the log has no event {number} to undo; look at: truegreen contain list, truegreen incident log")
    if desk.number not in (None, told.incident):
        raise BadInput(f"--incident {desk.number}: event {number} is of incident {told.incident}; leave --incident away")
    return _case(desk, log, next(i for i in incidents(log) if i.id == told.incident))


def _case(desk: Desk, log: Any, incident: Any) -> Any:
    from truegreen.runbook.bundle import Case

    asked = desk.config.incidents
    return Case(log, incident, desk.sources(), Path(asked.evidence), desk.flags(), asked.prompt, desk.clock)


def bundle_facts(held: Any) -> dict[str, Any]:
    """A bundle as JSON."""
    return {**asdict(held), "path": str(held.path)}


def bundle_lines(held: Any) -> list[str]:
    """What to say of a bundle."""
    return [f"evidence {held.path} sha256 {held.sha256} (before any change)", *(f"  not in it: {lack}" for lack in held.missing)]


def duration(option: str, text: str) -> float:
    """An option's duration in seconds.

    Raises:
        BadInput: it is not one.
    """
    try:
        return times.seconds(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None


def verify(
    desk: Desk, case: Any, read: Any, before: Any, classify: Any, kinds: tuple[str, ...], enough: int, timeout: float, since: Any,
    words: str, facts: dict[str, Any],
) -> None:  # fmt: skip
    """Watch the spans, log and print what was seen.

    Raises:
        Failed: it was not seen in time.
    """
    from truegreen.runbook import log as store
    from truegreen.runbook.watch import watch

    if not enough:
        desk.say(("not verified: --verify-count 0",), {**facts, "verified": None})
        return
    seen = watch(read, before, classify, kinds, enough, timeout, since.time, desk.clock, desk.sleep)
    when = f"after {times.span(seen.seconds)}"
    text = f"{'' if seen.ok else 'not '}verified by spans: {seen.count} of {enough} {words} {when}"
    if not seen.ok and seen.others:
        text += f"; {seen.others} others since the change"
    store.append(
        case.log,
        case.incident.id,
        desk.clock(),
        since.phase,
        "verified by spans" if seen.ok else "not verified",
        text,
        asdict(seen),
    )
    if not seen.ok:
        raise Failed(f"{text}; the change stands: look at it, or undo it ({facts['undo']})")
    desk.say((text,), {**facts, "verified": asdict(seen)})


def _models(case: Any, pinned: str) -> tuple[str, ...]:
    from truegreen.runbook.log import events

    triaged = newest(events(case.log, case.incident.id), "triaged")
    return tuple(m for m in triaged.data.get("models", ()) if m != pinned) if triaged else ()
