"""When an alert fires, from the moments at which its expression gives something: Prometheus' own semantics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.alert_rules.backtest_engine import Labels, Replayed
from truegreen.alert_rules.backtest_plan import Planned
from truegreen.alert_rules.model import Alert
from truegreen.alert_rules.windows import parse

EPISODE: Final = 3_600
"""Seconds: what fires again within an hour is one page (as in the simulation behind the ladder)."""


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert with one set of labels: its intervals, [from, to) in unix seconds."""

    alert: str
    labels: Labels
    intervals: tuple[tuple[int, int], ...]

    def label(self, name: str) -> str:
        """A label's value, empty where there is none."""
        return dict(self.labels).get(name, "")


def firing(moments: Sequence[int], interval: int, wait: int, keep: int) -> list[tuple[int, int]]:
    """The intervals [first evaluation that fires, first that does not).

    `for` counts from the first of unbroken evaluations: one without a result starts it anew. `keep_firing_for` counts from the first
    evaluation without a result, and a result within it goes on as the same alert (Prometheus, `AlertingRule.Eval`).

    Args:
        moments: of the evaluations that gave something, ascending.
        interval: seconds between evaluations.
        wait: `for`, seconds.
        keep: `keep_firing_for`, seconds.
    """
    found: list[tuple[int, int]] = []
    since: int | None = None  # pending or firing since
    begun: int | None = None  # firing since
    last = 0
    for now in moments:
        if since is not None and now - last > interval:
            empty = last + interval
            if begun is None:
                since = None
            elif now > _over(empty, interval, keep):
                found.append((begun, _over(empty, interval, keep)))
                since = begun = None
        if since is None:
            since = now
        if begun is None and now - since >= wait:
            begun = now
        last = now
    if begun is not None:
        found.append((begun, _over(last + interval, interval, keep)))
    return found


def _over(empty: int, interval: int, keep: int) -> int:
    # The first evaluation that lies `keep` or more after the first empty one.
    return empty + -(-keep // interval) * interval


def of_plan(one: Planned, moments: Sequence[int]) -> list[tuple[int, int]]:
    """As `firing`, for a planned alert."""
    assert isinstance(one.rule, Alert)
    return firing(moments, one.interval, parse(one.rule.wait) if one.rule.wait else 0, parse(one.rule.keep_firing_for or "0s"))


def fired(replayed: Replayed, start: float, end: float) -> tuple[Fired, ...]:
    """All alerts that fired between two moments, cut to them."""
    found: list[Fired] = []
    for one in replayed.planned:
        for labels, moments in sorted(replayed.moments.get(one.place, {}).items()):
            assert isinstance(one.rule, Alert)
            # Of a moment after the last evaluation nothing is known.
            kept = [(max(a, int(start)), min(b, int(end))) for a, b in of_plan(one, moments) if b > start and a <= end]
            if kept:
                found.append(Fired(one.rule.alert, labels, tuple(kept)))
    return tuple(found)


def episodes(intervals: Sequence[tuple[int, int]], apart: int = EPISODE) -> list[tuple[int, int]]:
    """Intervals of any order, joined where less than `apart` seconds lie between them."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if joined and start - joined[-1][1] < apart:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
