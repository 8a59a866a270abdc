"""The shadow reading against the official classes: same values on the same bytes, and no crash on any bytes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_requests import Clock, events, judged, llm, span, traces, value

from truegreen.collector import wire
from truegreen.collector.processor import Processor

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
INTEGER = st.integers(-(2**63), 2**63 - 1)
SCALAR = st.one_of(TEXT, st.booleans(), INTEGER, st.floats())
VALUE = st.one_of(SCALAR, st.lists(SCALAR, max_size=40), st.lists(st.floats(), max_size=200), st.lists(TEXT, max_size=10))
ATTRIBUTES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60), VALUE, max_size=40)


def same(a: Any, b: Any) -> bool:
    return (a != a and b != b) or a == b


@given(ATTRIBUTES, st.booleans(), st.binary(min_size=16, max_size=16), st.floats(0, 1000))
def test_a_shadow_span_has_what_the_official_one_has(
    attributes: dict[str, Any], error: bool, trace_id: bytes, seconds: float
) -> None:
    """Attributes, times, ids and status of arbitrary spans."""
    data = traces([span(attributes, seconds, error, trace_id), span({})])
    official = ExportTraceServiceRequest.FromString(data).resource_spans[0]
    shadow = wire.parse_traces(data).resource_spans[0]
    assert {k: wire.text(v) for k, v in shadow.resource.attributes.items()} == {
        a.key: a.value.string_value for a in official.resource.attributes
    }
    for left, right in zip(shadow.scope_spans[0].spans, official.scope_spans[0].spans, strict=True):
        assert (left.trace_id, left.start, left.end) == (right.trace_id, right.start_time_unix_nano, right.end_time_unix_nano)
        assert wire.is_error(left.status) == (right.status.code == 2)
        expected = {pair.key: pair.value.SerializeToString() for pair in right.attributes}
        assert {wire.name(pair): wire.value(pair) for pair in left.attributes} == expected
        assert list(left.attributes) == wire.plain(list(left.attributes)) == [wire.pair(k, v) for k, v in expected.items()]
        for raw in expected.values():
            check(raw)


def check(raw: bytes) -> None:
    """Decoding by hand gives what the official AnyValue holds."""
    official = AnyValue.FromString(raw)
    kind = official.WhichOneof("value")
    if kind == "string_value":
        assert wire.text(raw) == official.string_value
        assert wire.encoded(official.string_value) == raw
        assert wire.strings(raw) == [official.string_value]
    elif kind in ("int_value", "double_value"):
        assert same(wire.number(raw), getattr(official, kind))
    elif kind == "bool_value":
        assert wire.text(raw) == str(official.bool_value).lower()
        assert (raw == wire.TRUE) == official.bool_value
    elif kind == "array_value":
        elements = official.array_value.values
        texts = [e.string_value for e in elements if e.WhichOneof("value") == "string_value"]
        numbers = [
            getattr(e, e.WhichOneof("value")) if e.WhichOneof("value") in ("int_value", "double_value") else math.nan
            for e in elements
        ]
        if len(texts) == len(elements):
            assert wire.strings(raw) == texts
        found = wire.doubles(raw)
        assert len(found) == len(numbers) and all(map(same, found, numbers))
        assert wire.text(raw) is None


@given(st.lists(TEXT, max_size=10))
def test_a_list_of_texts_is_read_in_order(texts: list[str]) -> None:
    """Finish reasons and markers."""
    assert wire.strings(value(texts).SerializeToString()) == texts


@given(st.binary(max_size=60))
def test_any_bytes_decode_to_something(raw: bytes) -> None:
    """No bytes of a value raise: what is not a number is NaN, what is not a text is None."""
    wire.text(raw), wire.strings(raw), wire.doubles(raw), wire.number(raw), wire.is_error(raw)


@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_a_mutated_request_is_counted_or_refused_never_raised(at: int, change: int, cut: bool) -> None:
    """A flipped byte or a cut anywhere gives a count or a DecodeError, and the processor lives on."""
    whole = bytearray(traces([span(judged("fail", user__id="u")), span(llm(gen_ai__response__finish_reasons=["stop"]))]))
    at %= len(whole)
    whole[at] ^= change
    processor = Processor(Clock(), 30.0)
    try:
        processor.traces(bytes(whole[:at] if cut else whole))
    except wire.DecodeError:
        pass
    processor.copy()


def test_log_records_are_read_like_the_official_ones() -> None:
    """Event name, time, trace and attributes of an evaluation event."""
    data = events([{"gen_ai.evaluation.name": "g", "gen_ai.evaluation.score.value": 0.25}])
    official = ExportLogsServiceRequest.FromString(data).resource_logs[0].scope_logs[0].log_records[0]
    shadow = wire.parse_logs(data).resource_logs[0].scope_logs[0].log_records[0]
    assert (shadow.event_name.decode(), shadow.time, shadow.trace_id) == (
        official.event_name,
        official.time_unix_nano,
        official.trace_id,
    )
    assert wire.number(shadow.attributes["gen_ai.evaluation.score.value"]) == 0.25


def test_a_value_with_bad_utf8_does_not_lose_the_batch() -> None:
    """The official parser refuses the whole request; here one label has a replacement character."""
    good = traces([span(llm(truegreen__cohort="AAAA"))])
    bad = good.replace(b"AAAA", b"A\xff\xfeA")
    with pytest.raises(wire.DecodeError):
        ExportTraceServiceRequest.FromString(bad)
    processor = Processor(Clock(), 30.0)
    assert processor.traces(bad) == 1
