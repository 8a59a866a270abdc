"""The judge of groundedness: what it says, and that it never raises."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Sample
from truegreen.evaluation.evaluators.groundedness import make

PASSAGES = (
    "Opened items can be returned within 30 days of delivery when the box is undamaged.",
    "Refunds are paid to the original card within five working days.",
)
GOOD = Sample(
    "Can I return opened items?", "Yes, opened items can be returned within 30 days when the box is undamaged.", PASSAGES
)
BAD = replace(
    GOOD,
    answer="Certainly! Every customer in Belgium enjoys a lifetime guarantee for 90 years, and Zenith couriers collect parcels free.",
)


def frozen(answers: int = 500) -> Calibration:
    """A calibration whose floor is one half."""
    quantiles = tuple(i / 100 for i in range(101))
    return Calibration(
        "s", "e", "groundedness", "context-support", "relative", 0.5, quantiles, 0.03, 1.0, answers, "2026-01-01T00:00:00+00:00"
    )


def test_a_faithful_answer_passes_and_an_invented_one_fails():
    """Label, score, scale and digest come from the calibration."""
    judge = make({}, frozen())
    good, bad = judge(GOOD), judge(BAD)
    assert (good.label, bad.label) == ("pass", "fail")
    assert good.raw is not None and bad.raw is not None and good.raw > 0.5 > bad.raw
    assert good.score == pytest.approx(good.raw, abs=1e-9)
    assert (good.evaluation, good.evaluator, good.scale, good.calibration, good.skipped) == (
        "groundedness", "context-support", "relative", frozen().digest, "",
    )  # fmt: skip


def test_passages_of_something_else_lower_the_raw_score():
    """The same answer beside other passages is less supported."""
    other = replace(GOOD, passages=("The Amazon river carries more water than the next seven largest rivers combined.",))
    judge = make({}, None)
    assert judge(other).raw < judge(GOOD).raw / 2


@pytest.mark.parametrize("passages", [(), ("",), (" \n", "")])
def test_an_answer_without_passages_is_skipped_as_no_context(passages):
    """Blank passages are none."""
    result = make({}, frozen())(replace(GOOD, passages=passages))
    assert (result.skipped, result.raw, result.label) == ("no_context", None, "")


@pytest.mark.parametrize("calibration", [None, frozen(499)])
def test_without_a_baseline_of_500_there_is_raw_and_no_label(calibration):
    """A calibration of fewer answers counts as none."""
    result = make({}, calibration)(GOOD)
    assert (result.skipped, result.label, result.score, result.calibration, result.scale) == ("no_baseline", "", None, "", "")
    assert result.raw is not None


def test_more_words_than_the_setting_are_too_large():
    """Question, answer and passages are counted together; the default is 2000."""
    assert make({"words": 20}, None)(GOOD).skipped == "too_large"
    long = replace(GOOD, passages=("word " * 1_990,))
    assert make({}, None)(long).skipped == "too_large"
    assert make({"words": 3000}, None)(long).skipped == "no_baseline"
    assert make({}, None)(replace(GOOD, answer="x" * 100_000)).skipped == "too_large"


@pytest.mark.parametrize("words", [0, -1, "many", None, True])
def test_an_unusable_setting_falls_back_to_the_default(words):
    """The configuration's schema refuses it; the process that is watched must not stop for it."""
    assert make({"words": words}, None)(GOOD).skipped == "no_baseline"


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters()), st.text(st.characters()), st.lists(st.text(st.characters()), max_size=3))
def test_no_text_makes_it_raise(query, answer, passages):
    """Any text, half surrogate pairs too, gives a number from 0 to 1 or a reason, and never `error`."""
    result = make({}, frozen())(Sample(query, answer, tuple(passages)))
    assert result.skipped in ("", "no_context", "unsupported_language")
    assert result.raw is None or 0 <= result.raw <= 1


def test_a_broken_sample_is_an_error_result_and_no_exception():
    """What the application hands over may be of another kind."""
    assert make({}, frozen())(Sample("q", None, ("p",))).skipped == "error"  # type: ignore[arg-type]


def test_importing_and_judging_needs_the_standard_library_only():
    """It runs in the application's process: nothing that is not ours or the standard library's is imported."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from truegreen.evaluation.evaluators.groundedness import make\n"
        "from truegreen.core.words.shapes import Sample\n"
        "make({}, None)(Sample('q', 'an answer', ('a passage',)))\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'truegreen'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_saying_it_twice_changes_little():
    """The same sentence twice is supported alike: no feature measures length."""
    twice = replace(GOOD, answer=f"{GOOD.answer} {GOOD.answer}")
    judge = make({}, None)
    assert judge(twice).raw == pytest.approx(judge(GOOD).raw, abs=0.05)
