"""What holds for every evaluator: bad input, other languages, size, what it imports, and what its result may be."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Sample
from truegreen.core.words.terms import SKIP_REASONS
from truegreen.instrumentation.results import wrong

SETTINGS = {"embedding": "lexical", "schema": {"type": "object"}}
OURS = {
    name: entry_points(group="truegreen_evaluator")[name].load()
    for name in (
        "groundedness", "number_support", "entity_support", "retrieval_relevance", "expected_similarity", "refusal", "empty", "truncated",
        "schema_validity", "repetition", "answer_relevance", "confident_wording",
    )
}  # fmt: skip
EXACT = {"refusal", "empty", "truncated", "schema_validity"}
NEEDS = {
    "groundedness": {"no_context"}, "number_support": {"no_context"}, "entity_support": {"no_context"},
    "retrieval_relevance": {"no_context", "no_question"}, "expected_similarity": {"no_expected"}, "answer_relevance": {"no_question"},
}  # fmt: skip
OF_PASSAGES = {"groundedness", "number_support", "entity_support", "retrieval_relevance"}
ENGLISH_ONLY = set(OURS) - {"expected_similarity", "empty", "truncated", "schema_validity", "repetition"}
GOOD = Sample(
    "How many days do I have to return opened items to the Acme shop?",
    "Opened items can be returned to the Acme shop within 30 days of delivery.",
    ("The Acme shop takes opened items back within 30 days of delivery, when the box is undamaged.",),
    "m",
    "They can be returned within 30 days.",
    ("stop",),
)
GERMAN = Sample(
    "Wie lange kann ich geöffnete Ware an den Händler zurückgeben und was muss ich dafür tun?",
    "Die Rückgabe geöffneter Ware ist innerhalb von 30 Tagen nach der Lieferung möglich, wenn die Verpackung nicht beschädigt ist.",
    ("Geöffnete Ware nehmen wir innerhalb von 30 Tagen nach der Lieferung zurück, wenn die Verpackung nicht beschädigt ist.",),
    expected="Die Ware kann innerhalb von 30 Tagen zurückgegeben werden.",
)
JAPANESE = Sample(
    "返品できますか。",
    "開封済みの商品は30日以内に返品できます。",
    ("開封済みの商品は30日以内に返品できます。",),
    expected="30日以内に返品できます。",
)
EVERY = pytest.mark.parametrize("name", OURS)


def judge(name, calibration=None, **more):
    """One of ours, by words."""
    return OURS[name]({**SETTINGS, **more}, calibration)


def frozen(answers=500):
    """A calibration whose floor is one half."""
    quantiles = tuple(i / 100 for i in range(101))
    return Calibration("s", "e", "x", "x", "relative", 0.5, quantiles, 0.03, 1.0, answers, "2026-01-01T00:00:00+00:00")


def settled(name, sample, calibration=None, **more):
    """The result, which the application would take as one."""
    result = judge(name, calibration, **more)(sample)
    assert wrong(result) == ""
    assert result.evaluation == name
    assert result.evaluator
    return result


@EVERY
def test_a_good_sample_has_a_number_and_a_baseline_gives_its_verdict(name):
    """Exact ones need no baseline, confident wording never has a verdict."""
    without, few, with_one = settled(name, GOOD), settled(name, GOOD, frozen(499)), settled(name, GOOD, frozen())
    assert isinstance(without.raw, float)
    assert without == few
    if name == "confident_wording":
        assert with_one == without
        assert (without.label, without.skipped, without.score) == ("", "shown_only", without.raw)
    elif name in EXACT:
        assert (without.label, without.score, without.scale, without.calibration) == (
            "pass" if without.raw else "fail", without.raw, "calibrated", "",
        )  # fmt: skip
        assert with_one.calibration == frozen().digest
    else:
        assert (without.skipped, without.label) == ("no_baseline", "")
        assert (with_one.label, with_one.scale, with_one.calibration) == (
            "pass" if with_one.raw >= 0.5 else "fail", "relative", frozen().digest,
        )  # fmt: skip


@EVERY
@pytest.mark.parametrize("answer", ["", " \n\t", "?!"])
def test_an_empty_answer_is_judged_and_breaks_nothing(name, answer):
    """It claims nothing and repeats nothing, it is like nothing, and it is no JSON."""
    sample = Sample(GOOD.query, answer, GOOD.passages, expected=GOOD.expected)
    result = settled(name, sample)
    nothing = {
        "empty": 0.0,
        "schema_validity": 0.0,
        "answer_relevance": 0.0,
        "expected_similarity": 0.0,
        "confident_wording": 0.5,
    }
    if name == "groundedness":
        assert result.raw > 0.5
    elif name != "retrieval_relevance":
        assert result.raw == nothing.get(name, 1.0)


@EVERY
@pytest.mark.parametrize("sample", [Sample("", "An answer of some words."), Sample(" ", "An answer of some words.", ("", " \n"))])
def test_what_is_lacking_is_said(name, sample):
    """No passages, no question, no expected answer."""
    result = settled(name, sample, frozen())
    if name in NEEDS:
        assert result.skipped in NEEDS[name]
        assert (result.raw, result.label) == (None, "")
    else:
        assert result.skipped in ("", "shown_only")
    if name == "retrieval_relevance":
        assert settled(name, Sample("", "a", GOOD.passages)).skipped == "no_question"


@EVERY
@pytest.mark.parametrize("sample", [GERMAN, JAPANESE], ids=["German", "Japanese"])
def test_another_language_is_marked_and_not_guessed(name, sample):
    """By those that know English only; the others judge it."""
    result = settled(name, sample, frozen())
    if name in ENGLISH_ONLY:
        assert (result.skipped, result.raw, result.label) == ("unsupported_language", None, "")
    else:
        assert not result.skipped


UNITS = pytest.mark.parametrize("unit", ["word ", "x", "開", "\n", '{"a":', "a-1,b'", "I can't ", "```\n", "not able to "])


def megabytes(unit):
    """A megabyte as the answer, and one as a passage and the expected answer."""
    big = unit * (1_000_000 // len(unit))
    return (
        Sample(GOOD.query, big, GOOD.passages, expected=GOOD.expected),
        Sample(GOOD.query, GOOD.answer, (GOOD.passages[0], big), expected=big),
    )


@EVERY
@UNITS
def test_a_megabyte_is_too_large_for_who_reads_it(name, unit):
    """Whatever it is made of, with the setting `words` as the application hands it over."""
    in_answer, beside_it = (settled(name, sample, words=20_000).skipped == "too_large" for sample in megabytes(unit))
    assert in_answer == (name != "retrieval_relevance")
    assert beside_it == (name in OF_PASSAGES or name == "expected_similarity")


@pytest.mark.full
@EVERY
@UNITS
@pytest.mark.timeout(60)
def test_a_megabyte_that_the_setting_lets_in_is_judged_and_ends(name, unit):
    """No pattern runs wild, and nothing is an error."""
    for sample in megabytes(unit):
        assert settled(name, sample, words=1_000_000).skipped not in ("too_large", "error")


@EVERY
@settings(max_examples=10, deadline=None)
@given(
    st.text(st.characters(), max_size=200), st.text(st.characters(), max_size=200), st.lists(st.text(st.characters()), max_size=3)
)
def test_no_text_makes_it_raise(name, query, answer, passages):
    """Half surrogate pairs too: a finite number or a reason, and never `error`."""
    result = settled(name, Sample(query, answer, tuple(passages), expected=query), frozen())
    assert result.skipped in set(SKIP_REASONS) - {"error", "no_baseline"} or not result.skipped


@EVERY
def test_a_broken_sample_is_an_error_result_and_no_exception(name):
    """What the application hands over may be of another kind."""
    assert judge(name)(Sample(None, None, (None,), expected=None)).skipped == "error"  # type: ignore[arg-type]


@EVERY
@pytest.mark.parametrize("words", [0, -1, "many", None, True])
def test_an_unusable_size_falls_back_to_the_default(name, words):
    """The configuration's schema refuses it; the process that is watched must not stop for it."""
    assert settled(name, GOOD, words=words) == settled(name, GOOD)


