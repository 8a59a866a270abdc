"""Asks Prometheus what served on both sides of the onset: models and versions."""

from __future__ import annotations

from collections.abc import Sequence

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.evaluation import start as true_start
from truegreen.runbook import changes, names, selectors
from truegreen.runbook.model import Served, Snapshot, Target


def served(
    prometheus: Server, target: Target, begin: float, end: float, step: float, low: float, high: float
) -> tuple[Served, ...]:
    """Which model served under which name between `begin` and `end`, and how often up to `low` and from `high` on (unix seconds)."""
    found: dict[tuple[str, str, str], list[tuple[float | None, float, float]]] = {}
    for series in prom.query_range(prometheus, names.SERVED + selectors.at(target), begin, end, step):
        key = (series.labels.get("model", ""), series.labels.get("served", ""), series.labels.get("fingerprint", ""))
        found.setdefault(key, []).append((_first(series.points, begin, step), *_sides(series.points, low, high)))
    return tuple(
        Served(*key, None if any(f is None for f, _, _ in parts) else min(f for f, _, _ in parts if f is not None),
               sum(b for _, b, _ in parts), sum(a for _, _, a in parts))
        for key, parts in sorted(found.items())
    )  # fmt: skip


def snapshots(
    prometheus: Server, target: Target, begin: float, end: float, step: float, low: float, high: float
) -> tuple[Snapshot, ...]:
    """Which versions served, since when, and how many answers each has on both sides."""
    window = f"[{max(int(end - begin), 1)}s]"
    info = prom.query(prometheus, f"last_over_time({names.SNAPSHOT}{selectors.at(target)}{window})", end)
    since: dict[str, float] = {}
    for sample in prom.query(prometheus, f"last_over_time({names.SNAPSHOT_SINCE}{selectors.at(target)}{window})", end):
        key = sample.labels.get("snapshot", "")
        since[key] = max(since.get(key, sample.value), sample.value)
    sides: dict[str, tuple[float, float]] = {}
    for series in prom.query_range(prometheus, names.ANSWERS + selectors.at(target), begin, end, step):
        key = series.labels.get("snapshot", "")
        old, new = _sides(series.points, low, high)
        sides[key] = (sides.get(key, (0.0, 0.0))[0] + old, sides.get(key, (0.0, 0.0))[1] + new)
    made = {
        s.labels.get("snapshot", ""): Snapshot(
            s.labels.get("snapshot", ""), changes.versions_of(s.labels), since.get(s.labels.get("snapshot", "")),
            *sides.get(s.labels.get("snapshot", ""), (0.0, 0.0)))
        for s in info
    }  # fmt: skip
    return tuple(made[key] for key in sorted(made))


def _first(points: Sequence[tuple[float, float]], begin: float, step: float) -> float | None:
    if not points or (points[0][0] <= begin + step and points[0][1] > 0):
        return None
    return next((time for time, value in points if value > 0), None)


def _sides(points: Sequence[tuple[float, float]], low: float, high: float) -> tuple[float, float]:
    steps = true_start.grown(points)
    return sum(by for time, by in steps if time <= low), sum(by for time, by in steps if time > high)
