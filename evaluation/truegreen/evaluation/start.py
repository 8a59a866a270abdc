"""The true start of an incident: where a stream of judged answers changed for the worse, with an interval. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

EVIDENCE: Final = 10.0
"""Log likelihood that a split must gain over no split. On 2,000 healthy streams of 360 steps the largest gain
passes 10 in less than 1 in 500 (tests/evaluation/test_start.py counts it)."""
DROP: Final = 3.0
"""Moments whose log likelihood lies within 3 of the best belong to the interval: a 1/20 likelihood interval
(Royall, Statistical Evidence, 1997, section 1.12: 1/8 and 1/32 are the customary ones)."""
RATIO: Final = "bad ratio"
BLOCKS: Final = (1, 4, 16)
"""Steps that are taken together to see whether answers near each other fail together: the answers of a session come minutes apart."""
LEAST: Final = 10
"""Blocks from which on their spread says something of that."""


@dataclass(frozen=True, slots=True)
class Count:
    """Judged events and bad ones in one step that ends at `time`."""

    time: float
    events: float
    bad: float


@dataclass(frozen=True, slots=True)
class TrueStart:
    """When a stream changed: the likeliest moment, the moments nearly as likely (unix seconds), and what it was on both sides.

    Args:
        before, after: bad ratios, of what `of` says.
        spread: by how much steps differ more than independent answers would (1: not at all); it widens the interval.
        evidence: the log likelihood that the split gains over none, divided by the spread.
    """

    time: float
    low: float
    high: float
    before: float
    after: float
    spread: float = 1.0
    of: str = RATIO
    evidence: float = 0.0


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
        return max((_dispersion([kept[:k], kept[k:]], size) for size in BLOCKS if len(kept) >= LEAST * size), default=1.0)

    return _start([c.time for c in kept], bad, events, gain, spread)


def find_scores(cuts: Mapping[float, Sequence[Count]]) -> TrueStart | None:
    """As `find`, of scores before they are held against the floor: which share of them is low, by the bound that tells before from after best.

    Scores of answers are far from normal (most are near 1, the rest anywhere), so no mean is looked at. Each bound is one more chance to be
    wrong: the evidence that is asked for grows by the logarithm of their number.

    Args:
        cuts: bound to the steps that count the scores up to it as bad, as the buckets of a histogram do.
    """
    least = EVIDENCE + math.log(max(len(cuts), 1))
    found = {bound: at for bound, steps in cuts.items() if (at := find(steps)) and at.evidence >= least}
    best = max(found, key=lambda bound: found[bound].evidence, default=None)
    return None if best is None else replace(found[best], of=f"share of scores up to {best:g}")


def counts(every: Iterable[Sequence[tuple[float, float]]], bad: Iterable[Sequence[tuple[float, float]]]) -> tuple[Count, ...]:
    """Judged and bad events by step, from counters.

    Args:
        every: for each series that counts judged events, its samples (time, value) in order.
        bad: the same for bad events.
    """
    total, wrong = _steps(every), _steps(bad)
    return tuple(Count(time, events, wrong.get(time, 0.0)) for time, events in sorted(total.items()))


def cuts(judged: Iterable[tuple[float, float]], length: float, bounds: Iterable[float]) -> Mapping[float, tuple[Count, ...]]:
    """Raw scores with their times (unix seconds, any order) by steps of `length` seconds, counted against each bound."""
    made: dict[float, list[float]] = {}
    for time, score in judged:
        made.setdefault((time // length + 1) * length, []).append(score)
    return {
        bound: tuple(Count(end, len(found), sum(score <= bound for score in found)) for end, found in sorted(made.items()))
        for bound in bounds
    }


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
    over = max(1.0, spread(best))
    if most / over < EVIDENCE:
        return None
    near = [k for k, found in gains if found >= most - DROP * over]
    # Step k holds the first events after the change: it lies between the end of step k-1 and the end of step k. Or late in step k-1, which then
    # has so few of them that it counts as before.
    length = min(b - a for a, b in pairwise(times))
    return TrueStart(
        time=times[best - 1], low=times[near[0] - 1] - length, high=times[near[-1]],
        before=total[best] / events[best], after=(total[-1] - total[best]) / (events[-1] - events[best]), spread=over, evidence=most / over,
    )  # fmt: skip


def _dispersion(parts: Sequence[Sequence[Count]], size: int) -> float:
    """Pearson's, of blocks of so many steps around the ratio of their part."""
    squares, blocks = 0.0, 0
    for part in parts:
        ratio = sum(min(c.bad, c.events) for c in part) / sum(c.events for c in part)
        for at in range(0, len(part), size):
            events = sum(c.events for c in part[at : at + size])
            bad = sum(min(c.bad, c.events) for c in part[at : at + size])
            squares += (bad - events * ratio) ** 2 / (events * ratio * (1 - ratio)) if 0 < ratio < 1 else 0.0
            blocks += 1
    return squares / max(blocks - len(parts), 1)


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
