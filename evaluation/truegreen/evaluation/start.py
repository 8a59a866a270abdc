"""The true start of an incident: where a stream of judged answers changed for the worse, with an interval. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeVar

T = TypeVar("T")
EVIDENCE: Final = 10.0
"""Log likelihood that a split must gain over no split. On 2,000 healthy streams of 360 steps the largest gain
passes 10 in less than 1 in 500 (tests/evaluation/test_start.py counts it)."""
DROP: Final = 3.0
"""Moments whose log likelihood lies within 3 of the best belong to the interval: a 1/20 likelihood interval
(Royall, Statistical Evidence, 1997, section 1.12: 1/8 and 1/32 are the customary ones)."""
RATIO: Final = "bad ratio"
MEAN: Final = "mean score"
LEAST: Final = 10
"""Steps on both sides together from which on the spread around the two means says something of correlation."""


@dataclass(frozen=True, slots=True)
class Count:
    """Judged events and bad ones in one step that ends at `time`."""

    time: float
    events: float
    bad: float


@dataclass(frozen=True, slots=True)
class Scored:
    """Raw scores in one step that ends at `time`: how many, their sum and the sum of their squares. Higher is better."""

    time: float
    events: float
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class TrueStart:
    """When a stream changed: the likeliest moment, the moments nearly as likely (unix seconds), and what it was on both sides.

    Args:
        before, after: bad ratios, or means of scores: `of` says which.
        spread: by how much steps differ more than independent answers would (1: not at all); it widens the interval.
    """

    time: float
    low: float
    high: float
    before: float
    after: float
    spread: float = 1.0
    of: str = RATIO


def find(counts: Sequence[Count]) -> TrueStart | None:
    """The likeliest moment at which the bad ratio rose for good, or None when the counts do not show one.

    The model: bad ~ Binomial(events, p) with one p before the moment and a higher one from it on. Every split between two steps is
    tried; the moment is the border between the steps. Where the steps differ more than that model allows (answers of one session
    fail together), every likelihood is divided by the Pearson dispersion (McCullagh and Nelder, Generalized Linear Models, 1989, section 4.5.2).

    Args:
        counts: steps in order of time, equally long; steps without events are allowed.
    """
    kept = [c for c in counts if c.events > 0]
    events = _running(c.events for c in kept)
    bad = _running(min(c.bad, c.events) for c in kept)

    def gain(k: int) -> float | None:
        if bad[k] / events[k] >= (bad[-1] - bad[k]) / (events[-1] - events[k]):
            return None
        halves = _log_likelihood(bad[k], events[k]) + _log_likelihood(bad[-1] - bad[k], events[-1] - events[k])
        return halves - _log_likelihood(bad[-1], events[-1])

    def spread(k: int) -> float:
        squares = 0.0
        for part, ratio in _parts(kept, k, bad, events):
            if 0 < ratio < 1:
                squares += sum((min(c.bad, c.events) - c.events * ratio) ** 2 / (c.events * ratio * (1 - ratio)) for c in part)
        return squares / (len(kept) - 2)

    return _start([c.time for c in kept], bad, events, gain, spread)


def find_scores(steps: Sequence[Scored]) -> TrueStart | None:
    """As `find`, of scores before they are held against a floor: the likeliest moment at which their mean fell.

    The model: scores are spread equally around one mean before the moment and around a lower one from it on (normal likelihood); the
    scores of a step are discounted as the counts of one are, by the dispersion of the steps' means.

    Args:
        steps: in order of time, equally long; steps without scores are allowed.
    """
    kept = [s for s in steps if s.events > 0]
    events, total = _running(s.events for s in kept), _running(s.total for s in kept)
    squares = _running(s.squares for s in kept)
    # Scores that are all alike have no spread, and any step would be certain: one part in ten thousand of their size is left.
    floor = 1e-8 * max(squares[-1], 1e-300)

    def rest(low: int, high: int) -> float:
        n = events[high] - events[low]
        return max(squares[high] - squares[low] - (total[high] - total[low]) ** 2 / n, 0.0)

    def gain(k: int) -> float | None:
        if total[k] / events[k] <= (total[-1] - total[k]) / (events[-1] - events[k]):
            return None
        return 0.5 * events[-1] * math.log((rest(0, len(kept)) + floor) / (rest(0, k) + rest(k, len(kept)) + floor))

    def spread(k: int) -> float:
        variance = (rest(0, k) + rest(k, len(kept)) + floor) / events[-1]
        off = sum((s.total - s.events * mean) ** 2 / s.events for part, mean in _parts(kept, k, total, events) for s in part)
        return off / variance / (len(kept) - 2)

    found = _start([s.time for s in kept], total, events, gain, spread)
    return replace(found, of=MEAN) if found else None


def counts(every: Iterable[Sequence[tuple[float, float]]], bad: Iterable[Sequence[tuple[float, float]]]) -> tuple[Count, ...]:
    """Judged and bad events by step, from counters.

    Args:
        every: for each series that counts judged events, its samples (time, value) in order.
        bad: the same for bad events.
    """
    total, wrong = _steps(every), _steps(bad)
    return tuple(Count(time, events, wrong.get(time, 0.0)) for time, events in sorted(total.items()))


def scored(
    number: Iterable[Sequence[tuple[float, float]]], total: Iterable[Sequence[tuple[float, float]]],
    squares: Iterable[Sequence[tuple[float, float]]],
) -> tuple[Scored, ...]:  # fmt: skip
    """Scores by step, from the counters that a histogram of scores and the sum of their squares are."""
    sums, seconds = _steps(total), _steps(squares)
    return tuple(Scored(time, n, sums.get(time, 0.0), seconds.get(time, 0.0)) for time, n in sorted(_steps(number).items()))


def by_step(judged: Iterable[tuple[float, float]], length: float) -> tuple[Scored, ...]:
    """Raw scores with their times (unix seconds, any order) by steps of `length` seconds; steps without scores are left out."""
    made: dict[float, list[float]] = {}
    for time, score in judged:
        made.setdefault((time // length + 1) * length, []).append(score)
    return tuple(Scored(end, len(found), sum(found), sum(x * x for x in found)) for end, found in sorted(made.items()))


def grown(samples: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """By how much a counter grew in each step; after a reset, what it shows counts from 0."""
    return tuple((time, value - last if value >= last else value) for (_, last), (time, value) in pairwise(samples))


def _start(
    times: Sequence[float], total: Sequence[float], events: Sequence[float], gain: Callable[[int], float | None],
    spread: Callable[[int], float],
) -> TrueStart | None:  # fmt: skip
    gains = [(k, found) for k in range(1, len(times)) if (found := gain(k)) is not None]
    best, most = max(gains, key=lambda pair: pair[1], default=(0, 0.0))
    if most < EVIDENCE:
        return None
    over = max(1.0, spread(best)) if len(times) >= LEAST else 1.0
    if most / over < EVIDENCE:
        return None
    near = [k for k, found in gains if found >= most - DROP * over]
    # Step k holds the first events after the change: it lies between the end of step k-1 and the end of step k.
    return TrueStart(
        time=times[best - 1], low=times[near[0] - 1], high=times[near[-1]],
        before=total[best] / events[best], after=(total[-1] - total[best]) / (events[-1] - events[best]), spread=over,
    )  # fmt: skip


def _parts(kept: Sequence[T], k: int, total: Sequence[float], events: Sequence[float]) -> tuple[tuple[Sequence[T], float], ...]:
    return (kept[:k], total[k] / events[k]), (kept[k:], (total[-1] - total[k]) / (events[-1] - events[k]))


def _steps(series: Iterable[Sequence[tuple[float, float]]]) -> Mapping[float, float]:
    made: dict[float, float] = {}
    for samples in series:
        for time, by in grown(samples):
            made[time] = made.get(time, 0.0) + by
    return made


def _running(values: Iterable[float]) -> list[float]:
    made = [0.0]
    for value in values:
        made.append(made[-1] + value)
    return made


def _log_likelihood(bad: float, events: float) -> float:
    good = events - bad
    return sum(x * math.log(x / events) for x in (bad, good) if x > 0)
