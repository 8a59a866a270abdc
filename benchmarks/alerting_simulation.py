"""Streams of events, minute by minute, and the minutes in which alerts would fire on them: numpy, no PromQL, no Prometheus.

What an alert reads is a ratio of two counts over a window, so a cumulative count for each replicate is all there is. Events of a minute are Poisson and
each is bad with probability p (good and bad ones are then two independent Poisson streams). Three kinds of traffic: independent events; sessions whose turns,
a minute apart, are all good or all bad; a day with a swing between its busiest and its quietest hour. A ticket's windows are looked at every
five minutes, as its rule group is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY = 1_440
WARM = 3 * DAY
"""Minutes before the first that counts: the longest window is full."""
APART = 60
"""Minutes of silence after which an alert that fires again is another page."""
BATCH_CELLS = 2_000_000
"""Minutes times replicates that are held at once."""
PAGING = frozenset({"fast", "slow"})
"""The tiers that page or notify somebody; others write tickets."""
_MOST_COUNT = 1_000_000

Counts = NDArray[np.int32]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of windows, in minutes: both ratios over `least`; `z` standard errors of evidence that the long one is over the budget, None for no evidence."""

    long: int
    short: int
    least: float
    z: float | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """Pairs that are OR-ed, looked at every `step` minutes."""

    name: str
    pairs: tuple[Pair, ...]
    step: int = 1


Detectors = Mapping[str, Sequence[Tier]]


@dataclass(frozen=True, slots=True)
class Traffic:
    """How events come: `turns` of a session share their verdict; `swing` is the busiest over the quietest rate of a day."""

    name: str
    turns: int = 1
    swing: float = 1.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What one table cell simulates: events an hour (mean), the error budget, the traffic, and the seed of its random numbers."""

    per_hour: float
    budget: float
    traffic: Traffic
    seed: tuple[int, ...]


def byar(z: float, most: int = _MOST_COUNT) -> NDArray[np.float64]:
    """Byar's lower limit of a Poisson count, by the count."""
    x = np.arange(1, most, dtype=np.float64)
    limit = x * np.maximum(1 - 1 / (9 * x) - z / (3 * np.sqrt(x)), 0.0) ** 3
    return np.concatenate(([0.0], limit))


