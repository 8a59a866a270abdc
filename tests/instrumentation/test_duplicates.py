"""One call is counted once, however many spans were made of it; two calls are counted twice, however alike they are."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from pathlib import Path

import anthropic
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue
from truegreen.instrumentation import failures, retrieval
from truegreen.instrumentation.duplicates import BESIDE, _open
from truegreen.instrumentation.model import state_of
from truegreen.instrumentation.testing import captured

sys.path.append(str(Path(__file__).parents[1] / "dialects"))

from replay import AT_START, recorded, replay
from servers import anthropic as anthropic_server

OPENAI, FRAMEWORK, NATIVE = (
    "opentelemetry.instrumentation.genai.openai",
    "opentelemetry.instrumentation.genai.langchain",
    "acme.sdk",
)
PAIRS = ("genai_anthropic_and_native", "traceloop_anthropic_and_native")
CASES = [(pair, case) for pair in PAIRS for case in recorded(pair)]


@pytest.fixture
def seen():
    """Everything starts in a context where no call is open."""
    token = _open.set(())
    with captured() as capture:
        yield capture
    _open.reset(token)
    assert failures.counted() == {}


def start(seen, scope, above=None, *, model="gpt-x", operation="chat", kind=SpanKind.CLIENT, **attributes):
    """A span that a library starts; `above` is its parent, which may be current or not."""
    asked = {"gen_ai.operation.name": operation, "gen_ai.request.model": model} if operation else {}
    asked |= {name.replace("__", "."): value for name, value in attributes.items()}
    return seen.provider.get_tracer(scope).start_span(
        scope, context=set_span_in_context(above) if above else None, attributes=asked, kind=kind
    )


def end(*spans, error="", **attributes):
    for span in spans:
        span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})
        if error:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def counted(seen):
    """The scopes of the counted calls and whether each failed, in the order of their ends."""
    return [
        (one.span.instrumentation_scope.name, "failed" if one.span.status.status_code is StatusCode.ERROR else "ok")
        for one in seen.llm_spans()
    ]


def collected(seen):
    """How many calls the collector counts of the bytes that an exporter sends."""
    now = [1_800_000_000.0]
    processor = Processor(lambda: now[0], 30.0)
    processor.traces(encode_spans(seen.spans).SerializeToString())
    now[0] += 61
    series = next(one for one in processor.copy() if one.metric is catalogue.LLM_REQUESTS).series
    return sum(numbers[0] for numbers in series.values())


@pytest.mark.parametrize("at_start", [AT_START, ()], ids=["early", "late"])
@pytest.mark.parametrize(("pair", "case"), CASES)
def test_recorded_spans_of_the_anthropic_sdk_beside_an_instrumentor_count_one_for_each_call(seen, pair, case, at_start):
    """Below the instrumentor's span or the root of a trace of its own; sync, async, streamed, under way at once, refused, timed out."""
    tasks = (lambda span: span["attributes"]["gen_ai.response.id"]) if case == "concurrent" else (lambda _: None)
    replay(recorded(pair)[case], seen.provider, at_start=at_start, task=tasks)
    seen.counts_calls(2 if case in ("tools", "concurrent") else 1)
    assert collected(seen) == len(seen.llm_spans())


def test_a_call_with_three_spans_is_counted_once(seen):
    """A framework's span that is not made current, an instrumentor's, and the SDK's own below it."""
    outer, inner = start(seen, FRAMEWORK), start(seen, OPENAI)
    own = start(seen, NATIVE, inner)
    end(own, inner, outer)
    assert counted(seen) == [(FRAMEWORK, "ok")]


@pytest.mark.parametrize("ends", [(2, 1, 0), (0, 1, 2), (1, 0, 2), (2, 0, 1)])
@pytest.mark.parametrize("error", ["", "timeout"])
@pytest.mark.parametrize("nested", [True, False])
def test_the_order_of_the_ends_does_not_matter(seen, nested, error, ends):
    """A stream's outer span may end when it is handed over; a failure has no response id."""
    first = start(seen, FRAMEWORK)
    second = start(seen, OPENAI, first if nested else None)
    third = start(seen, "opentelemetry.instrumentation.genai.other", second if nested else None)
    for at in ends:
        end((first, second, third)[at], error=error)
    seen.counts_one_call()


