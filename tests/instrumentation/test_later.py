"""Spans of calls that nobody judges are completed when somebody first looks at them, once, whoever it is, and nothing of them is kept."""

import copy
import gc
import threading
import time
import weakref

import everyday
import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import set_span_in_context

from truegreen.instrumentation import TruegreenInstrumentor, completion, failures, later, retrieval, snapshot, traffic
from truegreen.instrumentation.api import answer as told
from truegreen.instrumentation.enrich import CHARACTERS, Enricher
from truegreen.instrumentation.evaluate import judging
from truegreen.instrumentation.later import Later
from truegreen.instrumentation.settings import Settings


class Keeping(SpanExporter):
    """Keeps the spans and does not look at them."""

    def __init__(self):
        self.spans = []

    def export(self, spans):
        """Keep them."""
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def unjudged():
    """A provider with truegreen at a rate of 0, and what keeps its spans unseen."""
    provider, kept = TracerProvider(), Keeping()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=provider, settings=Settings(rate=0.0))
    yield provider, kept
    made.uninstrument()
    assert failures.counted() == {}


def chat(provider, name="chat", **more):
    """One call of a model that has ended."""
    span = provider.get_tracer("app").start_span(name, attributes=everyday.chat() | more)
    span.end()
    return span


def waits(span):
    """Whether nobody has looked at it yet."""
    return "_complete" in vars(span._attributes)


@pytest.fixture
def completions(monkeypatch):
    """The threads in which spans were completed."""
    threads, model = [], Enricher._model

    def counted(*args, **kwargs):
        threads.append(threading.current_thread().name)
        return model(*args, **kwargs)

    monkeypatch.setattr(Enricher, "_model", counted)
    return threads


def test_the_exporters_thread_completes_the_span_and_the_caller_does_not(unjudged, completions):
    """All that the README promises is on it all the same."""
    provider, _ = unjudged
    exporter, exported = InMemorySpanExporter(), threading.Event()
    provider.add_span_processor(BatchSpanProcessor(Looking(exporter, exported), schedule_delay_millis=10))
    with traffic(cohort="gold"), snapshot.use(prompt="support@3"):
        chat(provider)
    assert exported.wait(30)
    (span,) = exporter.get_finished_spans()
    assert len(completions) == 1
    assert completions[0] != threading.current_thread().name
    got = span.attributes
    assert got["truegreen.cohort"] == "gold"
    assert got["truegreen.version.prompt"] == got["truegreen.prompt.template"] == "support@3"
    assert got["truegreen.evaluation.sampled"] == "none"
    assert got["truegreen.snapshot.id"]
    assert len(completions) == 1


class Looking(SpanExporter):
    """Looks at the spans, as every exporter does that sends them."""

    def __init__(self, to, done):
        self._to = to
        self._done = done

    def export(self, spans):
        """Look and pass on."""
        for span in spans:
            span.to_json()
        found = self._to.export(spans)
        self._done.set()
        return found


@pytest.mark.parametrize(
    "look",
    [
        lambda span: span.attributes["truegreen.snapshot.id"],
        lambda span: dict(span.attributes.items())["truegreen.snapshot.id"],
        lambda span: copy.deepcopy(span._attributes)["truegreen.snapshot.id"],
        lambda span: span._attributes.copy()["truegreen.snapshot.id"],
        lambda span: "truegreen.snapshot.id" in span.to_json(),
        lambda span: "truegreen.snapshot.id" in repr(span._attributes),
        lambda span: "truegreen.snapshot.id" in set(span._attributes),
    ],
)
def test_whichever_way_one_looks_it_is_complete(unjudged, look):
    """The SDK, exporters and people have many."""
    provider, kept = unjudged
    chat(provider)
    assert waits(kept.spans[0])
    assert look(kept.spans[0])
    assert not waits(kept.spans[0])


