"""The official protobuf classes as a second oracle: the same numbers from a plain reading of the same random requests."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import HOLD, START, Clock, value

from truegreen.collector.inflate import inflated
from truegreen.collector.intake import Intake
from truegreen.collector.otlp_json import from_json
from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue
from truegreen.core.words.metric import Metric

LLM = {"chat", "generate_content", "text_completion", "embeddings"}
NAMES = st.sampled_from(["large", "small", "", "a\tb", "é" * 5, "x" * 300])
QUARTERS = st.integers(0, 400).map(lambda quarters: quarters / 4)
"""Numbers whose sums are exact in any order."""
NUMBERS = st.one_of(st.integers(0, 10**6), QUARTERS, st.just(-1), st.just(float("nan")), st.just("12"), st.booleans())
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.operation.name": st.sampled_from(["chat", "generate_content", "execute_tool", "embeddings", "retrieval", ""]),
        "gen_ai.provider.name": NAMES,
        "gen_ai.request.model": NAMES,
        "gen_ai.tool.name": NAMES,
        "gen_ai.usage.input_tokens": NUMBERS,
        "gen_ai.usage.output_tokens": NUMBERS,
        "truegreen.tool.outcome": st.sampled_from(["ok", "silent_error", "something"]),
        "truegreen.evaluation.sampled": st.sampled_from(["base", "boost", "none"]),
        "truegreen.evaluation.g.label": st.sampled_from(["pass", "fail", "maybe"]),
        "truegreen.evaluation.g.evaluator": NAMES,
        "truegreen.evaluation.g.score": st.one_of(st.floats(0, 1), st.just(2.0), st.just(float("nan"))),
        "truegreen.duplicate": st.booleans(),
        "http.route": NAMES,
        "more": st.lists(NAMES, max_size=3),
    },
)
SPANS = st.tuples(ATTRIBUTES, st.booleans(), st.integers(-2, 200))
RESOURCES = st.tuples(
    st.sampled_from([None, "bot", "shop"]), st.sampled_from([None, "production", "test"]), st.lists(SPANS, max_size=4)
)
REQUESTS = st.lists(RESOURCES, max_size=3)
Counts = dict[tuple[str, ...], float]


def request(given_: Any) -> ExportTraceServiceRequest:
    """These resources with their spans, each in a scope of its own."""
    made = ExportTraceServiceRequest()
    for service, environment, spans in given_:
        resource = made.resource_spans.add()
        for key, text in (("service.name", service), ("deployment.environment.name", environment)):
            if text is not None:
                resource.resource.attributes.add(key=key).value.string_value = text
        for attributes, error, seconds in spans:
            span = resource.scope_spans.add().spans.add(
                name="x", trace_id=b"\1" * 16, start_time_unix_nano=START, end_time_unix_nano=START + seconds * 10**9
            )
            span.status.code = 2 if error else 0
            for key, one in attributes.items():
                span.attributes.add(key=key).value.CopyFrom(value(one))
    return made


def text(attributes: dict[str, Any], key: str, default: str) -> str:
    """A label as the catalogue has it: control characters are spaces, at most 128 characters, empty is absent."""
    found = attributes[key].string_value if key in attributes and attributes[key].WhichOneof("value") == "string_value" else ""
    return "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in (found or default)[: catalogue.VALUE_LENGTH])


def number(attributes: dict[str, Any], key: str) -> float | None:
    """A number that is one; None for texts, booleans and what is not there."""
    kind = attributes[key].WhichOneof("value") if key in attributes else ""
    return float(getattr(attributes[key], kind)) if kind in ("int_value", "double_value") else None


def plain(made: ExportTraceServiceRequest) -> dict[str, Counter[tuple[str, ...]]]:
    """What the official classes give, counted as the catalogue says and in no clever way."""
    counted: dict[str, Counter[tuple[str, ...]]] = {
        name: Counter() for name in ("requests", "durations", "tools", "tokens", "answers", "spans")
    }
    for resource in made.resource_spans:
        said = {one.key: one.value.string_value for one in resource.resource.attributes}
        where = (said.get("service.name", "unknown_service"), said.get("deployment.environment.name", "unknown"))
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            counted["spans"][()] += 1
            attributes = {one.key: one.value for one in span.attributes}
            if "truegreen.duplicate" in attributes and attributes["truegreen.duplicate"].bool_value:
                continue
            operation = text(attributes, "gen_ai.operation.name", "")
            if operation == "execute_tool":
                error = "error" if span.status.code == 2 else "ok"
                outcome = text(attributes, "truegreen.tool.outcome", error)
                outcome = outcome if outcome in ("ok", "error", "timeout", "invalid_output", "silent_error") else "other"
                counted["tools"][*where, text(attributes, "gen_ai.tool.name", "unknown"), outcome] += 1
            if operation not in LLM:
                continue
            call = (
                *where,
                operation,
                text(attributes, "gen_ai.provider.name", "unknown"),
                text(attributes, "gen_ai.request.model", "unknown"),
            )
            counted["requests"][*call, "error" if span.status.code == 2 else "ok"] += 1
            counted["durations"][call] += span.end_time_unix_nano >= span.start_time_unix_nano
            for kind in ("input", "output"):
                tokens = number(attributes, f"gen_ai.usage.{kind}_tokens")
                counted["tokens"][*where, call[-1], kind] += tokens if tokens is not None and tokens >= 0 else 0
            label = text(attributes, "truegreen.evaluation.g.label", "")
            if text(attributes, "truegreen.evaluation.sampled", "") == "base" and label in ("pass", "fail"):
                counted["answers"][*where, "g", text(attributes, "truegreen.evaluation.g.evaluator", "unknown"), label] += 1
    return counted


def exposed(processor: Processor, of: Metric) -> Counter[tuple[str, ...]]:
    """What the collector shows: values of counters, counts of histograms."""
    found = next(one for one in processor.copy() if one.metric is of)
    return Counter({key: sum(cell[1:]) if of.kind == "histogram" else cell[0] for key, cell in found.series.items()})


PAIRS = {
    "requests": catalogue.LLM_REQUESTS,
    "durations": catalogue.LLM_DURATION,
    "tools": catalogue.TOOL_CALLS,
    "tokens": catalogue.LLM_TOKENS,
    "answers": catalogue.EVALUATED_ANSWERS,
    "spans": catalogue.COLLECTOR_ACCEPTED_SPANS,
}


@settings(max_examples=150)
@given(REQUESTS, st.sampled_from(["identity", "gzip", "json"]))
def test_random_requests_give_the_numbers_of_the_official_classes(given_: Any, encoding: str) -> None:
    """Six metrics, every series, by protobuf, gzip and JSON; the request is sent twice, so plans are made and used."""
    made = request(given_)
    clock = Clock()
    gate = Intake(Processor(clock, 30.0), 1 << 30)
    for _ in range(2):
        body = made.SerializeToString()
        if encoding == "gzip":
            body = inflated(gzip.compress(body))
        elif encoding == "json":
            body = from_json("traces", as_otlp_json(made))
        gate.take("traces", body)
    clock.advance(HOLD)
    for name, counted in plain(made).items():
        twice = Counter({key: number * 2 for key, number in counted.items()})
        assert +exposed(gate.processor, PAIRS[name]) == +twice, name


def as_otlp_json(message: Any) -> bytes:
    """OTLP/JSON of a message whose only ids are those of `request`."""
    from google.protobuf import json_format

    return json_format.MessageToJson(message).replace("AQEBAQEBAQEBAQEBAQEBAQ==", "01" * 16).encode()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["gen_ai.evaluation.result", "exception"]),
        st.booleans(),
        st.sampled_from(["pass", "fail", "maybe"]),
        st.sampled_from(["a", "b", ""]),
    ),
    max_size=6,
)


@given(EVENTS)
def test_random_events_give_the_numbers_of_the_official_classes(given_: Any) -> None:
    """Evaluation events that mirror nothing and name their evaluation."""
    made = ExportLogsServiceRequest()
    records = made.resource_logs.add().scope_logs.add().log_records
    for name, mirrored, label, evaluation in given_:
        record = records.add(event_name=name, time_unix_nano=START)
        told = {
            "gen_ai.evaluation.name": evaluation,
            "gen_ai.evaluation.score.label": label,
            "truegreen.evaluation.sampled": "base",
        }
        for key, one in (told | ({"truegreen.evaluation.mirrored": True} if mirrored else {})).items():
            record.attributes.add(key=key).value.CopyFrom(value(one))
    clock = Clock()
    processor = Processor(clock, 30.0)
    processor.logs(made.SerializeToString())
    clock.advance(HOLD)
    read = ExportLogsServiceRequest.FromString(made.SerializeToString()).resource_logs[0].scope_logs[0].log_records
    expected: Counter[tuple[str, ...]] = Counter()
    for record in read:
        told = {one.key: one.value for one in record.attributes}
        label, evaluation = told["gen_ai.evaluation.score.label"].string_value, told["gen_ai.evaluation.name"].string_value
        if (
            record.event_name == "gen_ai.evaluation.result"
            and "truegreen.evaluation.mirrored" not in told
            and evaluation
            and label != "maybe"
        ):
            expected["unknown_service", "unknown", evaluation, "unknown", label] += 1
    assert +exposed(processor, catalogue.EVALUATED_ANSWERS) == expected
