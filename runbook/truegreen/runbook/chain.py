"""The hash chain of the event log: each event's hash covers the event and the hash before it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from truegreen.core.words.calibration import canonical
from truegreen.runbook.model import Event

GENESIS: Final = "0" * 64


def digest(previous: str, seq: int, incident: int, time: float, phase: str, kind: str, text: str, data: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of one event and the hash of the event before it."""
    return hashlib.sha256(
        canonical([previous, seq, incident, time, phase, kind, text, data]).encode("utf-8", "surrogatepass")
    ).hexdigest()


def fault(events: Iterable[Event], expected_head: str = "") -> str:
    """What is wrong with the chain, in one line; empty when every event is as it was written.

    A chain alone cannot show that its newest events were cut off: give a head that was noted elsewhere (every evidence bundle holds one).

    Args:
        events: the whole log, in order of `seq`.
        expected_head: a hash that must be in the chain.
    """
    previous, seen = GENESIS, {GENESIS}
    number = 0
    for number, event in enumerate(events, start=1):
        if event.seq != number:
            return f"event {number} is missing (found {event.seq})"
        if event.previous != previous:
            return f"event {number} does not follow event {number - 1}: one of them was replaced"
        if digest(previous, event.seq, event.incident, event.time, event.phase, event.kind, event.text, event.data) != event.hash:
            return f"event {number} was altered ({event.phase}, {event.kind})"
        previous = event.hash
        seen.add(previous)
    if expected_head and expected_head not in seen:
        return f"the log ends at event {number} without {expected_head[:12]}: events were cut off or replaced"
    return ""
