"""The real OpenAI SDK and its real instrumentation against a local server: what lands on the spans, and what does not."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref

import openai
import pytest
from opentelemetry import context as otel
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import SpanLimits
from openai_server import ANSWER, SERVED

from truegreen.core.words.calibration import Calibration, file_name, to_text
from truegreen.instrumentation import answer, failures, guardrail, retrieval, snapshot, stamp, traffic
from truegreen.instrumentation.settings import Settings

DOC = {"text": "Unopened items can be returned within 30 days. ZEBRA-PASSAGE", "score": 0.81, "id": "returns"}


def _in_trace(seen):
    return seen.provider.get_tracer("app").start_as_current_span("request")


def _calibration(floor=0.5):
    return Calibration(
        "app", "unknown", "groundedness", "fake", "relative", floor, tuple(i / 100 for i in range(101)), 0.05, 1.0, 600, "2026-01-01T00:00:00Z"
    )


def test_an_answer_gets_snapshot_traffic_and_evaluation(app, ask, fake, tmp_path):
    """One call with everything around it."""
    (tmp_path / file_name("app", "unknown", "groundedness")).write_text(to_text(_calibration()))
    seen, client = app(settings=Settings(calibration=tmp_path, snapshot={"guardrail": "g1"}))
    with _in_trace(seen), traffic(session_id="s1", user_id="u1", cohort="gold"), snapshot.use(prompt="support@3", retrieval_index="kb@7"):
        retrieval(documents=[DOC], data_source="kb", query="returns?", floor=0.9)
        assert ask(client).choices[0].message.content == ANSWER
    got = seen.attributes("chat")
    expected = {
        "session.id": "s1", "user.id": "u1", "truegreen.cohort": "gold", "truegreen.dialect": "genai",
        "truegreen.version.prompt": "support@3", "truegreen.version.retrieval_index": "kb@7", "truegreen.version.guardrail": "g1",
        "truegreen.version.model": SERVED, "truegreen.prompt.template": "support@3", "truegreen.evaluation.sampled": "base",
        "truegreen.evaluation.groundedness.raw": 0.9, "truegreen.evaluation.groundedness.label": "pass",
        "truegreen.evaluation.groundedness.score": 0.9, "truegreen.evaluation.groundedness.evaluator": "fake",
        "truegreen.evaluation.groundedness.scale": "relative", "truegreen.evaluation.groundedness.calibration": _calibration().digest,
    }  # fmt: skip
    assert {k: got.get(k) for k in expected} == expected
    assert len(got["truegreen.snapshot.id"]) == 12
    assert "truegreen.evaluation.skipped" not in got
    sample = fake.samples[0]
    assert (sample.query, sample.answer, sample.passages, sample.model) == ("returns?", ANSWER, (DOC["text"],), "support-large")
    found = seen.attributes("retrieval kb")
    assert found["truegreen.retrieval.documents.count"] == 1
    assert found["truegreen.retrieval.relevance.below_floor"] == 1
    assert failures.counted() == {}


@pytest.mark.parametrize("streamed", [False, True])
def test_no_text_of_prompt_answer_or_passage_is_exported(app, ask, fake, streamed):
    """Every byte that an OTLP exporter would send, streamed or not."""
    seen, client = app()
    with _in_trace(seen), traffic(session_id="s1"):
        with retrieval(data_source="kb", query="ZEBRA-SEARCH") as found:
            found.documents([DOC])
        result = ask(client, stream=streamed)
        if streamed:
            assert "".join(c.choices[0].delta.content or "" for c in result) == ANSWER
    sent = encode_spans(seen.spans).SerializeToString()
    assert b"chat support-large" in sent
    assert b"ZEBRA" not in sent
    assert fake.samples[0].answer == ANSWER
    assert seen.attributes("chat")["truegreen.evaluation.groundedness.raw"] == 0.9


def test_captured_content_stays_where_the_user_put_it_and_is_evaluated(app, ask, fake, monkeypatch):
    """With capture on, the content attributes are the library's own; ours carry no text all the same."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "none-of-ours")
    seen, client = app()
    with _in_trace(seen):
        retrieval(documents=[DOC], data_source="kb")
        ask(client)
    got = seen.attributes("chat")
    assert "ZEBRA-ANSWER" in got["gen_ai.output.messages"]
    assert not any("ZEBRA" in str(v) for k, v in got.items() if k.startswith("truegreen."))
    assert fake.samples[0].answer == ANSWER
    assert "ZEBRA-QUESTION" in fake.samples[0].query
    assert json.loads(seen.attributes("retrieval")["gen_ai.retrieval.documents"]) == [{"id": "returns", "score": 0.81}]


