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


def test_the_longest_scope_start_wins():
    """Of two dialects that claim a scope, whichever stands first; and over the markers of others."""
    wide, narrow = Dialect("wide", ("acme.",), ("acme.kind",), {}), Dialect("narrow", ("acme.sdk.", "a"), ("acme.kind",), {})
    for table in ((wide, narrow), (narrow, wide)):
        chosen = [select(scope, {"acme.kind": "x"}, table) for scope in ("acme.sdk.chat", "acme.tools", "acm", "b")]
        assert chosen == [narrow, wide, narrow, None]
    both = {"openinference.span.kind": "LLM", "gen_ai.operation.name": "chat"}
    found = select("openinference.instrumentation.openai", both)
    assert found is not None
    assert found.name == "openinference"


@pytest.mark.parametrize(
    ("held", "operation"),
    [
        ({"llm.model_name": "m"}, "chat"),
        ({"llm.request.model_name": "m"}, "chat"),
        ({"llm.response.model_name": "m"}, "chat"),
        ({"llm.invocation_parameters": '{"temperature": 1, "model": "m"}'}, "chat"),
        ({"llm.invocation_parameters": '{"model_name": "m"}'}, "chat"),
        ({"llm.input_messages.0.message.role": "user"}, "chat"),
        ({"llm.output_messages.0.message.role": "assistant"}, "chat"),
        ({"llm.token_count.prompt": 0}, "chat"),
        ({"llm.invocation_parameters": '{"query": "model"}', "llm.system": "openai", "output.value": '{"id": "f-1"}'}, None),
        ({}, None),
    ],
)
def test_an_llm_span_of_openinference_is_a_call_of_a_model_where_something_says_so(held, operation):
    """What is hidden, or not known of a call that failed, may be all but one of these."""
    marks = {"openinference.span.kind": "LLM"}
    found = select("openinference.instrumentation.openai", marks)
    assert found is not None
    assert read(found, "operation", View(held | marks)) == operation
    assert read(found, "operation", View(held | {"openinference.span.kind": "CHAIN"})) is None


FINISH_REASONS = {
    "OpenAI": {
        "stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter", "function_call": "tool_calls",
        "max_output_tokens": "length",
    },
    "Anthropic": {
        "end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop", "tool_use": "tool_calls", "refusal": "content_filter",
        "model_context_window_exceeded": "length", "pause_turn": "pause_turn",
    },
    "Gemini": {
        "STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter", "BLOCKLIST": "content_filter",
        "PROHIBITED_CONTENT": "content_filter", "SPII": "content_filter", "IMAGE_SAFETY": "content_filter", "MODEL_ARMOR": "content_filter",
        "IMAGE_PROHIBITED_CONTENT": "content_filter", "IMAGE_RECITATION": "content_filter", "LANGUAGE": "language", "OTHER": "other",
        "MALFORMED_FUNCTION_CALL": "malformed_function_call", "UNEXPECTED_TOOL_CALL": "unexpected_tool_call", "NO_IMAGE": "no_image",
        "FINISH_REASON_UNSPECIFIED": "finish_reason_unspecified",
    },
    "Bedrock": {
        "end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "stop_sequence": "stop", "content_filtered": "content_filter",
        "guardrail_intervened": "content_filter", "model_context_window_exceeded": "length", "malformed_tool_use": "malformed_tool_use",
    },
    "Mistral": {"stop": "stop", "length": "length", "model_length": "length", "tool_calls": "tool_calls", "error": "error"},
    "Cohere": {
        "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls", "ERROR": "error", "TIMEOUT": "timeout",
        "ERROR_LIMIT": "length", "ERROR_TOXIC": "content_filter", "USER_CANCEL": "user_cancel",
    },
}  # fmt: skip
"""What each API's reference lists, to the one word; a word that says something else stays as it is."""


@pytest.mark.parametrize("vendor", FINISH_REASONS)
def test_the_words_of_every_vendor_for_an_end_become_one(vendor):
    """By name, in the case in which the API writes them, from a text or a list of them."""
    for dialect, attribute, wrapped in (
        ("opentelemetry.instrumentation.genai.x", "gen_ai.response.finish_reasons", True), ("openinference.x", "llm.finish_reason", False),
        ("com.anthropic.sdk.x", "anthropic.message.stop_reason", False),
    ):  # fmt: skip
        marks = {"gen_ai.operation.name": "chat", "openinference.span.kind": "LLM"}
        found = select(dialect, marks)
        assert found is not None
        made = {
            word: read(found, "finish_reasons", View({**marks, attribute: (word,) if wrapped else word}))
            for word in FINISH_REASONS[vendor]
        }
        assert made == {word: (one,) for word, one in FINISH_REASONS[vendor].items()}


