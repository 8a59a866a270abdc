"""PromQL and YAML as text."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from truegreen.alert_rules.text import any_of, matcher, number, to_yaml
from truegreen.alert_rules.windows import clock, duration, parse
from truegreen.core.errors import BadInput

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=40)
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
TREES = st.recursive(
    TEXTS | st.integers(-5, 10**9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=4))
def test_yaml_reads_back_as_it_was_written(tree):
    """Whatever the texts hold: quotes, colons, line ends, words that YAML takes for something else."""
    assert yaml.safe_load(to_yaml(tree, "a comment")) == tree


@pytest.mark.parametrize(
    "word", ["null", "yes", "On", "1h", "0x10", "1_000", "~", "- a", "a: b", "a #b", "", " a", "=", "012", "1:30"]
)
def test_yaml_keeps_texts_texts(word):
    """A text is never read back as another kind of thing."""
    assert yaml.safe_load(to_yaml({"key": word})) == {"key": word}


def test_yaml_refuses_floats():
    """0.9990000000000001 is how floats look in rules."""
    with pytest.raises(TypeError):
        to_yaml({"key": 0.1})


@given(st.decimals(min_value=0, max_value=10**6, allow_nan=False, places=9))
def test_numbers_have_no_exponent_and_lose_nothing(value):
    """What is printed is the number."""
    text = number(value)
    assert "e" not in text.lower()
    assert Decimal(text) == value


@given(st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=4))
def test_a_matcher_of_names_matches_those_names_alone(names):
    """Dots and brackets in service names are not read as a pattern."""
    pattern = re.compile(any_of(names))
    assert all(pattern.fullmatch(name) for name in names)
    assert not pattern.fullmatch("".join(names) + "x")


def test_matchers_escape_quotes():
    """A quote in a name does not end the string."""
    assert matcher("service", ['a"b']) == 'service="a\\"b"'


@given(st.integers(1, 10**7))
def test_a_duration_reads_back(seconds):
    """Whole seconds in one unit."""
    assert parse(duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("scale", "texts"), [(1, ("5m", "6h", "30d")), (60, ("5s", "6m", "12h")), (7, ("42s", "3085s", "370285s"))]
)
def test_a_time_scale_divides_every_duration(scale, texts):
    """In whole seconds."""
    assert tuple(clock(scale, 30).text(name) for name in ("5m", "6h", "30d")) == texts


@pytest.mark.parametrize("scale", [0, 61, -1])
def test_a_time_scale_out_of_range_is_refused(scale):
    """More than 60 leaves the shortest window too few scrapes."""
    with pytest.raises(BadInput, match="--time-scale"):
        clock(scale, 30)


def test_a_scrape_interval_that_leaves_windows_empty_is_refused():
    """Four scrapes in five minutes are the least."""
    with pytest.raises(BadInput, match="scrape_interval"):
        clock(1, 90)