def test_the_outer_span_of_a_call_counts_and_is_given_what_only_the_others_know(seen):
    """Text, tokens, the model that answered."""
    with seen.provider.get_tracer("app").start_as_current_span("request") as request:
        retrieval(documents=["Within 30 days."])
        outer = start(seen, FRAMEWORK, request)
        inner = start(seen, OPENAI, outer)
        served = {"gen_ai.usage.input_tokens": 11, "gen_ai.response.model": "gpt-x-2026-01-01", "gen_ai.response.id": "r1"}
        texts = {"gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "30 days, ZEBRA."}]}]'}
        end(inner, **served, **texts)
        end(outer)
    counts = seen.counts_one_call().llm_span()
    assert (counts.span.name, counts.field("input_tokens"), counts.field("response_id")) == (FRAMEWORK, 11, "r1")
    counts.was_asked_of("gpt-x").was_served_by("gpt-x-2026-01-01").in_snapshot(model="gpt-x-2026-01-01").was_skipped(
        "no_baseline"
    )
    assert "ZEBRA" not in str(counts.attributes)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("gpt-x", "models/gpt-x"),
        ("gpt-x", "openai/GPT-X"),
        ("gpt-x", "gpt-x-2026-01-01"),
        ("claude-x-20260101", "us.anthropic.claude-x-20260101-v1:0"),
    ],
)
def test_one_model_has_several_names(seen, asked, named):
    """Asked and served, with and without its provider."""
    outer = start(seen, FRAMEWORK, model=asked)
    end(start(seen, OPENAI, outer, model=named), outer)
    seen.counts_one_call()


def test_models_of_one_family_are_not_one_model(seen):
    """A small model that chooses the answer's tool is a call of its own."""
    outer = start(seen, FRAMEWORK, model="gpt-x")
    end(start(seen, OPENAI, outer, model="gpt-x-mini"), outer)
    seen.counts_calls(2)


def test_spans_that_are_no_calls_may_stand_between_two_of_one_call(seen):
    """A chain, or an application's own span."""
    outer = start(seen, FRAMEWORK)
    chain = start(seen, FRAMEWORK, outer, operation="invoke_workflow", kind=SpanKind.INTERNAL)
    own = start(seen, "app", chain, operation="", kind=SpanKind.INTERNAL)
    end(start(seen, OPENAI, own), own, chain, outer)
    assert counted(seen) == [(FRAMEWORK, "ok")]


@pytest.mark.parametrize("between", ["execute_tool", "invoke_agent", "retrieval"])
def test_a_call_made_by_a_tool_or_an_agent_inside_another_call_is_a_call(seen, between):
    """The model's call runs the tool itself, and the tool asks the same model."""
    outer = start(seen, FRAMEWORK)
    step = start(seen, FRAMEWORK, outer, operation=between)
    end(start(seen, OPENAI, step), step, outer)
    seen.counts_calls(2)


def test_a_step_of_an_agent_is_no_second_span_of_the_agent(seen):
    """Although the agent's span names the same model."""
    agent = start(seen, FRAMEWORK, operation="invoke_agent")
    end(start(seen, OPENAI, agent), start(seen, OPENAI, agent), agent)
    seen.counts_calls(2)


def test_a_service_that_answers_in_the_same_process_makes_a_call_of_its_own(seen):
    """A test client, or a gateway beside the application."""
    outer = start(seen, FRAMEWORK)
    served = start(seen, "app", outer, operation="", kind=SpanKind.SERVER)
    end(start(seen, OPENAI, served), served, outer)
    seen.counts_calls(2)


def test_an_embedding_inside_a_chat_is_a_call(seen):
    """Its model may have any name."""
    outer = start(seen, FRAMEWORK)
    end(start(seen, OPENAI, outer, operation="embeddings"), outer)
    seen.counts_calls(2)


@pytest.mark.parametrize("kind", ["chain", "call"])
@pytest.mark.parametrize("backup", ["gpt-x", "gpt-y"])
def test_a_fallback_is_two_calls_of_which_one_failed(seen, kind, backup):
    """Whether what encloses both is a chain, or itself looks like a call; each with a native span below."""
    above = start(seen, FRAMEWORK, operation="chat" if kind == "call" else "invoke_workflow")
    for model, error in (("gpt-x", "429"), (backup, "")):
        attempt = start(seen, OPENAI, above, model=model)
        end(start(seen, NATIVE, attempt, model=model), attempt, error=error)
    end(above, gen_ai__response__model=backup)
    assert sorted(outcome for _, outcome in counted(seen)) == ["failed", "ok"]
    assert collected(seen) == 2


def test_two_answers_below_one_span_of_a_call_are_two_calls(seen):
    """A framework that asks twice and keeps the better one."""
    outer = start(seen, FRAMEWORK)
    end(start(seen, OPENAI, outer), start(seen, OPENAI, outer), outer)
    seen.counts_calls(2)


