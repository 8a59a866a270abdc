"""`truegreen contain`: the switches, list, renew, undo, lift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import times
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, open_one

_EXPIRES = click.option(
    "--expires", default="", metavar="DURATION", help="When it goes off unless it is renewed.  [default: containment.expires]"
)


@click.group()
def contain() -> None:
    """Flip a switch that the application obeys; logged, with an undo."""


def _turning(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every switch has: how long it holds, and how it is verified by spans."""
    command = click.option("--timeout", default="60s", show_default=True, metavar="DURATION", help="How long to look.")(command)
    command = click.option(
        "--verify-count",
        type=click.IntRange(0),
        default=20,
        show_default=True,
        help="Requests in a row that must be seen under it; 0 does not look.",
    )(command)
    return _EXPIRES(command)


_INSTEAD_OF = click.option(
    "--instead-of",
    multiple=True,
    metavar="MODEL",
    help="A requested model that it replaces (default: those of the last triage).",
)


@contain.command("pin-model")
@click.argument("model")
@_INSTEAD_OF
@_turning
@desk
def pin_model(desk: Desk, model: str, instead_of: tuple[str, ...], expires: str, verify_count: int, timeout: str) -> None:
    """Use MODEL in place of the configured one: evidence first, then the switch, then verified by spans."""
    _flip(desk, "pin-model", model, expires, verify_count, timeout, instead_of)


@contain.command()
@click.argument("to", metavar="[PROVIDER:MODEL]", required=False, default="")
@_INSTEAD_OF
@_turning
@desk
def fallback(desk: Desk, to: str, instead_of: tuple[str, ...], expires: str, verify_count: int, timeout: str) -> None:
    """Reroute to another model, or to another provider's (default: containment.fallback)."""
    _flip(desk, "fallback", to, expires, verify_count, timeout, instead_of)


@contain.command("reduce-context")
@click.argument("passages", metavar="N")
@_turning
@desk
def reduce_context(desk: Desk, passages: str, expires: str, verify_count: int, timeout: str) -> None:
    """Put at most N passages into a prompt."""
    _flip(desk, "reduce-context", passages, expires, verify_count, timeout)


@contain.command()
@click.option(
    "--before", default="", metavar="RFC3339", help="None younger than this.  [default: the true start of the last triage]"
)
@_turning
@desk
def cached(desk: Desk, before: str, expires: str, verify_count: int, timeout: str) -> None:
    """Answer from the cache, with nothing that was cached since the incident began."""
    _flip(desk, "cached", before, expires, verify_count, timeout)


@contain.command("strict-guardrail")
@_turning
@desk
def strict_guardrail(desk: Desk, expires: str, verify_count: int, timeout: str) -> None:
    """Let guardrails take their strict setting."""
    _flip(desk, "strict-guardrail", "", expires, verify_count, timeout)


@contain.command("feature-off")
@click.argument("name")
@_turning
@desk
def feature_off(desk: Desk, name: str, expires: str, verify_count: int, timeout: str) -> None:
    """Turn feature NAME off, `*` for every one; others that are off stay so."""
    _flip(desk, "feature-off", name, expires, verify_count, timeout)


@contain.command()
@click.option("--message", default="", metavar="TEXT", help="What users are told.  [default: containment.degraded_message]")
@_turning
@desk
def degraded(desk: Desk, message: str, expires: str, verify_count: int, timeout: str) -> None:
    """Call no model, and tell users so."""
    _flip(desk, "degraded", message, expires, verify_count, timeout)


@contain.command()
@click.argument("percent", metavar="[PERCENT]", required=False, default="")
@_turning
@desk
def boost(desk: Desk, percent: str, expires: str, verify_count: int, timeout: str) -> None:
    """Evaluate PERCENT of answers (default: 100%), as the quiet minutes of `truegreen validate` want it."""
    _flip(desk, "boost", percent, expires, verify_count, timeout)


@contain.command("run")
@click.argument("name")
@_EXPIRES
@desk
def run_(desk: Desk, name: str, expires: str) -> None:
    """Run a switch of your own, `containment.commands.NAME`; spans say nothing of it."""
    from truegreen.runbook import contain as containing
    from truegreen.runbook.switches import OWN

    how = desk.config.containment
    held, event = containing.turn(opened(desk), f"{OWN}{name}", "on", _seconds(desk, expires), f"run {clean(name, 60)}", how=how)
    undo = f"truegreen contain undo {event.seq}"
    lines = (*bundle_lines(held), f"{event.text}; undo: {undo}", "not verified: what it does shows on no span that is known here")
    desk.say(lines, {"event": event.seq, "evidence": bundle_facts(held), "undo": undo, "text": event.text, "verified": None})


