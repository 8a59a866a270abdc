"""What an application is set up with: variables, options, the declarative file; and what is said of it at start."""

from __future__ import annotations

import os
import sys

import pytest
from opentelemetry.instrumentation.auto_instrumentation import _load
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from setups import CHAT, exporting, needs, run

from truegreen.instrumentation import TruegreenInstrumentor, environment, failures, start
from truegreen.instrumentation.settings import Settings


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


@pytest.mark.parametrize(
    "listed", ["truegreen", *(pytest.param(listed, marks=pytest.mark.full) for listed in ("*", " requests , truegreen "))]
)
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
