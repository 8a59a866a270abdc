"""Move a Langfuse prompt's `production` label back to a version that served before, and watch it serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from truegreen.core.clients import langfuse
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import NOT_FOUND, HttpFailed, Server
from truegreen.core.errors import Failed
from truegreen.runbook import bundle, freeze, names, selectors
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.model import Event, Target
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
    wanted = langfuse.get_prompt(server, name, version=version)
    try:
        current: int | None = langfuse.get_prompt(server, name).version
    except HttpFailed as error:
        if error.status != NOT_FOUND:
            raise
        current = None
    kept = prom.retention(prometheus) or DEFAULT_RETENTION
    label = f"{name}@{version}"
    found = prom.query(
        prometheus, f"count(last_over_time({names.SNAPSHOT}{selectors.at(target, prompt_version=label)}[{int(kept)}s]))"
    )
    return Plan(name, version, current, wanted.labels, langfuse.PRODUCTION not in wanted.labels, bool(found))


def apply(case: Case, server: Server, made: Plan, forced: Mapping[str, str]) -> tuple[freeze.Bundle, Event]:
    """Freeze, move the label, log.

    Args:
        forced: who took a version that never served, and why; empty otherwise.

    Raises:
        Failed: the evidence cannot be written or Langfuse refuses: the label is where it was.
    """
    held = bundle.hold(case, "mitigate", f"rollback prompt {made.name} to {made.version}")
    facts = {"name": made.name, "to": made.version, "from": made.current, **forced}
    store.append(
        case.log,
        case.incident.id,
        case.clock(),
        "mitigate",
        "rollback begun",
        f"about to move {made.name} to {made.version}",
        facts,
    )
    kept = [label for label in made.labels if label != langfuse.RESERVED]
    try:
        langfuse.set_labels(server, made.name, made.version, [*kept, langfuse.PRODUCTION])
    except Failed as error:
        store.append(case.log, case.incident.id, case.clock(), "mitigate", "rollback failed", str(error), facts)
        raise
    text = f"prompt {made.name}: label {langfuse.PRODUCTION} moved from {made.current or 'no version'} to {made.version} (evidence {held.sha256[:12]})"
    return held, store.append(case.log, case.incident.id, case.clock(), "mitigate", "rollback applied", text, facts)


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
