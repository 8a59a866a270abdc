"""The past in simulated time: a Prometheus filled with samples, and every record that alerts need computed level by level.

A record is asked for at each moment at which its group would have evaluated it, written as samples, and imported before the
records that read it are asked for: so every rule sees what it would have seen, however long ago that was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from truegreen.alert_rules import backtest_samples as text
from truegreen.alert_rules.backtest_plan import ALERTS, Planned, alerts_need
from truegreen.alert_rules.model import Alert, Record
from truegreen.core.clients import engines, prometheus
from truegreen.core.clients.http import Server

GRID: Final = 300
"""Seconds: evaluations start at a whole multiple of the longest interval of a group."""
POINTS: Final = 10_000
"""Of one query; Prometheus answers at most 11,000."""
LOOKBACK: Final = "5m"
"""Prometheus' own: how far an instant selector of a scraped series looks back."""
STALE: Final = "59s"
"""For records: a rule that gives nothing ends its series at once (a stale marker, which a file of samples cannot hold), so nothing
older than its own minute may be seen. Records of slower groups are held for as long as their interval."""
MINUTE: Final = 60
QUERY_SECONDS: Final = 600.0

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Past:
    """Samples in a file (OpenMetrics), from `begin` to `end`, and from when on alerts count; all in unix seconds."""

    samples: Path
    begin: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a backtest gives: the alerts that were evaluated, their moments, and a reader of what was recorded."""

    planned: tuple[Planned, ...]
    moments: Mapping[int, Mapping[Labels, Sequence[int]]]
    ask: Callable[[str, int], list[prometheus.Series]]


Firing = Callable[[Planned, Sequence[int]], list[tuple[int, int]]]


@contextmanager
def replayed(planned: Sequence[Planned], past: Past, folder: Path, firing: Firing) -> Iterator[Replayed]:
    """Evaluate planned rules over the past.

    Args:
        folder: an empty folder for the database; some 60 bytes for each sample, and as much again for each recorded one.
        firing: when an alert fires, of the moments at which its expression gave something; ALERTS is written from it.

    Raises:
        Failed: no engine, or it refuses a sample or an expression (with its words).
    """
    store = _Store(past, folder)
    store.add(past.samples)
    moments: dict[int, dict[Labels, list[int]]] = {}
    late = alerts_need(planned)
    for phase in (tuple(p for p in planned if p.place not in late), tuple(p for p in planned if p.place in late)):
        for level in sorted({p.level for p in phase}):
            _level(store, [p for p in phase if p.level == level], moments, firing, bool(late) and phase[0].place not in late)
    with store.serving(STALE) as server:
        yield Replayed(tuple(planned), moments, lambda expr, step: _all(server, expr, store, step))


def _level(
    store: _Store, these: list[Planned], moments: dict[int, dict[Labels, list[int]]], firing: Firing, written: bool
) -> None:
    # What reads scraped series by instant selectors sees five minutes back; what reads records sees its own minute.
    for lookback in (LOOKBACK, STALE):
        mine = [p for p in these if p.scraped == (lookback == LOOKBACK)]
        if not mine:
            continue
        path = store.folder / "samples.om"
        with store.serving(lookback) as server, path.open("w", encoding="utf-8") as out:
            lines = 0
            for one in mine:
                if isinstance(one.rule, Record):
                    lines += _record(out, server, one, store)
                    continue
                found = moments.setdefault(one.place, _moments(server, one, store))
                lines += _alerts(out, one, found, firing) if written else 0
            out.write("# EOF\n")
        if lines:
            store.add(path)
        path.unlink()


def _record(out: IO[str], server: Server, one: Planned, store: _Store) -> int:
    assert isinstance(one.rule, Record)
    lines = 0
    held = range(0, one.interval, MINUTE) if one.held else (0,)
    for part in store.parts(one.interval):
        for series in prometheus.query_range(server, one.rule.expr, *part, one.interval):
            head = text.head(one.rule.record, {**series.labels, **one.rule.labels})
            for time, value in series.points:
                out.writelines(f"{head} {text.number(value)} {int(time) + later}\n" for later in held)
            lines += len(series.points)
    return lines


def _moments(server: Server, one: Planned, store: _Store) -> dict[Labels, list[int]]:
    assert isinstance(one.rule, Alert)
    found: dict[Labels, list[int]] = {}
    for part in store.parts(one.interval):
        for series in prometheus.query_range(server, one.rule.expr, *part, one.interval):
            labels = {**{k: v for k, v in series.labels.items() if k != "__name__"}, **one.rule.labels}
            found.setdefault(tuple(sorted(labels.items())), []).extend(int(time) for time, _ in series.points)
    return found


def _alerts(out: IO[str], one: Planned, found: Mapping[Labels, list[int]], firing: Firing) -> int:
    assert isinstance(one.rule, Alert)
    lines = 0
    for labels, times in found.items():
        head = text.head(ALERTS, {**dict(labels), "alertname": one.rule.alert, "alertstate": "firing"})
        for start, end in firing(one, times):
            shown = range(start, end, MINUTE)
            out.writelines(f"{head} 1 {time}\n" for time in shown)
            lines += len(shown)
    return lines


def _all(server: Server, expr: str, store: _Store, step: int) -> list[prometheus.Series]:
    whole: dict[Labels, list[tuple[float, float]]] = {}
    for part in store.parts(step):
        for series in prometheus.query_range(server, expr, *part, step):
            whole.setdefault(tuple(sorted(series.labels.items())), []).extend(series.points)
    return [prometheus.Series(dict(labels), tuple(points)) for labels, points in sorted(whole.items())]


class _Store:
    # The database on disk, and the grid of moments.
    def __init__(self, past: Past, folder: Path) -> None:
        self.past, self.folder = past, folder
        self.first, self.last = math.floor(past.begin / GRID) * GRID, math.ceil(past.end / MINUTE) * MINUTE
        (folder / "prometheus.yml").write_text("global: {}\n", "utf-8")

    def parts(self, step: int) -> Iterator[tuple[float, float]]:
        for start in range(self.first, self.last + 1, POINTS * step):
            yield float(start), float(min(start + (POINTS - 1) * step, self.last))

    def add(self, samples: Path) -> None:
        text.add(samples, self.folder / "tsdb")

    @contextmanager
    def serving(self, lookback: str) -> Iterator[Server]:
        flags = ["--storage.tsdb.retention.time=100y", f"--query.lookback-delta={lookback}", "--query.timeout=10m"]
        flags.append("--query.max-samples=500000000")
        with engines.prometheus(self.folder / "prometheus.yml", self.folder, args=flags) as running:
            yield replace(prometheus.connect(running.url, {}), timeout=QUERY_SECONDS)
