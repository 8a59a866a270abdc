"""How soon a burn pages at a volume, and how often a healthy service is paged: read from a simulated table, never from a stream without chance.

`benchmarks/alerting.py --only table` writes the table; what it depends on is the ladder, and `ladder_digest` says for which one it was written.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

from truegreen.alert_rules.feasibility_table import HOURS, ROWS
from truegreen.alert_rules.ladder import TIERS, Tier, threshold
from truegreen.alert_rules.recording import EVIDENCE as Z
from truegreen.core.words.records import SECONDS

BURN: Final = Decimal(10)
"""Budgets: the burn that the promise is about."""
PROBABILITY: Final = Decimal("0.9")
"""Share of such burns that must page within an hour before it is called so."""
LAW: Final = Decimal("1.5")
"""Events an hour (over the design effect) x budget from which that holds (simulated)."""
PAGES, SLOW, NONE, UNREACHABLE = "pages", "slow", "none", "unreachable"
_MOST_MINUTES: Final = HOURS * 60
_LATER: Final = 2 * _MOST_MINUTES
# What the table holds no minute for is later than its hours: twice that, between two cells.


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an SLO can promise at a volume.

    Args:
        verdict: `pages` (within an hour, P 0.9 or more), `slow` (the median is named), `none` (the median is over a day), `unreachable` (ten budgets are more
            than all events; the other fields are for all events bad).
        burn: budgets, 10 or the most that there can be.
        needs_per_hour: events an hour from which it pages within an hour; None for freshness, which has one event a minute.
        median_minutes, p90_minutes: to the sev 1; None over a day.
        told_minutes: median to the first of sev 1 and sev 2.
        within_60: probability that the sev 1 comes within an hour.
        false_pages_30d: sev 1 and 2 in 30 days while the bad ratio is the budget itself.
    """

    verdict: str
    burn: Decimal
    needs_per_hour: int | None
    median_minutes: int | None
    p90_minutes: int | None
    told_minutes: int | None
    within_60: Decimal
    false_pages_30d: Decimal


@lru_cache(4_096)
def outlook(budget: Decimal, per_hour: Decimal, design_effect: Decimal = Decimal(1)) -> Outlook:
    """Of an SLO over counted events.

    Args:
        budget: the error budget, 0 < budget < 1.
        per_hour: events an hour, 0 or more.
        design_effect: 1 or more; correlated events are worth so many times fewer.
    """
    expected = per_hour * budget / design_effect
    reachable = BURN * budget <= 1
    within = _read(budget, expected, _WITHIN) if expected >= EXPECTED[0] else Decimal(0)
    median, p90, told = (_minutes(budget, expected, field) for field in ("median", "p90", "told"))
    verdict = UNREACHABLE if not reachable else PAGES if within >= PROBABILITY else SLOW if median is not None else NONE
    return Outlook(
        verdict, BURN if reachable else (1 / budget).quantize(Decimal("0.01")), needs(budget, design_effect), median, p90, told,
        within.quantize(Decimal("0.01"), ROUND_HALF_EVEN), _read(budget, expected, _FALSE).quantize(Decimal("0.01"), ROUND_CEILING),
    )  # fmt: skip


def needs(budget: Decimal, design_effect: Decimal = Decimal(1)) -> int:
    """Events an hour from which the burn pages within an hour with P 0.9: the law, or the table where ten budgets are more than all events."""
    least = LAW
    if BURN * budget > 1:
        least = next((e for e in EXPECTED if _read(budget, e, _WITHIN) >= PROBABILITY), EXPECTED[-1])
    return int((least * design_effect / budget).to_integral_value(ROUND_CEILING))


@lru_cache(4_096)
def false_pages(budget: Decimal) -> Decimal:
    """Sev 1 and 2 in 30 days for one service whose bad ratio is the budget, at the volume where they are most.

    The mean of three neighbouring cells: the highest of many cells alone is high by chance.
    """
    found = [_read(budget, expected, _FALSE) for expected in EXPECTED]
    most = max(sum(three, Decimal(0)) / 3 for three in zip(found, found[1:], found[2:], strict=False))
    return most.quantize(Decimal("0.01"), ROUND_CEILING)