def test_the_number_of_dropped_attributes_counts_what_came_last(unjudged):
    """An exporter reads it before the attributes."""
    provider, kept = unjudged
    chat(provider, **{f"app.{n}": n for n in range(120)})
    assert waits(kept.spans[0])
    dropped = kept.spans[0].dropped_attributes
    assert dropped > 0
    assert len(kept.spans[0].attributes) == 128
    assert kept.spans[0].attributes["truegreen.snapshot.id"]
    assert kept.spans[0].attributes["gen_ai.operation.name"] == "chat"


def test_two_who_look_at_once_both_see_the_whole(unjudged, completions):
    """One completes, the others wait for it."""
    provider, kept = unjudged
    for _ in range(20):
        chat(provider)
    barrier, seen = threading.Barrier(4), []

    def look():
        for span in kept.spans:
            barrier.wait()
            seen.append("truegreen.snapshot.id" in span.attributes)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 80
    assert len(completions) == 20


def test_what_held_at_the_call_is_on_it_although_the_world_has_changed(unjudged):
    """Versions, the index of a retrieval, and the prompt of a block around it."""
    provider, kept = unjudged
    snapshot.default(guardrail="g@1")
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("request"):
        with retrieval(data_source="kb", index_alias="live", index_version="7"):
            pass
        chat(provider)
    with tracer.start_as_current_span("request"):
        with retrieval(data_source="kb", index_alias="live", index_version="8"):
            pass
    snapshot.default(guardrail="g@2")
    (span,) = [span for span in kept.spans if span.name == "chat"]
    assert waits(span)
    assert span.attributes["truegreen.version.guardrail"] == "g@1"
    assert span.attributes["truegreen.version.retrieval_index"].endswith("7")
    snapshot.default(guardrail=None)


def test_the_record_counts_calls_that_nobody_has_looked_at(unjudged):
    """At the time at which they ended."""
    provider, kept = unjudged
    before = time.time()
    for _ in range(3):
        chat(provider)
    (entry,) = snapshot.record()["components"]["model"]
    assert entry["calls"] == 3
    assert before <= entry["first"] <= entry["last"] <= time.time()
    assert not any(map(waits, kept.spans))


def test_a_call_of_two_libraries_is_counted_once_whenever_they_are_looked_at(unjudged):
    """What concerns another span does not wait; a response id joins two that have no other sign."""
    provider, kept = unjudged
    outer = provider.get_tracer("one").start_span("outer", attributes=everyday.chat())
    inner = provider.get_tracer("two").start_span("inner", attributes=everyday.chat(), context=set_span_in_context(outer))
    inner.end()
    outer.end()
    first = provider.get_tracer("one").start_span("first", attributes=everyday.chat() | {"gen_ai.response.id": "r1"})
    first_context = threading.Thread(target=_apart, args=(provider, "second"))
    first_context.start()
    first_context.join()
    first.end()
    duplicates = [span.name for span in reversed(kept.spans) if span.attributes.get("truegreen.duplicate")]
    assert "inner" in duplicates
    assert len(duplicates) == 2
    assert {"first", "second"} & set(duplicates)


def _apart(provider, name):
    provider.get_tracer("two").start_span(name, attributes=everyday.chat() | {"gen_ai.response.id": "r1"}).end()


@pytest.mark.parametrize("characters", [100, CHARACTERS + 1])
def test_long_text_does_not_wait_and_none_outlives_the_look(unjudged, monkeypatch, characters):
    """An exporter's queue is long: a text of any size in each of its spans would be a leak."""
    provider, kept = unjudged
    answer = Text("x" * characters)
    prompt = Text("question")
    gone = [weakref.ref(prompt), weakref.ref(answer)]
    span = provider.get_tracer("app").start_span("chat", attributes=everyday.chat())
    completion.hook().on_completion(
        inputs=[{"role": "user", "parts": [{"type": "text", "content": prompt}]}],
        outputs=[{"role": "assistant", "parts": [{"type": "text", "content": answer}]}],
        system_instruction=[],
        span=span,
    )
    span.end()
    assert waits(kept.spans[0]) is (characters <= CHARACTERS)
    del prompt, answer, span
    assert gone[0]() is None, "the question is no part of what waits"
    assert kept.spans[0].attributes["truegreen.evaluation.sampled"] == "none"
    assert gone[1]() is None