@contain.command("list")
@desk
def list_(desk: Desk) -> None:
    """The switches that the log says are on, and how the flag file stands."""
    from truegreen.runbook import flags, standing
    from truegreen.runbook.contain import ends_itself
    from truegreen.runbook.log import events
    from truegreen.runbook.switches import OWN, shown

    how = desk.config.containment
    now = desk.clock()
    active = standing.switches(events(desk.log()))
    data = None if how.command else flags.load(desk.flags())
    file = [a.value if data is None or a.flag.startswith(OWN) else flags.state(data, a.flag).value for a in active]
    rows = [(a, now >= a.expires, value) for a, value in zip(active, file, strict=True)]
    lines = [
        f"{a.number}  {a.flag} = {shown(a.flag, a.value)}  since {times.iso(a.applied)}  {_end(late, ends_itself(how, a.flag))} {times.iso(a.expires)}"
        + ("" if a.finished else "  NOT FINISHED: pin it again, or undo it" if a.flag == "pinned_model" else "  NOT FINISHED: give its command again, or undo it")
        + ("" if value == a.value else f"  (the file says {shown(a.flag, value) or 'off'!r})")
        + (f"  renew: truegreen contain renew {a.number}" if late else "")
        + f"  undo: truegreen contain undo {a.number}"
        for a, late, value in rows
    ]  # fmt: skip
    desk.say(
        lines or ["no switch is on"], {"switches": [{**asdict(a), "expired": late, "file": value} for a, late, value in rows]}
    )


@contain.command()
@click.argument("number", type=click.IntRange(1))
@_EXPIRES
@desk
def renew(desk: Desk, number: int, expires: str) -> None:
    """Let the switch of event NUMBER hold for longer; one that has expired is turned on anew."""
    from truegreen.runbook import contain as containing

    case = concerned(desk, number)
    held, event = containing.renew(case, number, _seconds(desk, expires), how=desk.config.containment)
    number = event.seq if held else number
    lines = (*(bundle_lines(held) if held else ()), f"{event.text}; undo: truegreen contain undo {number}")
    desk.say(lines, {"event": event.seq, "evidence": bundle_facts(held) if held else None, "text": event.text})


@contain.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--by-hand", is_flag=True, help="It was taken back elsewhere: only write it into the log.")
@desk
def undo(desk: Desk, number: int, by_hand: bool) -> None:
    """Put a switch back to what it was before event NUMBER; its incident may be closed."""
    from truegreen.runbook import contain as containing

    case = concerned(desk, number)
    held, event = containing.undo(case, number, how=desk.config.containment, by_hand=by_hand)
    desk.say((*bundle_lines(held), event.text), {"event": event.seq, "evidence": bundle_facts(held), "text": event.text})


def _end(late: bool, by_itself: bool) -> str:
    return "expires" if not late else "EXPIRED" if by_itself else "EXPIRED, MAY STILL BE ON: nothing has ended it since"


def _flip(
    desk: Desk, name: str, given: str, expires: str, verify_count: int, timeout: str, instead_of: tuple[str, ...] = ()
) -> None:
    from truegreen.runbook import contain as containing
    from truegreen.runbook import seen, switches
    from truegreen.runbook.log import events

    switch, how = switches.BY_NAME[name], desk.config.containment
    seconds, patience = _seconds(desk, expires), duration("--timeout", timeout)
    triaged: Any = None
    if name == "cached" and not given:
        log = desk.log()
        triaged = newest(events(log, open_one(desk, log).id), "triaged")
    value = switch.value(switches.Asked(given, how, triaged, desk.clock()))
    case = opened(desk)
    read, before = _ready(seen.reader(case.sources.prometheus, case.incident.target), verify_count)
    held, event = containing.turn(
        case, switch.flag, switches.joined(switch, value), seconds, switches.words(switch, value), how=how
    )
    undo = f"truegreen contain undo {event.seq}"
    if not desk.as_json:
        for line in (*bundle_lines(held), f"{event.text}; undo: {undo}"):
            click.echo(line)
    facts = {"event": event.seq, "evidence": bundle_facts(held), "undo": undo, "text": event.text}
    words = "on the pinned model" if name == "pin-model" else f"under {switch.flag}"
    verify(desk, case, read, before, seen.classifier(switch, value, instead_of or _models(case, value)), seen.kinds(switch), verify_count,
           patience, event, words, facts)  # fmt: skip


def _ready(read: Any, enough: int) -> tuple[Any, Any]:
    """The counters before the change. A Prometheus that does not answer does not hold it up: then the first answer after it is the base."""
    try:
        return read, read() if enough else {}
    except Failed:
        return read, None


def _seconds(desk: Desk, expires: str) -> float:
    return duration("--expires", expires) if expires else desk.config.containment.expires


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
    prompt, url = asked.langfuse
    return Case(log, incident, desk.sources(), Path(asked.evidence), desk.flags(), prompt, desk.clock, url)


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
    try:
        base = read() if before is None else before
        seen = watch(read, base, classify, kinds, enough, timeout, since.time, desk.clock, desk.sleep)
    except Failed as error:
        told = f"not verified by spans: {error}"
        store.append(
            case.log, case.incident.id, desk.clock(), since.phase, "not verified", told, {"ok": None, "error": str(error)}
        )
        raise Failed(
            f"{told}; the change stands: look at it, or undo it ({facts['undo']})", {**facts, "verified": None}
        ) from None
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
        raise Failed(f"{text}; the change stands: look at it, or undo it ({facts['undo']})", {**facts, "verified": asdict(seen)})
    desk.say((text,), {**facts, "verified": asdict(seen)})


def _models(case: Any, pinned: str) -> tuple[str, ...]:
    from truegreen.runbook.log import events

    triaged = newest(events(case.log, case.incident.id), "triaged")
    return tuple(m for m in triaged.data.get("models", ()) if m != pinned) if triaged else ()
