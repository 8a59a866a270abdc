"""How far reviewers agree on answers that both of them saw: Cohen's kappa. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

Z95: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree.

    Args:
        pairs: answers that both saw.
        observed: share of them on which they say the same, 0 to 1.
        kappa: agreement beyond chance, -1 to 1, 1 = always the same (Cohen 1960); None where one word is all that both ever say, for then
            chance explains everything.
        low, high: 95 % interval of kappa by its large-sample standard error (Fleiss, Cohen and Everitt 1969), None with it.
    """

    pairs: int
    observed: float
    kappa: float | None
    low: float | None
    high: float | None


def agreement(pairs: Sequence[tuple[object, object]]) -> Agreement | None:
    """Cohen's kappa of two reviewers, from what each said of the same answers; None without one.

    The interval is that of many pairs: under about 30 it is too narrow.
    """
    n = len(pairs)
    if not n:
        return None
    cells = {words: count / n for words, count in Counter(pairs).items()}
    first, second = _shares(a for a, _ in pairs), _shares(b for _, b in pairs)
    observed = sum(share for (a, b), share in cells.items() if a == b)
    chance = sum(share * second.get(word, 0.0) for word, share in first.items())
    if chance >= 1.0 - 1e-12:
        return Agreement(n, observed, None, None, None)
    kappa = (observed - chance) / (1 - chance)
    same = sum(share * (1 - (first[a] + second[b]) * (1 - kappa)) ** 2 for (a, b), share in cells.items() if a == b)
    other = (1 - kappa) ** 2 * sum(
        share * (second.get(a, 0.0) + first.get(b, 0.0)) ** 2 for (a, b), share in cells.items() if a != b
    )
    variance = (same + other - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = Z95 * math.sqrt(max(0.0, variance))
    return Agreement(n, observed, kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


def by_pair(reviews: Iterable[tuple[str, str, object]]) -> dict[tuple[str, str], Agreement]:
    """The agreement of each two reviewers that saw the same answers, from (answer, reviewer, word); most shared answers first.

    A reviewer's last word on an answer counts.
    """
    said: dict[str, dict[str, object]] = defaultdict(dict)
    for answer, reviewer, word in reviews:
        said[answer][reviewer] = word
    shared: dict[tuple[str, str], list[tuple[object, object]]] = defaultdict(list)
    for words in said.values():
        for first, second in combinations(sorted(words), 2):
            shared[first, second].append((words[first], words[second]))
    found = {pair: agreement(words) for pair, words in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0]))}
    return {pair: one for pair, one in found.items() if one is not None}


def _shares(words: Iterable[object]) -> dict[object, float]:
    counts = Counter(words)
    return {word: count / counts.total() for word, count in counts.items()}
