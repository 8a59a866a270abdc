"""When the ladder should fire, in plain Python from the stream of events: what the generated rule tests hold the rules to.

It shares no text with the rules: windows, lower bound and ladder are computed here from counts by minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, chain, repeat
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


def cumulative(phases: Sequence[Phase]) -> tuple[Sequence[float], Sequence[float]]:
    """All events and bad events up to each minute, from 0 at minute 0."""
    return _cumulative(tuple(phases))


@lru_cache(16)
def _cumulative(phases: tuple[Phase, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    events = chain.from_iterable(repeat(float(p.events / 60), p.minutes) for p in phases)
    bad = chain.from_iterable(repeat(float(p.events * p.bad / 60), p.minutes) for p in phases)
    return tuple(accumulate(events, initial=0.0)), tuple(accumulate(bad, initial=0.0))


def byar(bad: float, z: float) -> float:
    """Byar's lower limit of a Poisson count."""
    return float(bad * max(1 - 1 / (9 * bad) - z / (3 * math.sqrt(bad)), 0.0) ** 3) if bad > 0 else 0.0


def burning(phases: Sequence[Phase], tier: Tier, budget: Decimal, design_effect: Decimal = Decimal(1)) -> list[bool]:
    """Whether the tier burns, minute by minute."""
    counts = cumulative(phases)
    found = {at for rung in tier.rungs for at in _over(rung, *counts, budget, design_effect)}
    return [at in found for at in range(len(counts[0]))]


def onset(phases: Sequence[Phase], tier: Tier, budget: Decimal, design_effect: Decimal = Decimal(1)) -> int | None:
    """The first minute in which the tier burns."""
    events, bad = cumulative(phases)
    found = None
    for rung in tier.rungs:
        # What comes later than another rung is not looked at.
        found = next(_over(rung, events[:found], bad[:found], budget, design_effect), found)
    return found


def span(
    phases: Sequence[Phase], tier: Tier, budget: Decimal, design_effect: Decimal = Decimal(1)
) -> tuple[int, int] | tuple[None, None]:
    """The first and the last minute in which the tier burns."""
    start = onset(phases, tier, budget, design_effect)
    if start is None:
        return None, None
    counts = cumulative(phases)
    ends = [next(_over(rung, *counts, budget, design_effect, backwards=True), start) for rung in tier.rungs]
    return start, max(ends)


def _over(
    rung: Rung, events: Sequence[float], bad: Sequence[float], budget: Decimal, design_effect: Decimal, backwards: bool = False
) -> Iterator[int]:
    # The minutes in which both windows and the lower bound are over. The short window first, which is never a day: in few minutes it is over.
    allowed, long, short = float(budget), SECONDS[rung.long] // 60, SECONDS[rung.short] // 60
    least, z = float(threshold(rung, budget)) + _MARGIN, EVIDENCE[rung.long] * math.sqrt(design_effect)
    before, minutes = [0.0] * short, range(len(events))
    columns = (minutes, events, [*before, *events][: len(minutes)], bad, [*before, *bad][: len(minutes)])
    for at, n, n0, x, x0 in zip(*(map(reversed, columns) if backwards else columns), strict=True):
        if x > x0 and n > n0 and (x - x0) / (n - n0) > least:
            # Windows of a day and more are summed from 5 min counts, taken at whole multiples of 5 min.
            end = at if long < _DAY else at // 5 * 5
            start = max(end - long, 0)
            count, count_bad = events[end] - events[start], bad[end] - bad[start]
            if count > 0 and count_bad / count > least and byar(count_bad, z) / count > allowed:
                yield at


def minutes_to_page(
    tier: Tier, budget: Decimal, events_per_hour: Decimal, burn: Decimal = Decimal(10), most: int = 360
) -> int | None:
    """Minutes from a step to `burn` budgets until the tier fires, for a stream without chance; None when it does not within `most`."""
    if burn * budget > 1:
        return None
    calm, storm = Phase(120, events_per_hour, budget / 2), Phase(most, events_per_hour, burn * budget)
    found = onset((calm, storm), tier, budget)
    return None if found is None else found - calm.minutes
