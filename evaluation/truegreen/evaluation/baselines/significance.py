"""Tests of two samples: ratios, counted buckets, values, vectors; and how to keep many of them honest. Pure, seeded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from truegreen.evaluation.baselines.distributions import ridits
from truegreen.evaluation.model import Distribution, Ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERMUTATIONS: Final = 999
_SURE: Final = 50.0
"""Expected events in every cell from which the normal approximation holds far out in its tails; under it the exact test."""
_CELL: Final = 5.0
_RARE: Final = 10
"""Rows that must differ from the commonest value: of fewer, ranks say nothing."""
_TAIL: Final = 10
_NOTHING: Final = 1e-18
_ENDLESS: Final = 99.0
"""The effect where two means differ and neither side varies at all."""
_WIDE: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test says.

    Args:
        test: its name.
        p: two-sided.
        effect: of the second sample against the first: positive where it is larger.
        low, high: of the effect, a 95 % interval; the effect itself where there is none.
    """

    test: str
    p: float
    effect: float
    low: float
    high: float


def ratios(a: Ratio, b: Ratio) -> Tested | None:
    """Whether two ratios differ; None where one side has no events. The effect is Cohen's h (1988): 0.2 is small, 0.8 large.

    Counts are divided by their design effect (Rao and Scott 1992). Two-proportion z where at least 50 events are expected in each cell,
    else Fisher's exact test.
    """
    n, m = (one.events / one.design_effect for one in (a, b))
    x, y = a.bad / a.design_effect, b.bad / b.design_effect
    if n < 1 or m < 1:
        return None
    effect = 2 * (math.asin(math.sqrt(min(y / m, 1.0))) - math.asin(math.sqrt(min(x / n, 1.0))))
    reach = _WIDE * math.sqrt(1 / n + 1 / m)
    pooled = (x + y) / (n + m)
    if min(n, m) * min(pooled, 1 - pooled) >= _SURE:
        z = (y / m - x / n) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        return Tested("two-proportion z", _two_sided(z), effect, effect - reach, effect + reach)
    return Tested("Fisher's exact", _fisher(round(x), round(n), round(y), round(m)), effect, effect - reach, effect + reach)


def buckets(a: Distribution, b: Distribution) -> Tested | None:
    """Whether two histograms with the same bounds differ: in rank or in shape; the smaller p, doubled. The effect is Cliff's delta.

    Mann and Whitney's test for where the values lie: values of one bucket are ties, which its variance allows for exactly, whereas
    Kolmogorov and Smirnov's null is for values without ties. Pearson's chi-square for what ranks do not see, such as a longer tail. Counts
    are divided by their design effect. None where there is nothing to compare.
    """
    left, right = ([count / one.design_effect for count in one.counts] for one in (a, b))
    if sum(left) < 1 or sum(right) < 1:
        return None
    z, delta, spread = _ranks(left, right)
    shape = _shape(left, right)
    p = min(1.0, 2 * min(_two_sided(z), shape))
    test = "Mann-Whitney, of buckets" if _two_sided(z) <= shape else "chi-square, of buckets"
    return Tested(test, p, delta, max(delta - _WIDE * spread, -1.0), min(delta + _WIDE * spread, 1.0))


def moments(a: Distribution, b: Distribution) -> Tested | None:
    """Whether two means differ, where only moments are known: Welch's t (its normal score by Wallace 1959). The effect is Cohen's d."""
    if min(a.count, b.count) < 3:
        return None
    left, right = a.variance * a.design_effect / a.count, b.variance * b.design_effect / b.count
    pooled = math.sqrt((a.variance + b.variance) / 2)
    if left + right <= 0 or pooled <= 0:
        certain = math.copysign(_ENDLESS, b.mean - a.mean)
        return None if a.mean == b.mean else Tested("Welch's t", 0.0, certain, certain, certain)
    t = (b.mean - a.mean) / math.sqrt(left + right)
    free = (left + right) ** 2 / (left**2 / (a.count - 1) + right**2 / (b.count - 1))
    z = math.copysign((8 * free + 1) / (8 * free + 3) * math.sqrt(free * math.log1p(t * t / free)), t)
    effect, reach = (b.mean - a.mean) / pooled, _WIDE * math.sqrt(left + right) / pooled
    return Tested("Welch's t", _two_sided(z), effect, effect - reach, effect + reach)


def values(a: Sequence[float], b: Sequence[float]) -> Tested | None:
    """Whether two samples differ in rank (Mann and Whitney, ties allowed for); None where nearly all values are one. Cliff's delta."""
    distinct = sorted({*a, *b})
    place = {value: at for at, value in enumerate(distinct)}
    left, right = [0.0] * len(distinct), [0.0] * len(distinct)
    for counts, sample in ((left, a), (right, b)):
        for value in sample:
            counts[place[value]] += 1
    commonest = max((x + y for x, y in zip(left, right, strict=True)), default=0.0)
    if len(a) + len(b) - commonest < _RARE or min(len(a), len(b)) < _RARE:
        return None
    z, delta, spread = _ranks(left, right)
    return Tested("Mann-Whitney", _two_sided(z), delta, max(delta - _WIDE * spread, -1.0), min(delta + _WIDE * spread, 1.0))


