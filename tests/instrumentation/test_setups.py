"""Every way in which spans come to be in an application: whose provider, made when."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider
from setups import CHAT, WANTED, exporting, needs, ours, run

from truegreen.instrumentation import TruegreenInstrumentor, answer, failures, traffic
from truegreen.instrumentation.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "core"))
from local_server import Reply, local  # noqa: E402


def received(calls):
    """What a local server was sent of Langfuse and LangSmith, OTLP over HTTP: path, span name, names of attributes."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return [
        (call.path, span.name, {one.key for one in span.attributes})
        for call in calls
        if call.path.endswith("/traces")
        for resource in ExportTraceServiceRequest.FromString(call.raw).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


LANGFUSE = """
import os, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from truegreen.instrumentation import TruegreenInstrumentor
from langfuse import Langfuse

case = sys.argv[1] if len(sys.argv) > 1 else os.environ["CASE"]
given = TracerProvider() if "own" in case else None
if "joins" in case:
    trace.set_tracer_provider(TracerProvider())
if not case.startswith("after") and "zero" not in case:
    TruegreenInstrumentor().instrument()
client = Langfuse(public_key="pk-1", secret_key="sk-1", base_url=os.environ["URL"], **({"tracer_provider": TracerProvider()} if "own" in case else {}))
if case.startswith("after"):
    TruegreenInstrumentor().instrument()
with client.start_as_current_observation(as_type="generation", name="generation", model="m") as span:
    span.update(output="ZEBRA", usage_details={"input": 1, "output": 1})
client.flush()
"""


@needs("langfuse")
@pytest.mark.parametrize(
    "case",
    ["before, joins", "before, own", "after, creates"]
    + [pytest.param(case, marks=pytest.mark.full) for case in ("before, creates", "after, joins", "zero, joins", "zero, own")],
)
def test_langfuse_exports_our_attributes_whoever_made_the_provider_and_whenever(case):
    """It joins the global provider, makes the global one, or is given its own; we are there before it, after it, or by zero code."""
    with local(lambda _: Reply({})) as (url, calls):
        zero = [os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")] if "zero" in case else []
        script = LANGFUSE.replace("    trace.set_tracer_provider(TracerProvider())\n", "    pass\n") if zero else LANGFUSE
        done = run(script, started_by=zero, CASE=case, URL=url, OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none")  # fmt: skip
    spans = [(name, attributes) for path, name, attributes in received(calls) if path == "/api/public/otel/v1/traces"]
    assert [name for name, _ in spans] == ["generation"], done.stderr
    assert WANTED in spans[0][1]
    assert "Traceback" not in done.stderr


@needs("langfuse")
def test_without_truegreen_langfuse_exports_none_of_our_attributes():
    """Else the test above could not fail."""
    with local(lambda _: Reply({})) as (url, calls):
        run(LANGFUSE.replace("TruegreenInstrumentor().instrument()", "pass"), CASE="before, own", URL=url)
    assert [WANTED in attributes for _, _, attributes in received(calls)] == [False]


LANGSMITH = """
import os
from truegreen.instrumentation import TruegreenInstrumentor
if os.environ["CASE"] == "before":
    TruegreenInstrumentor().instrument()
import langsmith
from langsmith import traceable
client = langsmith.Client()
if os.environ["CASE"] == "after":
    TruegreenInstrumentor().instrument()

@traceable(run_type="llm", client=client, metadata={"ls_provider": "openai", "ls_model_name": "m"})
def chat(question):
    return {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}

chat("q")
client.flush()
from opentelemetry import trace
trace.get_tracer_provider().force_flush()
"""


@needs("langsmith")
@pytest.mark.parametrize("case", ["before", "after"])
def test_langsmiths_own_provider_exports_our_attributes(case):
    """It makes the global one where there is none."""
    with local(lambda _: Reply({})) as (url, calls):
        done = run(
            LANGSMITH,
            CASE=case,
            LANGSMITH_TRACING="true",
            LANGSMITH_TRACING_MODE="otel",
            LANGSMITH_ENDPOINT=url,
            LANGSMITH_API_KEY="k",
        )
    spans = [(name, attributes) for path, name, attributes in received(calls) if path == "/otel/v1/traces"]
    assert [name for name, _ in spans] == ["chat"], done.stderr
    assert "truegreen.dialect" in spans[0][1]


@pytest.mark.parametrize("first", ["truegreen", "application"])
def test_an_application_with_a_provider_of_its_own_made_before_or_after(first):
    """In a process of its own, for the global provider is set once."""
    script = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from truegreen.instrumentation import TruegreenInstrumentor
exporter = InMemorySpanExporter()

def own():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

steps = [TruegreenInstrumentor().instrument, own]
for step in steps if os.environ["FIRST"] == "truegreen" else reversed(steps):
    step()
trace.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}).end()
print("truegreen.snapshot.id" in exporter.get_finished_spans()[0].attributes)
"""
    assert run(script, FIRST=first).stdout == "True\n"


@needs("openinference.instrumentation.openai")
@pytest.mark.parametrize("first", ["truegreen", "openinference"])
def test_the_order_of_the_llm_instrumentor_and_ours_does_not_matter(server, first):
    """OpenInference's spans are proxies that tell their kind only when they end."""
    from openinference.instrumentation.openai import OpenAIInstrumentor

    _order(server, OpenAIInstrumentor(), first)


