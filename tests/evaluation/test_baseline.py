"""From scores to a frozen baseline."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.errors import BadInput
from truegreen.core.words import calibration
from truegreen.evaluation.baselines.baseline import choose_floor, design_effect, freeze, quantile

WHO = {
    "service": "support",
    "environment": "production",
    "signal": "groundedness",
    "evaluator": "context-support",
    "taken": "2026-01-01T00:00:00+00:00",
}
SPREAD = [i / 999 for i in range(1000)]


def test_three_percent_of_the_baseline_fail_and_the_score_is_the_quantile():
    """The floor is the third percentile; the median scores one half."""
    made = freeze(SPREAD, **WHO, snapshot="abc")
    assert made.bad_ratio == pytest.approx(0.03)
    assert made.floor == pytest.approx(0.03)
    assert made.score(0.5) == pytest.approx(0.5, abs=1e-3)
    assert (made.answers, made.scale, made.design_effect, made.snapshot) == (1000, "relative", 1.0, "abc")


def test_fewer_than_500_are_refused_with_their_number():
    """A small baseline pages for good; the message says how many there are."""
    with pytest.raises(BadInput, match=r"at least 500 .* there are 499"):
        freeze(SPREAD[:499], **WHO)
    assert freeze(SPREAD[:500], **WHO).answers == 500


@pytest.mark.parametrize("scores", [[0.5] * 600, [*SPREAD, float("nan")], [*SPREAD, float("inf")]])
def test_scores_that_tell_nothing_apart_or_are_no_numbers_are_refused(scores):
    """All equal, or not finite."""
    with pytest.raises(BadInput):
        freeze(scores, **WHO)


@pytest.mark.parametrize("percentile", [0, -1, 50, 100, float("nan")])
def test_a_percentile_out_of_range_is_refused(percentile):
    """It names the option and the range."""
    with pytest.raises(BadInput, match="--floor-quantile"):
        freeze(SPREAD, **WHO, percentile=percentile)


def test_a_small_atom_at_the_floor_fails_and_a_large_one_passes():
    """4 % of equal lowest values are near the wanted 3 %; 10 % would page a healthy service for good."""
    small = [0.1] * 40 + [0.2 + i / 2000 for i in range(960)]
    large = [0.1] * 100 + [0.2 + i / 2000 for i in range(900)]
    assert freeze(small, **WHO).bad_ratio == pytest.approx(0.04)
    assert freeze(large, **WHO).bad_ratio == 0.0
    assert freeze(large, **WHO).label(0.05) == "fail"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=60, unique=True), st.integers(0, 2**32), st.floats(0.1, 49))
def test_any_scores_make_a_file_that_reads_back(values, seed, percentile):
    """With ties of every size: quantiles do not fall, the ratio is what the label says, the text round-trips with its digest."""
    scores = [*values, *random.Random(seed).choices(values, k=500)]
    made = freeze(scores, **WHO, percentile=percentile)
    assert made.bad_ratio == sum(made.label(score) == "fail" for score in scores) / len(scores)
    assert made.bad_ratio <= 1.5 * percentile / 100 + 1 / len(scores)
    assert calibration.from_text(calibration.to_text(made), "f") == made


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_lies_between_the_smallest_and_the_largest(values, share):
    """Also after rounding."""
    ordered = sorted(values)
    assert ordered[0] <= quantile(ordered, share) <= ordered[-1]


def test_the_floor_of_two_values_is_never_an_empty_promise():
    """With 2 % low and 98 % high values the floor separates them."""
    ordered = [0.1] * 20 + [0.9] * 980
    floor = choose_floor(ordered, 3)
    assert 0.1 < floor <= 0.9


def test_independent_sessions_have_no_design_effect_worth_naming():
    """Random failures in sessions of five: about 1, never under it."""
    dice = random.Random(7)
    bad = [dice.random() < 0.1 for _ in range(5000)]
    assert 1.0 <= design_effect(bad, [str(i // 5) for i in range(5000)]) < 1.2


def test_sessions_that_fail_whole_multiply_the_variance_by_their_size():
    """rho = 1: the effect is the size of a session."""
    dice = random.Random(7)
    bad = [flag for _ in range(400) for flag in [dice.random() < 0.2] * 5]
    assert design_effect(bad, [str(i // 5) for i in range(2000)]) == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize("sessions", [[], ["a"] * 100, [str(i) for i in range(100)], [""] * 100])
def test_no_one_or_only_single_sessions_have_the_effect_1(sessions):
    """There is nothing to compare within or between."""
    assert design_effect([i % 7 == 0 for i in range(100)], sessions) == 1.0


def test_a_session_list_of_another_length_is_refused():
    """One for each score, or none."""
    with pytest.raises(BadInput, match="2 session ids for 3 scores"):
        design_effect([True, False, False], ["a", "b"])


def test_an_answer_without_a_session_stands_alone():
    """Unknown ids count as sessions of one answer each, not as one large session."""
    dice = random.Random(7)
    bad = [flag for _ in range(200) for flag in [dice.random() < 0.2] * 5] + [dice.random() < 0.2 for _ in range(1000)]
    known = [str(i // 5) for i in range(1000)]
    apart = design_effect(bad, [*known, *(f"u{i}" for i in range(1000))])
    assert design_effect(bad, [*known, *[""] * 1000]) == apart > 2
