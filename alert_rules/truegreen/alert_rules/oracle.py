"""When the ladder should fire, in plain Python from the stream of events: what the generated rule tests hold the rules to.

It shares no text with the rules: windows, lower bound and ladder are computed here from counts by minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, chain
from typing import Final

from truegreen.alert_rules.ladder import Rung, Tier, threshold
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.core.words.records import SECONDS

_DAY: Final = 1_440
_MARGIN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Phase:
    """Minutes in which `events` an hour happen, of which the share `bad` is bad."""

    minutes: int
    events: Decimal
    bad: Decimal


def cumulative(phases: Sequence[Phase]) -> tuple[list[float], list[float]]:
    """All events and bad events up to each minute, from 0 at minute 0."""
    events = [each for p in phases for each in [float(p.events / 60)] * p.minutes]
    bad = [each for p in phases for each in [float(p.events * p.bad / 60)] * p.minutes]
    return list(accumulate(events, initial=0.0)), list(accumulate(bad, initial=0.0))


def byar(bad: float, z: float) -> float:
    """Byar's lower limit of a Poisson count."""
    return float(bad * max(1 - 1 / (9 * bad) - z / (3 * math.sqrt(bad)), 0.0) ** 3) if bad > 0 else 0.0


def burning(phases: Sequence[Phase], tier: Tier, budget: Decimal, design_effect: Decimal = Decimal(1)) -> list[bool]:
    """Whether the tier burns, minute by minute."""
    events, bad = cumulative(phases)
    burns = [False] * len(events)
    for rung in tier.rungs:
        for at in _over(rung, events, bad, budget, design_effect):
            burns[at] = True
    return burns


def onset(phases: Sequence[Phase], tier: Tier, budget: Decimal, design_effect: Decimal = Decimal(1)) -> int | None:
    """The first minute in which the tier burns."""
    events, bad = cumulative(phases)
    starts = [next(_over(rung, events, bad, budget, design_effect), None) for rung in tier.rungs]
    return min((at for at in starts if at is not None), default=None)


def _over(rung: Rung, events: Sequence[float], bad: Sequence[float], budget: Decimal, design_effect: Decimal) -> Iterator[int]:
    # The minutes in which both windows and the lower bound are over. The short window first, which is never a day: in few minutes it is over.
    allowed, long, short = float(budget), SECONDS[rung.long] // 60, SECONDS[rung.short] // 60
    least, z = float(threshold(rung, budget)) + _MARGIN, EVIDENCE[rung.long] * math.sqrt(design_effect)
    before = [0.0] * short
    for at, (n, n0, x, x0) in enumerate(zip(events, chain(before, events), bad, chain(before, bad), strict=False)):
        if x > x0 and n > n0 and (x - x0) / (n - n0) > least:
            # Windows of a day and more are summed from 5 min counts, taken at whole multiples of 5 min.
            end = at if long < _DAY else at // 5 * 5
            start = max(end - long, 0)
            count, count_bad = events[end] - events[start], bad[end] - bad[start]
            if count > 0 and count_bad / count > least and byar(count_bad, z) / count > allowed:
                yield at


def first(burns: Sequence[bool]) -> int | None:
    """The first minute in which it burns."""
    return next((at for at, burn in enumerate(burns) if burn), None)


def last(burns: Sequence[bool]) -> int | None:
    """The last minute in which it burns."""
    return next((at for at in range(len(burns) - 1, -1, -1) if burns[at]), None)


def minutes_to_page(
    tier: Tier, budget: Decimal, events_per_hour: Decimal, burn: Decimal = Decimal(10), most: int = 360
) -> int | None:
    """Minutes from a step to `burn` budgets until the tier fires, for a stream without chance; None when it does not within `most`."""
    if burn * budget > 1:
        return None
    calm, storm = Phase(120, events_per_hour, budget / 2), Phase(most, events_per_hour, burn * budget)
    found = onset((calm, storm), tier, budget)
    return None if found is None else found - calm.minutes
