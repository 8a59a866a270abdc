"""The true start of an incident: where a stream of pass and fail changed its ratio. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from truegreen.runbook.model import Count, TrueStart

EVIDENCE: Final = 10.0
"""Log likelihood that a split must gain over one ratio for all. On 2,000 healthy streams of 360 steps the largest gain
passes 10 in less than 1 in 500 (tests/runbook/test_start.py counts it)."""
DROP: Final = 3.0
"""Moments whose log likelihood lies within 3 of the best belong to the interval: a 1/20 likelihood interval
(Royall, Statistical Evidence, 1997, section 1.12: 1/8 and 1/32 are the customary ones)."""


def find(counts: Sequence[Count]) -> TrueStart | None:
    """The likeliest moment at which the bad ratio rose for good, or None when the counts do not show one.

    The model: bad ~ Binomial(events, p) with one p before the moment and a higher one from it on. Every split between two steps is
    tried; the moment is the border between the steps.

    Args:
        counts: steps in order of time, equally long; steps without events are allowed.
    """
    kept = [c for c in counts if c.events > 0]
    if len(kept) < 2:
        return None
    events = _running(c.events for c in kept)
    bad = _running(min(c.bad, c.events) for c in kept)
    one = _log_likelihood(bad[-1], events[-1])
    gains: list[tuple[int, float]] = []
    for k in range(1, len(kept)):
        if bad[k] / events[k] < (bad[-1] - bad[k]) / (events[-1] - events[k]):
            gain = _log_likelihood(bad[k], events[k]) + _log_likelihood(bad[-1] - bad[k], events[-1] - events[k]) - one
            gains.append((k, gain))
    best, most = max(gains, key=lambda pair: pair[1], default=(0, 0.0))
    if most < EVIDENCE:
        return None
    near = [k for k, gain in gains if gain >= most - DROP]
    # Step k holds the first bad events: the change lies between the end of step k-1 and the end of step k.
    return TrueStart(
        time=kept[best - 1].time, low=kept[near[0] - 1].time, high=kept[near[-1]].time,
        before=bad[best] / events[best], after=(bad[-1] - bad[best]) / (events[-1] - events[best]),
    )  # fmt: skip


def counts(every: Iterable[Sequence[tuple[float, float]]], bad: Iterable[Sequence[tuple[float, float]]]) -> tuple[Count, ...]:
    """Judged and bad events by step, from counters.

    Args:
        every: for each series that counts judged events, its samples (time, value) in order.
        bad: the same for bad events.
    """
    total, wrong = _steps(every), _steps(bad)
    return tuple(Count(time, events, wrong.get(time, 0.0)) for time, events in sorted(total.items()))


def grown(samples: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """By how much a counter grew in each step; after a reset, what it shows counts from 0."""
    return tuple((time, value - last if value >= last else value) for (_, last), (time, value) in pairwise(samples))


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