@pytest.mark.parametrize(("model", "kind"), [("error-429", openai.RateLimitError), ("error-500", openai.InternalServerError)])
def test_a_failed_call_raises_as_ever_and_is_no_answer(app, ask, fake, model, kind):
    """The application sees the SDK's own error."""
    seen, client = app()
    with pytest.raises(kind):
        ask(client, model)
    got = seen.attributes("chat")
    assert got["truegreen.version.model"] == model
    assert not any("evaluation" in k or "markers" in k for k in got)
    assert fake.samples == []


def test_a_step_that_only_calls_tools_is_no_answer(app, ask, fake):
    """Its finish is a tool call."""
    seen, client = app()
    ask(client, "tools")
    assert not any("evaluation" in k for k in seen.attributes("chat"))
    assert fake.samples == []


def test_truncated_and_empty_answers_are_marked(app, ask, fake):
    """By finish reason and by text."""
    seen, client = app()
    ask(client, "length")
    assert seen.attributes("chat length")["truegreen.answer.markers"] == ("truncated",)
    ask(client, "empty")
    assert seen.attributes("chat empty")["truegreen.answer.markers"] == ("empty",)


def test_an_answer_without_passages_is_skipped_and_said_once(app, ask, fake, caplog):
    """No context is no failure of the answer; the log says what to call."""
    seen, client = app()
    ask(client)
    ask(client)
    got = seen.attributes("chat")
    assert got["truegreen.evaluation.skipped"] == "no_context"
    assert got["truegreen.evaluation.groundedness.evaluator"] == "fake"
    assert "truegreen.evaluation.groundedness.raw" not in got
    assert sum("retrieval(documents=" in r.getMessage() for r in caplog.records) == 1


def test_an_answer_without_a_baseline_has_its_raw_number_only(app, ask, fake, caplog, tmp_path):
    """And the log names the command that makes one, once."""
    seen, client = app(settings=Settings(calibration=tmp_path), resource={"service.name": "bot", "deployment.environment.name": "prod"})
    for _ in range(2):
        with _in_trace(seen):
            retrieval(documents=[DOC])
            ask(client)
    got = seen.attributes("chat")
    assert got["truegreen.evaluation.skipped"] == "no_baseline"
    assert got["truegreen.evaluation.groundedness.raw"] == 0.9
    assert "truegreen.evaluation.groundedness.label" not in got
    assert sum("baseline take --service bot --environment prod" in r.getMessage() for r in caplog.records) == 1


def test_a_provider_that_serves_another_model_is_another_snapshot(app, ask, fake, server):
    """Under the same alias; a failed call in between stays with the model that served last."""
    seen, client = app()
    ask(client)
    first = seen.attributes("chat")["truegreen.snapshot.id"]
    server.served["support-large"] = "support-mini"
    ask(client)
    second = seen.attributes("chat")
    assert second["truegreen.version.model"] == "support-mini"
    assert second["truegreen.snapshot.id"] != first
    server.served["support-large"] = SERVED
    ask(client)
    assert seen.attributes("chat")["truegreen.snapshot.id"] == first