class Text(str):
    """A text that can be waited for."""

    __slots__ = ("__weakref__",)


def test_spans_that_nobody_looks_at_do_not_pile_up_without_a_garbage_collector(unjudged, monkeypatch):
    """Some applications switch it off; an exporter whose queue is full drops spans."""
    monkeypatch.setattr(later, "WAITING", 10)
    provider, kept = unjudged
    gc.collect()
    gc.disable()
    try:
        alive = []
        for _ in range(50):
            alive.append(weakref.ref(chat(provider)))
            kept.spans.clear()
        assert sum(one() is not None for one in alive) <= 11
    finally:
        gc.enable()


def test_a_failure_at_the_look_costs_our_attributes_and_nothing_else(unjudged, monkeypatch):
    """Whoever looks is an exporter or the application."""
    provider, kept = unjudged
    chat(provider)

    def broken(*args, **kwargs):
        raise RuntimeError("ZEBRA")

    monkeypatch.setattr(Enricher, "_model", broken)
    assert kept.spans[0].attributes["gen_ai.operation.name"] == "chat"
    assert not waits(kept.spans[0])
    assert failures.counted() == {"completion of a span": 1}
    failures.reset()


def test_an_sdk_that_keeps_attributes_in_another_way_gets_them_at_once(unjudged, monkeypatch):
    """What we know of its inside may end with a version."""
    provider, kept = unjudged
    monkeypatch.setattr(later, "put", lambda span, complete: False)
    chat(provider)
    assert not isinstance(kept.spans[0]._attributes, Later)
    assert kept.spans[0].attributes["truegreen.snapshot.id"]


def test_a_look_after_uninstrument_is_complete(unjudged):
    """The last batch is exported after it, as often as not."""
    provider, kept = unjudged
    chat(provider)
    TruegreenInstrumentor().uninstrument()
    assert kept.spans[0].attributes["truegreen.snapshot.id"]


def test_the_model_that_serves_is_known_in_the_order_of_the_calls_not_of_the_looks(unjudged):
    """A call that failed does not say who would have answered: the last one that did."""
    provider, kept = unjudged
    served = {"gen_ai.request.model": "m", "gen_ai.response.model": "m-1"}
    chat(provider, "first", **served)
    chat(provider, "failed", **{"gen_ai.request.model": "m", "error.type": "Timeout", "gen_ai.response.model": ""})
    chat(provider, "second", **{**served, "gen_ai.response.model": "m-2"})
    got = {span.name: span.attributes for span in reversed(kept.spans)}
    assert [got[name]["truegreen.version.model"] for name in ("first", "failed", "second")] == ["m-1", "m-1", "m-2"]


def test_a_judges_own_call_is_no_answer_whoever_looks_at_it(unjudged):
    """The exporter's thread judges nothing."""
    provider, kept = unjudged
    token = judging.set(True)
    chat(provider, "judge")
    judging.reset(token)
    chat(provider, "answer")
    got = {span.name: span.attributes for span in kept.spans}
    assert "truegreen.evaluation.sampled" not in got["judge"]
    assert got["answer"]["truegreen.evaluation.sampled"] == "none"


def test_what_answer_tells_does_not_hide_what_the_span_shows(unjudged):
    """The span's own content comes first."""
    provider, kept = unjudged
    messages = '[{"role": "assistant", "parts": [{"type": "text", "content": "I cannot help with that."}]}]'
    with provider.get_tracer("app").start_as_current_span("chat", attributes=everyday.chat()) as span:
        span.set_attribute("gen_ai.output.messages", messages)
        told(query="How long?", answer="")
    assert kept.spans[0].attributes["truegreen.answer.markers"] == ("refusal",)


