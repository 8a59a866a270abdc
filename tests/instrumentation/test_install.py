"""Where the processor is put, that nothing of it stays behind, and what is said at start."""

from __future__ import annotations

import logging
import os
from importlib.metadata import EntryPoint, PackageNotFoundError

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from truegreen.instrumentation import TruegreenInstrumentor, environment, failures, notices, start, traffic
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.shared import undo

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


@pytest.fixture
def instrumentor():
    """Installed as an application does, and taken away."""
    made = TruegreenInstrumentor()
    made.instrument(settings=Settings())
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()


def _chat(provider):
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with traffic(cohort="gold"):
        provider.get_tracer("x").start_span("chat", attributes=CHAT).end()
    return exporter.get_finished_spans()[0].attributes


def test_a_provider_made_later_is_instrumented_whatever_its_exporters_order(instrumentor):
    """Langfuse makes its own."""
    assert _chat(TracerProvider())["truegreen.cohort"] == "gold"


def test_uninstrument_leaves_no_trace(instrumentor, monkeypatch):
    """Neither on old providers, nor on new ones, nor on the class, in the environment or in logging."""
    provider = TracerProvider()
    assert os.environ[environment.HOOK] == "truegreen"
    assert hasattr(TracerProvider.__init__, "__wrapped__")
    span = provider.get_tracer("x").start_span("open", attributes=CHAT)
    instrumentor.uninstrument()
    span.end()
    assert "truegreen.dialect" not in span.attributes
    assert "end" not in span.__dict__
    assert set(_chat(provider)) == set(CHAT)
    assert set(_chat(TracerProvider())) == set(CHAT)
    assert not hasattr(TracerProvider.__init__, "__wrapped__")
    assert provider._active_span_processor._span_processors[0].__class__ is SimpleSpanProcessor
    assert environment.HOOK not in os.environ
    assert notices.logger.handlers == []
    assert notices.logger.level == 0


def test_a_given_provider_is_the_only_one_that_is_instrumented():
    """`instrument(tracer_provider=...)`, as other instrumentors have it."""
    mine, other = TracerProvider(), TracerProvider()
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=mine, settings=Settings())
    try:
        assert "truegreen.cohort" in _chat(mine)
        assert set(_chat(other)) == set(CHAT)
        assert set(_chat(TracerProvider())) == set(CHAT)
    finally:
        made.uninstrument()


def test_the_completion_hook_variable_of_the_user_stays(monkeypatch):
    """Set, or switched off."""
    monkeypatch.setenv(environment.HOOK, "upload")
    environment.prepare()
    assert os.environ[environment.HOOK] == "upload"
    monkeypatch.delenv(environment.HOOK)
    for listed in ("requests, truegreen", "*"):
        monkeypatch.setenv(environment.DISABLED, listed)
        environment.prepare()
        assert environment.HOOK not in os.environ


