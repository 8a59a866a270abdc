"""The dialect table: what is filled reads recorded spans, and its shape can express the dialects that are not."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from truegreen.core.words import dialects, view
from truegreen.core.words.dialects import (
    DIALECTS,
    FIELDS,
    FINISHES,
    MESSAGES,
    NUMBER,
    SECONDS_SINCE_START,
    TRANSFORMS,
    Dialect,
    Source,
)
from truegreen.core.words.error_words import class_of
from truegreen.core.words.normalise import View, compile_, read, record, select

GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "support-large",
    "server.address": "127.0.0.1",
    "gen_ai.response.model": "support-large-0613",
    "gen_ai.response.id": "chatcmpl-7",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 2,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "openai.response.system_fingerprint": "fp_1",
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    "error.type": "openai.RateLimitError",
}


def test_every_source_of_the_table_is_of_a_known_field_and_a_transform_that_some_source_has():
    """A typing error in the table is found here, not in a span; and no transform is there for nobody."""
    for dialect in DIALECTS:
        assert set(dialect.fields) <= set(FIELDS)
    used = {s.transform for dialect in DIALECTS for sources in dialect.fields.values() for s in sources}
    assert used == set(TRANSFORMS)


def test_a_span_of_genai_openai_is_read_whole():
    """Recorded attributes of opentelemetry-instrumentation-genai-openai 1.3b0."""
    dialect = select("opentelemetry.instrumentation.genai.openai", GENAI)
    assert dialect is not None
    assert dialect.name == "genai"
    values = {field: read(dialect, field, View(GENAI)) for field in FIELDS}
    assert {k: v for k, v in values.items() if v is not None} == {
        "operation": "chat", "provider": "openai", "request_model": "support-large", "response_model": "support-large-0613",
        "response_id": "chatcmpl-7", "finish_reasons": ("stop",), "input_tokens": 11, "output_tokens": 5, "cache_read_tokens": 4,
        "reasoning_tokens": 2, "time_to_first_chunk": 0.25, "fingerprint": "fp_1", "error_type": "RateLimitError",
        "input_messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
    }  # fmt: skip


def test_a_manual_span_with_the_canonical_names_is_the_manual_dialect():
    """Any scope that no dialect names, with the marker attribute."""
    found = select("my.app", GENAI)
    assert found is not None
    assert found.name == "manual"
    assert read(found, "request_model", View(GENAI)) == "support-large"


def test_a_span_without_the_marker_has_no_dialect():
    """HTTP spans, and spans that a GenAI library makes for its own ends."""
    assert select("opentelemetry.instrumentation.requests", {"http.request.method": "GET"}) is None
    assert select("opentelemetry.instrumentation.genai.openai", {"http.request.method": "GET"}) is None


def test_values_of_a_wrong_type_are_nothing():
    """A number where a text should be, a text where a number should be, broken JSON."""
    found = select("x", {"gen_ai.operation.name": "chat"})
    assert found is not None
    odd = {
        "gen_ai.usage.input_tokens": "11",
        "gen_ai.input.messages": "[{",
        "gen_ai.request.model": ("a",),
        "gen_ai.output.messages": "{}",
    }
    for field in ("input_tokens", "input_messages", "request_model", "output_messages"):
        assert read(found, field, View(odd)) is None


LANGFUSE_USAGE = "langfuse.observation.usage_details"
SHAPES = Dialect(
    "shapes",
    ("openinference.instrumentation.shapes",),
    ("openinference.span.kind", "langfuse.observation.type"),
    {
        "operation": (Source("openinference.span.kind", values={"LLM": "chat", "RETRIEVER": "retrieval"}),),
        "request_model": (Source("llm.invocation_parameters", path=("model",)),),
        "input_tokens": (
            Source(LANGFUSE_USAGE, NUMBER, path=("prompt_tokens",)),
            Source(LANGFUSE_USAGE, NUMBER, path=("input",), add=("input_*",)),
        ),
        "cache_read_tokens": (
            Source(LANGFUSE_USAGE, NUMBER, path=("prompt_tokens_details", "cached_tokens")),
            Source(LANGFUSE_USAGE, NUMBER, path=("input_cache_read",)),
        ),
        "finish_reasons": (Source("llm.finish_reason", FINISHES),),
        "input_messages": (Source("llm.input_messages.*", MESSAGES),),
        "system": (Source("llm.input_messages.*", dialects.SYSTEM),),
        "documents": (Source("retrieval.documents.*", dialects.DOCUMENTS),),
        "time_to_first_chunk": (
            Source("First Token Stream Event", NUMBER, kind=dialects.EVENT),
            Source("langfuse.observation.completion_start_time", SECONDS_SINCE_START),
        ),
        "agent": (Source("", kind=dialects.SPAN_NAME),),
        "prompt_version": (Source("langfuse.observation.prompt.version"),),
        "response_id": (Source("langfuse.observation.metadata.id", dialects.UNQUOTED),),
    },
)


def _read(field: str, view: View):
    return compile_(SHAPES)[field](view)


def test_the_shape_expresses_three_forms_of_usage_in_one_json_attribute():
    """The raw OpenAI form, the LangChain form that leaves the cache out of its input, and a user's own."""
    openai = View(
        {LANGFUSE_USAGE: json.dumps({"prompt_tokens": 11, "total_tokens": 16, "prompt_tokens_details": {"cached_tokens": 4}})}
    )
    langchain = View(
        {LANGFUSE_USAGE: json.dumps({"input": 7, "output": 3, "total": 16, "input_cache_read": 4, "output_reasoning": 2})}
    )
    own = View({LANGFUSE_USAGE: json.dumps({"input": 11})})
    assert [_read("input_tokens", v) for v in (openai, langchain, own)] == [11, 11, 11]
    assert [_read("cache_read_tokens", v) for v in (openai, langchain, own)] == [4, 4, None]


