"""Move a Langfuse prompt's `production` label back to a version that served before, and watch it serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from truegreen.core.clients import langfuse
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import NOT_FOUND, HttpFailed, Server
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import bundle, freeze, names, selectors, standing
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.model import Event, Target
from truegreen.runbook.standing import Moved
from truegreen.runbook.watch import OTHER, Key

OLD: Final = "the version wanted"
KINDS: Final = (OLD,)
DEFAULT_RETENTION: Final = 15 * 86_400
"""Seconds: Prometheus' own default, where the server does not say how long it keeps samples."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done: `moves` is false when the label is there already; `seen` says that the version served before."""

    name: str
    version: int
    current: int | None
    labels: tuple[str, ...]
    moves: bool
    seen: bool


def plan(server: Server, prometheus: Server, target: Target, name: str, version: int) -> Plan:
    """Look at everything, change nothing.

    Raises:
        Failed: Langfuse has no such version, or does not answer.
    """
    kept = prom.retention(prometheus) or DEFAULT_RETENTION
    label = f"{name}@{version}"
    found = prom.query(
        prometheus, f"count(last_over_time({names.SNAPSHOT}{selectors.at(target, prompt_version=label)}[{int(kept)}s]))"
    )
    return _look(server, name, version, bool(found))


def half_done(case: Case, made: Plan) -> Moved | None:
    """The newest move of this prompt, when it was to this version and was never finished."""
    newest = next((m for m in reversed(standing.moves(store.events(case.log))) if m.name == made.name), None)
    return newest if newest and not newest.finished and newest.to == made.version else None


def back(case: Case, server: Server, number: int) -> tuple[Plan, Moved]:
    """Look at what undoing event `number` would do, change nothing.

    Raises:
        BadInput: that event moved no label that could go back, is undone already, or another change came after it.
        Failed: Langfuse does not answer.
    """
    told = store.events(case.log)
    active = standing.moves(told)
    found = next((m for m in active if number in (m.number, m.begun)), None)
    if found is None or not found.old:
        known = ", ".join(str(m.number) for m in active if m.old) or "none"
        raise BadInput(
            f"event {number} moved no label that could go back, or is undone; to undo: {known} (truegreen incident log)"
        )
    newer = next((m for m in reversed(active) if m.name == found.name and m.number > found.number), None)
    if newer:
        raise BadInput(
            f"event {newer.number} moved {found.name} to {newer.to} after event {number}: undo the newer change first: "
            f"truegreen rollback undo {newer.number}"
        )
    made = _look(server, found.name, found.old, seen=True)
    # A command that was killed half way, this undo or the move itself, may have left the label on either side.
    half = not found.finished or standing.announced(told, found.number)
    if made.current != found.to and not (half and made.current == found.old):
        raise BadInput(
            f"{langfuse.PRODUCTION} of {found.name} is on {made.current or 'no version'} now, event {number} moved it to {found.to}: "
            f"somebody moved it since; to move it all the same: truegreen rollback prompt --name {found.name} --to {found.old}"
        )
    return made, found


def apply(case: Case, server: Server, made: Plan, facts: Mapping[str, Any]) -> tuple[freeze.Bundle, Event]:
    """Freeze, move the label, log; a label that is there already stays.

    Args:
        facts: for the log, such as who took a version that never served, and why.

    Raises:
        Failed: the evidence cannot be written or Langfuse refuses: the label is where it was.
    """
    held = bundle.hold(case, "mitigate", f"rollback prompt {made.name} to {made.version}")
    facts = {"name": made.name, "to": made.version, "from": made.current, **facts}

    def tell(kind: str, text: str) -> Event:
        return store.append(case.log, case.incident.id, case.clock(), "mitigate", kind, text, facts)

    tell("rollback begun", f"about to move {made.name} to {made.version}")
    kept = [label for label in made.labels if label not in (langfuse.RESERVED, langfuse.PRODUCTION)]
    try:
        if made.moves:
            langfuse.set_labels(server, made.name, made.version, [*kept, langfuse.PRODUCTION])
    except HttpFailed as error:
        tell("rollback failed", str(error))
        raise
    except Failed as error:
        # The answer was lost: the label may have moved, so the change stands until somebody completes or undoes it.
        tell("rollback unanswered", str(error))
        raise
    text = f"prompt {made.name}: label {langfuse.PRODUCTION} moved from {facts['from'] or 'no version'} to {made.version} (evidence {held.sha256[:12]})"
    return held, tell("rollback applied", text)


def _look(server: Server, name: str, version: int, seen: bool) -> Plan:
    wanted = langfuse.get_prompt(server, name, version=version)
    try:
        current: int | None = langfuse.get_prompt(server, name).version
    except HttpFailed as error:
        if error.status != NOT_FOUND:
            raise
        current = None
    return Plan(name, version, current, wanted.labels, langfuse.PRODUCTION not in wanted.labels, seen)


def reader(server: Server, target: Target) -> Callable[[], Mapping[Key, float]]:
    """Reads how many answers each prompt version has given."""
    where = selectors.at(target)

    def read() -> Mapping[Key, float]:
        versions = {
            s.labels.get("snapshot", ""): s.labels.get("prompt_version", "")
            for s in prom.query(server, f"last_over_time({names.SNAPSHOT}{where}[1h])")
        }
        made: dict[Key, float] = {}
        for s in prom.query(server, f"sum by (snapshot) ({names.ANSWERS}{where})"):
            snapshot = s.labels.get("snapshot", "")
            made[(snapshot, versions.get(snapshot, ""))] = s.value
        return made

    return read


def classifier(name: str, version: int) -> Callable[[Key], str]:
    """Tells answers of the version wanted from those of the prompt's other versions; other prompts are not looked at."""

    def classify(key: Key) -> str:
        label = str(key[1])
        if label == f"{name}@{version}":
            return OLD
        return OTHER if label.rpartition("@")[0] == name else "ignored"

    return classify
