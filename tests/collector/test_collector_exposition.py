"""The exposition, read by the official parser."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from otlp_requests import Clock, judged, llm, span, traces
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

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


def opened(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], Sample]]:
    """What the official parser of OpenMetrics reads: sample name to label pairs to sample."""
    found: dict[str, dict[tuple[tuple[str, str], ...], Sample]] = {}
    for family in openmetrics_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample
    return found


def judged_calls(clock: Clock) -> Processor:
    """Three judged calls of one trace each, 61 s later."""
    processor = Processor(clock, 30.0)
    calls = (("pass", 0.5, 0.2), ("fail", 0.03, 7), ("pass", 1.0, 999))
    processor.traces(
        traces([span(judged(label, score), seconds=s, trace_id=bytes([i]) * 16) for i, (label, score, s) in enumerate(calls, 1)])
    )
    clock.advance(61)
    return processor


def test_openmetrics_has_what_plain_text_has_and_when_each_series_began() -> None:
    """The same samples by the official parsers of both formats; counters and histograms with the time of their birth."""
    clock = Clock()
    born = clock()
    copy = judged_calls(clock).copy()
    plain, found = parsed(exposition.text(copy, {})), opened(exposition.openmetrics(copy, {}))
    created = {name: samples for name, samples in found.items() if name.endswith("_created")}
    assert {name.removesuffix("_created") for name in created} == {
        one.metric.prometheus.removesuffix("_total") for one in copy if one.series and one.metric.kind != "gauge"
    }
    assert {sample.value for samples in created.values() for sample in samples.values()} == {born}

    def canonical(key: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((name, str(float(value)) if name == "le" else value) for name, value in key)

    assert {name: {canonical(key): value for key, value in samples.items()} for name, samples in plain.items()} == {
        name: {canonical(key): sample.value for key, sample in samples.items()}
        for name, samples in found.items()
        if name not in created
    }


def test_exemplars_lead_from_failing_answers_scores_and_durations_to_traces() -> None:
    """Of each bucket its own span, of a counter of failing answers the failing one, of one that passes none; none while a series is held at 0."""
    clock = Clock()
    processor = judged_calls(clock)
    found = opened(exposition.openmetrics(processor.copy(), {}))

    def exemplars(name: str, **labels: str) -> dict[str, str]:
        samples = [sample for key, sample in found[name].items() if labels.items() <= dict(key).items() and sample.exemplar]
        assert all(sample.exemplar.labels["span_id"] == "02" * 8 for sample in samples)
        return {sample.labels.get("le", ""): sample.exemplar.labels["trace_id"][:2] for sample in samples}

    assert exemplars(catalogue.LLM_DURATION.bucket) == {"0.25": "01", "10.0": "02", "+Inf": "03"}
    assert exemplars(catalogue.EVALUATION_SCORE.bucket) == {"0.5": "01", "0.05": "02", "1.0": "03"}
    for counter in (catalogue.EVALUATIONS, catalogue.EVALUATED_ANSWERS):
        assert exemplars(counter.prometheus, result="fail") == {"": "02"}
        assert exemplars(counter.prometheus, result="pass") == {}
    processor.traces(traces([span(judged("fail") | {"gen_ai.request.model": "new"})]))
    found = opened(exposition.openmetrics(processor.copy(), {}))
    assert exemplars(catalogue.LLM_DURATION.bucket, model="new") == {}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text", True),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5,*/*;q=0.1",
            True,
        ),
        ("text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
    ],
)
def test_the_format_is_what_the_scraper_prefers(accept: str, wanted: bool) -> None:
    """Prometheus names OpenMetrics first; a browser and curl get plain text."""
    assert exposition.prefers_openmetrics(accept) == wanted


@pytest.mark.parametrize(
    ("bound", "plain", "canonical"),
    [
        (0, "0", "0.0"),
        (0.1234567, "0.1234567", "0.1234567"),
        (-2.5, "-2.5", "-2.5"),
        (123456.7, "123456.7", "123456.7"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "1e-05", "1e-05"),
        (100000, "100000", "100000.0"),
        (1e6, "1e+06", "1e+06"),
        (1048576, "1.048576e+06", "1.048576e+06"),
        (1048577, "1.048577e+06", "1.048577e+06"),
        (1e100, "1e+100", "1e+100"),
        (5e-324, "5e-324", "5e-324"),
    ],
)
def test_bounds_keep_every_digit_and_are_written_as_go_writes_them(bound: float, plain: str, canonical: str) -> None:
    """Two bounds that differ never give one series."""
    metric = dataclasses.replace(catalogue.LLM_DURATION, buckets=(bound,), label_set=())
    shown = [Exposed(metric, {("s", "e"): [1.0, 1.0, 0.0]})]
    assert f'le="{plain}"' in exposition.text(shown, {}) and f'le="{canonical}"' in exposition.openmetrics(shown, {})


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5.960464477539063e-08)  # halfway between two of its own length
def test_any_bound_comes_back(bound: float) -> None:
    """By the official parsers of both formats."""
    metric = dataclasses.replace(catalogue.LLM_DURATION, buckets=(bound,), label_set=())
    shown = [Exposed(metric, {("s", "e"): [1.0, 1.0, 0.0]})]
    for made in (exposition.text(shown, {}), exposition.openmetrics(shown, {})):
        found = re.findall(r'le="([^"]+)"', made)
        assert [float(one) for one in found] == [bound, math.inf]
