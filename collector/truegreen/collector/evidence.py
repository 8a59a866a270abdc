"""What is kept of single answers, per service and environment, bounded: raw scores, failing traces, affected users. No text, ever."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from truegreen.collector.model import HOUR_SCRAPES, SLOT_SCRAPES

SCORES: Final = 5000
FAILING: Final = 100
SLOTS: Final = 3
DISTINCT: Final = 10_000
"""Ids kept in one slice of an hour; past it the number is an estimate."""
SLICES: Final = 6
_MASK: Final = (1 << 64) - 1
_NEW: Final = (1 << 64, array("Q"))


class Scores:
    """The newest raw scores of one evaluation's base sample, in a ring of at most 5,000."""

    __slots__ = ("_snapshots", "evaluator", "newest", "seen", "sessions", "values")

    def __init__(self) -> None:
        self.values = array("d")
        self.sessions = array("Q")
        self._snapshots = array("q")
        self.seen = 0
        self.evaluator = ""
        self.newest = ""

    def add(self, evaluator: str, snapshot: str, raw: float, session: bytes | None) -> None:
        """Keep one score with who gave it and the snapshot that it judged; session and snapshot are kept as hashes (0 when there is none)."""
        hashed = hash(session) & _MASK if session else 0
        if self.seen < SCORES:
            self.values.append(raw)
            self.sessions.append(hashed)
            self._snapshots.append(hash(snapshot))
        else:
            at = self.seen % SCORES
            self.values[at] = raw
            self.sessions[at] = hashed
            self._snapshots[at] = hash(snapshot)
        self.seen += 1
        self.evaluator, self.newest = evaluator or self.evaluator, snapshot

    @property
    def snapshot(self) -> str:
        """The snapshot that all kept scores judged; empty when they judged several, or some stated none."""
        return self.newest if self._snapshots.count(hash(self.newest)) == len(self._snapshots) else ""


class Distinct:
    """How many different ids were seen in the last hour: six slices, each a Theta sketch of at most 10,000 hashes.

    A slice holds every hash below its bound, so it is exact up to 10,000 ids; a full one halves its bound, and with it what it holds. Slices are
    merged under the least of their bounds. Standard error past that: 1/sqrt(5,000), 1.4 % (Dasgupta, Lang, Rhodes and Thaler, 2015, "A framework
    for estimating stream expression cardinalities").
    """

    __slots__ = ("_closed", "_closed_of", "_fresh", "_fresh_of", "_slices")

    def __init__(self) -> None:
        self._slices: dict[int, tuple[int, set[int] | array[int]]] = {}
        """By number: the bound, and the hashes below it; a set in the slice that is written, in order and eight bytes each in the others."""
        self._closed = array("Q")
        """The hashes of the slices that are not written, each once and in order, kept until one of them begins or ends."""
        self._closed_of: tuple[int, ...] = ()
        self._fresh = 0
        """How many hashes below the least bound only the slice that is written has; kept while `_fresh_of` (that slice, that bound) holds."""
        self._fresh_of = (0, 0)

    def add(self, value: bytes, slice_number: int) -> None:
        """See an id, kept as a 64-bit hash."""
        bound, known = self._slices.get(slice_number, _NEW)
        if not isinstance(known, set):
            known = self._begun(slice_number, bound, known)
        hashed = hash(value) & _MASK
        if hashed < bound and hashed not in known:
            known.add(hashed)
            if hashed < self._fresh_of[1] and not self._is_closed(hashed):
                self._fresh += 1
            if len(known) > DISTINCT:
                self._slices[slice_number] = bound >> 1, {kept for kept in known if kept < bound >> 1}

    def count(self, slice_number: int) -> int:
        """Different ids in this slice and the five before it."""
        self._forget(slice_number)
        least = self._renew()
        return round((bisect_left(self._closed, least) + self._fresh) * (1 << 64) / least)

    def _begun(self, slice_number: int, bound: int, known: array[int]) -> set[int]:
        self._forget(slice_number)
        self._slices = {
            number: (below, array("Q", sorted(kept)) if isinstance(kept, set) else kept)
            for number, (below, kept) in self._slices.items()
        }
        made = set(known)
        self._slices[slice_number] = bound, made
        self._renew()
        return made

    def _renew(self) -> int:
        """Bring up to date what is kept for `count`; the least of the bounds. A pass over all hashes only where a slice began or ended."""
        closed = {number: kept for number, (_, kept) in self._slices.items() if not isinstance(kept, set)}
        if self._closed_of != (*closed,):
            self._closed_of = (*closed,)
            self._closed = array("Q", dict.fromkeys(sorted(chain.from_iterable(closed.values()))))
            self._fresh_of = (0, 0)
        least = min((bound for bound, _ in self._slices.values()), default=1 << 64)
        opened = next((number for number in self._slices if number not in closed), 0)
        if self._fresh_of != (opened, least):
            self._fresh_of = (opened, least)
            written = self._slices[opened][1] if len(closed) < len(self._slices) else ()
            self._fresh = sum(hashed < least and not self._is_closed(hashed) for hashed in written)
        return least

    def _is_closed(self, hashed: int) -> bool:
        at = bisect_left(self._closed, hashed)
        return at < len(self._closed) and self._closed[at] == hashed

    def _forget(self, slice_number: int) -> None:
        for old in [number for number in self._slices if number <= slice_number - SLICES]:
            del self._slices[old]


