"""The calibration file with what labels add: a curve and error rates."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.words.calibration import QUANTILES, Calibration, CalibrationError, ErrorRates, from_text, to_text

PLAIN = Calibration("bot", "production", "groundedness", "context-support", "relative", 0.25, QUANTILES, 0.03, 1.5, 600,
                    "2026-01-02T03:04:05+00:00")  # fmt: skip
RATES = ErrorRates(80, 20, 0.05, 0.25, 0.9, 0.81, 0.96, 7, "2026-01-03T00:00:00+00:00")
CURVE = ((-1.0, 0.1), (0.0, 0.1), (0.5, 0.8), (2.0, 1.0))
LABELLED = replace(PLAIN, scale="calibrated", curve=CURVE, error_rates=RATES, answers=80)


def test_a_file_without_labels_has_the_digest_that_it_always_had():
    """Rules and applications that hold an old digest still know the file."""
    assert PLAIN.digest == "69031f7037a4"
    assert {"curve", "error_rates"}.isdisjoint(json.loads(to_text(PLAIN)))


def test_curve_and_error_rates_are_read_back_and_count_in_the_digest():
    """A file whose curve or rates were edited is refused."""
    text = to_text(LABELLED)
    assert from_text(text, "f") == LABELLED
    for before, after in (('"auroc": 0.9', '"auroc": 0.91'), ("   0.5,\n   0.8", "   0.5,\n   0.7")):
        assert before in text
        with pytest.raises(CalibrationError, match="digest: found"):
            from_text(text.replace(before, after), "f")


@pytest.mark.parametrize(
    ("raw", "right"),
    [(-9, 0.1), (-1, 0.1), (-0.5, 0.1), (0.0, 0.1), (0.25, 0.45), (0.5, 0.8), (1.25, 0.9), (2, 1.0), (1e308, 1.0)],
)
def test_a_score_on_the_curve_is_the_probability_that_the_answer_is_right(raw, right):
    """Linear between two pairs, the nearest one's beyond them."""
    assert LABELLED.score(raw) == pytest.approx(right)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20, unique=True), st.data())
def test_no_score_leaves_the_curve_or_falls(raws, data):
    """With numbers of any size, also where their distance is none."""
    rights = sorted(data.draw(st.lists(st.floats(0, 1), min_size=len(raws), max_size=len(raws))))
    made = replace(LABELLED, curve=tuple(zip(sorted(raws), rights, strict=True)))
    low, high = sorted(data.draw(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2)))
    assert rights[0] <= made.score(low) <= made.score(high) <= rights[-1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("curve", []),
        ("curve", [[0.1, 0.5]]),
        ("curve", [[0.5, 0.1], [0.5, 0.9]]),
        ("curve", [[0.1, 0.9], [0.5, 0.1]]),
        ("curve", [[0.1, 0.0], [0.5, 1.1]]),
        ("curve", [[0.1, True], [0.5, 0.9]]),
        ("curve", "rising"),
        ("error_rates", {}),
        ("error_rates", {"labelled": 10}),
        ("error_rates", None),
    ],
)
def test_a_curve_or_rates_that_cannot_be_are_refused_by_name(key, value):
    """The message names the key."""
    data = json.loads(to_text(LABELLED)) | {key: value}
    with pytest.raises(CalibrationError, match=rf"f:\d+: {key}: found"):
        from_text(json.dumps(data), "f")


def test_a_curve_belongs_to_the_calibrated_scale():
    """On a relative scale a score is a rank."""
    with pytest.raises(CalibrationError, match="curve: found one on the scale relative, expected calibrated"):
        from_text(to_text(replace(LABELLED, scale="relative")), "f")


def test_500_answers_are_enough_or_50_that_people_labelled():
    """Labels without a curve do not count: their scores are ranks among too few."""
    assert LABELLED.enough and replace(PLAIN, answers=500).enough
    assert not replace(PLAIN, answers=499).enough
    assert not replace(LABELLED, error_rates=replace(RATES, labelled=49)).enough
    assert not replace(LABELLED, curve=(), answers=80).enough
