"""When a staged rollout passes a step, holds or goes back: the decision alone, on drawn answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from truegreen.runbook.rollout import decide
from truegreen.runbook.rollout.counts import is_it
from truegreen.runbook.rollout.model import ERROR, Counts, Rule

RULE = Rule(window=1_800.0, least=200, margin=0.03)


def _promoted(candidate: float, incumbent: float, rule: Rule, runs: int = 2_000, looks: int = 6, each: int = 250) -> float:
    """The share of runs in which one of the looks promotes; `each` answers of either side come between two looks."""
    rng = np.random.default_rng(11)
    bad, of = (rng.binomial(each, share, (runs, looks)).cumsum(axis=1) for share in (candidate, incumbent))
    events = [each * (look + 1) for look in range(looks)]
    return float(np.mean([
        any(decide.passed(Counts(bad[run, look], events[look]), Counts(of[run, look], events[look]), look + 1, rule).do == decide.PROMOTE
            for look in range(looks))
        for run in range(runs)
    ]))  # fmt: skip


@pytest.mark.parametrize("incumbent", [0.01, 0.03, 0.10])
def test_a_candidate_that_is_worse_by_the_margin_passes_a_step_no_more_often_than_stated(incumbent: float) -> None:
    """All looks of a step together, at the border itself; five points worse at a margin of three, far less often."""
    assert _promoted(incumbent + RULE.margin, incumbent, RULE, runs=1_000) <= ERROR
    assert _promoted(incumbent + 0.05, incumbent, RULE, runs=1_000) <= ERROR / 5


def test_a_candidate_that_is_as_good_passes() -> None:
    """A rule that never promotes is none."""
    assert _promoted(0.03, 0.03, RULE, runs=300) >= 0.95


def test_an_equal_candidate_seldom_goes_back_and_a_bad_one_does() -> None:
    """One look: three standard errors."""
    rng = np.random.default_rng(12)
    draws = rng.binomial(500, 0.05, (2_000, 2))
    assert np.mean([decide.worse(Counts(a, 500), Counts(b, 500), RULE) is not None for a, b in draws]) <= 0.002
    bad = rng.binomial(200, 0.25, 200)
    assert all(decide.worse(Counts(float(b), 200), Counts(10, 200), RULE) for b in bad)


COUNTS = some.integers(1, 5_000).flatmap(lambda events: some.integers(0, events).map(lambda bad: Counts(bad, events)))


@given(COUNTS, COUNTS, some.floats(0.5, 4.0))
def test_the_interval_holds_the_difference_and_turns_with_its_sides(one: Counts, other: Counts, z: float) -> None:
    """And is never wider than all there can be."""
    low, high = decide.difference(one, other, z)
    apart = one.bad / one.events - other.bad / other.events
    assert low <= apart + 1e-9
    assert high >= apart - 1e-9
    assert decide.difference(other, one, z) == pytest.approx((-high, -low))
    assert -1 - 1e-9 <= low <= high <= 1 + 1e-9


@given(COUNTS, COUNTS, some.integers(0, 50))
def test_nothing_is_promoted_on_few_answers_or_before_the_first_look(one: Counts, other: Counts, number: int) -> None:
    """Whatever the counts say, a later look is stricter than an earlier one."""
    decision = decide.passed(one, other, number, RULE)
    if number == 0 or min(one.events, other.events) < RULE.least:
        assert decision.do == decide.HOLD
    if number > 1 and decision.do == decide.PROMOTE:
        assert decide.passed(one, other, number - 1, RULE).do == decide.PROMOTE
    if decide.worse(one, other, RULE):
        assert one.bad / one.events > other.bad / other.events


@given(some.floats(0, 1e6), some.floats(1, 1e5))
def test_looks_lie_a_window_apart(held: float, window: float) -> None:
    """However often somebody asks between two of them."""
    number = decide.look(held, Rule(window, 200, 0.03))
    assert number * window <= held * (1 + 1e-9)
    assert (number + 1) * window > held * (1 - 1e-9)


@pytest.mark.parametrize(("version", "to", "is_one"), [
    ("support@5", "5", True), ("support@5", "support@5", True), ("support@15", "5", False), ("", "5", False), ("g-2", "g-2", True),
])  # fmt: skip
def test_a_version_is_named_in_full_or_by_its_number(version: str, to: str, is_one: bool) -> None:
    """As people say it."""
    assert is_it(version, to) is is_one
