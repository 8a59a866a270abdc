"""Whether a provider answers fixed questions as it did: a permutation test within each question, by three measures. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import combinations
from operator import add
from statistics import fmean, pstdev
from typing import Final

from truegreen.evaluation.embedding import lexical
from truegreen.evaluation.provider.model import CHANGED, SAME, TOO_FEW, Seen
from truegreen.instrumentation.style import style

ALPHA: Final = 0.001
"""Chance that a round says `changed` although nothing did; by the hour that is once in six weeks."""
PERMUTATIONS: Final = 9_999
ALL: Final = 20_000
"""So many choices or fewer are all looked at."""
MOST: Final = 5
"""Answers of one question, of then and of now, that are compared."""
EXACT: Final = "exact match"
STYLE: Final = "style"
EMBEDDING: Final = "embedding"

Question = tuple[Sequence[str], Sequence[str]]
"""The answers of then and of now."""


def compare(questions: Sequence[Question], seed: int, alpha: float = ALPHA) -> tuple[str, tuple[Seen, ...]]:
    """The verdict (`changed`, `same` or `too few`) and one line for each measure, with p adjusted for their number (Holm, 1979).

    The statistic is the energy distance between the answers of then and of now (Szekely and Rizzo, 2013), summed over the questions. If nothing
    changed, any of a question's answers may as well be those of now: the statistic is held against that of random such choices, so that its level
    holds for any model, temperature and question (Phipson and Smyth, 2010: p is never 0).

    Args:
        questions: those with no answer on a side are left out.
        seed: of the random choices.
        alpha: the level of the verdict.
    """
    kept = [(tuple(then[-MOST:]), tuple(now[:MOST])) for then, now in questions if then and now]
    ways = sum(math.log(math.comb(len(then) + len(now), len(now))) for then, now in kept)
    measures = _measures([text for then, now in kept for text in (*then, *now)])
    if math.exp(-ways) * len(measures) > alpha:
        return TOO_FEW, ()
    found = [Seen(name, *_tested(kept, distance, random.Random(f"{seed} {name}"))) for name, distance in measures]
    adjusted = _holm([one.p for one in found])
    found = [Seen(one.by, one.distance, p) for one, p in zip(found, adjusted, strict=True)]
    return CHANGED if min(adjusted) <= alpha else SAME, tuple(found)


def _tested(kept: Sequence[Question], distance: Callable[[str, str], float], rng: random.Random) -> tuple[float, float]:
    observed, choices = 0.0, []
    for then, now in kept:
        values = _energies([*then, *now], len(now), distance)
        observed += values[-1]  # the last choice is the one that is so
        choices.append(values)
    # Sums of the same numbers in another order differ in their last bits.
    bound = observed - 1e-9 * max(1.0, abs(observed))
    if math.prod(map(len, choices)) <= ALL:
        sums = [0.0]
        for values in choices:
            sums = [total + value for total in sums for value in values]
        return observed / len(kept), sum(total >= bound for total in sums) / len(sums)
    sums = [0.0] * PERMUTATIONS
    for values in choices:
        sums = list(map(add, sums, rng.choices(values, k=PERMUTATIONS)))
    return observed / len(kept), (1 + sum(total >= bound for total in sums)) / (1 + PERMUTATIONS)


def _energies(answers: Sequence[str], now: int, distance: Callable[[str, str], float]) -> list[float]:
    n = len(answers)
    apart = [[0.0] * n for _ in range(n)]
    for i, j in combinations(range(n), 2):
        apart[i][j] = apart[j][i] = distance(answers[i], answers[j])
    made = []
    for chosen in combinations(range(n), now):
        late = set(chosen)
        early = [i for i in range(n) if i not in late]
        between = fmean(apart[i][j] for i in early for j in chosen)
        made.append(
            2 * between - fmean(apart[i][j] for i in early for j in early) - fmean(apart[i][j] for i in chosen for j in chosen)
        )
    return made


def _measures(texts: Sequence[str]) -> tuple[tuple[str, Callable[[str, str], float]], ...]:
    styles = {text: tuple(math.log1p(x) for x in style(text)) for text in texts}
    scales = [pstdev(column) or 1.0 for column in zip(*styles.values(), strict=True)] if styles else []
    vectors = {text: lexical(text) for text in texts}

    def by_style(a: str, b: str) -> float:
        return math.dist(*([x / scale for x, scale in zip(styles[text], scales, strict=True)] for text in (a, b)))

    def by_vector(a: str, b: str) -> float:
        return 1.0 - math.fsum(x * y for x, y in zip(vectors[a], vectors[b], strict=True)) if a != b else 0.0

    return ((EXACT, lambda a, b: float(a.split() != b.split())), (STYLE, by_style), (EMBEDDING, by_vector))


def _holm(ps: Sequence[float]) -> list[float]:
    order, largest = sorted(range(len(ps)), key=lambda i: ps[i]), 0.0
    made = [1.0] * len(ps)
    for rank, i in enumerate(order):
        largest = max(largest, (len(ps) - rank) * ps[i])
        made[i] = min(largest, 1.0)
    return made
