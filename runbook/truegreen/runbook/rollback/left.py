"""Whether the log says that a version was taken out of service, by a rollback or by a rollout that went back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from truegreen.runbook import standing
from truegreen.runbook.model import Event, Target
from truegreen.runbook.rollback.labels import is_version
from truegreen.runbook.rollback.model import Place
from truegreen.runbook.rollout import drive


def left(events: Sequence[Event], target: Target, place: Place, version: str) -> str:
    """Which event took the version out of service, in words; empty where none did, or it was brought back since."""
    told = [*_moves(events, place, version), *_rollouts(events, target, place, version)]
    return max(told, default=(0, ""))[1]


def _moves(events: Sequence[Event], place: Place, version: str) -> list[tuple[int, str]]:
    found = []
    for moved in standing.moves(events):
        if (moved.component, moved.name) != (place.component, place.name):
            continue
        if str(moved.to) == version:
            found.append((moved.number, ""))
        elif str(moved.old) == version:
            found.append((moved.number, f"event {moved.number} (incident {moved.incident}) rolled {place} back from it to {moved.to or 'off'}"))  # fmt: skip
    return found


def _rollouts(events: Sequence[Event], target: Target, place: Place, version: str) -> list[tuple[int, str]]:
    def its(event: Event) -> bool:
        whose = (event.data.get("service"), event.data.get("environment"), event.data.get("component"))
        return whose == (target.service, target.environment, place.component) and is_version(
            place, str(event.data.get("to")), version
        )

    begun = {e.seq for e in events if e.kind == drive.STARTED and its(e)}
    return [
        (e.seq, f"event {e.seq}, a rollout of it went {e.text}" if e.kind == drive.GONE else "")
        for e in events if e.kind in (drive.GONE, drive.DONE) and e.data.get("rollout") in begun
    ]  # fmt: skip