@cache
def freshness(budget: Decimal) -> Outlook:
    """Of an SLO over minutes: no chance is in it. From the minute in which all are bad, the ratio grows until a rung is over."""
    fast, slow = (_minutes_of_stale(tier, budget) for tier in TIERS[:2])
    told = min((m for m in (fast, slow) if m is not None), default=None)
    verdict = NONE if fast is None else PAGES if fast <= 60 else SLOW
    sure = Decimal(1 if fast is not None and fast <= 60 else 0)
    return Outlook(verdict, (1 / budget).quantize(Decimal("0.01")), None, fast, fast, told, sure, Decimal(0))


def _minutes_of_stale(tier: Tier, budget: Decimal) -> int | None:
    for minute in range(1, _MOST_MINUTES + 1):
        for rung in tier.rungs:
            long, short = SECONDS[rung.long] // 60, SECONDS[rung.short] // 60
            bad, asked = min(minute, long), threshold(rung, budget)
            if (
                Decimal(bad) / long > asked
                and Decimal(min(minute, short)) / short > asked
                and _byar(bad, Z[rung.long]) / long > budget
            ):
                return minute
    return None


def _byar(bad: int, z: int) -> Decimal:
    x = Decimal(bad)
    return x * max(1 - 1 / (9 * x) - z / (3 * x.sqrt()), Decimal(0)) ** 3


def ladder_digest() -> str:
    """What the table depends on: factors, caps, windows and evidence of the tiers that page."""
    said = repr([(t.name, [(r.long, r.short, r.factor, str(r.cap), Z[r.long]) for r in t.rungs]) for t in TIERS[:2]])
    return hashlib.sha256(said.encode()).hexdigest()[:12]


BUDGETS: Final = tuple(sorted({Decimal(row.budget) for row in ROWS}))
EXPECTED: Final = tuple(sorted({Decimal(row.expected) for row in ROWS}))
Column = Mapping[tuple[Decimal, Decimal], Decimal]
_WITHIN: Final[Column] = {(Decimal(row.budget), Decimal(row.expected)): Decimal(row.within_60) for row in ROWS}
_FALSE: Final[Column] = {(Decimal(row.budget), Decimal(row.expected)): Decimal(row.false_pages) for row in ROWS}


@cache
def _logarithms(field: str) -> Column:
    minutes = {(Decimal(row.budget), Decimal(row.expected)): getattr(row, field) for row in ROWS}
    return {cell: _ln(_LATER if found is None else found) for cell, found in minutes.items()}


def _minutes(budget: Decimal, expected: Decimal, field: str) -> int | None:
    if expected < EXPECTED[0]:
        return None
    made = math.exp(_read(budget, expected, _logarithms(field)))
    return None if made > _MOST_MINUTES else round(made)


def _read(budget: Decimal, expected: Decimal, column: Column) -> Decimal:
    # Between cells in proportion to the logarithms, beyond the edges the nearest cell.
    (low_b, high_b, share_b), (low_e, high_e, share_e) = _among_budgets(budget), _among_expected(expected)

    def along(b: Decimal) -> Decimal:
        low, high = column[b, low_e], column[b, high_e]
        return low + share_e * (high - low)

    low, high = along(low_b), along(high_b)
    return low + share_b * (high - low)


def _ln(value: Decimal | int) -> Decimal:
    # To so many places every machine's logarithm is the same; Decimal's own takes a thousand times as long.
    return Decimal(f"{math.log(value):.12f}")


@lru_cache(4_096)
def _among_budgets(budget: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    return _between(BUDGETS, budget)


@lru_cache(4_096)
def _among_expected(expected: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    return _between(EXPECTED, expected)


def _between(grid: tuple[Decimal, ...], at: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    if at <= grid[0] or at >= grid[-1]:
        edge = grid[0] if at <= grid[0] else grid[-1]
        return edge, edge, Decimal(0)
    low, high = next((a, b) for a, b in pairwise(grid) if a <= at <= b)
    return low, high, _ln(at / low) / _ln(high / low)
