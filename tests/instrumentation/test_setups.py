"""Every way in which spans come to be in an application: whose provider, made when, by which configuration, ended by whom."""

from __future__ import annotations

import gc
import gzip
import json
import os
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.auto_instrumentation import _load
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider

from truegreen.instrumentation import TruegreenInstrumentor, answer, environment, failures, start, traffic
from truegreen.instrumentation.settings import Settings

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
WANTED = "truegreen.snapshot.id"


def needs(module):
    """Where an optional package is not installed, such as beside the oldest SDK."""
    try:
        there = find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        there = False
    return pytest.mark.skipif(not there, reason=f"{module} is not installed")


@contextmanager
def receiver():
    """A local server that takes what Langfuse and LangSmith send: OTLP over HTTP; yields the list of (path, span name, attributes)."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    got = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Silence."""

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            if self.path.endswith("/traces"):
                sent = ExportTraceServiceRequest.FromString(body)
                spans = [span for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans]
                got.extend((self.path, span.name, {one.key for one in span.attributes}) for span in spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()


def run(script, *, started_by=(), folder=None, check=True, **variables):
    """Run a script as an application of its own."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TRUEGREEN_", "LANGFUSE_", "LANGSMITH_"))}
    return subprocess.run(
        [*started_by, sys.executable, "-c", script], env={**environ, **variables}, capture_output=True, text=True, timeout=120, check=check, cwd=folder
    )  # fmt: skip


def ours(spans):
    """The names of the exported spans that have our attributes."""
    return sorted(span.name for span in spans if WANTED in span.attributes)


@pytest.fixture
def instrumented():
    """Installed for the process, and taken away."""
    made = TruegreenInstrumentor()
    made.instrument(settings=Settings())
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()


def exporting(provider):
    """A provider's spans in memory."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


# --- whose provider, and when ---

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
    "case", ["before, joins", "before, creates", "before, own", "after, joins", "after, creates", "zero, joins", "zero, own"]
)
def test_langfuse_exports_our_attributes_whoever_made_the_provider_and_whenever(case):
    """It joins the global provider, makes the global one, or is given its own; we are there before it, after it, or by zero code."""
    with receiver() as (url, got):
        zero = [os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")] if "zero" in case else []
        script = LANGFUSE.replace("    trace.set_tracer_provider(TracerProvider())\n", "    pass\n") if zero else LANGFUSE
        done = run(script, started_by=zero, CASE=case, URL=url, OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none")  # fmt: skip
    spans = [(name, attributes) for path, name, attributes in got if path == "/api/public/otel/v1/traces"]
    assert [name for name, _ in spans] == ["generation"], done.stderr
    assert WANTED in spans[0][1]
    assert "Traceback" not in done.stderr


@needs("langfuse")
def test_without_truegreen_langfuse_exports_none_of_our_attributes():
    """Else the test above could not fail."""
    with receiver() as (url, got):
        run(LANGFUSE.replace("TruegreenInstrumentor().instrument()", "pass"), CASE="before, own", URL=url)
    assert [WANTED in attributes for _, _, attributes in got] == [False]


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
    with receiver() as (url, got):
        done = run(
            LANGSMITH,
            CASE=case,
            LANGSMITH_TRACING="true",
            LANGSMITH_TRACING_MODE="otel",
            LANGSMITH_ENDPOINT=url,
            LANGSMITH_API_KEY="k",
        )
    spans = [(name, attributes) for path, name, attributes in got if path == "/otel/v1/traces"]
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


# --- configuration ---


@pytest.mark.parametrize(
    ("variables", "says"),
    [({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED=true"), ({"OTEL_TRACES_SAMPLER": "always_off"}, "OTEL_TRACES_SAMPLER=always_off"), ({}, "")],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_what_makes_that_there_are_no_spans_is_said(variables, says, server):
    """Nothing raises, and nobody looks for the reason."""
    script = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from truegreen.instrumentation import TruegreenInstrumentor, retrieval, traffic
TruegreenInstrumentor().instrument()
trace.set_tracer_provider(TracerProvider())
with traffic(cohort="gold"), retrieval(data_source="kb") as found:
    found.documents(["p"])
    with trace.get_tracer("x").start_as_current_span("chat") as span:
        print(span.is_recording())
"""
    done = run(script, **variables)
    assert done.stdout == f"{not variables}\n"
    assert (says in done.stderr) is bool(says) or not says
    assert ("so nothing is" in done.stderr) is bool(says)
    assert "Traceback" not in done.stderr


DECLARED = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple: {exporter: {console: {}}}
instrumentation/development:
  python:
    truegreen: OPTIONS
"""


@needs("opentelemetry.configuration")
@pytest.mark.parametrize(
    ("options", "in_stdout", "in_stderr"),
    [
        ('{sampling: "5%", snapshot: {guardrail: "g@7"}}', '"truegreen.version.guardrail": "g@7"', "groundedness 5%"),
        ("{sampling: lots}", '"truegreen.snapshot.id"', "instrument(sampling=…): found 'lots'; write a percentage"),
        ("{colour: red}", '"truegreen.snapshot.id"', "colour"),
    ],
)
def test_a_declarative_configuration_file_gives_the_options(tmp_path, options, in_stdout, in_stderr):
    """OTEL_CONFIG_FILE, by `opentelemetry-instrument`, which instruments what the file names and then all that is installed."""
    path = tmp_path / "otel.yaml"
    path.write_text(DECLARED.replace("OPTIONS", options))
    script = f"from opentelemetry import trace; trace.get_tracer('x').start_span('chat', attributes={CHAT!r}).end()"
    starter = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    done = run(script, started_by=[starter], OTEL_CONFIG_FILE=str(path))
    assert in_stdout in done.stdout, done.stderr
    assert in_stderr in done.stderr
    assert done.stderr.count("truegreen: LLM instrumentors:") == 1


@pytest.mark.parametrize("listed", ["truegreen", "*", " requests , truegreen "])
def test_a_truegreen_that_is_disabled_leaves_nothing_running(listed):
    """By OpenTelemetry's own variable: no processor, no patch, no hook, no thread, no notice."""
    script = """
import os, sys, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
processors = trace.get_tracer_provider()._active_span_processor._span_processors
print([type(p).__module__ for p in processors if type(p).__module__.startswith("truegreen")], hasattr(TracerProvider.__init__, "__wrapped__"),
    os.environ.get("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"), [t.name for t in threading.enumerate() if "truegreen" in t.name])
"""
    starter = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    if listed == "*" and not hasattr(_load, "SKIPPED_INSTRUMENTATIONS_WILDCARD"):
        pytest.skip("this opentelemetry-instrumentation does not know *")
    quiet = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    done = run(script, started_by=[starter], OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=listed, **quiet)
    assert done.stdout == "[] False None []\n", done.stderr
    assert "truegreen" not in done.stderr


def test_options_of_instrument_stand_for_the_variables_which_win(monkeypatch, caplog):
    """A wrong one is named as it was written; an unknown one is told which there are."""
    monkeypatch.setenv("TRUEGREEN_SAMPLING", "7%")
    provider = TracerProvider()
    exporter = exporting(provider)
    made = TruegreenInstrumentor()
    with caplog.at_level("INFO"):
        made.instrument(
            tracer_provider=provider,
            sampling="5%",
            snapshot={"prompt": "p@1", "colour": 1},
            settings={"x": 1},
            sampel=3,
            calibration=5,
        )
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()
        made.uninstrument()
    assert exporter.get_finished_spans()[0].attributes["truegreen.version.prompt"] == "p@1"
    assert "groundedness 7%" in caplog.text
    for part in (
        "snapshot: found 'colour'",
        "settings: found dict, expected",
        "sampel: is no option; write one of config, sampling",
    ):
        assert part in caplog.text
    assert failures.counted() == {}


def test_a_wrong_variable_is_named_by_its_own_name(monkeypatch, caplog):
    """Whichever of ours it is."""
    wrong = {"TRUEGREEN_SAMPLING": "0.05", "TRUEGREEN_CONFIG": "/nowhere/truegreen.json", "TRUEGREEN_RETRIEVAL_FLOOR": "high"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    made = TruegreenInstrumentor()
    made.instrument()
    made.uninstrument()
    for name in wrong:
        assert f"truegreen: {name}" in caplog.text


def test_two_instrumentors_of_one_library_are_said(monkeypatch, caplog):
    """Both are made, exported and paid for."""
    both = (
        "openinference.instrumentation.openai",
        "opentelemetry.instrumentation.openai_v2",
        "opentelemetry.instrumentation.genai.langchain",
    )
    monkeypatch.setattr(environment, "instrumentors", lambda environ: both)
    start.say(Settings(), None)
    start.notices.close()
    assert (
        "openinference.instrumentation.openai and opentelemetry.instrumentation.openai_v2 both make spans for openai"
        in caplog.text
    )
    assert "for langchain" not in caplog.text


def test_an_exporter_that_is_named_and_not_installed_is_said():
    """OpenTelemetry itself says it only where it configures."""
    assert (
        environment.destination({"OTEL_TRACES_EXPORTER": "console,jaeger"})
        == "console, jaeger; NOT INSTALLED: the exporter jaeger"
    )


def test_where_the_spans_of_a_provider_go_is_read_from_the_provider():
    """Without the password in an address."""
    provider = TracerProvider()
    assert environment.exporters(provider) == ""
    exporting(provider)
    exporter = InMemorySpanExporter()
    exporter._endpoint = "http://user:secret@collector:4318/v1/traces"
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    assert environment.exporters(provider) == "InMemorySpanExporter, InMemorySpanExporter http://collector:4318/v1/traces"


# --- how spans end ---


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
