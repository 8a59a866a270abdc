"""Numbers with intervals: rates, the area under the ROC curve, isotonic regression. Pure; numpy is imported when used."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, Final

REPLICATES: Final = 2000
Z95: Final = 1.959963984540054
_CELLS: Final = 4_000_000
"""Numbers that one batch of the bootstrap holds: 32 MB."""


def wilson(bad: float, events: float, effect: float = 1.0, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % unless `z` says otherwise (Wilson 1927; Brown, Cai and DasGupta 2001).

    Args:
        bad: of `events`; need not be whole.
        effect: the design effect, at least 1: the interval is that of `events / effect` independent ones.

    Returns:
        low and high, 0 to 1; (0, 1) where there are no events.
    """
    if events <= 0:
        return 0.0, 1.0
    n, share = events / effect, bad / events
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (0.0 if bad <= 0 else max(0.0, middle - half)), (1.0 if bad >= events else min(1.0, middle + half))


def auroc(raws: Sequence[float], wrong: Sequence[bool]) -> float:
    """The chance that a wrong answer has the lower raw value of a wrong and a right one; ties count one half (Mann and Whitney 1947).

    Raises:
        ValueError: all answers are right, or all wrong.
    """
    pairs = sum(wrong) * (len(wrong) - sum(wrong))
    if not pairs:
        raise ValueError("an AUROC needs right and wrong answers")
    return lower_pairs(raws, wrong) / pairs


def lower_pairs(raws: Sequence[float], wrong: Sequence[bool]) -> float:
    """Of all pairs of a wrong and a right answer, how many give the wrong one the lower raw value; ties count one half."""
    right_above, won = sum(not flag for flag in wrong), 0.0
    for _, bad, good in _ties(raws, wrong):
        right_above -= good
        won += bad * (right_above + good / 2)
    return won


def auroc_interval(
    raws: Sequence[float], wrong: Sequence[bool], clusters: Sequence[Hashable], seed: int, replicates: int = REPLICATES
) -> tuple[float, float]:
    """The 95 % percentile interval of the AUROC by a bootstrap over clusters (Efron 1979; Field and Welsh 2007).

    Args:
        clusters: one for each answer, such as its session: whole clusters are drawn, since answers of one are alike.
        seed: of the drawing.

    Returns:
        low and high. A draw without a right or without a wrong answer is left out.
    """
    import numpy as np

    order = sorted(range(len(raws)), key=raws.__getitem__)
    places = {cluster: place for place, cluster in enumerate(dict.fromkeys(clusters))}
    of = np.array([places[clusters[i]] for i in order])
    bad = np.array([wrong[i] for i in order], dtype=float)
    value = np.array([raws[i] for i in order])
    starts = np.flatnonzero(np.r_[True, value[1:] != value[:-1]])
    dice = np.random.default_rng(seed)
    found: list[Any] = []
    batch = max(1, _CELLS // len(order))
    for first in range(0, replicates, batch):
        drawn = dice.multinomial(len(places), np.full(len(places), 1 / len(places)), size=min(batch, replicates - first))
        weight = drawn[:, of]
        wrongs = np.add.reduceat(weight * bad, starts, axis=1)
        rights = np.add.reduceat(weight * (1 - bad), starts, axis=1)
        above = rights.sum(axis=1, keepdims=True) - rights.cumsum(axis=1)
        pairs = wrongs.sum(axis=1) * rights.sum(axis=1)
        won = (wrongs * (above + rights / 2)).sum(axis=1)
        found.append(won[pairs > 0] / pairs[pairs > 0])
    low, high = np.quantile(np.concatenate(found), (0.025, 0.975))
    return float(low), float(high)


def isotonic(raws: Sequence[float], wrong: Sequence[bool]) -> tuple[tuple[float, float], ...]:
    """The rising step curve from raw to the probability "right" that fits best, by pool-adjacent-violators (Ayer et al. 1955).

    Returns:
        pairs of a raw value that rises and a probability that does not fall: the ends of each pool, to be joined by straight lines
        (Zadrozny and Elkan 2002).
    """
    pools: list[list[float]] = []  # lowest raw, highest raw, right answers, answers
    for raw, bad, good in _ties(raws, wrong):
        pools.append([raw, raw, good, bad + good])
        while len(pools) > 1 and pools[-2][2] * pools[-1][3] >= pools[-1][2] * pools[-2][3]:
            _, high, right, answers = pools.pop()
            pools[-1] = [pools[-1][0], high, pools[-1][2] + right, pools[-1][3] + answers]
    ends = [(raw, right / answers) for low, high, right, answers in pools for raw in dict.fromkeys((low, high))]
    return tuple(ends)


def _ties(raws: Sequence[float], wrong: Sequence[bool]) -> list[tuple[float, int, int]]:
    """Each distinct raw value, rising, with its wrong and its right answers."""
    found: dict[float, list[int]] = {}
    for raw, flag in zip(raws, wrong, strict=True):
        found.setdefault(raw, [0, 0])[0 if flag else 1] += 1
    return [(raw, *found[raw]) for raw in sorted(found)]  # type: ignore[misc]
