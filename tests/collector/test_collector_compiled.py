"""The compiled processor against the official classes and the catalogue interpreted span by span: every series, value by value."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import HOLD, INTERVAL, Clock, span, traces

from truegreen.collector import layout, wire
from truegreen.collector.plan import Facts, constant, holds, is_constant, label_value
from truegreen.collector.processor import Processor
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue
from truegreen.core.words.dialect import finish
from truegreen.core.words.metric import Metric, Read, Value

COUNTED = [m for m in catalogue.ALL if m.span and not m.keep]
EVALUATION = "truegreen.evaluation.groundedness."
PARTS = ("label", "evaluator", "scale", "calibration", "skipped", "sampled")
NUMBER = st.one_of(st.floats(-1, 3), st.integers(-1, 500), st.just(float("nan")), st.just("many"))
WORD = st.sampled_from(["a", "b", "ok", "true_positive", "chat", "error", "block", "429", ""])
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "gen_ai.operation.name": st.sampled_from(["chat", "chat", "embeddings", "retrieval", "execute_tool", "invoke_agent", "other"]),
    "gen_ai.request.model": WORD, "gen_ai.provider.name": WORD, "gen_ai.system": WORD, "gen_ai.response.model": WORD, "error.type": WORD,
    "gen_ai.response.finish_reasons": st.lists(st.sampled_from(["stop", "tool_calls", "length"]), max_size=2),
    "gen_ai.usage.input_tokens": NUMBER, "gen_ai.usage.output_tokens": NUMBER, "gen_ai.usage.prompt_tokens": NUMBER,
    "gen_ai.response.time_to_first_chunk": NUMBER, "truegreen.cohort": WORD, "truegreen.snapshot.id": WORD, "truegreen.duplicate": st.booleans(),
    "truegreen.answer.markers": st.lists(st.sampled_from(["refusal", "empty", "odd"]), max_size=2), "gen_ai.tool.name": WORD,
    "truegreen.tool.outcome": WORD, "gen_ai.agent.name": WORD, "truegreen.agent.steps": NUMBER, "truegreen.agent.loop": st.booleans(),
    "gen_ai.data_source.id": WORD, "truegreen.retrieval.documents.count": NUMBER, "truegreen.retrieval.relevance.below_floor": NUMBER,
    "truegreen.retrieval.relevance.scores": st.lists(st.floats(-2, 2), max_size=4), "truegreen.retrieval.index.name": WORD,
    "truegreen.retrieval.index.rebuilt": NUMBER, "truegreen.guardrail.name": WORD, "truegreen.guardrail.action": WORD,
    "truegreen.guardrail.verdict": WORD, "truegreen.feedback.score": NUMBER, "truegreen.task.name": WORD, "truegreen.task.outcome": WORD,
    "truegreen.agent.branch": WORD, "truegreen.evaluation.sampled": st.sampled_from(["base", "boost", "none"]), "foreign": WORD,
    **{EVALUATION + part: WORD for part in ("evaluator", "scale", "calibration", "skipped")},
    EVALUATION + "label": st.sampled_from(["pass", "fail", "odd"]), EVALUATION + "score": NUMBER, EVALUATION + "raw": NUMBER,
    EVALUATION + "sampled": st.sampled_from(["base", "boost"]), "truegreen.evaluation.tone.label": st.sampled_from(["pass", "fail"]),
    "truegreen.evaluation.tone.score": NUMBER,
}  # fmt: skip
ALIASES = {"gen_ai.provider.name": "gen_ai.system", "gen_ai.usage.input_tokens": "gen_ai.usage.prompt_tokens"}
Held = Mapping[str, bytes]
SPAN = st.tuples(
    st.lists(st.sampled_from(sorted(VALUES)), max_size=14).flatmap(
        lambda keys: st.tuples(*(st.tuples(st.just(key), VALUES[key]) for key in ["gen_ai.operation.name", *keys]))
    ),
    st.booleans(),
    st.floats(0, 100),
)


def expected(spans: list[Span]) -> dict[tuple[str, tuple[str, ...]], list[float]]:
    """Every series of these spans of service bot in production, by metric and labels."""
    found: dict[tuple[str, tuple[str, ...]], list[float]] = {}
    for one in spans:
        held = {pair.key: pair.value.SerializeToString() for pair in one.attributes}
        if held.get(names.DUPLICATE) == AnyValue(bool_value=True).SerializeToString():
            continue
        for metric in COUNTED:
            gate = catalogue.SPANS[metric.span]
            assert gate.read
            value = read(held, gate.read.names)
            present = any(name in held for name in gate.read.names)
            if not present or (gate.values and (value is None or wire.text(value) not in gate.values or value[:1] != b"\x0a")):
                continue
            for name in evaluations(held) if metric.each == "evaluation" else [""]:
                _count(metric, held, one, name, found)
    return found


def read(held: Held, wanted: tuple[str, ...]) -> bytes | None:
    tried = [name for one in wanted for name in (one, ALIASES.get(one, one))]
    return next((held[name] for name in tried if held.get(name)), None)


def evaluations(held: Held) -> list[str]:
    parts = [key.removeprefix("truegreen.evaluation.").split(".") for key in held if key.startswith("truegreen.evaluation.")]
    return sorted({part[0] for part in parts if len(part) == 2})


class _Attributes(dict[tuple[str, ...], bytes | None]):
    def __init__(self, held: Held) -> None:
        self._held = held

    def get(self, wanted: Any, default: Any = None) -> Any:
        return read(self._held, wanted)


def _count(metric: Metric, held: Held, one: Span, name: str, found: dict[tuple[str, tuple[str, ...]], list[float]]) -> None:
    parts = {part: held.get(f"truegreen.evaluation.{name}.{part}") for part in PARTS}
    parts["sampled"] = parts["sampled"] or held.get(names.EVALUATION_SAMPLED)
    facts = Facts(_Attributes(held), error=one.status.code == 2, name=name, parts=parts)

    def cell(item: str | None, fixed: Mapping[str, str]) -> list[float] | None:
        values = [fixed.get(label.name) or label_value(label, facts, item) for label in metric.label_set]
        if None in values:
            return None
        size = {"histogram": len(metric.buckets) + 2, "counter": 1, "gauge": 1}[metric.kind]
        return found.setdefault((metric.prometheus, tuple(map(str, values))), [0.0] * size)

    if metric.born and holds(metric.born.when, facts):
        for birth in metric.label(metric.born.label).values:
            cell(None, {metric.born.label: birth})
    if metric.when and not holds(metric.when, facts):
        return
    if is_constant(metric):
        items: list[str | None] = [None]
        if metric.each and metric.each != "evaluation":
            items = [finish(i) if metric.each == names.FINISH_REASONS else i for i in wire.strings(held.get(metric.each, b""))]
        for item in items:
            amount = constant(metric.value, facts)
            into = cell(item, {})
            if into is not None and amount is not None:
                into[0] = 1.0 if metric.kind == "gauge" else into[0] + amount
        return
    for value, fixed in [(p.value, dict(p.labels)) for p in metric.parts] or [(metric.value, {})]:
        assert value
        into = cell(None, fixed)
        for v in numbers(metric, value, held, one, name):
            if into is None or not (value.low is None or v >= value.low) or not (value.high is None or v <= value.high) or v != v:
                continue
            amount = v * v if value.squared else v
            if metric.kind == "gauge":
                into[0] = amount
            else:
                into[0] += amount
            if metric.kind == "histogram":
                into[1 + sum(bound < amount for bound in metric.buckets)] += 1


def numbers(metric: Metric, value: Value, held: Held, one: Span, name: str) -> list[float]:
    """What a metric measures on one span: the official classes' values."""
    wanted = value.read
    assert wanted
    seconds = (one.end_time_unix_nano - one.start_time_unix_nano) / 1e9

    def official(raw: bytes | None) -> float | None:
        if raw is None:
            return None
        parsed = AnyValue.FromString(raw)
        kind = parsed.WhichOneof("value")
        return float(getattr(parsed, kind)) if kind in ("int_value", "double_value") else float("nan")

    def attribute(key: str) -> float | None:
        return official(read(held, (key,)))

    if wanted == Read("computed", ("duration",)):
        return [seconds]
    if wanted == Read("computed", ("time_per_output_token",)):
        first, many = attribute(names.TIME_TO_FIRST_CHUNK), attribute(names.OUTPUT_TOKENS)
        return [(seconds - first) / (many - 1)] if first is not None and many is not None and many > 1 else []
    if wanted.kind == "item":
        listed = held.get(metric.each)
        return [float(v.double_value) for v in AnyValue.FromString(listed).array_value.values] if listed else []
    made = (
        official(held.get(f"truegreen.evaluation.{name}.{wanted.names[0]}"))
        if wanted.kind == "evaluation"
        else attribute(wanted.names[0])
    )
    if made is None or not value.minus:
        return [] if made is None else [made]
    less = attribute(value.minus)
    return [] if less is None else [made - less]


