"""The ladder's numbers, its oracle and its reach."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.alert_rules import oracle
from truegreen.alert_rules.ladder import TIERS, threshold
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.recording import EVIDENCE

BUDGETS = st.decimals(min_value="0.0005", max_value="0.3", places=4)


def test_the_ladder_is_the_one_that_was_simulated():
    """Factors, caps, windows, z and hold times; a change needs a new simulation."""
    stated = {
        tier.name: (tier.sev, tier.keep, [(r.long, r.short, r.factor, str(r.cap), EVIDENCE[r.long]) for r in tier.rungs])
        for tier in TIERS
    }
    assert stated == {
        "fast": ("1", "30m", [("15m", "5m", 7, "0.6", 4), ("30m", "5m", 7, "0.6", 4), ("1h", "15m", 7, "0.6", 4)]),
        "slow": ("2", "1h", [("2h", "30m", 4, "0.45", 4), ("6h", "1h", 4, "0.45", 4)]),
        "ticket": ("3", "6h", [("1d", "2h", 2, "0.3", 3), ("3d", "6h", 1, "None", 3)]),
    }


@given(BUDGETS)
def test_no_rung_asks_for_more_than_can_happen(budget):
    """A threshold of 1 or more could never be exceeded."""
    assert all(threshold(rung, budget) < 1 for tier in TIERS for rung in tier.rungs)


@pytest.mark.parametrize(("bad", "bound"), [(5, 0.278), (8, 1.09), (20, 6.75)])
def test_the_lower_bound_is_byars(bad, bound):
    """Published values at z = 4."""
    assert oracle.byar(bad, 4) == pytest.approx(bound, rel=0.01)


@given(st.integers(1, 500), st.floats(1, 5))
def test_the_lower_bound_lies_under_the_count(bad, z):
    """Evidence never exceeds what was seen."""
    assert 0 <= oracle.byar(bad, z) < bad


@given(BUDGETS, st.integers(1, 60))
def test_a_healthy_stream_never_burns(budget, per_minute):
    """At exactly the budget no tier has evidence, whatever the volume."""
    phases = [Phase(600, Decimal(60 * per_minute), budget)]
    assert all(oracle.span(phases, tier, budget) == (None, None) for tier in TIERS)


def test_a_burn_of_ten_budgets_pages_within_an_hour_where_the_law_holds():
    """N = 1.5 / budget judged events an hour, on the path without chance."""
    for budget in (Decimal("0.1"), Decimal("0.05"), Decimal("0.01"), Decimal("0.001")):
        minutes = oracle.minutes_to_page(TIERS[0], budget, Decimal("1.5") / budget)
        assert minutes is not None
        assert minutes <= 60


def test_correlated_events_need_more_evidence():
    """A design effect of 3 pages later, never earlier."""
    phases = [Phase(60, Decimal(40), Decimal("0.02")), Phase(240, Decimal(40), Decimal("0.5"))]
    alone, together = (oracle.span(phases, TIERS[0], Decimal("0.05"), Decimal(effect))[0] for effect in (1, 3))
    assert alone is not None
    assert together is not None
    assert alone < together


def test_the_oracle_counts_windows_by_hand():
    """Ten events a minute, half of them bad from minute 60: 15 min after, the 15 min window is half bad."""
    phases = [Phase(60, Decimal(600), Decimal(0)), Phase(60, Decimal(600), Decimal("0.5"))]
    events, bad = oracle.cumulative(phases)
    assert (events[75] - events[60], bad[75] - bad[60]) == (150, 75)
    # 15 min window: bad ratio over .35 at 11 min (55 of 150), 5 min window long before; Byar(55, 4) / 150 is over .05.
    assert oracle.span(phases, TIERS[0], Decimal("0.05"))[0] == 60 + math.floor(0.35 * 150 / 5) + 1