def test_a_framework_that_fails_after_its_call_succeeded_is_counted_once(seen):
    """The answer could not be parsed."""
    outer = start(seen, FRAMEWORK)
    end(start(seen, OPENAI, outer))
    end(outer, error="OutputParserException")
    assert counted(seen) == [(FRAMEWORK, "failed")]


def test_an_outer_span_that_turns_out_to_be_a_call_only_at_its_end_is_the_duplicate(seen):
    """Some libraries write what a span is when it ends, some applications too."""
    outer = start(seen, "my.app", operation="")
    end(start(seen, OPENAI, outer))
    end(outer, gen_ai__operation__name="chat", gen_ai__request__model="gpt-x")
    assert counted(seen) == [(OPENAI, "ok")]


def test_different_calls_of_concurrent_tasks_are_counted_each(seen):
    """Each task has its own pair of spans, and what is open around all of them is of no call."""

    async def ask(model):
        outer = start(seen, FRAMEWORK, model=model)
        await asyncio.sleep(0)
        inner = start(seen, OPENAI, model=model)
        await asyncio.sleep(0)
        end(inner, outer)

    async def main():
        await asyncio.gather(*(ask("gpt-x") for _ in range(5)))

    asyncio.run(main())
    seen.counts_calls(5)
    assert {scope for scope, _ in counted(seen)} == {FRAMEWORK}


def test_two_streams_that_one_thread_reads_in_turns_are_two_calls(seen):
    """Both are open, both by the same two libraries, each in a trace of its own."""
    first = start(seen, FRAMEWORK), start(seen, OPENAI)
    second = start(seen, FRAMEWORK), start(seen, OPENAI)
    end(first[1], second[1], second[0], first[0])
    assert counted(seen) == [(FRAMEWORK, "ok")] * 2


def test_another_call_while_a_stream_is_open_is_a_call(seen):
    """Of a library that was not there, for the same model: the answers have ids that differ."""
    stream = start(seen, OPENAI, gen_ai__response__id="chatcmpl-1")
    end(start(seen, "my.gateway.opentelemetry", gen_ai__response__id="chatcmpl-2"), stream)
    seen.counts_calls(2)


def test_a_call_in_a_thread_without_the_context_is_joined_by_its_response_id(seen):
    """The thread knows nothing of the span that waits for it."""
    outer = start(seen, FRAMEWORK)

    def work():
        end(start(seen, OPENAI), gen_ai__response__id="chatcmpl-1")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    end(outer, gen_ai__response__id="chatcmpl-1")
    seen.counts_one_call()


def test_nothing_of_ended_or_abandoned_spans_is_kept(seen):
    """By the thread, or by the spans of a chain in which each starts within the one before."""
    last = start(seen, OPENAI)
    gone = weakref.ref(last)
    for _ in range(200):
        following = start(seen, OPENAI, last)
        end(last)
        last = following
    assert gone() is None
    assert len(list(state_of(last).node.ancestors())) == 1, "each would keep all before it"
    for _ in range(3 * BESIDE):
        start(seen, OPENAI)
    assert len(_open.get()) <= BESIDE
    gc.collect()
    end(last, start(seen, OPENAI))
    assert not any(state_of(span()) for span in _open.get())


def test_the_sdk_repeats_a_refused_request_and_one_call_is_counted(seen, monkeypatch):
    """The real Anthropic SDK: its own span beside the instrumentor's, a failure and the answer within one call, and one that fails for good."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "truegreen")
    instrumentor = AnthropicInstrumentor()
    instrumentor.instrument(tracer_provider=seen.provider)
    tracing = {"tracer_provider": seen.provider}
    refused = []

    def refuse_once(request):
        if not refused:
            refused.append(request.url)
            request.url = request.url.copy_with(path="/error_529" + request.url.path)

    asked = {"model": "support-large", "max_tokens": 9, "messages": [{"role": "user", "content": "Where is order 42?"}]}
    try:
        with anthropic_server.serve() as url:
            http = anthropic.DefaultHttpxClient(event_hooks={"request": [refuse_once]})
            client = anthropic.Anthropic(base_url=url, api_key="k", http_client=http, open_telemetry=tracing)
            client.messages.create(**asked)
            assert len(seen.spans) == 2
            seen.counts_one_call()
            with pytest.raises(anthropic.RateLimitError):
                anthropic.Anthropic(
                    base_url=f"{url}/error_429", api_key="k", max_retries=1, open_telemetry=tracing
                ).messages.create(**asked)
    finally:
        instrumentor.uninstrument()
    assert refused
    assert len(seen.spans) == 4
    assert [outcome for _, outcome in counted(seen)] == ["ok", "failed"]
