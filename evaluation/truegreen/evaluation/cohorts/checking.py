"""Whether any cohort is served worse than the rest, with as many looks as there are cohorts allowed for. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from truegreen.evaluation.baselines import significance
from truegreen.evaluation.model import Ratio

RATE: Final = 0.05
Z: Final = 3.0
_HOURS: Final = 6
_MEDIAN: Final = 0.4549
"""Of a chi-square number with one degree of freedom."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """One cohort beside all others together.

    Args:
        low: Byar's lower bound of its bad ratio with z = sqrt(9 + 2 ln C), as the rules of an SLO with `cohorts: true` have it.
        p: two-sided, against the rest; q is adjusted for all cohorts (Benjamini and Hochberg).
        worse: q is at most 0.05 and its ratio is the higher one.
    """

    name: str
    events: float
    bad: float
    rest: float
    low: float
    p: float
    q: float
    worse: bool

    @property
    def ratio(self) -> float:
        """Its bad ratio."""
        return self.bad / self.events


@dataclass(frozen=True, slots=True)
class Checked:
    """All cohorts, the worst first.

    Args:
        z: of the lower bounds.
        differ: p of Pearson's chi-square that all have one ratio.
    """

    cohorts: tuple[Cohort, ...]
    z: float
    differ: float


def check(found: Mapping[str, tuple[float, float]], design_effect: float = 1.0) -> Checked:
    """Test each cohort against the rest.

    Args:
        found: name to events and bad events.
        design_effect: variance inflation of events that come in sessions, at least 1.
    """
    kept = {name: pair for name, pair in sorted(found.items()) if pair[0] > 0}
    events, bad = (sum(pair[part] for pair in kept.values()) for part in (0, 1))
    z = math.sqrt(Z**2 + 2 * math.log(max(len(kept), 1))) * math.sqrt(design_effect)
    ps, rests = [], []
    for number, wrong in kept.values():
        rest = Ratio(bad - wrong, events - number, design_effect)
        tested = significance.ratios(rest, Ratio(wrong, number, design_effect)) if rest.events > 0 else None
        ps.append(tested.p if tested else 1.0)
        rests.append(rest.bad / rest.events if rest.events > 0 else 0.0)
    qs = significance.adjusted(ps)
    made = [
        Cohort(name, number, wrong, rest, byar_low(wrong, number, z), p, q, q <= RATE and wrong / number > rest)
        for (name, (number, wrong)), rest, p, q in zip(kept.items(), rests, ps, qs, strict=True)
    ]
    return Checked(
        tuple(sorted(made, key=lambda one: (not one.worse, one.p, one.name))), z, _differ(kept, events, bad, design_effect)
    )


def byar_low(bad: float, events: float, z: float) -> float:
    """Byar's lower bound of a ratio (Breslow and Day 1987): 0 where nothing was bad."""
    return bad * max(1 - 1 / (9 * bad) - z / (3 * math.sqrt(bad)), 0.0) ** 3 / events if bad > 0 else 0.0


def typical_effect(hours: Iterable[tuple[float, float]]) -> float:
    """The design effect of most hours, at least 1: the median of their squared residuals over that of a chi-square number.

    An hour that is an incident does not excuse itself by the spread that it makes, as it would in a mean.

    Args:
        hours: events and bad events of each hour.
    """
    kept = [(events, bad) for events, bad in hours if events > 0]
    if len(kept) < _HOURS:
        return 1.0
    ratio = median(bad / events for events, bad in kept)
    if not 0 < ratio < 1:
        return 1.0
    return max(1.0, median((bad - events * ratio) ** 2 / (events * ratio * (1 - ratio)) for events, bad in kept) / _MEDIAN)


def _differ(kept: Mapping[str, tuple[float, float]], events: float, bad: float, design_effect: float) -> float:
    if len(kept) < 2 or not 0 < bad < events:
        return 1.0
    ratio = bad / events
    squares = sum((wrong - number * ratio) ** 2 / (number * ratio * (1 - ratio)) for number, wrong in kept.values())
    return significance.chi_square_tail(squares / design_effect, len(kept) - 1)