def test_500_messages_that_evict_attributes_leave_snapshot_cohort_and_operation(app, ask, fake):
    """A span holds 128 attributes and drops its oldest."""
    seen, _ = app(limits=SpanLimits(max_span_attributes=128))
    with traffic(cohort="gold"):
        span = seen.provider.get_tracer("opentelemetry.instrumentation.genai.x").start_span(
            "chat x", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
        )
    for i in range(500):
        span.set_attribute(f"llm.input_messages.{i}.message.content", "text")
    assert "truegreen.cohort" not in span.attributes
    span.end()
    got = seen.attributes("chat x")
    assert got["truegreen.cohort"] == "gold"
    assert len(got["truegreen.snapshot.id"]) == 12
    assert (got["gen_ai.operation.name"], got["gen_ai.request.model"]) == ("chat", "m")


def test_a_span_that_is_no_genai_span_gets_nothing(app):
    """Langfuse exports every span with a gen_ai attribute, and a stamp on an HTTP span would be counted by nobody."""
    seen, _ = app()
    with traffic(cohort="gold"), stamp({"truegreen.containment": "pinned_model"}), _in_trace(seen):
        pass
    assert dict(seen.attributes("request")) == {}


def test_the_context_reaches_tasks_and_threads_that_carry_it(app, ask, server):
    """asyncio carries it by itself, a thread when it is given the context."""
    seen, client = app()

    async def call(cohort):
        with traffic(cohort=cohort):
            await asyncio.sleep(0)
            async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as own:
                await ask(own, f"model-{cohort}")

    async def both():
        await asyncio.gather(call("a"), call("b"))

    asyncio.run(both())
    assert seen.attributes("chat model-a")["truegreen.cohort"] == "a"
    assert seen.attributes("chat model-b")["truegreen.cohort"] == "b"

    def work(carried):
        token = otel.attach(carried)
        ask(client, "model-thread")
        otel.detach(token)

    with traffic(cohort="thread"):
        thread = threading.Thread(target=work, args=(otel.get_current(),))
        thread.start()
        thread.join()
    assert seen.attributes("chat model-thread")["truegreen.cohort"] == "thread"


def test_retrieval_and_answer_meet_in_a_traffic_block_without_any_span(app, ask, fake):
    """An application that makes no spans has two traces there."""
    seen, client = app()
    with traffic(session_id="s"):
        retrieval(documents=["a passage"], data_source="kb")
        ask(client)
    assert fake.samples[0].passages == ("a passage",)
    with traffic(session_id="t"):
        ask(client)
    assert fake.samples[1].passages == ()
    assert len(seen.spans) == 3


def test_passages_are_forgotten_with_their_trace(app, ask, fake):
    """A later request does not see them, and memory does not grow."""
    from truegreen.instrumentation.shared import shared

    seen, client = app()
    for _ in range(3):
        with _in_trace(seen):
            retrieval(documents=["a passage"])
            ask(client)
        assert len(shared.store) == 0
    assert [s.passages for s in fake.samples] == [("a passage",)] * 3


def test_a_second_span_for_the_same_call_is_a_duplicate_and_is_not_evaluated(app, ask, fake):
    """By parent and child with one model."""
    seen, client = app()
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "support-large"}
    with seen.provider.get_tracer("another.library").start_as_current_span("outer", attributes=attributes):
        ask(client)
    assert seen.attributes("chat")["truegreen.duplicate"] is True
    assert "truegreen.duplicate" not in seen.attributes("outer")
    assert len(fake.samples) == 1


def test_a_second_root_with_the_same_response_id_is_a_duplicate(app):
    """Some libraries start a trace of their own; two calls of one library never are."""
    seen, _ = app()
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.id": "r1"}
    one = seen.provider.get_tracer("library.one").start_span("one", attributes=attributes)
    two = seen.provider.get_tracer("library.two").start_span("two", attributes=attributes)
    same = seen.provider.get_tracer("library.one").start_span("same", attributes=attributes)
    for span in (one, same, two):
        span.end()
    assert "truegreen.duplicate" not in seen.attributes("one")
    assert "truegreen.duplicate" not in seen.attributes("same")
    assert seen.attributes("two")["truegreen.duplicate"] is True