def streams(cell: Cell, phases: Sequence[tuple[int, float]], replicates: int) -> Iterator[tuple[Counts, Counts]]:
    """Batches of (events, bad events), cumulative from 0, replicate by minute.

    Args:
        phases: minutes, and the probability that an event is bad.
    """
    rng = np.random.default_rng(cell.seed)
    bad = np.concatenate([np.full(minutes, p) for minutes, p in phases])
    size = max(1, min(replicates, BATCH_CELLS // len(bad)))
    for start in range(0, replicates, size):
        rows = min(size, replicates - start)
        rate = np.full((1, len(bad)), cell.per_hour / 60 / cell.traffic.turns)
        if cell.traffic.swing != 1:
            # Every replicate has another hour of the day at minute 0.
            height = (cell.traffic.swing - 1) / (cell.traffic.swing + 1)
            hour = rng.random((rows, 1)) + np.arange(len(bad)) / DAY
            rate = rate * (1 + height * np.sin(2 * np.pi * hour))
        wrong = _turns(rng.poisson(rate * bad, (rows, len(bad))), cell.traffic.turns)
        right = _turns(rng.poisson(rate * (1 - bad), (rows, len(bad))), cell.traffic.turns)
        yield _cumulative(wrong + right), _cumulative(wrong)


def _turns(sessions: NDArray[np.int64], turns: int) -> NDArray[np.int64]:
    made = sessions.copy()
    for turn in range(1, turns):
        made[:, turn:] += sessions[:, :-turn]
    return made


def _cumulative(counts: NDArray[np.int64]) -> Counts:
    made = np.zeros((counts.shape[0], counts.shape[1] + 1), dtype=np.int32)
    np.cumsum(counts, axis=1, out=made[:, 1:])
    return made


def fires(
    events: Counts, bad: Counts, tier: Tier, budget: float, limits: dict[float, NDArray[np.float64]]
) -> tuple[Places, Places]:
    """The replicates and minutes in which the tier fires, in order."""
    step = tier.step
    every, wrong = (np.ascontiguousarray(counts[:, ::step]) for counts in (events, bad))
    width, found = every.shape[1], []
    flat_events, flat_bad = every.ravel(), wrong.ravel()
    for pair in tier.pairs:
        long, short = pair.long // step, pair.short // step
        limit = limits.setdefault(pair.z, byar(pair.z)) if pair.z is not None else None
        x = wrong[:, long:] - wrong[:, :-long]
        fewest = 1 if limit is None else max(1, int(np.searchsorted(limit, 0.0, side="right")))
        likely = x >= fewest
        if likely.mean() > 0.1:
            likely &= x > pair.least * (every[:, long:] - every[:, :-long])
        at = np.flatnonzero(likely)
        at = at // (width - long) * width + at % (width - long) + long
        n, x = flat_events[at] - flat_events[at - long], flat_bad[at] - flat_bad[at - long]
        keep = x > pair.least * n * (1 + 1e-12)
        if limit is not None:
            keep &= limit[x] > budget * n
        at = at[keep]
        n, x = flat_events[at] - flat_events[at - short], flat_bad[at] - flat_bad[at - short]
        found.append(at[x > pair.least * n * (1 + 1e-12)])
    marked = np.zeros(every.size, dtype=bool)
    for at in found:
        marked[at] = True
    places = np.flatnonzero(marked)
    return places // width, places % width * step


def false_pages(
    cell: Cell, bad: float, detectors: Detectors, replicates: int, days: int = 30, few: int | None = None
) -> dict[str, dict[str, float]]:
    """What fires in `days`, by detector and tier; `pages` is fast and slow together, within an hour one page.

    Args:
        few: how many replicates are enough for all but the fast and slow tiers of the first detector (they fire often); None for all.
    """
    first, done = next(iter(detectors)), 0
    counted: dict[tuple[str, str], list[int]] = {}
    limits: dict[float, NDArray[np.float64]] = {}
    for events, wrong in streams(cell, ((WARM + days * DAY, bad),), replicates):
        seen: dict[Tier, tuple[Places, Places]] = {}
        for name, tiers in detectors.items():
            wanted = [t for t in tiers if few is None or done < few or (name == first and t.name in PAGING)]
            for tier in (t for t in wanted if t not in seen):
                rows, minutes = fires(events, wrong, tier, cell.budget, limits)
                seen[tier] = rows[minutes >= WARM], minutes[minutes >= WARM]
            for tier in wanted:
                counted.setdefault((name, tier.name), []).append(_episodes(*seen[tier]))
                counted.setdefault((name, tier.name + " n"), []).append(len(events))
            pages = [seen[tier] for tier in wanted if tier.name in PAGING]
            if pages:
                rows, minutes = (np.concatenate(parts) for parts in zip(*pages, strict=True))
                order = np.lexsort((minutes, rows))
                counted.setdefault((name, "pages"), []).append(_episodes(rows[order], minutes[order]))
                counted.setdefault((name, "pages n"), []).append(len(events))
        done += len(events)
    found: dict[str, dict[str, float]] = {name: {} for name in detectors}
    for (name, tier), counts in counted.items():
        if not tier.endswith(" n"):
            found[name][tier] = sum(counts) / sum(counted[name, tier + " n"])
    return found


def _episodes(rows: Places, minutes: Places) -> int:
    if len(rows) == 0:
        return 0
    return 1 + int(np.count_nonzero((np.diff(rows) != 0) | (np.diff(minutes) >= APART)))


def delays(
    cell: Cell, bad: float, detectors: Detectors, replicates: int, hours: int
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Minutes from a step to `bad`, after six hours of half the budget, until each fast and slow tier fires, by detector and replicate.

    `pages` is the first of them. Infinite where it does not fire within `hours`.
    """
    found: dict[str, dict[str, list[NDArray[np.float64]]]] = {name: {} for name in detectors}
    limits: dict[float, NDArray[np.float64]] = {}
    warm = DAY // 4
    for events, wrong in streams(cell, ((warm, cell.budget / 2), (hours * 60, bad)), replicates):
        seen: dict[Tier, NDArray[np.float64]] = {}
        for name, tiers in detectors.items():
            pages = np.full(len(events), np.inf)
            for tier in (t for t in tiers if t.name in PAGING):
                if tier not in seen:
                    rows, minutes = fires(events, wrong, tier, cell.budget, limits)
                    rows, minutes = rows[minutes > warm], minutes[minutes > warm] - warm
                    who, at = np.unique(rows, return_index=True)
                    seen[tier] = np.full(len(events), np.inf)
                    seen[tier][who] = minutes[at]
                found[name].setdefault(tier.name, []).append(seen[tier])
                pages = np.minimum(pages, seen[tier])
            found[name].setdefault("pages", []).append(pages)
    return {name: {tier: np.concatenate(parts) for tier, parts in tiers.items()} for name, tiers in found.items()}


def summary(minutes: NDArray[np.float64]) -> dict[str, Any]:
    """Median, 90th percentile and the share within an hour; None where it is never."""

    def at(share: float) -> float | None:
        value = float(np.sort(minutes)[math.ceil(share * len(minutes)) - 1])
        return value if math.isfinite(value) else None

    return {"median": at(0.5), "p90": at(0.9), "within_60": float((minutes <= 60).mean())}
