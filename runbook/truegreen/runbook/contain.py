"""Flip a switch that the application obeys: evidence first, then the flag, then the log. Who flips at the same time waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from truegreen.core.config.response import Containment
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import argv, bundle, flags, freeze, standing
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.clean import clean
from truegreen.runbook.evidence import Sources
from truegreen.runbook.model import Event
from truegreen.runbook.standing import Active
from truegreen.runbook.switches import OWN, shown
from truegreen.runbook.times import iso

IMPATIENT: Final = 3.0
"""Seconds for one answer to what an evidence bundle asks, while users are harmed."""


def turn(
    case: Case, flag: str, value: str | Callable[[str], str], expires: float, words: str, *,
    how: Containment | None = None, facts: Mapping[str, Any] | None = None,
) -> tuple[freeze.Bundle, Event]:  # fmt: skip
    """Turn a switch on until it is undone, at the latest until it expires.

    A switch to the same value that was begun and never finished is completed: its undo leads to what was before it.

    Args:
        flag: one of `containment.model.FLAGS`, or `run:NAME` for a switch of the team's own.
        value: or a function of the value that is in force now (empty for off).
        expires: seconds from now.
        words: the change, such as `pin m-1`.
        how: where flags are set, when not in the file alone.
        facts: more for the log.

    Returns:
        the evidence bundle and the log's event: its number undoes it.

    Raises:
        BadInput, Failed: the evidence or the flag cannot be written: the switch is as it was.
        flags.Unanswered: the team's command did not end in time; the change is listed as not finished.
    """
    how = how or Containment("")
    _argv(how, flag, flags.Switch("on", None), case)
    held = bundle.hold(_quick(case), "contain", f"contain {words}")
    with flags.alone(case.flags):
        told = store.events(case.log)
        now = case.clock()
        before = _state(case, how, told, flag)
        made = value if isinstance(value, str) else value("" if _over(before, now) else before.value)
        until, joins = round(now + expires, 3), not isinstance(value, str) and bool(before.value) and not _over(before, now)
        if joins and before.expires is not None:
            until = max(until, before.expires)  # one flag has one end: no switch ends another one early
        said = {"flag": flag, "value": made, "previous": before.value, "previous_expires": before.expires, "expires": until}
        half = next((a for a in reversed(standing.switches(told)) if a.flag == flag), None)
        if half and not half.finished and half.value == made and before.value in (half.value, half.previous):
            said |= {"previous": half.previous, "previous_expires": half.previous_expires, "completes": half.begun}
        said |= facts or {}
        _tell(case, "contain begun", f"about to {words}", said)
        try:
            _set(case, how, flag, flags.Switch(made, until))
        except flags.Unanswered as error:
            _tell(case, "contain unanswered", str(error), {"error": str(error)})
            raise
        except (BadInput, Failed) as error:
            _tell(case, "contain failed", argv.kept(error), said)
            raise
        end = f"{iso(until)}{', the later end of both' * joins}"
        if not ends_itself(how, flag):
            end += ", then `truegreen incident serve` ends it, if it runs"
        text = f"{words}: {flag} = {shown(flag, made)} until {end} (evidence {held.sha256[:12]})"
        return held, _tell(case, "contain applied", text, said)


def undo(
    case: Case, number: int, *, how: Containment | None = None, by_hand: bool = False, facts: Mapping[str, Any] | None = None
) -> tuple[freeze.Bundle, Event]:
    """Put one switch back to what it was before event `number`, whether or not the change was finished.

    Args:
        how: as in `turn`.
        by_hand: it was done already, by somebody: only the log is written.
        facts: more for the log.

    Raises:
        BadInput: that event did not turn a switch, is undone already, or another change came after it.
    """
    how = how or Containment("")
    found = _undoable(case, how, number)
    to = flags.Switch(found.previous, found.previous_expires)
    if not by_hand:
        _argv(how, found.flag, to, case)
    held = bundle.hold(_quick(case), "contain", f"contain undo {found.number}")
    with flags.alone(case.flags):
        found = _undoable(case, how, number)
        said = {"undone": found.number, "flag": found.flag, "value": found.previous, **(facts or {})}
        _tell(case, "undo begun", f"about to undo event {found.number}", said)
        if not by_hand:
            _set(case, how, found.flag, to)
        back = shown(found.flag, found.previous) or "off"
        text = f"{found.flag} back to {back} (undo of event {found.number}, evidence {held.sha256[:12]})"
        return held, _tell(case, "contain undone", text + (", done by hand" if by_hand else ""), said)


def renew(
    case: Case, number: int, expires: float, *, how: Containment | None = None, facts: Mapping[str, Any] | None = None
) -> tuple[freeze.Bundle | None, Event]:
    """Let a switch hold for longer; one that has expired is turned on anew, with evidence, and the new event takes its place.

    Args:
        expires: seconds from now.

    Raises:
        BadInput: that event did not turn a switch that is on, or another change came after it.
    """
    how = how or Containment("")
    found = _undoable(case, how, number)
    if not found.finished:
        raise BadInput(f"event {found.number} was never finished: give its command again, or undo it first")
    if case.clock() >= found.expires:
        kept = {"replaces": found.number, "previous": found.previous, "previous_expires": found.previous_expires}
        return turn(case, found.flag, found.value, expires, f"renew event {number}", how=how, facts={**kept, **(facts or {})})
    with flags.alone(case.flags):
        found = _undoable(case, how, number)
        until = round(case.clock() + expires, 3)
        if not found.flag.startswith(OWN):
            _set(case, how, found.flag, flags.Switch(found.value, until))
        said = {"renewed": found.number, "flag": found.flag, "value": found.value, "expires": until, **(facts or {})}
        return None, _tell(
            case, "contain renewed", f"{found.flag} = {shown(found.flag, found.value)} holds until {iso(until)}", said
        )


def ends_itself(how: Containment, flag: str) -> bool:
    """Whether a switch goes off when its time is over: the application, or a system that is told the expiry, sees to that."""
    return not flag.startswith(OWN) and (not how.command or any("{expires}" in part for part in how.command))


def expire(case: Case, told: tuple[Event, ...], how: Containment | None = None) -> list[Event]:
    """Log, once for each expiry, the switches of this incident that nobody renewed; what does not go off by itself is taken away.

    Args:
        told: the events of this incident, or of the whole log.
        how: as in `turn`.

    Raises:
        Failed: the evidence cannot be written, or the flag file is held: nothing was changed, and the next call does it.
    """
    how = how or Containment("")
    late = _late(case, told)
    if not late:
        return []
    if not all(ends_itself(how, a.flag) for a in late):
        bundle.hold(_quick(case), "contain", "contain: the time is over")
    with flags.alone(case.flags):
        return [_ended(case, how, active) for active in _late(case, store.events(case.log))]


def _late(case: Case, told: tuple[Event, ...]) -> list[Active]:
    logged = {(e.data.get("expired"), e.data.get("expires")) for e in told if e.kind == "contain expired"}
    return [
        a for a in standing.switches(told)
        if a.incident == case.incident.id and a.finished and case.clock() >= a.expires and (a.number, a.expires) not in logged
    ]  # fmt: skip


def _ended(case: Case, how: Containment, active: Active) -> Event:
    """End one switch, where it needs that, and log how it stands then."""
    number, off = active.number, flags.Switch("", None)
    what = f"{active.flag} = {shown(active.flag, active.value)}"
    said: dict[str, Any] = {"expired": number, "flag": active.flag, "value": active.value, "expires": active.expires}
    newer = _newer(case, active)
    if newer:
        text = f"{what} of event {number} expired {iso(active.expires)}: event {newer.number} set it to {shown(newer.flag, newer.value)} since"
    elif ends_itself(how, active.flag):
        text = f"{what} expired {iso(active.expires)} and is off: renew it, or undo it"
    else:
        try:
            _argv(how, active.flag, off, case)
            _tell(
                case,
                "undo begun",
                f"about to end event {number}: its time is over",
                {"undone": number, "flag": active.flag, "value": ""},
            )
            _set(case, how, active.flag, off)
        except (BadInput, Failed) as error:
            text = f"{what}: its time was over {iso(active.expires)}, take it for STILL ON: {argv.kept(error)} (truegreen contain undo {number})"
        else:
            text = f"{what} expired {iso(active.expires)} and its command took it away"
            said["undone"] = number
    return _tell(case, "contain expired", text, said)


def _newer(case: Case, active: Active) -> Active | None:
    """A later switch of the same flag; of one of the team's own, only of the same service: its command is run for each."""
    where = {i.id: (i.target.service, i.target.environment) for i in store.incidents(case.log)}
    return next(
        (
            a for a in reversed(standing.switches(store.events(case.log)))
            if a.flag == active.flag and a.number > active.number
            and (not a.flag.startswith(OWN) or where.get(a.incident) == where.get(active.incident))
        ),
        None,
    )  # fmt: skip