def test_the_shape_expresses_messages_and_documents_spread_over_indexed_attributes():
    """In index order, not in the order of attributes, and ten comes after nine."""
    attributes = {f"llm.input_messages.{i}.message.content": f"m{i}" for i in (10, 9, 0)}
    attributes |= {"llm.input_messages.0.message.role": "system", "llm.input_messages_count": 3}
    found = _read("input_messages", View(attributes))
    assert [m["parts"][0]["content"] for m in found] == ["m9", "m10"]
    assert _read("system", View(attributes)) == [{"type": "text", "content": "m0"}]
    docs = {"retrieval.documents.1.document.content": "b", "retrieval.documents.0.document.content": "a"}
    assert _read("documents", View(docs)) == [{"text": "a"}, {"text": "b"}]


def test_the_shape_expresses_mapped_values_json_paths_events_and_times():
    """What OpenInference and Langfuse keep in places of their own."""
    assert _read("operation", View({"openinference.span.kind": "LLM"})) == "chat"
    assert _read("operation", View({"openinference.span.kind": "CHAIN"})) is None
    assert _read("request_model", View({"llm.invocation_parameters": '{"model": "m"}'})) == "m"
    assert _read("finish_reasons", View({"llm.finish_reason": "stop"})) == ("stop",)
    start = 1_700_000_000_000_000_000
    event = View({}, events=[("First Token Stream Event", start + 250_000_000)], start=start)
    assert _read("time_to_first_chunk", event) == 0.25
    iso = View({"langfuse.observation.completion_start_time": '"2023-11-14T22:13:20.500Z"'}, start=start)
    assert _read("time_to_first_chunk", iso) == 0.5
    assert _read("agent", View({}, name="planner")) == "planner"
    assert _read("prompt_version", View({"langfuse.observation.prompt.version": 3})) == "3"
    assert _read("response_id", View({"langfuse.observation.metadata.id": '"r1"'})) == "r1"


def test_the_longest_scope_start_wins_over_the_markers_of_others():
    """A library that writes two vocabularies is read as what it is."""
    both = {"openinference.span.kind": "LLM", "gen_ai.operation.name": "chat"}
    found = select("openinference.instrumentation.openai", both)
    assert found is not None
    assert found.name == "openinference"