@EVERY
def test_the_size_is_of_what_is_read(name):
    """An evaluator of the answer alone judges it whatever was retrieved."""
    result = settled(name, Sample(GOOD.query, GOOD.answer, ("word " * 3_000,), expected=GOOD.expected))
    assert (result.skipped == "too_large") == (
        name in {"groundedness", "number_support", "entity_support", "retrieval_relevance"}
    )


def test_what_is_imported_in_the_applications_process():
    """The standard library, OpenTelemetry where its word lists lie, and jsonschema for a schema; never numpy."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from truegreen.evaluation.evaluators import expected, form, groundedness, relevance, repetition, support, wording\n"
        "from truegreen.core.words.shapes import Sample\n"
        "s = {'embedding': 'lexical'}\n"
        "made = [expected.make, groundedness.make, relevance.make_retrieval, relevance.make_answer, repetition.make, form.make_empty,\n"
        "        support.make_numbers, support.make_entities, wording.make_refusal]\n"
        "[make(s, None)(Sample('q', 'an answer', ('a passage',), expected='an answer')) for make in made]\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'truegreen'}))\n"
        "wording.make_confident(s, None); form.make_truncated(s, None)\n"
        "print(sorted({'numpy', 'onnxruntime', 'jsonschema'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["[]", "[]"]