def standing_switches(log: store.Log, incident: int) -> list[str]:
    """The switches of an incident that are on, or may be, in words: none may be when it closes."""
    return [
        f"event {a.number}: {a.flag} = {shown(a.flag, a.value)}, expires {iso(a.expires)} (truegreen contain undo {a.number})"
        for a in standing.switches(store.events(log)) if a.incident == incident
    ]  # fmt: skip


def _undoable(case: Case, how: Containment, number: int) -> Active:
    told = store.events(case.log)
    active = standing.switches(told)
    found = next((a for a in active if number in (a.number, a.begun)), None)
    if found is None:
        known = ", ".join(str(a.number) for a in active) or "none"
        raise BadInput(f"event {number} is no switch that is on; to undo: {known} (truegreen contain list)")
    newer = next((a for a in reversed(active) if a.flag == found.flag and a.number > found.number), None)
    if newer:
        raise BadInput(
            f"event {newer.number} set {found.flag} to {newer.value!r} after event {number}: undo the newer change first: "
            f"truegreen contain undo {newer.number}"
        )
    current = _state(case, how, told, found.flag)
    # A command that was killed half way, this undo or the change itself, may have left the file on either side.
    half = not found.finished or standing.announced(told, found.number)
    if current.value != found.value and not (half and current.value == found.previous):
        raise BadInput(
            f"{found.flag} is {current.value or 'off'!r} now, event {number} set it to {found.value!r}: undo the newer change first"
        )
    return found