def test_start_says_in_one_line_what_is_seen_judged_calibrated_and_exported(monkeypatch, caplog, tmp_path):
    """The line that a developer looks for first; a password in an address is not in it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector:4318")
    (tmp_path / "a.json").write_text("{}")
    made = TruegreenInstrumentor()
    with caplog.at_level("INFO"):
        made.instrument(settings=Settings(calibration=tmp_path, sampling={"groundedness": 0.05}))
    made.uninstrument()
    lines = [r.getMessage() for r in caplog.records if "LLM instrumentors" in r.getMessage()]
    assert len(lines) == 1
    for part in (".openai", "groundedness 5%", f"1 in {tmp_path}", "http://collector:4318"):
        assert part in lines[0]
    assert "secret" not in caplog.text


@pytest.fixture
def installed(monkeypatch):
    """The packages that are installed, for a test to say; no instrumentor."""
    packages = {}

    def version(name):
        if name not in packages:
            raise PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(environment, "version", version)
    monkeypatch.setattr(environment, "entry_points", lambda group: [])
    return packages


def _said(caplog):
    caplog.clear()
    with caplog.at_level("INFO"):
        start.say(Settings(), None)
    notices.close()
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_the_pair_of_packages_that_makes_no_spans_is_said_loudly(installed, caplog):
    """openai-v2 does not import with util-genai 1.2b0 or later, and OpenTelemetry says so only at DEBUG."""
    for v2, util, wrong in [
        ("2.4b0", "1.2b0", True), ("2.4b0", "10.0", True), ("2.4b0", "1.1b0", False), ("", "1.2b0", False), ("2.4b0", "", False),
    ]:  # fmt: skip
        both = {"opentelemetry-instrumentation-openai-v2": v2, "opentelemetry-util-genai": util}
        installed.clear()
        installed.update({name: version for name, version in both.items() if version})
        loud = [message for level, message in _said(caplog) if level == "ERROR"]
        assert len(loud) == wrong, (v2, util)
        assert all(f"{util}: there will be NO LLM spans" in message and "pip uninstall" in message for message in loud)


@pytest.mark.parametrize(
    ("packages", "variables", "named"),
    [
        ({"langfuse": "5.0.4"}, {}, "langfuse 5.0.4"),
        ({"langfuse": "5.0.4"}, {"LANGFUSE_TRACING_ENABLED": "false"}, ""),
        ({"langfuse": "2.60.0"}, {}, ""),
        ({"anthropic": "2.13.0"}, {}, "anthropic 2.13.0"),
        ({"anthropic": "2.13.0"}, {"ANTHROPIC_OPEN_TELEMETRY": "false"}, ""),
        ({"anthropic": "0.60.0"}, {}, ""),
        ({"langsmith": "0.15.1"}, {"LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "otel"}, "langsmith 0.15.1"),
        ({"langsmith": "0.15.1"}, {"LANGCHAIN_TRACING_V2": "true", "LANGSMITH_OTEL_ENABLED": "true"}, "langsmith 0.15.1"),
        ({"langsmith": "0.15.1"}, {"LANGSMITH_TRACING": "true"}, ""),
        ({"langsmith": "0.15.1"}, {"LANGSMITH_TRACING_MODE": "otel"}, ""),
        ({}, {}, ""),
    ],
)  # fmt: skip
def test_an_sdk_that_makes_spans_itself_is_named_and_nothing_is_advised(
    installed, monkeypatch, caplog, packages, variables, named
):
    """Langfuse's, Anthropic's and, where its mode says so, LangSmith's: read like an instrumentor's."""
    for name in [n for n in os.environ if n.startswith(("LANGFUSE_", "LANGSMITH_", "LANGCHAIN_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    installed.update(packages)
    (line,) = [message for _, message in _said(caplog) if "LLM instrumentors" in message]
    assert ("NONE (install one" in line) == (not named)
    assert (f"LLM instrumentors: {named} (its own spans);" in line) is bool(named)


@pytest.mark.parametrize("module", [
    # genai
    "opentelemetry.instrumentation.genai.openai", "opentelemetry.instrumentation.openai_v2", "opentelemetry.instrumentation.google_genai",
    # openllmetry
    *(f"opentelemetry.instrumentation.{name}" for name in (
        "openai", "anthropic", "google_generativeai", "vertexai", "bedrock", "cohere", "mistralai", "groq", "ollama", "together", "replicate",
        "watsonx", "sagemaker", "alephalpha", "transformers", "litellm", "langchain", "llamaindex", "haystack", "crewai", "agno",
        "openai_agents", "writer", "voyageai",
    )),
    "openinference.instrumentation.google_genai",
])  # fmt: skip
def test_an_instrumentor_of_every_dialect_is_named_and_nothing_is_advised(installed, monkeypatch, caplog, module):
    """By the modules that the packages' entry points name."""
    monkeypatch.setattr(environment, "entry_points", lambda group: [EntryPoint("x", f"{module}:X", group)])
    (line,) = [message for _, message in _said(caplog) if "LLM instrumentors" in message]
    assert f"LLM instrumentors: {module};" in line