def vectors(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], seed: int) -> Tested | None:
    """Whether two clouds of vectors have another centre: squared distance of the centroids against permutations of who is whose.

    Where fewer than 10 of 999 permutations reach it, p is that of a gamma distribution with the permutations' first three moments (Hall
    1983; Buckley and Eagleson 1988), so that many tests can be told apart. The effect is 1 - cosine of the centroids, 0 to 2.
    """
    import numpy as np

    if min(len(a), len(b)) < _RARE:
        return None
    rows = np.array([*a, *b], dtype=np.float64)
    n, every = len(a), len(a) + len(b)
    rows -= rows.mean(axis=0)  # both means then follow from one
    null = ((_permuted(n, every, seed) @ rows) ** 2).sum(axis=1)
    found = float((rows[:n].mean(axis=0) ** 2).sum())
    reached = int((null >= found * (1 - 1e-9)).sum())
    p = (1 + reached) / (1 + PERMUTATIONS)
    mean, spread = float(null.mean()), float(null.std())
    if reached < _TAIL and spread > 0:
        skew = float((((null - mean) / spread) ** 3).mean())
        p = min(p, _gamma_tail((found - mean) / spread, max(skew, 1e-3)))
    left, right = (np.array(one, dtype=np.float64).mean(axis=0) for one in (a, b))
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    effect = 1 - float(left @ right) / lengths if lengths > 0 else 0.0
    return Tested("permutations of the centroid", p, effect, effect, effect)


def adjusted(ps: Sequence[float]) -> list[float]:
    """For each p the least q at which Benjamini and Hochberg (1995) call it found: of all that are, at most q are false on average."""
    order = sorted(range(len(ps)), key=lambda at: ps[at])
    made, least = [1.0] * len(ps), 1.0
    for rank in range(len(ps), 0, -1):
        at = order[rank - 1]
        least = min(least, ps[at] * len(ps) / rank)
        made[at] = least
    return made


def chi_square_tail(statistic: float, free: int) -> float:
    """The chance that a chi-square number of so many degrees of freedom is larger."""
    return _gamma_q(free / 2, statistic / 2)


@lru_cache(maxsize=4)
def _permuted(n: int, every: int, seed: int) -> NDArray[np.float64]:
    """Weights of the mean of n rows of all, drawn anew in each line; the same for all templates of one size."""
    import numpy as np

    chosen = np.argsort(np.random.default_rng(seed).random((PERMUTATIONS, every)), axis=1)[:, :n]
    weights = np.zeros((PERMUTATIONS, every))
    np.put_along_axis(weights, chosen, 1.0 / n, axis=1)
    return weights


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))


def _ranks(left: Sequence[float], right: Sequence[float]) -> tuple[float, float, float]:
    """z, Cliff's delta of the right against the left, and its standard error where nothing differs."""
    n, m = sum(left), sum(right)
    both = [x + y for x, y in zip(left, right, strict=True)]
    ranks = ridits(both)
    mean = sum(count * rank for count, rank in zip(right, ranks, strict=True)) / m
    delta = 2 * (mean - 0.5) * (n + m) / n
    every = n + m
    ties = sum(count**3 - count for count in both if count > 1)
    variance = max((every + 1 - ties / (every * (every - 1))) / (3 * n * m), 0.0) if every > 1 else 0.0
    spread = math.sqrt(variance)
    return (delta / spread if spread > 0 else 0.0), delta, spread


def _shape(left: Sequence[float], right: Sequence[float]) -> float:
    """P of Pearson's chi-square of two rows of counts; neighbours are added up until at least 5 are expected in each."""
    n, m = sum(left), sum(right)
    least = min(n, m) / (n + m)
    cells: list[tuple[float, float]] = []
    x = y = 0.0
    for one, other in zip(left, right, strict=True):
        x, y = x + one, y + other
        if (x + y) * least >= _CELL:
            cells.append((x, y))
            x = y = 0.0
    if cells:
        cells[-1] = (cells[-1][0] + x, cells[-1][1] + y)
    if len(cells) < 2:
        return 1.0
    statistic = 0.0
    for x, y in cells:
        for found, share in ((x, n / (n + m)), (y, m / (n + m))):
            expected = (x + y) * share
            statistic += (found - expected) ** 2 / expected
    return chi_square_tail(statistic, len(cells) - 1)


def _fisher(x: int, n: int, y: int, m: int) -> float:
    """Two-sided: all tables with the same margins that are no likelier than this one; each chance follows from its neighbour's."""
    bad = x + y
    low, high = max(0, bad - m), min(bad, n)
    commonest = min(max((bad + 1) * (n + 1) // (n + m + 2), low), high)
    chances = {commonest: 1.0}
    at, chance = commonest, 1.0
    while at < high and (chance > _NOTHING or at < x):
        chance *= (n - at) * (bad - at) / ((at + 1) * (m - bad + at + 1))
        at += 1
        chances[at] = chance
    at, chance = commonest, 1.0
    while at > low and (chance > _NOTHING or at > x):
        chance *= at * (m - bad + at) / ((n - at + 1) * (bad - at + 1))
        at -= 1
        chances[at] = chance
    mine = chances[x] * (1 + 1e-7)
    return min(1.0, math.fsum(one for one in chances.values() if one <= mine) / math.fsum(chances.values()))


def _gamma_tail(z: float, skew: float) -> float:
    """The upper tail at z standard deviations of a gamma distribution of that skewness."""
    free = 8 / skew**2
    return _gamma_q(free / 2, max(free + math.sqrt(2 * free) * z, 0.0) / 2)


def _gamma_q(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function: a series under shape + 1, else a continued fraction (Abramowitz and Stegun 6.5.29, 6.5.31)."""
    if x <= 0:
        return 1.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        at = shape
        while term > total * 1e-16:
            at += 1
            term *= x / at
            total += term
        return max(0.0, 1 - total * front)
    b = x + 1 - shape
    c, d = 1e300, 1 / b
    fraction = d
    for i in range(1, 10_000):
        a = -i * (i - shape)
        b += 2
        d = 1 / (a * d + b or 1e-300)
        c = b + a / c or 1e-300
        fraction *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return min(1.0, front * fraction)
