"""Recording rules of one SLO: counts, ratios and lower bounds over nine windows."""

from __future__ import annotations

from typing import Final

from truegreen.alert_rules import budgets, sli
from truegreen.alert_rules.model import Judged, Record
from truegreen.alert_rules.text import number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.words import records
from truegreen.core.words.slo import FreshnessSli, MinuteSli, Slo

IDENTITY: Final = "on (slo, service, environment)"
SHORT: Final = ("5m", "15m", "30m", "1h", "2h", "6h")
EVIDENCE: Final = {"15m": 4, "30m": 4, "1h": 4, "2h": 4, "6h": 4, "1d": 3, "3d": 3}
"""Window to z of its lower bound: 4 for what pages, 3 for tickets (false pages in 30 days: at most 0.2, simulated)."""


def short(what: Judged, clock: Clock) -> tuple[Record, ...]:
    """What the fast and slow alerts read: windows up to 6 h, the budget and the design effect."""
    slo = what.slo
    made: list[Record] = []
    if isinstance(slo.sli, MinuteSli):
        age = clock.seconds(slo.sli.seconds) if isinstance(slo.sli, FreshnessSli) else 0
        made.append(Record(sli.BAD_MINUTE, sli.bad_minute(slo, slo.sli, age), what.identity))
    for window in SHORT:
        counts = sli.counts(slo, clock.text(window))
        made += [
            Record(records.events(window), counts.events, what.identity),
            Record(records.bad(window), counts.bad, what.identity),
        ]
    budget = budgets.record_budget(what)
    made += [*([budget] if budget else []), budgets.record_design_effect(what)]
    return (*made, *_derived(what, SHORT))


def long(what: Judged, clock: Clock) -> tuple[Record, ...]:
    """What tickets, drift and the budget's balance read: windows of a day and more."""
    made: list[Record] = []
    windows = long_windows(what.slo)
    for window in windows:
        counts = sli.long_counts(what.slo, clock.text(window), clock.text("5m"))
        made += [
            Record(records.events(window), counts.events, what.identity),
            Record(records.bad(window), counts.bad, what.identity),
        ]
    made += _derived(what, windows)
    spent = f"{_of(what, records.bad_ratio(windows[-1]))}\n/ {IDENTITY} {_of(what, records.ERROR_BUDGET)}"
    return (*made, Record(records.BUDGET_REMAINING, f"1 - (\n  {spent.replace(chr(10), chr(10) + '  ')}\n)", what.identity))


def _derived(what: Judged, windows: tuple[str, ...]) -> tuple[Record, ...]:
    ratios = [
        Record(records.bad_ratio(w), f"{_of(what, records.bad(w))}\n/ ({_of(what, records.events(w))} > 0)", what.identity)
        for w in windows
    ]
    bounds = [Record(records.bad_lower_bound(w), _lower_bound(what, w), what.identity) for w in windows if w in EVIDENCE]
    burns = [
        Record(
            records.burn_rate(w),
            f"{_of(what, records.bad_ratio(w))}\n/ {IDENTITY} {_of(what, records.ERROR_BUDGET)}",
            what.identity,
        )
        for w in windows
        if w in records.BURN_WINDOWS
    ]
    return (*ratios, *bounds, *burns)


def _lower_bound(what: Judged, window: str) -> str:
    # Byar's approximation of the Poisson lower limit, z times the root of the design effect. No bad event is safe: 1 / 0 is +Inf,
    # the bracket is clamped to 0, and 0 * 0 = 0.
    bad, events, effect = _of(what, records.bad(window)), _of(what, records.events(window)), _of(what, records.DESIGN_EFFECT)
    z = number(EVIDENCE[window])
    return (
        f"{bad}\n* {IDENTITY} clamp_min(\n    1 - 1 / (9 * {bad})\n    - {IDENTITY} {z} / 3 * sqrt({effect} / {IDENTITY} {bad}),\n    0\n  ) ^ 3\n"
        f"/ {IDENTITY} ({events} > 0)"
    )


def long_windows(slo: Slo) -> tuple[str, ...]:
    """Windows of a day and more; the last is that of the error budget."""
    return ("1d", "3d", slo.window)


def _of(what: Judged, record: str) -> str:
    return selector(record, f"slo={quoted(what.slo.name)}")
