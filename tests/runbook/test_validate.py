"""The six checks of `truegreen validate`, by their numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from truegreen.runbook import checks
from truegreen.runbook.model import NOT_OK, OK, UNKNOWN

Errors = dict[str, tuple[float, float, float, float]]


@pytest.mark.parametrize(
    ("errors", "state", "says"),
    [
        ({}, OK, "error rates unknown"),
        ({"false positives": (100, 0, 4, 0)}, OK, "error rates unknown"),
        ({"false positives": (200, 200, 8, 9)}, OK, "false positives 4.5%"),
        ({"false positives": (200, 200, 8, 40)}, NOT_OK, "false positives 20.0%"),
        ({"false positives": (200, 200, 8, 9), "false negatives": (300, 100, 3, 12)}, NOT_OK, "false negatives 12.0%"),
        ({"false negatives": (300, 100, 30, 0)}, OK, "false negatives 0.0%"),
    ],
)
def test_a_guardrail_is_held_to_the_error_rates_that_people_found(errors: Errors, state: str, says: str) -> None:
    """The share of blocks alone does not say whether they are right; fewer errors than before are no fault."""
    check = checks.guardrail(20, 1_000, 20, 1_000, errors)
    assert (check.state, says in check.says) == (state, True), check


@pytest.mark.parametrize(("bad", "events", "state"), [(12, 600, OK), (18, 600, OK), (40, 600, NOT_OK), (0, 0, UNKNOWN)])
def test_the_bad_ratio_is_at_or_below_the_baseline_with_its_interval(bad: float, events: float, state: str) -> None:
    """Against 3 % of 2,000 in the baseline; a ratio over the budget is never ok."""
    check = checks.ratio(bad, events, 0.03, 0.05, "in the frozen baseline", 2_000)
    assert check.state == state
    assert ("95% interval" in check.says) is (events > 0)


@given(some.integers(1, 2_000), some.floats(0, 1), some.floats(0.001, 0.3), some.floats(0.001, 0.3))
def test_a_ratio_over_its_budget_is_never_ok(events: int, share: float, baseline: float, budget: float) -> None:
    """Whatever the baseline says."""
    bad = round(share * events)
    check = checks.ratio(bad, events, baseline, budget, "x", 500)
    assert check.state in ((OK, NOT_OK) if events >= checks.LEAST else (UNKNOWN, NOT_OK))
    assert not (check.state == OK and bad / events > budget)


@pytest.mark.parametrize(("seen", "state"), [(1, UNKNOWN), (19, UNKNOWN), (20, OK)])
def test_hardly_any_traffic_is_not_called_good(seen: int, state: str) -> None:
    """One good answer, one decision that blocked nothing, one quiet event."""
    assert checks.ratio(0, seen, 0.03, 0.05, "x", 500).state == state
    assert checks.guardrail(0, seen, 20, 1_000, {}).state == state
    assert checks.quiet(checks.Calm(900, 900, 0, seen, seen, seen), 0.05).state == state
    assert checks.ratio(seen, seen, 0.03, 0.05, "x", 500).state == NOT_OK


def test_quiet_minutes_ask_for_answers_and_not_for_reviews_that_come_by_the_hour() -> None:
    """Of an SLO of people's reviews: how many there must be is what the bad ratio asks, over all the time since the change."""
    calm = checks.Calm(900, 900, 0, 4, 700, 700, by_judges=False)
    assert checks.quiet(calm, 0.25).state == OK
    assert [checks.ratio(0, n, 0.1, 0.25, "x", None, checks.REVIEWED).state for n in (4, 5)] == [UNKNOWN, OK]


def test_quiet_minutes_without_raised_sampling_name_the_command_that_raises_it() -> None:
    """And are not quiet minutes."""
    calm = checks.Calm(1_000, 900, 1, 100, answers=1_000, sampled=100)
    check = checks.quiet(calm, 0.05)
    assert (check.state, "truegreen contain boost 100%" in check.says) == (NOT_OK, True)


def test_closing_with_a_switch_on_says_so_also_with_an_override(run: Callable[..., Any]) -> None:
    """It goes off by itself one day, and then the harm may be back."""
    run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding")
    number = run("contain", "pin-model", "m-1", "--verify-count", "0", "--json").facts["event"]
    closed = run("incident", "close", "--override", "ann", "--reason", "drill")
    assert closed.code == 0, closed.err
    assert "1 switch left on" in closed.out
    assert f"truegreen contain undo {number}" in closed.out