CONVENTIONS = (
    "openai", "gcp.gen_ai", "gcp.vertex_ai", "gcp.gemini", "anthropic", "cohere", "azure.ai.inference", "azure.ai.openai", "ibm.watsonx.ai",
    "aws.bedrock", "perplexity", "x_ai", "deepseek", "groq", "mistral_ai",
)  # fmt: skip
CALLED = {
    **{name: name for name in CONVENTIONS},
    "google": "gcp.gen_ai", "google_genai": "gcp.gen_ai", "google_vertexai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai", "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini", "azure": "azure.ai.openai", "az.ai.openai": "azure.ai.openai", "az.ai.inference": "azure.ai.inference",
    "aws": "aws.bedrock", "amazon_bedrock": "aws.bedrock", "mistralai": "mistral_ai", "mistral": "mistral_ai", "xai": "x_ai", "OpenAI": "openai",
    "Anthropic": "anthropic", "watsonx": "ibm.watsonx.ai", "ibm": "ibm.watsonx.ai", "ollama": "ollama", "langchain": None, "LangGraph": None,
    "crewai": None,
}  # fmt: skip
"""The conventions' names, and what OpenInference, LangChain and OpenLLMetry call the same providers; frameworks are none."""


@pytest.mark.parametrize("name", CALLED)
def test_a_provider_has_one_name_whatever_a_library_calls_it(name):
    """As its attribute of each dialect that maps them."""
    for scope, attribute in (
        ("openinference.x", "llm.provider"), ("openinference.x", "llm.system"), ("langsmith", "langsmith.metadata.ls_provider"),
        ("langfuse-sdk", "langfuse.observation.metadata.ls_provider"), ("traceloop.x", "gen_ai.system"),
    ):  # fmt: skip
        marks = {
            "openinference.span.kind": "LLM",
            "langsmith.span.kind": "llm",
            "langfuse.observation.type": "generation",
            "traceloop.span.kind": "x",
        }
        found = select(scope, marks)
        assert found is not None
        assert read(found, "provider", View({**marks, attribute: name})) == CALLED[name]


NUMERIC = [(d, field, s) for d in DIALECTS for field, sources in d.fields.items() for s in sources if s.transform == NUMBER]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf], ids=str)
def test_a_number_that_is_none_is_nothing_wherever_it_stands(odd):
    """In every source of a number: attribute or inside JSON, where Python's parser takes NaN and Infinity."""
    looked_at = 0
    for dialect, field, source in NUMERIC:
        if source.kind == dialects.EVENT:
            continue
        held = {source.name: odd}
        if source.path:
            inner = odd
            for key in reversed(source.path):
                inner = {key: inner}
            held = {source.name: json.dumps(inner)}
        marks = {source.when[0]: source.when[1][0]} if source.when else {}
        alone = compile_(Dialect("alone", (), (), {field: (source,)}))[field]
        assert alone(View(held | marks)) is None, (dialect.name, source)
        assert read(dialect, field, View(held | marks)) is None, (dialect.name, field)
        finite = json.loads(json.dumps(held).replace("NaN", "7").replace("-Infinity", "7").replace("Infinity", "7"))
        assert alone(View(finite | marks)) == (source.says or 7), (dialect.name, source)
        looked_at += 1
    assert looked_at > 40


def test_a_first_chunk_before_the_start_is_nothing():
    """Of a clock that went back, or of another call; none is shorter than no time."""
    start = 1_700_000_000_000_000_000
    early = View({"langfuse.observation.completion_start_time": '"2023-11-14T22:13:19.999Z"'}, start=start)
    assert _read("time_to_first_chunk", early) is None
    assert _read("time_to_first_chunk", View({}, events=[("First Token Stream Event", start - 1)], start=start)) is None
    assert _read("time_to_first_chunk", View({}, events=[("First Token Stream Event", start)], start=start)) == 0


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
NUMERALS = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, -1, 0, 1e308, True, "7", ""]), st.floats(), st.integers(-(2**70), 2**70)
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), DATA, DATA.map(lambda value: json.dumps(value)), DATA.map(repr))
NAMES = sorted(
    {s.name.replace("*", "0.message.content") for d in DIALECTS for sources in d.fields.values() for s in sources if s.name}
)
OWN = {d.name: [s for sources in d.fields.values() for s in sources if s.name and s.kind == "attribute"] for d in DIALECTS}


def held_by(source):
    """What its attribute may hold: most often of the kind that the source reads, where it looks for it; sometimes anything."""
    usual = {NUMBER: NUMERALS, MESSAGES: DATA, dialects.DOCUMENTS: DATA, dialects.SYSTEM: DATA, dialects.DATA: DATA}.get(
        source.transform, st.text(max_size=8)
    )
    for key in reversed(source.path):
        usual = usual.map(lambda inner, key=key: [inner] if key == 0 else {key: inner, "input_x": inner, "output_x": inner})
    if source.path or source.transform in (MESSAGES, dialects.DOCUMENTS, dialects.SYSTEM, dialects.DATA, dialects.UNQUOTED):
        usual = usual.map(json.dumps) | usual.map(repr)
    return usual | usual | usual | VALUES


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
    attributes = data.draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
    for source in data.draw(st.lists(st.sampled_from(OWN[dialect.name]), max_size=12)):
        attributes[source.name.replace("*", "0.message.content")] = data.draw(held_by(source))
        if source.when:
            attributes[source.when[0]] = data.draw(st.sampled_from(source.when[1]))
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