@pytest.mark.parametrize("name", ["mcp", "chromadb", "pinecone", "qdrant", "weaviate", "milvus", "marqo", "lancedb"])
def test_an_instrumentor_of_tools_or_a_store_is_named_and_one_for_models_advised(installed, monkeypatch, caplog, name):
    """With it alone there is no span of a call."""
    module = f"opentelemetry.instrumentation.{name}"
    monkeypatch.setattr(environment, "entry_points", lambda group: [EntryPoint("x", f"{module}:X", group)])
    (line,) = [message for _, message in _said(caplog) if "LLM instrumentors" in message]
    assert "LLM instrumentors: NONE (install one" in line
    assert f", {module};" in line


def test_disabled_instrumentors_are_not_listed_as_seen():
    """By the name of their entry point."""
    found = [
        EntryPoint("openai", "opentelemetry.instrumentation.genai.openai:X", "g"),
        EntryPoint("langchain", "openinference.instrumentation.langchain:X", "g"),
        EntryPoint("requests", "opentelemetry.instrumentation.requests:X", "g"),
    ]
    assert environment.instrumentors({}, found) == (
        "openinference.instrumentation.langchain",
        "opentelemetry.instrumentation.genai.openai",
    )
    assert environment.instrumentors({environment.DISABLED: "openai"}, found) == ("openinference.instrumentation.langchain",)
    assert environment.instrumentors({environment.DISABLED: "*"}, found) == ()


def test_where_spans_go_is_read_from_the_environment():
    """Exporter, endpoint, protocol."""
    assert environment.destination({}) == "otlp http://localhost:4317"
    assert environment.destination({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}) == "otlp http://localhost:4318"
    assert environment.destination({"OTEL_TRACES_EXPORTER": "console"}) == "console"
    assert environment.destination({"OTEL_TRACES_EXPORTER": "none"}).startswith("nowhere")


def test_a_wrong_setting_and_a_foreign_completion_hook_are_said_at_start(monkeypatch, caplog):
    """Nobody looks for a reason that is not told."""
    monkeypatch.setenv("TRUEGREEN_SAMPLING", "0.05")
    monkeypatch.setenv(environment.HOOK, "upload")
    made = TruegreenInstrumentor()
    made.instrument()
    made.uninstrument()
    said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert any("TRUEGREEN_SAMPLING: found '0.05'; write a percentage" in m for m in said)
    assert any("set it to truegreen, `upload` is chained" in m for m in said)


def test_notices_go_to_stderr_only_where_the_application_has_no_logging_of_its_own(monkeypatch, capsys):
    """Else they would be there twice; a handler that only exports to OpenTelemetry shows nobody anything."""
    root = logging.getLogger()
    exporting = type("LoggingHandler", (logging.NullHandler,), {"__module__": "opentelemetry.sdk._logs"})()
    notices.open_()
    for handlers, seen in (([], True), ([exporting], True), ([logging.NullHandler()], False)):
        monkeypatch.setattr(root, "handlers", handlers)
        notices.once(f"to {handlers}", "hello")
        assert ("truegreen: hello" in capsys.readouterr().err) is seen
    notices.close()


def test_uninstrument_takes_every_registered_step_back_once_the_latest_first(instrumentor):
    """Handlers, threads and patches of any module are registered with `shared.undo`; one that fails stops no other."""
    steps = []

    def first():
        steps.append("first")

    def fails():
        raise RuntimeError("x")

    def last():
        steps.append("last")

    for step in (first, fails, last, last):
        undo(step)
    instrumentor.uninstrument()
    assert steps == ["last", "first"]
    assert failures.counted() == {"undo": 1}
    instrumentor.instrument(settings=Settings())
    instrumentor.uninstrument()
    assert steps == ["last", "first"]
