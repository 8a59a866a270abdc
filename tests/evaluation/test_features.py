"""Words, sentences and the eleven features."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.evaluation.lexical.features import NAMES, features
from truegreen.evaluation.lexical.text import is_stop, number, sentences, stem, words

PASSAGE = (
    "Opened items can be returned within 30 days. The refund is paid to the original card by Acme Bank in three working days."
)
TEXT = st.text(st.characters(), max_size=300) | st.text("aA .!?\n\"'’-1,(•", max_size=300)


def named(answer: str, query: str = "Can I return opened items?", passages: tuple[str, ...] = (PASSAGE,)) -> dict[str, float]:
    """The features by name."""
    return dict(zip(NAMES, features(query, answer, passages), strict=True))


def test_words_keep_inner_apostrophes_commas_and_points_and_hyphens_part_them():
    """A word is letters with inner apostrophes, or a number with inner marks; what stands outside is dropped."""
    assert words("It's a well-known 1,000.50 € 'fact' -- v2.") == ["It's", "a", "well", "known", "1,000.50", "fact", "v", "2"]


def test_the_stemmer_leaves_at_least_four_letters():
    """Light suffixes go, short words stay."""
    assert [stem(w) for w in ("Returned", "policies", "days", "gas", "being", "quickly", "Acme's")] == [
        "return", "polic", "days", "gas", "being", "quick", "acme",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "forms",
    ["provide provides provided providing", "policy policies", "plan plans planned planning", "cause causes caused causing", "press pressed",
     "study studies studied studying", "three Three 3", "well-being wellbeing"],
)  # fmt: skip
def test_the_forms_of_a_word_have_one_stem(forms):
    """Else an answer that says *provides* is not supported by a passage that says *provide*."""
    found = {tuple(stem(word) for word in words(form)) for form in forms.split()}
    assert len(found) == (2 if "-" in forms else 1), found


def test_a_hyphen_and_a_number_word_support_what_they_stand_for():
    """*long-term* is *long term*, and 3 is *three* both ways."""
    said = named("A long term plan lasts three years.", passages=("A long-term plan lasts 3 years.",))
    assert (said["words_supported"], said["numbers_absent"]) == (1.0, 0.0)


def test_stop_words_are_tested_as_written_and_as_stem():
    """The words that a list tested on stems alone lets through are stop words here."""
    assert all(
        is_stop(w) for w in ("passages", "provided", "according", "following", "including", "Based", "others", "needed", "Needs")
    )
    assert not any(is_stop(w) for w in ("refund", "30", "Acme"))


def test_numbers_have_one_form():
    """Commas, trailing zeros and leading zeros do not make another number."""
    assert [number(n) for n in ("1,000", "1000.50", "3.0", "007", "0", "1.2.3")] == ["1000", "1000.5", "3", "7", "0", "1.2.3"]


def test_sentences_end_before_a_capital_or_at_a_line_and_short_pieces_go():
    """`e.g. this` is no end; list numbering and pieces under three words are dropped."""
    text = 'He said "go now." Then we left e.g. home early.\n1. First item here\nYes.\n'
    assert [" ".join(s) for s in sentences(text)] == ["He said go now", "Then we left e g home early", "First item here"]


def test_a_copied_passage_is_supported_in_every_respect():
    """Nothing of an answer copied from its passage is absent."""
    found = named(PASSAGE)
    assert found["words_supported"] == found["trigrams_supported"] == found["worst_sentence_supported"] == 1.0
    assert (
        found["numbers_absent"]
        == found["names_absent"]
        == found["longest_unsupported_run"]
        == found["weak_sentences_share"]
        == 0.0
    )


def test_a_number_in_words_supports_the_digit():
    """ "three" in the passage supports 3; 5 is absent."""
    assert named("It takes 3 working days.")["numbers_absent"] == 0
    assert named("It takes 5 working days.")["numbers_absent"] == 1
    assert named("It takes 5 working days.")["numbers_absent_share"] == 1.0


def test_list_numbering_is_no_number():
    """The 1. and 2. before items are not looked for in the passages."""
    assert named("1. Return the opened items\n2. Wait for the refund")["numbers_absent"] == 0


def test_a_name_counts_where_it_does_not_begin_a_sentence():
    """A capital at a sentence's head says nothing."""
    assert named("Zenith will pay the refund.")["names_absent"] == 0
    assert named("The refund comes from Zenith.")["names_absent"] == 1
    assert named("The refund comes from Acme.")["names_absent"] == 0


def test_the_unsupported_run_skips_stop_words_and_goes_over_a_sentences_end():
    """Four content words in a row are absent, with stop words and a full stop between them."""
    assert (
        named("Refunds need a unicorn and the dragon. However, a wizard of castles returned items.")["longest_unsupported_run"]
        == 4
    )


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT, st.lists(TEXT, max_size=3))
def test_any_text_gives_eleven_finite_numbers(query: str, answer: str, passages: list[str]):
    """No text raises, and every share stays between 0 and 1."""
    found = dict(zip(NAMES, features(query, answer, passages), strict=True))
    assert all(math.isfinite(value) and value >= 0 for value in found.values())
    counts = ("numbers_absent", "names_absent", "longest_unsupported_run")
    assert all(value <= 1 for name, value in found.items() if name not in counts)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["\n", " ", ".", '."', "a-", "1,", "a'", ". \n", '"', "1) ", "\t", "A. ", "("])
def test_a_hostile_text_ends(unit):
    """400,000 characters that a backtracking pattern would chew on for hours."""
    text = unit * (400_000 // len(unit))
    assert len(sentences(text)) + len(words(text)) >= 0
    assert features(text, text, [text])