def test_evaluation_is_not_part_of_the_duration(app, fake):
    """The time is taken first; an explicit end time is kept."""
    seen, _ = app()
    span = seen.provider.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"}, start_time=1_000)
    span.end(5_000)
    ended = seen.spans[-1]
    assert ended.end_time - ended.start_time == 4_000


def test_an_ended_span_is_freed_without_the_garbage_collector(app):
    """The wrapper leaves no cycle."""
    seen, _ = app()
    gc.disable()
    try:
        span = seen.provider.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"})
        gone = weakref.ref(span)
        span.end()
        del span
        assert gone() is None
    finally:
        gc.enable()


def test_ending_twice_is_what_it_was(app, caplog):
    """One span, and the SDK's own warning."""
    seen, _ = app()
    span = seen.provider.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    end = span.end
    end()
    end()
    assert len(seen.spans) == 1
    assert "ended span" in caplog.text


def test_answer_shows_the_text_of_a_manual_span(app, fake):
    """For a library without a completion hook."""
    seen, _ = app()
    tracer = seen.provider.get_tracer("my.app")
    with tracer.start_as_current_span("request"):
        retrieval(documents=["p"])
        with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
            answer(query="q", answer="a")
    assert (fake.samples[0].query, fake.samples[0].answer) == ("q", "a")
    assert seen.attributes("chat")["truegreen.dialect"] == "manual"


def test_a_text_that_nobody_saw_is_an_error_that_is_said_once(app, caplog):
    """No hook, no capture, no `answer`."""
    seen, _ = app()
    seen.provider.get_tracer("my.app").start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
    assert seen.attributes("chat")["truegreen.evaluation.skipped"] == "error"
    assert "COMPLETION_HOOK=truegreen" in caplog.text


def test_a_guardrail_decision_is_a_span_that_is_no_genai_span(app):
    """With the traffic it belongs to."""
    seen, _ = app()
    with traffic(cohort="gold"):
        guardrail("pii", action="block")
    got = seen.attributes("guardrail pii")
    assert got == {"truegreen.guardrail.name": "pii", "truegreen.guardrail.stage": "output", "truegreen.guardrail.action": "block", "truegreen.cohort": "gold"}


def test_an_unnamed_prompt_gets_a_stable_name_without_its_text(app, ask, fake):
    """A digest of the system message."""
    seen, client = app()
    ask(client)
    ask(client, question="another")
    names = {s.attributes["truegreen.prompt.template"] for s in seen.spans if s.name.startswith("chat")}
    assert len(names) == 1
    assert names.pop().startswith("system:")


def test_the_sample_is_by_rate_and_a_boosted_answer_is_marked(app, ask, fake):
    """What is outside the base sample and asked for stays out of SLO counts."""
    seen, client = app(settings=Settings(rate=0.0))
    ask(client)
    assert seen.attributes("chat")["truegreen.evaluation.sampled"] == "none"
    assert fake.samples == []
    with traffic(boost=True):
        ask(client)
    assert seen.attributes("chat")["truegreen.evaluation.sampled"] == "boost"
    assert len(fake.samples) == 1


def test_a_very_long_answer_is_skipped_as_too_large(app, fake):
    """The inline evaluator's time is bounded by the size of what it reads."""
    seen, _ = app(settings=Settings(evaluations={"groundedness": {"words": 10}}))
    tracer = seen.provider.get_tracer("x")
    with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
        answer(query="q", answer="word " * 11)
    assert seen.attributes("chat")["truegreen.evaluation.skipped"] == "too_large"
    assert fake.samples == []
