"""How the spans of an application end: in another thread, twice, never, by an exception, behind a proxy."""

from __future__ import annotations

import gc
import json
import threading
import weakref

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from setups import CHAT, WANTED, exporting, needs, ours

from truegreen.instrumentation import answer, failures, traffic


def test_a_span_that_is_ended_in_another_thread_or_twice_or_never(instrumented):
    """One export for each that ended; the one that never ended holds nobody."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = exporting(provider)
    tracer = provider.get_tracer("x")
    with traffic(cohort="gold"):
        elsewhere, twice, never = (tracer.start_span(name, attributes=CHAT) for name in ("elsewhere", "twice", "never"))
    thread = threading.Thread(target=elsewhere.end)
    thread.start()
    thread.join()
    twice.end()
    twice.end()
    gone = weakref.ref(never)
    del never
    gc.collect()
    assert ours(exporter.get_finished_spans()) == ["elsewhere", "twice"]
    assert {span.attributes["truegreen.cohort"] for span in exporter.get_finished_spans()} == {"gold"}
    assert gone() is None
    assert failures.counted() == {}


def test_two_threads_that_end_one_span_at_once_export_it_once(instrumented):
    """Whoever comes second does not judge it again."""
    provider = TracerProvider()
    exporter = exporting(provider)
    for n in range(50):
        span = provider.get_tracer("x").start_span(f"chat {n}", attributes=CHAT)
        barrier, end = threading.Barrier(2), span.end
        threads = [threading.Thread(target=lambda b=barrier, e=end: (b.wait(), e())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(exporter.get_finished_spans()) == 50
    assert failures.counted() == {}


def test_a_span_that_does_not_record_gets_nothing_and_keeps_its_end(instrumented):
    """An unsampled one, and one of another SDK."""
    span = TracerProvider(sampler=ALWAYS_OFF).get_tracer("x").start_span("chat", attributes=CHAT)
    with trace.use_span(span, end_on_exit=True):
        answer(query="q", answer="a")
    assert not span.is_recording()
    assert failures.counted() == {}


def test_a_block_that_raises_exports_the_error_and_our_attributes(instrumented):
    """The exception is the application's."""
    provider = TracerProvider()
    exporter = exporting(provider)
    with pytest.raises(KeyError), provider.get_tracer("x").start_as_current_span("chat", attributes=CHAT):
        raise KeyError("x")
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert WANTED in span.attributes
    assert "truegreen.evaluation.groundedness.skipped" not in span.attributes


@needs("openinference.instrumentation")
def test_a_span_behind_a_proxy_is_told_its_answer(instrumented):
    """OpenInference's manual spans: `OITracer` wraps the span object."""
    from openinference.instrumentation import OITracer, TraceConfig

    provider = TracerProvider()
    exporter = exporting(provider)
    tracer = OITracer(provider.get_tracer("x"), config=TraceConfig())
    with tracer.start_as_current_span("LLM call", openinference_span_kind="llm", attributes={"llm.model_name": "m"}):
        answer(query="q", answer="a")
    (span,) = exporter.get_finished_spans()
    assert span.attributes["truegreen.dialect"] == "openinference"
    assert span.attributes["truegreen.evaluation.groundedness.skipped"] == "no_context"
    assert json.loads(span.to_json())["name"] == "LLM call"
