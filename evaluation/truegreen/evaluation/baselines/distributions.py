"""From counted buckets, hour by hour, to a distribution with its design effect. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from truegreen.evaluation.baselines.baseline import quantile
from truegreen.evaluation.model import Distribution

PERCENTILES = tuple(place / 100 for place in range(101))


def of_buckets(bounds: Sequence[float], hours: Sequence[Sequence[float]], total: float) -> Distribution:
    """The distribution of a histogram.

    Args:
        bounds: rising upper bounds, without infinity.
        hours: the values in each bucket, one more than `bounds`, of each hour.
        total: the sum of all values, for the mean.

    Raises:
        ValueError: no value.
    """
    counts = [sum(hour[place] for hour in hours) for place in range(len(bounds) + 1)]
    number = sum(counts)
    if number <= 0:
        raise ValueError("no value was counted")
    edges = _edges(bounds)
    middles = [(low + high) / 2 for low, high in edges]
    centre = sum(count * middle for count, middle in zip(counts, middles, strict=True)) / number
    variance = sum(count * (middle - centre) ** 2 for count, middle in zip(counts, middles, strict=True)) / number
    return Distribution(
        count=round(number), mean=total / number, variance=variance, quantiles=_quantiles(edges, counts), bounds=tuple(bounds),
        counts=tuple(counts), design_effect=design_effect(hours),
    )  # fmt: skip


def of_values(values: Sequence[float]) -> Distribution:
    """The distribution of single values, such as the mean of each hour.

    Raises:
        ValueError: no value.
    """
    if not values:
        raise ValueError("no value was given")
    ordered, mean = sorted(values), sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
    return Distribution(len(values), mean, variance, tuple(quantile(ordered, share) for share in PERCENTILES))


def design_effect(hours: Sequence[Sequence[float]]) -> float:
    """How many times more the hours differ than independent values would, at least 1.

    The larger of two: Pearson's chi-square of hours by buckets over its degrees of freedom (McCullagh and Nelder 1989, section 4.5), and
    the same of each hour's mean rank, which a slow hour moves most.
    """
    kept = [hour for hour in hours if sum(hour) > 0]
    sums = [sum(column) for column in zip(*kept, strict=True)]
    number, full = sum(sums), [place for place, count in enumerate(sums) if count > 0]
    if len(kept) < 2 or len(full) < 2:
        return 1.0
    shares = [count / number for count in sums]
    ranks = ridits(sums)
    spread = sum(share * (rank - 0.5) ** 2 for share, rank in zip(shares, ranks, strict=True))
    cells = of_ranks = 0.0
    for hour in kept:
        events = sum(hour)
        cells += sum((hour[place] - events * shares[place]) ** 2 / (events * shares[place]) for place in full)
        mean = sum(count * rank for count, rank in zip(hour, ranks, strict=True)) / events
        of_ranks += events * (mean - 0.5) ** 2 / spread
    free = len(kept) - 1
    return max(1.0, cells / (free * (len(full) - 1)), of_ranks / free)


def ridits(counts: Sequence[float]) -> list[float]:
    """The mean rank, 0 to 1, of a value in each bucket (Bross 1958)."""
    number = sum(counts)
    return [(through - count / 2) / number for through, count in zip(accumulate(counts), counts, strict=True)]


def _edges(bounds: Sequence[float]) -> list[tuple[float, float]]:
    # The first bucket begins at 0 where it ends above; the last, which has no end, is taken to lie at its beginning.
    first = min(0.0, bounds[0])
    return [*zip([first, *bounds[:-1]], bounds, strict=True), (bounds[-1], bounds[-1])]


def _quantiles(edges: Sequence[tuple[float, float]], counts: Sequence[float]) -> tuple[float, ...]:
    through = list(accumulate(counts))
    made = []
    for share in PERCENTILES:
        wanted = share * through[-1]
        place = bisect_left(through, wanted) if share else next(place for place, count in enumerate(counts) if count > 0)
        place = min(place, len(counts) - 1)
        low, high = edges[place]
        inside = (wanted - (through[place] - counts[place])) / counts[place] if counts[place] else 0.0
        made.append(low + (high - low) * min(max(inside, 0.0), 1.0))
    for place in range(1, len(made)):  # rounding must not make them fall
        made[place] = max(made[place], made[place - 1])
    return tuple(made)