@pytest.mark.parametrize("first_looked_at", [0, 1])
def test_one_response_id_after_the_other_is_two_calls(unjudged, first_looked_at):
    """A cache in between answers with the same id; in whichever order somebody looks."""
    provider, kept = unjudged
    for scope, start, end in (("one", 100, 200), ("two", 300, 400)):
        attributes = everyday.chat() | {"gen_ai.response.id": "r1"}
        provider.get_tracer(scope).start_span(scope, start_time=start, attributes=attributes).end(end)
    for at in (first_looked_at, 1 - first_looked_at):
        assert "truegreen.duplicate" not in kept.spans[at].attributes


def test_two_libraries_whose_spans_overlap_and_do_not_nest_make_one_call(unjudged):
    """The one that began first may end first."""
    provider, kept = unjudged
    one = provider.get_tracer("one").start_span("one", attributes=everyday.chat())
    two = provider.get_tracer("two").start_span("two", attributes=everyday.chat())
    one.end()
    two.end()
    assert [span.attributes.get("truegreen.duplicate") for span in kept.spans].count(True) == 1


def test_a_call_that_turns_out_to_be_an_agents_run_is_one(unjudged):
    """Its kind is said last."""
    provider, kept = unjudged
    span = provider.get_tracer("openinference.instrumentation.x").start_span(
        "run", attributes={"openinference.span.kind": "LLM", "llm.model_name": "m"}
    )
    span.set_attribute("openinference.span.kind", "AGENT")
    span.end()
    assert kept.spans[0].attributes["truegreen.agent.outcome"] == "completed"


def test_another_librarys_wrapper_of_a_spans_end_runs_too(unjudged):
    """It was there before us, and is there after us."""
    provider, kept = unjudged
    ends = []

    class Wraps(SpanProcessor):
        def on_start(self, span, parent_context=None):
            original = span.end

            def end(end_time=None):
                ends.append(span.name)
                original(end_time)

            span.end = end

    others = TracerProvider()
    others.add_span_processor(Wraps())
    others.add_span_processor(SimpleSpanProcessor(kept))
    TruegreenInstrumentor().uninstrument()
    TruegreenInstrumentor().instrument(tracer_provider=others, settings=Settings(rate=0.0))
    chat(others, "wrapped")
    assert ends == ["wrapped"]
    assert kept.spans[0].attributes["truegreen.snapshot.id"]


def test_calls_are_on_record_where_no_exporter_is(unjudged):
    """The record is of what served, not of what was exported."""
    bare = TracerProvider()
    TruegreenInstrumentor().uninstrument()
    TruegreenInstrumentor().instrument(tracer_provider=bare, settings=Settings(rate=0.0))
    for _ in range(50):
        chat(bare)
    gc.collect()
    assert [entry["calls"] for entry in snapshot.record()["components"]["model"]] == [50]


def test_who_looks_with_a_lock_that_the_completion_needs_is_not_stuck(unjudged, monkeypatch):
    """A log handler that looks at spans, while the completion logs."""
    monkeypatch.setattr(later, "PATIENCE", 0.05)
    provider, kept = unjudged
    chat(provider)
    inside, held = threading.Event(), threading.Lock()
    model = Enricher._model

    def slow(*args, **kwargs):
        inside.set()
        with held:
            return model(*args, **kwargs)

    monkeypatch.setattr(Enricher, "_model", slow)
    exporter = threading.Thread(target=lambda: dict(kept.spans[0].attributes))
    with held:
        exporter.start()
        assert inside.wait(30)
        assert kept.spans[0].attributes["gen_ai.operation.name"] == "chat"
    exporter.join(30)
    assert kept.spans[0].attributes["truegreen.snapshot.id"]
    assert failures.counted() == {"completion of a span": 1}
    failures.reset()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_complete_and_counts_nothing_twice(unjudged, copied):
    """Of the attributes; a whole span holds locks that nobody can copy."""
    provider, kept = unjudged
    chat(provider)
    attributes = copied(kept.spans[0]._attributes)
    assert attributes["truegreen.snapshot.id"] == kept.spans[0].attributes["truegreen.snapshot.id"]
    assert [entry["calls"] for entry in snapshot.record()["components"]["model"]] == [1]
