"""The exposition, read by the official parser."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import Clock, judged, llm, span, traces
from prometheus_client.parser import text_string_to_metric_families

from truegreen.collector import exposition
from truegreen.collector.model import Exposed
from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue


def parsed(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Sample name to label pairs to value."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = tuple(sorted(sample.labels.items()))
            assert key not in found.setdefault(sample.name, {}), f"{sample.name}{key} stands twice"
            found[sample.name][key] = sample.value
    return found


def test_a_whole_exposition_is_read_by_the_official_parser() -> None:
    """All kinds of metrics, with their types; histograms are cumulative and end in +Inf = count."""
    clock = Clock()
    processor = Processor(clock, 30.0)
    processor.traces(
        traces(
            [
                span(judged(label, score), seconds=s)
                for label, score, s in (("pass", 0.5, 0.2), ("fail", 0.03, 7), ("pass", 1.0, 999))
            ]
        )
    )
    clock.advance(61)
    text = exposition.text(processor.copy(), {})
    types = {family.name: family.type for family in text_string_to_metric_families(text)}
    for metric in catalogue.ALL:
        assert types[metric.prometheus.removesuffix("_total")] == metric.kind
    found = parsed(text)
    buckets = {dict(key)["le"]: value for key, value in found[catalogue.LLM_DURATION.bucket].items()}
    assert list(buckets) == [*(f"{b:g}" for b in catalogue.LLM_DURATION.buckets), "+Inf"]
    assert buckets["0.1"] == 0 and buckets["0.25"] == 1 and buckets["10"] == 2 and buckets["+Inf"] == 3
    assert list(buckets.values()) == sorted(buckets.values())
    assert list(found[catalogue.LLM_DURATION.count].values()) == [3]
    assert list(found[catalogue.LLM_DURATION.sum].values()) == [pytest.approx(1006.2)]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.floats())
def test_any_label_value_and_number_come_back(label: str, number: float) -> None:
    """Backslash, quote and newline are escaped; numbers keep every digit."""
    shown = Exposed(catalogue.CONTAINED_REQUESTS, {("s", "e", label): [number]})
    found = parsed(exposition.text([shown], {}))[catalogue.CONTAINED_REQUESTS.prometheus]
    (((key, value),),) = [list(found.items())]
    assert dict(key)["containment"] == label
    assert value == number or (math.isnan(value) and math.isnan(number))


def test_a_second_scrape_says_the_new_values_with_the_kept_beginnings() -> None:
    """The cache of line beginnings never holds a value."""
    clock = Clock()
    processor = Processor(clock, 30.0)
    heads: exposition.Heads = {}
    for expected in (0, 2, 3):
        processor.traces(traces([span(llm())]))
        found = parsed(exposition.text(processor.copy(), heads))
        assert list(found[catalogue.LLM_REQUESTS.prometheus].values()) == [expected]
        clock.advance(61)