HUGE = (
    "x" * 1_000_000,
    "[" * 100_000,
    '{"a":' * 50_000,
    '{"model": "\\ud800"}',
    "{'a': 1}",
    '{"content": "' + "x" * 2_000_000 + '"}',
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=30), st.binary(max_size=5),
    st.sampled_from(HUGE),
)  # fmt: skip
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["role", "parts", "content", "type", "text", "tool_calls", "function", "arguments", "id", "message", "messages", "document", "args",
             "metadata", "score", "prompt_tokens", "input", "input_x", "output", "kwargs", "data", "tool_call_id", "instructions", "choices"],
        ), inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), DATA, DATA.map(lambda value: json.dumps(value)), DATA.map(repr))
NAMES = sorted(
    {s.name.replace("*", "0.message.content") for d in DIALECTS for sources in d.fields.values() for s in sources if s.name}
)
KINDS = {
    "openinference": ("openinference.span.kind", ["LLM", "TOOL", "RETRIEVER", "AGENT", "GUARDRAIL", "CHAIN"]),
    "langfuse": ("langfuse.observation.type", ["generation", "tool", "retriever", "agent", "guardrail", "span"]),
    "langsmith": ("langsmith.span.kind", ["llm", "tool", "retriever", "chain"]),
    "openllmetry": ("traceloop.span.kind", ["tool", "workflow", "task"]),
}
NUMBERS = {f for f in FIELDS if f.endswith("tokens") or f in ("time_to_first_chunk", "top_k")}
LISTS = {"input_messages": {"role", "parts"}, "output_messages": {"role", "parts"}, "documents": set(), "system": set()}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_a_span_holds_nothing_is_raised_and_no_field_has_a_wrong_type(dialect, data):
    """Any type, NaN, broken and deep JSON, huge texts, events that are none, in any attribute that the table names."""
    own = sorted(
        {s.name for sources in dialect.fields.values() for s in sources if s.name and "*" not in s.name} | set(NAMES[:5])
    )
    attributes = data.draw(st.dictionaries(st.sampled_from(own + NAMES), VALUES, max_size=14))
    key, kinds = KINDS.get(dialect.name, ("gen_ai.operation.name", ["chat"]))
    attributes[key] = data.draw(st.sampled_from(kinds) | VALUES)
    event = st.sampled_from(["exception", "First Token Stream Event", "gen_ai.content.completion.chunk"])
    events = data.draw(
        st.lists(st.tuples(event, st.integers(0, 2**63)) | st.tuples(event, st.integers(0, 9), st.just({"exception.type": 3})))
    )
    found = record(dialect, View(attributes, data.draw(st.text(max_size=5)), events, 5))
    for field, value in found.items():
        if field in NUMBERS:
            assert isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        elif field == "finish_reasons":
            assert isinstance(value, tuple) and value and all(isinstance(word, str) and word for word in value)
        elif field in LISTS:
            assert isinstance(value, list) and all(isinstance(item, dict) and set(item) >= LISTS[field] for item in value)
        elif field not in ("tool_arguments", "tool_result"):
            assert isinstance(value, str) and value, field


def test_a_value_that_is_too_long_to_parse_is_nothing_and_is_not_parsed(monkeypatch):
    """An id is not worth parsing a megabyte; messages are, up to one."""
    found = select("openinference.instrumentation.openai", {"openinference.span.kind": "LLM"})
    assert found is not None
    parsed: list[int] = []
    monkeypatch.setattr(view.json, "loads", lambda text: parsed.append(len(text)) or {})
    big = '{"choices": "' + "x" * 100_000 + '", "id": "r"}'
    assert read(found, "response_id", View({"openinference.span.kind": "LLM", "output.value": big})) is None
    assert parsed == []


def test_the_class_of_an_error_is_read_from_whatever_a_library_writes():
    """A class's name, its repr, a formatted exception, the words of an HTTP client."""
    said = {
        "openai.RateLimitError": "RateLimitError", "<class 'openai.RateLimitError'>": "RateLimitError", "429": "RateLimitError", "503": "InternalServerError",
        "RateLimitError('Error code: 429 - slow down')\n\nTraceback": "RateLimitError", "Error code: 429 - slow down": "RateLimitError",
        "Error code: 502": "InternalServerError", "Request timed out.": "APITimeoutError", "the warehouse does not answer": "_OTHER", "": None,
        "httpx.ReadTimeout: timed out": "ReadTimeout",
    }  # fmt: skip
    assert {text: class_of(text) for text in said} == said
