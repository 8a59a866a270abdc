"""Finds events in a log. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from truegreen.runbook.model import Event


def every(events: Sequence[Event], *kinds: str) -> list[Event]:
    """Those of these kinds."""
    return [e for e in events if e.kind in kinds]


def first(events: Sequence[Event], *kinds: str) -> Event | None:
    """The first of these kinds."""
    return next((e for e in events if e.kind in kinds), None)


def last(events: Sequence[Event], *kinds: str) -> Event | None:
    """The last of these kinds."""
    return next((e for e in reversed(events) if e.kind in kinds), None)
