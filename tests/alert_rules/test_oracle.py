"""The oracle of the generated tests, held to the ladder's definition written out minute by minute."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.alert_rules.ladder import TIERS, threshold
from truegreen.alert_rules.oracle import Phase, burning, byar, cumulative, span
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.core.words.records import SECONDS

SHARES = st.sampled_from([Decimal(each) for each in ("0", "0.0005", "0.004", "0.02", "0.07", "0.15", "0.5", "0.9", "1")])
PHASES = st.builds(Phase, st.integers(1, 400), st.sampled_from([Decimal(each) for each in (0, 5, 60, 600, 6_000)]), SHARES)
BUDGETS = st.sampled_from([Decimal(each) for each in ("0.001", "0.01", "0.05", "0.1", "0.2")])


def _by_definition(phases, tier, budget, design_effect):
    events, bad = cumulative(phases)

    def window(at, name):
        minutes = SECONDS[name] // 60
        end = at if minutes < 1_440 else at // 5 * 5
        start = max(end - minutes, 0)
        return events[end] - events[start], bad[end] - bad[start]

    def over(at, name, least):
        n, x = window(at, name)
        return n > 0 and x / n > least + 1e-9

    def burns(at, rung):
        least = float(threshold(rung, budget))
        n, x = window(at, rung.long)
        evidence = n > 0 and byar(x, EVIDENCE[rung.long] * math.sqrt(design_effect)) / n > float(budget)
        return evidence and over(at, rung.long, least) and over(at, rung.short, least)

    return [any(burns(at, rung) for rung in tier.rungs) for at in range(len(events))]


@settings(max_examples=60)
@given(st.lists(PHASES, min_size=1, max_size=4), st.sampled_from(TIERS), BUDGETS, st.sampled_from([Decimal(1), Decimal("2.7")]))
def test_a_tier_burns_in_the_minutes_of_its_definition(phases, tier, budget, effect):
    """Ratios of both windows over the factor, and the lower bound of the long one over the budget, on any rung."""
    burns = _by_definition(phases, tier, budget, effect)
    assert burning(phases, tier, budget, effect) == burns
    minutes = [at for at, burn in enumerate(burns) if burn]
    assert span(phases, tier, budget, effect) == ((minutes[0], minutes[-1]) if minutes else (None, None))


def test_a_storm_burns_in_each_tier_and_a_calm_in_none():
    """What the property above compares is not silence alone."""
    calm, storm = Phase(300, Decimal(600), Decimal("0.02")), Phase(400, Decimal(600), Decimal("0.5"))
    for tier in TIERS:
        assert any(burning([calm, storm], tier, Decimal("0.05")))
        assert not any(burning([calm, calm], tier, Decimal("0.05")))