@dataclass(slots=True)
class Evidence:
    """The evidence of one service and environment."""

    evaluations: set[str] = field(default_factory=set)
    """Those of which anything is kept here."""
    scores: dict[str, Scores] = field(default_factory=dict)
    failing: deque[tuple[str, bytes, float]] = field(default_factory=lambda: deque(maxlen=FAILING))
    slots: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """By evaluation: when each of the three slots was set, and its trace id."""
    distinct: dict[tuple[str, str], Distinct] = field(default_factory=dict)
    """By metric and evaluation."""


def failed(
    evidence: Evidence, evaluation: str, trace_id: bytes, time: float, now: float, interval: float
) -> tuple[int, str] | None:
    """Keep a failing answer's trace; the slot that now shows it and the trace id it showed before, None when no slot may change yet."""
    evidence.failing.append((evaluation, trace_id, time))
    slots = evidence.slots.setdefault(evaluation, [])
    shown = trace_id.hex()
    if any(shown == other for _, other in slots):
        return None
    if len(slots) < SLOTS:
        slots.append((now, shown))
        return len(slots) - 1, ""
    oldest = min(range(SLOTS), key=lambda i: slots[i][0])
    if now - slots[oldest][0] < SLOT_SCRAPES * interval:
        return None
    before = slots[oldest][1]
    slots[oldest] = (now, shown)
    return oldest, before


def slice_of(now: float, interval: float) -> int:
    """The number of the sixth of an hour (120 scrapes) that a time lies in."""
    return int(now // (HOUR_SCRAPES * interval / SLICES))


def scores_answer(evidence: Evidence | None, service: str, environment: str, evaluation: str) -> dict[str, Any]:
    """The body of `/scores`."""
    kept = evidence.scores.get(evaluation) if evidence else None
    kept = kept or Scores()
    sessions = [f"{value:016x}" if value else "" for value in kept.sessions] if any(kept.sessions) else []
    return {
        "service": service, "environment": environment, "evaluation": evaluation, "evaluator": kept.evaluator, "seen": kept.seen,
        "scores": list(kept.values), "sessions": sessions, "snapshot": kept.snapshot,
    }  # fmt: skip


def failing_answer(evidence: Evidence | None) -> dict[str, Any]:
    """The body of `/failing`: newest first."""
    kept = reversed(evidence.failing) if evidence else ()
    return {"failing": [{"evaluation": name, "trace_id": trace.hex(), "time": time} for name, trace, time in kept]}