def counted(processor: Processor, clock: Clock) -> dict[tuple[str, tuple[str, ...]], list[float]]:
    clock.advance(HOLD)
    shown = {
        (one.metric.prometheus, labels[2:]): list(numbers)
        for one in processor.copy()
        if one.metric in COUNTED
        for labels, numbers in one.series.items()
    }
    return {key: numbers[:1] if catalogue.BY_NAME[key[0]].kind == "gauge" else numbers for key, numbers in shown.items()}


def same(processor: Processor, clock: Clock, spans: list[Span]) -> None:
    """The processor shows what these spans give; a gauge that nobody stated is not shown."""
    wanted = expected(spans)
    found = counted(processor, clock)
    stated = {key for key, numbers in wanted.items() if catalogue.BY_NAME[key[0]].kind != "gauge" or any(numbers) or key in found}
    assert found.keys() == stated
    for key, shown in found.items():
        assert shown == pytest.approx(wanted[key], rel=1e-9, abs=1e-9), key


@settings(deadline=None)
@given(st.lists(SPAN, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_every_series_is_that_of_the_official_classes(made: list[Any], r: random.Random) -> None:
    """Arbitrary spans, each several times and out of order, so that they are found by position as well as looked up."""
    clock = Clock()
    spans = [_span(pairs, error, seconds) for pairs, error, seconds in made] * 3
    r.shuffle(spans)
    processor = Processor(clock, INTERVAL)
    for at in range(0, len(spans), 5):
        clock.advance(INTERVAL)
        processor.traces(traces(spans[at : at + 5]))
    same(processor, clock, spans)


def _span(pairs: Any, error: bool, seconds: float) -> Span:
    made: Span = span({}, seconds, error)
    for key, value in pairs:  # a name may be there twice: the last one counts
        made.attributes.extend(span({key: value}).attributes)
    return made


def test_spans_of_as_many_attributes_are_told_apart_when_their_keys_are_compiled() -> None:
    """Names that begin alike, the same values in other places, a longer text where a number was: each is counted as what it is."""
    clock = Clock()
    base = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7, "foreign": "x"}
    others = [
        base, base | {"foreign": "y" * 300}, {**base, "gen_ai.usage.input_tokens": "\x09!seven"}, {**base, "gen_ai.usage.input_tokens": 2.5},
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7, "truegreen.cohort": "x"},
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 7, "foreign": "x"},
        {"gen_ai.operation.name": "chat", "gen_ai.request.modem": "m", "gen_ai.usage.input_tokens": 7, "foreign": "x"},
        {"gen_ai.operation.name": "chat", "gen_ai.request.mode": "m", "gen_ai.usage.input_tokens": 7, "foreign": "x"},
        dict(reversed(base.items())), {"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 1, "b": 2, "c": 3, "truegreen.guardrail.name": "g"},
    ]  # fmt: skip
    spans = [span(one) for one in others]
    processor = Processor(clock, INTERVAL)
    sent = []
    for _ in range(layout.USES + 5):
        clock.advance(INTERVAL)
        processor.traces(traces(spans))
        sent += spans
    (context,) = processor.contexts.by_identity.values()
    assert any(view.layout.fast for view in context.made.values())
    same(processor, clock, sent)


