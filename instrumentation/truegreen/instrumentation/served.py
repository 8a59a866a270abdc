"""What has served lately, minute by minute: the record behind `snapshot.record`. In memory, bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from truegreen.core.words.terms import SNAPSHOT_COMPONENTS
from truegreen.instrumentation.locks import Lock

MINUTE = 60
ENTRIES = 10_000
"""How many different combinations, summed over minutes, are kept; the oldest minutes go first."""


class Ran(NamedTuple):
    """What one call ran on.

    Args:
        snapshot: the snapshot's id.
        versions: component and version, sorted.
        asked, served, fingerprint: the model that was asked for, the one that answered, and the provider's system fingerprint.
    """

    snapshot: str
    versions: tuple[tuple[str, str], ...]
    asked: str
    served: str
    fingerprint: str


@dataclass(slots=True)
class Seen:
    """When something served, in unix seconds, and in how many calls."""

    first: float
    last: float
    calls: int = 1

    def add(self, other: Seen) -> None:
        """Take another minute in."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.calls += other.calls


class Served:
    """The calls of the last minutes, by what they ran on.

    Args:
        clock: unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._minutes: dict[int, dict[Ran, Seen]] = {}
        self._entries = 0
        self._lock = Lock()

    def note(self, ran: Ran, at: float) -> None:
        """Count a call that ended at this time, in unix seconds."""
        with self._lock:
            minute = self._minutes.setdefault(int(at // MINUTE), {})
            known = minute.get(ran)
            if known is not None:
                known.last = max(known.last, at)
                known.calls += 1
                return
            minute[ran] = Seen(at, at)
            self._entries += 1
            while self._entries > ENTRIES and len(self._minutes) > 1:
                self._entries -= len(self._minutes.pop(next(iter(self._minutes))))
            if self._entries > ENTRIES:  # one minute alone: each call another combination
                del minute[next(iter(minute))]
                self._entries -= 1

    def within(self, seconds: float) -> tuple[float, Mapping[Ran, Seen]]:
        """Now, and what served in the last `seconds`, by whole minutes."""
        now = self._clock()
        found: dict[Ran, Seen] = {}
        with self._lock:  # a garbage collection in here may end a span: what is walked through is a copy
            minutes = {minute: dict(calls) for minute, calls in dict(self._minutes).items()}
        for minute, calls in minutes.items():
            if (minute + 1) * MINUTE > now - seconds:
                for ran, seen in calls.items():
                    found.setdefault(ran, Seen(seen.first, seen.last, 0)).add(seen)
        return now, found

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._minutes.clear()
            self._entries = 0


def record(
    now: float, seconds: float, seen: Mapping[Ran, Seen], stated: Mapping[str, str], described: Mapping[str, Any]
) -> dict[str, Any]:
    """The seven-part record of a window, as JSON holds it; times are unix seconds.

    Args:
        seen: what served in the window.
        stated: versions that hold without a call: of the configuration and of `snapshot.default`.
        described: version of the retrieval index to what its store says of it.
    """
    components: dict[str, list[dict[str, Any]]] = {}
    for component in SNAPSHOT_COMPONENTS:
        found: dict[tuple[tuple[str, str], ...], Seen] = {}
        for ran, times in seen.items():
            version = dict(ran.versions).get(component)
            if version:
                _add(found, _key(component, version, ran), times)
        listed = [{**dict(key), **_times(times)} for key, times in _ordered(found)]
        if component in stated and not any(entry["version"] == stated[component] for entry in listed):
            listed.append({"version": stated[component], "calls": 0})
        components[component] = listed
    for entry in components["retrieval_index"]:
        if entry["version"] in described:
            entry["index"] = described[entry["version"]]
    snapshots: dict[tuple[tuple[str, str], ...], Seen] = {}
    for ran, times in seen.items():
        _add(snapshots, (("id", ran.snapshot), *ran.versions), times)
    return {
        "taken": now,
        "seconds": seconds,
        "snapshots": [
            {"id": key[0][1], "versions": dict(key[1:]), **_times(times)} for key, times in _ordered(snapshots) if key[0][1]
        ],
        "components": components,
    }


def _key(component: str, version: str, ran: Ran) -> tuple[tuple[str, str], ...]:
    if component != "model":
        return (("version", version),)
    more = (("asked", ran.asked), ("served", ran.served), ("fingerprint", ran.fingerprint))
    return (("version", version), *((name, value) for name, value in more if value))


def _add(found: dict[tuple[tuple[str, str], ...], Seen], key: tuple[tuple[str, str], ...], seen: Seen) -> None:
    found.setdefault(key, Seen(seen.first, seen.last, 0)).add(seen)


def _times(seen: Seen) -> dict[str, Any]:
    return {"first": seen.first, "last": seen.last, "calls": seen.calls}


def _ordered(found: Mapping[tuple[tuple[str, str], ...], Seen]) -> Iterable[tuple[tuple[tuple[str, str], ...], Seen]]:
    return sorted(found.items(), key=lambda item: (item[1].first, item[0]))