def _quick(case: Case) -> Case:
    """The case with servers that are not waited for: what a slow one does not say in time is listed as missing."""
    asked = case.sources
    servers = (asked.prometheus, asked.alertmanager, asked.collector)
    return replace(case, sources=Sources(*(replace(each, timeout=min(each.timeout, IMPATIENT), sleep=_once) for each in servers)))


def _once(_: float) -> None:
    """In place of a pause before the second attempt."""
    raise Failed("its server did not answer, and was not asked twice while users are harmed")


def _over(switch: flags.Switch, now: float) -> bool:
    return switch.expires is not None and now >= switch.expires


def _state(case: Case, how: Containment, told: tuple[Event, ...], flag: str) -> flags.Switch:
    """How a flag stands: by the file, else by the log, for another system cannot be asked."""
    if not how.command and not flag.startswith(OWN):
        return flags.state(flags.load(case.flags), flag)
    newest = next((a for a in reversed(standing.switches(told)) if a.flag == flag), None)
    return flags.Switch(newest.value, newest.expires) if newest else flags.Switch("", None)


def _argv(how: Containment, flag: str, to: flags.Switch, case: Case) -> tuple[list[str], str]:
    """The team's command that sets the flag and the key that it is from; none where the file is written.

    Raises:
        BadInput: there is no such command, or a value would become an option of it.
    """
    if not flag.startswith(OWN):
        return (flags.elsewhere(how.command, flag, to), "containment.command") if how.command else ([], "")
    name = flag.removeprefix(OWN)
    own, key = how.commands.get(name), f"containment.commands.{clean(name, 60)}"
    if own is None:
        raise BadInput(f"{key}: there is none; known: {', '.join(sorted(how.commands)) or 'none'}")
    if not to.value and not own.undo:
        raise BadInput(f"{key}.undo is not set: take it back yourself, then say so with --by-hand")
    target = case.incident.target
    part, command = ("apply", own.apply) if to.value else ("undo", own.undo)
    return argv.fill(command, {"service": target.service, "environment": target.environment}, f"{key}.{part}"), key


def _set(case: Case, how: Containment, flag: str, to: flags.Switch) -> None:
    command, key = _argv(how, flag, to, case)
    if command:
        flags.ran(command, key, flag)
    else:
        flags.put(case.flags, (), flag, to)


def _tell(case: Case, kind: str, text: str, facts: Mapping[str, Any]) -> Event:
    return store.append(case.log, case.incident.id, case.clock(), "contain", kind, text, facts)
