"""Patterns of service names: RE2 and Python must find the same with what is taken."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from truegreen.core.config.pattern import example, refused

PARTS = [
    "a",
    "b-",
    "7",
    ".",
    "[a-z]",
    "[^a-c]",
    "[0-9_]",
    "(",
    "(?:",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{0}",
    "{0,3}",
    "{1,}",
    "\\.",
    "/",
    "é",
]


@pytest.mark.parametrize(
    "pattern",
    ["checkout-.+", "(eu|us)-bot", "a{2,3}", "[^a-c]+x", "shop\\.[a-z]{1,}", "(?:a|b)*c", "bot", "naïve-.*"],
)
def test_what_both_read_alike_is_taken(pattern):
    """And gives a name that it matches."""
    assert refused(pattern) is None
    assert re.fullmatch(pattern, example(pattern))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a(?=b)", "'(' at character 2 is not taken"),
        ("(?<!a)b", "is not taken"),
        ("(?i)bot", "is not taken"),
        ("(?P<x>a)", "is not taken"),
        ("(a)\\1", "'\\\\' at character 4"),
        ("\\d+", "is not taken"),
        ("^bot$", "'^' at character 1"),
        ("a++", "repeats nothing, or a repetition"),
        ("a+?", "repeats nothing, or a repetition"),
        ("*a", "repeats nothing"),
        ("a{3,2}", "min repeat greater than max repeat"),
        ("(a", "missing )"),
        ("a)", "unbalanced parenthesis"),
        ("[z-a]", "bad character range"),
        ("(a{100}){100}", "repeats more than 1000 times"),
        ("[[:alpha:]]", "is not taken"),
        ("a{0}", "nothing but the empty name"),
    ],
)
def test_what_they_read_differently_or_not_at_all_is_refused(pattern, said):
    """With the character, and what to write."""
    assert said in (refused(pattern) or "")
    assert "write names" in (refused(pattern) or "")


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join))
def test_every_pattern_that_is_taken_matches_its_example(pattern):
    """Whatever it is put together from; the rules' own tests are about a service of that name."""
    assume(refused(pattern) is None)
    assert re.fullmatch(pattern, example(pattern)), pattern
