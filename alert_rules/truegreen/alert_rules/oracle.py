"""When the ladder should fire, in plain Python from the stream of events: what the generated rule tests hold the rules to.

It shares no text with the rules: windows, lower bound and ladder are computed here from counts by minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from truegreen.alert_rules.ladder import Tier, threshold
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.core.words.records import SECONDS


@dataclass(frozen=True, slots=True)
class Phase:
    """Minutes in which `events` an hour happen, of which the share `bad` is bad."""

    minutes: int
    events: Decimal
    bad: Decimal


def cumulative(phases: Sequence[Phase]) -> tuple[list[float], list[float]]:
    """All events and bad events up to each minute, from 0 at minute 0."""
    events = [float(p.events / 60) for p in phases for _ in range(p.minutes)]
    bad = [float(p.events * p.bad / 60) for p in phases for _ in range(p.minutes)]
    return list(accumulate(events, initial=0.0)), list(accumulate(bad, initial=0.0))


def byar(bad: float, z: float) -> float:
    """Byar's lower limit of a Poisson count."""
    return float(bad * max(1 - 1 / (9 * bad) - z / (3 * math.sqrt(bad)), 0.0) ** 3) if bad > 0 else 0.0


def burning(phases: Sequence[Phase], tier: Tier, budget: Decimal, design_effect: Decimal = Decimal(1)) -> list[bool]:
    """Whether the tier burns, minute by minute."""
    events, bad = cumulative(phases)
    effect = math.sqrt(design_effect)

    def window(at: int, name: str) -> tuple[float, float]:
        minutes = SECONDS[name] // 60
        # Windows of a day and more are summed from 5 min counts, taken at whole multiples of 5 min.
        end = at if minutes < 1_440 else at // 5 * 5
        start = max(end - minutes, 0)
        return events[end] - events[start], bad[end] - bad[start]

    def over(at: int, name: str, least: float) -> bool:
        n, x = window(at, name)
        return n > 0 and x / n > least + 1e-9

    def rung_burns(at: int) -> bool:
        for rung in tier.rungs:
            least = float(threshold(rung, budget))
            n, x = window(at, rung.long)
            evidence = n > 0 and byar(x, EVIDENCE[rung.long] * effect) / n > float(budget)
            if evidence and over(at, rung.long, least) and over(at, rung.short, least):
                return True
        return False

    return [rung_burns(at) for at in range(len(events))]


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
    found = first(burning((calm, storm), tier, budget))
    return None if found is None else found - calm.minutes
