"""Move a component back: look, freeze the evidence, move, look again, log. What was cut off half way is finished by the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from truegreen.containment.model import PROMPTS_MOVED
from truegreen.core.clients.http import Server
from truegreen.core.config.model import Config
from truegreen.core.config.response import Way
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import argv, bundle, freeze, standing
from truegreen.runbook import flags as flagging
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.model import Event
from truegreen.runbook.rollback import seen
from truegreen.runbook.rollback.model import LABELS, Place, Plan, version
from truegreen.runbook.rollback.ways import KINDS
from truegreen.runbook.standing import Moved

ANNOUNCED: Final = 3_600.0
"""Seconds for which the flag that tells of a moved prompt is on: longer than any cache that nobody told."""
Tell = Callable[[str, str], Event]


def place(config: Config, component: str, environ: Mapping[str, str], flags: Path, name: str = "") -> Place:
    """Where a component is moved. A prompt is Langfuse's where nothing else is said.

    Args:
        name: in place of the configured one.

    Raises:
        BadInput: nothing is configured for it, or nobody says which prompt.
    """
    asked = config.incidents
    way = asked.rollback.get(component)
    if way is None and component != "prompt":
        raise BadInput(
            f"no way back of the {component} is configured: write incidents.rollback.{component} into truegreen.yaml, such as "
            f"{{type: command, current: […], dry_run: […], apply: […]}}"
        )
    way = way or Way("langfuse", asked.prompt)
    way = replace(way, name=name or way.name)
    if not way.name and way.type == "langfuse":
        raise BadInput("which prompt? --name P, or incidents.prompt in truegreen.yaml")
    named = way.name or (way.path.resolve().name if way.type == "folder" and way.path else way.file) or component
    return Place(component, way, named, environ, flags, config.containment.command)


def dry_run(config: Config, component: str, environ: Mapping[str, str], flags: Path) -> str:
    """Whether the way back of a component would work, in words; nothing is changed.

    Raises:
        BadInput, Failed: it would not, with what to write or start instead.
    """
    where = place(config, component, environ, flags)
    return KINDS[where.way.type].ready(where, "")


def configured(config: Config) -> tuple[str, ...]:
    """The components that can be moved back as the configuration is."""
    asked = config.incidents
    return tuple(name for name in LABELS if name in asked.rollback or (name == "prompt" and asked.prompt))


def look(where: Place, prometheus: Server, case: Case, to: str) -> Plan:
    """What a rollback would do; nothing is changed.

    Raises:
        BadInput: there is no such version; the message has those that there are.
        Failed: the place does not answer.
    """
    version("--to", to)
    made = _look(where, to)
    good, because = seen.known(prometheus, case.incident.target, where, to, store.events(case.log))
    return replace(made, seen=good, because=because)


def half_done(case: Case, made: Plan) -> Moved | None:
    """The newest move of this thing, when it was to this version and was never finished."""
    newest = next((m for m in reversed(standing.moves(store.events(case.log))) if _same(m, made.place)), None)
    return newest if newest and not newest.finished and str(newest.to) == made.to else None


def unseen(case: Case, made: Plan) -> Event | None:
    """The end of the newest move of this thing, when it was to this version and nobody saw it serve yet: the watch was cut off, or in vain."""
    told = store.events(case.log)
    newest = next((m for m in reversed(standing.moves(told)) if _same(m, made.place)), None)
    if newest is None or not newest.finished or str(newest.to) != made.to:
        return None
    after = [e for e in told if e.incident == newest.incident and e.phase == "mitigate" and e.seq > newest.number]
    seen_since = any(e.kind == "verified by spans" for e in after)
    return None if seen_since else next(e for e in told if e.seq == newest.number)


def undoable(case: Case, number: int) -> Moved:
    """The move of event `number`, which can be undone.

    Raises:
        BadInput: that event moved nothing that could go back, is undone already, or another change came after it.
    """
    active = standing.moves(store.events(case.log))
    found = next((m for m in active if number in (m.number, m.begun)), None)
    if found is None or found.old is None:
        known = ", ".join(str(m.number) for m in active if m.old is not None) or "none"
        raise BadInput(
            f"event {number} moved nothing that could go back, or is undone; to undo: {known} (truegreen incident log)"
        )
    newer = next(
        (m for m in reversed(active) if (m.component, m.name) == (found.component, found.name) and m.number > found.number), None
    )
    if newer:
        raise BadInput(
            f"event {newer.number} moved {found.name} to {newer.to} after event {number}: undo the newer change first: "
            f"truegreen rollback undo {newer.number}"
        )
    return found


def back(case: Case, where: Place, found: Moved) -> Plan:
    """What undoing a move would do; nothing is changed.

    Raises:
        BadInput: somebody moved it since.
        Failed: the place does not answer.
    """
    made = replace(_look(where, str(found.old)), seen=True, because="it was set before")
    # A command that was killed half way, this undo or the move itself, may have left it on either side.
    half = not found.finished or standing.announced(store.events(case.log), found.number)
    if made.current != str(found.to) and not (half and made.current == str(found.old)):
        raise BadInput(
            f"{where} is on {made.current or 'no version'} now, event {found.number} moved it to {found.to}: somebody moved it since; "
            f"to move it all the same: truegreen rollback {where.component} --to {found.old}"
        )
    return made


def apply(case: Case, made: Plan, facts: Mapping[str, Any]) -> tuple[freeze.Bundle, Event]:
    """Freeze, move, log; what is there already stays.

    Args:
        facts: for the log, such as who took a version that never served, and why.

    Raises:
        Failed: the evidence cannot be written, the move was refused, or somebody else moved it meanwhile.
    """
    where = made.place
    evidence = {"component": where.component, "type": where.way.type, "name": where.name, "current": made.current, "to": made.to}
    asked = replace(case, prompt=where.name, langfuse=where.way.url) if where.way.type == "langfuse" else case
    before = f"rollback {where} to {made.to or 'off'}"
    held = bundle.hold(asked, "mitigate", before, {"rollback.json": lambda: evidence})
    facts = {**_logged(made), **facts}

    def tell(event: str, text: str, **more: Any) -> Event:
        return store.append(case.log, case.incident.id, case.clock(), "mitigate", event, text, {**facts, **more})

    begun = tell("rollback begun", f"about to move {where} to {made.to or 'off'}")
    # What was cut off may stand elsewhere otherwise than the note says: said again, it is so for sure.
    if made.moves or where.blind:
        try:
            _move(made)
        except (BadInput, Failed) as error:
            raise _explained(tell, made, error, begun) from None
        _confirm(tell, made, begun)
    announced = _announced(case, where)
    untold = f"; applications were not told to drop their caches: {announced['because']}" if "because" in announced else ""
    old = facts["from"] or "no version"
    what = f"prompt {where.name}: label production" if where.way.type == "langfuse" else f"{where}:"
    text = f"{what} moved from {old} to {made.to or 'off'} (evidence {held.sha256[:12]}){untold}"
    return held, tell("rollback applied", text, **announced)


def _announced(case: Case, where: Place) -> dict[str, Any]:
    """Tell applications that a prompt was moved, where flags reach them: an SDK's cache would use the other version for a minute more.

    What goes wrong is for the log; the label has moved all the same.
    """
    reached = where.flag_command or where.environ.get("TRUEGREEN_FLAGS") or case.flags.exists()
    if where.way.type != "langfuse" or not reached:
        return {}
    now = case.clock()
    try:
        with flagging.alone(case.flags):
            flagging.put(case.flags, where.flag_command, PROMPTS_MOVED, flagging.Switch(f"{now:.3f}", now + ANNOUNCED))
    except (BadInput, Failed) as error:
        return {"announced": False, "because": str(error)}
    return {"announced": True}


def _move(made: Plan) -> None:
    where, kind = made.place, KINDS[made.place.way.type]
    now = kind.current(where)
    if now not in (made.current, made.to):
        raise BadInput(
            f"{where} is on {now or 'no version'} now and was on {made.current or 'none'} a moment ago: somebody else moved it; look again"
        )
    if now != made.to or where.blind:
        kind.move(where, made.to, made.current)


def _look(where: Place, to: str) -> Plan:
    kind = KINDS[where.way.type]
    current = kind.current(where)
    there = kind.versions(where)
    if to not in (there or (to,)) and to != current and not (where.way.type == "git" and len(to) == 40):
        known = ", ".join((there or ())[-20:]) or "none"
        raise BadInput(f"{where} has no version {to!r}; there are: {known}")
    if not to and not kind.empty:
        raise BadInput(f"{where} was on no version before, and cannot go back to none")
    return Plan(where, to, current, current != to, None, "")


def _logged(made: Plan) -> dict[str, Any]:
    """What the log keeps of a move. Of a prompt in Langfuse versions are numbers, and the component goes without saying."""
    where = made.place
    if where.way.type == "langfuse":
        facts = {"name": where.name, "to": int(made.to), "from": int(made.current) if made.current else None}
    else:
        facts = {"name": where.name, "to": made.to, "from": made.current if made.current or KINDS[where.way.type].empty else None}
    return facts if where.component == "prompt" else {**facts, "component": where.component}


def _explained(tell: Tell, made: Plan, error: BadInput | Failed, begun: Event) -> BadInput | Failed:
    """Log how a move that raised has ended, by what is set now, if that can be told; and the error with what to do about it."""
    where = made.place
    try:
        now = KINDS[where.way.type].current(where)
    except (BadInput, Failed):
        now = None
    if now == made.current and not isinstance(error, flagging.Unanswered):
        tell("rollback failed", argv.kept(error))
        return error
    # Where it may have moved, the change stands until somebody completes or undoes it.
    known = now is not None and not isinstance(error, flagging.Unanswered)
    stands = f"{where} is on {now or 'no version'} now" if known else f"whether {where} moved is not known"
    tell("rollback unanswered", f"{argv.kept(error)}; {stands}")
    if known and now != made.to:
        return error
    return Failed(f"{error}; {stands}: {_next(begun)}")


def _confirm(tell: Tell, made: Plan, begun: Event) -> None:
    try:
        now = KINDS[made.place.way.type].current(made.place)
    except (BadInput, Failed) as error:
        tell("rollback unanswered", argv.kept(error))
        raise Failed(f"{error}; {made.place} was moved, and where it stands cannot be read: {_next(begun)}") from None
    if now != made.to:
        said = f"{made.place} was moved to {made.to or 'off'} and is on {now or 'no version'}: somebody else moved it, or the move does nothing"
        tell("rollback failed" if now == made.current else "rollback unanswered", said)
        raise Failed(said)


def _next(begun: Event) -> str:
    return f"give the same words again, or truegreen rollback undo {begun.seq}"


def _same(moved: Moved, where: Place) -> bool:
    return (moved.component, moved.name) == (where.component, where.name)
