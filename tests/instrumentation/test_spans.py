"""Spans that an application or another library makes: what our processor does to them, and what it leaves alone."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import time
import weakref

import openai
from opentelemetry import baggage, trace
from opentelemetry import context as otel
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, duplicates, guardrail, retrieval, snapshot, stamp, traffic
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator


def _in_trace(seen):
    return seen.provider.get_tracer("app").start_as_current_span("request")


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
    assert seen.attributes("chat")["truegreen.evaluation.groundedness.skipped"] == "error"
    assert "COMPLETION_HOOK=truegreen" in caplog.text


def test_a_guardrail_decision_is_a_span_that_is_no_genai_span(app):
    """With the traffic it belongs to."""
    seen, _ = app()
    with traffic(cohort="gold"):
        guardrail("pii", action="block")
    got = seen.attributes("guardrail pii")
    assert got == {
        "truegreen.guardrail.name": "pii",
        "truegreen.guardrail.stage": "output",
        "truegreen.guardrail.action": "block",
        "truegreen.cohort": "gold",
    }


def test_the_end_is_timed_before_the_evaluator_runs(app, fake, monkeypatch):
    """By the same clock."""
    seen, _ = app()
    ran = []
    monkeypatch.setattr(
        FakeEvaluator, "make", lambda *_: lambda sample: ran.append(time.time_ns()) or Result("groundedness", "fake", raw=1.0)
    )
    with seen.provider.get_tracer("x").start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
        answer(query="q", answer="a")
    assert seen.spans[-1].end_time <= ran[0]


def test_inner_blocks_add_to_outer_ones_and_win_over_them_and_the_settings(app):
    """Stamps and versions alike."""
    seen, _ = app(settings=Settings(snapshot={"prompt": "a@1", "guardrail": "g@1"}))
    tracer = seen.provider.get_tracer("x")
    with stamp({"truegreen.one": 1, "truegreen.two": 1}), snapshot.use(prompt="b@2", tool_schema="t@1"):
        with stamp({"truegreen.two": 2}), snapshot.use(prompt="c@3"):
            tracer.start_span("inner", attributes={"gen_ai.operation.name": "chat"}).end()
        tracer.start_span("outer", attributes={"gen_ai.operation.name": "chat"}).end()
    inner, outer = seen.attributes("inner"), seen.attributes("outer")
    assert (inner["truegreen.one"], inner["truegreen.two"], outer["truegreen.two"]) == (1, 2, 1)
    components = ("prompt", "tool_schema", "guardrail")
    assert [inner[f"truegreen.version.{c}"] for c in components] == ["c@3", "t@1", "g@1"]
    assert outer["truegreen.version.prompt"] == "b@2"


def test_a_cohort_comes_from_baggage_or_from_the_span_when_traffic_names_none(app):
    """By the attribute that the configuration names."""
    seen, _ = app(settings=Settings(cohort_attribute="user.plan"))
    tracer = seen.provider.get_tracer("x")
    tracer.start_span("span", attributes={"gen_ai.operation.name": "chat", "user.plan": "free"}).end()
    token = otel.attach(baggage.set_baggage("user.plan", "gold"))
    tracer.start_span("baggage", attributes={"gen_ai.operation.name": "chat"}).end()
    with traffic(cohort="named"):
        tracer.start_span("named", attributes={"gen_ai.operation.name": "chat"}).end()
    otel.detach(token)
    assert [seen.attributes(n)["truegreen.cohort"] for n in ("span", "baggage", "named")] == ["free", "gold", "named"]


def test_an_attribute_of_the_application_is_never_overwritten(app):
    """A session id that the library wrote stays."""
    seen, _ = app()
    with traffic(session_id="ours"):
        seen.provider.get_tracer("x").start_span(
            "chat", attributes={"gen_ai.operation.name": "chat", "session.id": "theirs"}
        ).end()
    assert seen.attributes("chat")["session.id"] == "theirs"


def test_a_span_that_becomes_a_genai_span_late_gets_everything_at_its_end(app):
    """Some libraries write the operation last."""
    seen, _ = app()
    with traffic(cohort="gold"):
        span = seen.provider.get_tracer("x").start_span("late")
    assert dict(span.attributes) == {}
    span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    span.end()
    got = seen.attributes("late")
    assert (got["truegreen.cohort"], got["truegreen.version.model"]) == ("gold", "m")


def test_one_provider_that_shuts_down_leaves_the_others_as_they_are():
    """Langfuse's ends before the application's."""
    made = TruegreenInstrumentor()
    made.instrument(settings=Settings())
    try:
        first, second = TracerProvider(), TracerProvider()
        first.shutdown()
        with traffic(cohort="gold"):
            span = second.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"})
        span.end()
        assert span.attributes["truegreen.cohort"] == "gold"
    finally:
        made.uninstrument()


def test_two_tasks_without_spans_do_not_see_each_others_passages(app, ask, fake, server):
    """Each task has a context of its own."""
    app()

    async def one(passage):
        retrieval(documents=[passage])
        await asyncio.sleep(0)
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            await ask(client, f"model-{passage}")

    async def both():
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    assert {(s.model, s.passages) for s in fake.samples} == {("model-a", ("a",)), ("model-b", ("b",))}


CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def test_a_streamed_call_whose_outer_span_ends_first_is_counted_once(app):
    """A framework's span ends when the stream is handed over, the SDK's own when it has been read."""
    seen, _ = app()
    outer = seen.provider.get_tracer("outer").start_span("outer", attributes=CALL)
    inner = seen.provider.get_tracer("inner").start_span("inner", attributes=CALL, context=trace.set_span_in_context(outer))
    outer.end()
    inner.end()
    assert "truegreen.duplicate" not in seen.attributes("outer")
    assert seen.attributes("inner")["truegreen.duplicate"] is True


def test_a_later_call_with_the_same_response_id_is_a_call_of_its_own(app):
    """Servers that cache answers repeat the id; only calls that overlap in time are the same one."""
    seen, _ = app()
    attributes = {**CALL, "gen_ai.response.id": "r1"}
    seen.provider.get_tracer("library.one").start_span("one", attributes=attributes).end()
    seen.provider.get_tracer("library.two").start_span("two", attributes=attributes).end()
    assert "truegreen.duplicate" not in seen.attributes("two")


def test_the_memory_of_response_ids_is_bounded(app, monkeypatch):
    """The oldest goes first."""
    monkeypatch.setattr(duplicates, "KEPT", 2)
    seen, _ = app()

    def start(library, n):
        attributes = {**CALL, "gen_ai.response.id": f"r{n}"}
        return seen.provider.get_tracer(library).start_span(f"{library} {n}", attributes=attributes)

    second = [start("two", n) for n in range(3)]
    for n in range(3):
        start("one", n).end()
    for span in second:
        span.end()
    assert [seen.attributes(f"two {n}").get("truegreen.duplicate") for n in range(3)] == [None, None, None]


def test_passages_of_a_failed_request_do_not_judge_the_next_one(app, fake):
    """Where there is neither a trace nor a block around a request."""
    seen, _ = app()
    tracer = seen.provider.get_tracer("app")

    def request():
        retrieval(documents=["of the first"])
        with contextlib.suppress(TimeoutError), tracer.start_as_current_span("chat", attributes=CALL):
            raise TimeoutError
        retrieval(documents=["of the second"])
        with tracer.start_as_current_span("chat", attributes={**CALL, "gen_ai.response.finish_reasons": ("tool_calls",)}):
            answer(query="q", answer="")
        with tracer.start_as_current_span("chat", attributes=CALL):
            answer(query="q", answer="a")

    contextvars.Context().run(request)
    assert [sample.passages for sample in fake.samples] == [("of the second",)]


def test_each_evaluation_says_for_itself_in_which_sample_an_answer_is(app, fake):
    """An answer that is base for one evaluation may be a boost for another, and only base samples enter an SLO."""
    seen, _ = app(settings=Settings(sampling={"a": 1.0, "b": 0.0}, evaluations={"a": {}, "b": {}}))
    tracer = seen.provider.get_tracer("app")
    for name, boost in (("chat boosted", True), ("chat plain", False)):
        with traffic(boost=boost), tracer.start_as_current_span(name, attributes=CALL):
            answer(query="q", answer="a")
    boosted, plain = seen.attributes("chat boosted"), seen.attributes("chat plain")
    assert [boosted[f"truegreen.evaluation.{part}"] for part in ("sampled", "a.sampled", "b.sampled")] == [
        "base",
        "base",
        "boost",
    ]
    assert (plain["truegreen.evaluation.a.sampled"], plain.get("truegreen.evaluation.b.sampled")) == ("base", None)


def test_a_block_that_is_left_open_and_collected_elsewhere_says_nothing_of_what_is_handled_there(caplog):
    """OpenTelemetry logs a detach in a foreign context with the exception of that place, whose text may be a prompt."""

    def stream():
        with snapshot.use(prompt="support@3"), traffic(cohort="gold"):
            yield 1

    def abandon():
        held = stream()
        next(held)
        return held

    apart = contextvars.copy_context()
    held = apart.run(abandon)
    try:
        raise RuntimeError("ZEBRA")
    except RuntimeError:
        del held
        apart = None
        gc.collect()
    assert "ZEBRA" not in caplog.text
    assert "detach" not in caplog.text