@needs("opentelemetry.instrumentation.genai")
@pytest.mark.parametrize("first", ["truegreen", "genai"])
def test_the_order_of_the_genai_instrumentor_and_ours_does_not_matter(server, first):
    """Its hook is looked up when it is instrumented; our attributes do not depend on the hook."""
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    _order(server, OpenAIInstrumentor(), first)


def _order(server, library, first):
    import openai

    provider = TracerProvider()
    exporter = exporting(provider)
    own = TruegreenInstrumentor()
    steps = [
        lambda: own.instrument(tracer_provider=provider, settings=Settings()),
        lambda: library.instrument(tracer_provider=provider),
    ]
    try:
        for step in steps if first == "truegreen" else reversed(steps):
            step()
        with openai.OpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "q"}])
    finally:
        library.uninstrument()
        own.uninstrument()
    assert [WANTED in span.attributes for span in exporter.get_finished_spans()] == [True]


def test_several_providers_each_have_the_processor_once(instrumented):
    """Also when `instrument()` is called again, and when the first is the global one."""
    one, two = TracerProvider(), TracerProvider()
    exporters = [exporting(one), exporting(two)]
    instrumented.instrument(settings=Settings())
    for provider in (one, two):
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()
        mine = [p for p in provider._active_span_processor._span_processors if type(p).__module__.startswith("truegreen")]
        assert len(mine) == 1
    assert [ours(exporter.get_finished_spans()) for exporter in exporters] == [["chat"], ["chat"]]


def test_uninstrument_then_instrument_again_works_as_the_first_time(instrumented):
    """On a provider that was there before, with settings of the second time; a span that was open across ends as the application made it."""
    provider = TracerProvider()
    exporter = exporting(provider)
    tracer = provider.get_tracer("x")
    across = tracer.start_span("across", attributes=CHAT)
    instrumented.uninstrument()
    tracer.start_span("between", attributes=CHAT).end()
    instrumented.instrument(tracer_provider=provider, settings=Settings(snapshot={"prompt": "second"}))
    across.end()
    tracer.start_span("again", attributes=CHAT).end()
    found = {span.name: span.attributes for span in exporter.get_finished_spans()}
    assert set(found) == {"across", "between", "again"}
    assert WANTED not in found["between"]
    assert "truegreen.dialect" not in found["across"]
    assert found["again"]["truegreen.version.prompt"] == "second"
    assert failures.counted() == {}


def test_providers_that_are_gone_are_freed(instrumented):
    """Nothing of ours holds them; the SDK's own hold is its `atexit`."""
    gone = []
    for _ in range(3):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()
        gone.append(weakref.ref(provider))
        del provider
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]


@pytest.mark.parametrize("given", [NoOpTracerProvider(), None, object(), "x"], ids=lambda p: type(p).__name__)
def test_a_provider_that_is_none_of_the_sdk_is_said_and_changes_nothing(given, caplog):
    """No-op providers make spans that record nothing."""
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=given, settings=Settings())
    try:
        with traffic(cohort="gold"), NoOpTracerProvider().get_tracer("x").start_as_current_span("chat", attributes=CHAT):
            answer(query="q", answer="a")
    finally:
        made.uninstrument()
    assert ("no TracerProvider of opentelemetry-sdk" in caplog.text) is (given is not None)
    assert failures.counted() == {}