def test_attributes_that_are_written_in_unusual_ways_are_read_as_the_official_classes_read_them() -> None:
    """The value before the name, a field that is not known, a length in more bytes than it needs, no value, a long name."""
    clock = Clock()
    usual = span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "AAAA", "truegreen.cohort": "c"})
    pair = wire.pair("gen_ai.request.model", wire.encoded("AAAA"))
    name, value = pair[: pair.index(b"\x12")], pair[pair.index(b"\x12") :]
    ways = [
        value + name, pair + b"\x18\x01", b"\x0a\x94\x00" + pair[2:], name, name + b"\x12\x00", pair + name[:2] + b"x" * 20,
        wire.pair("n" * 300, b"\x18\x01"), name + b"\x12\x86\x00" + value[2:],
    ]  # fmt: skip
    data = traces([usual])
    spans: list[Span] = []
    processor = Processor(clock, INTERVAL)
    for way in (pair, *ways, *ways):
        whole = _with(data, pair, way)
        processor.traces(whole)
        spans += ExportTraceServiceRequest.FromString(whole).resource_spans[0].scope_spans[0].spans
    same(processor, clock, spans)


def _with(data: bytes, pair: bytes, way: bytes) -> bytes:
    """A request whose one span has other bytes for one attribute: every length around it is written anew."""
    request = ExportTraceServiceRequest.FromString(data)
    one = request.resource_spans[0].scope_spans[0].spans[0]
    others = [p for p in one.attributes if p.SerializeToString() != pair]
    assert len(others) == len(one.attributes) - 1
    del one.attributes[:]
    one.attributes.extend(others)
    raw = one.SerializeToString() + wire._field(b"\x4a", way)
    inner = wire._field(b"\x12", raw)
    resource = wire._field(b"\x0a", request.resource_spans[0].resource.SerializeToString())
    return wire._field(b"\x0a", resource + wire._field(b"\x12", inner))
