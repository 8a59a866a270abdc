"""The running collector as an OTLP citizen: real exporters, bad requests, limits, its pages, its end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from collector_process import Running, accepted, count, until
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from otlp_requests import events, judged, span, traces

from truegreen.core.words import catalogue
from truegreen.core.words.calibration import QUANTILES, Calibration, ErrorRates, to_text

Start = Callable[..., Running]
FAST = ("--scrape-interval", "10ms")


def exporter(kind: str, collector: Running) -> SpanExporter:
    if kind == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=collector.grpc, insecure=True)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    compression = Compression.Gzip if kind == "gzip" else Compression.NoCompression
    return Http(endpoint=f"http://{collector.http}/v1/traces", compression=compression)


@pytest.mark.parametrize("kind", ["http", "gzip", "grpc"])
def test_the_real_sdk_exporters_are_counted(start: Start, kind: str) -> None:
    """Spans made by the SDK come out as series with their labels, by each transport."""
    collector = start(*FAST)
    resource = Resource.create({"service.name": "bot", "deployment.environment.name": "test"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter(kind, collector)))
    for _ in range(50):
        provider.get_tracer("t").start_span("chat large", attributes=judged("fail")).end()
    provider.shutdown()
    accepted(collector, 50)
    series = 'truegreen_evaluated_answers_total{service="bot",environment="test",evaluation="groundedness",evaluator="context_support",result="fail"}'
    until(lambda: f"{series} 50\n" in collector.get("/metrics")[1], "50 failing answers are shown")


def test_json_is_taken_like_protobuf(start: Start) -> None:
    """Ids in hex, integers as text, unknown fields ignored; the answer is JSON."""
    collector = start(*FAST)
    body = json_format.MessageToDict(ExportTraceServiceRequest.FromString(traces([span(judged("fail"), trace_id=b"\xab" * 16)])))
    only = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    only |= {"traceId": "ab" * 16, "spanId": "cd" * 8, "somethingNew": 1}
    status, answer, headers = collector.post(json.dumps(body).encode(), Content_Type="application/json; charset=utf-8")
    assert (status, json.loads(answer), headers["Content-Type"].split(";")[0]) == (200, {}, "application/json")
    failing = json.loads(collector.get("/failing?service=bot&environment=production")[1])["failing"]
    assert [one["trace_id"] for one in failing] == ["ab" * 16]


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_an_empty_request_is_fine(collector: Running, path: str) -> None:
    """No bytes, or `{}`, is an empty message: 200 with an empty answer."""
    assert collector.post(b"", path)[:2] == (200, b"")
    assert collector.post(b"{}", path, Content_Type="application/json")[:2] == (200, b"{}")


def test_logs_come_in_by_http_and_grpc(start: Start) -> None:
    """An evaluation event is counted by either transport."""
    collector = start(*FAST)
    body = events(
        [{"gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.label": "pass", "truegreen.evaluation.sampled": "base"}]
    )
    assert collector.post(body, "/v1/logs")[0] == 200
    with grpc.insecure_channel(collector.grpc) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export", lambda b: b, lambda b: b)
        assert call(body, timeout=10) == b""
    until(lambda: count(collector, "truegreen_evaluated_answers_total") == 2, "both are counted")


def test_scores_give_the_raw_numbers_of_the_base_sample(start: Start) -> None:
    """What `baseline take` reads: raw scores with a hashed session each, calibrated or not; boosts stay out."""
    collector = start()
    first = judged(raw=1.25, session__id="alice", truegreen__snapshot__id="s1")
    second = judged(raw=-0.5, session__id="alice", truegreen__snapshot__id="s1")
    without_baseline = {k: v for k, v in second.items() if not k.endswith((".label", ".score", ".calibration"))}
    last = judged(raw=2.0, truegreen__snapshot__id="s1")
    collector.post(traces([span(first), span(without_baseline), span(judged(raw=9.0, sampled="boost")), span(last)]))
    status, body = collector.get("/scores?service=bot&environment=production&evaluation=groundedness")
    answer = json.loads(body)
    sessions = answer.pop("sessions")
    assert status == 200
    assert answer == {"service": "bot", "environment": "production", "evaluation": "groundedness", "evaluator": "context_support",
                      "seen": 3, "scores": [1.25, -0.5, 2.0], "snapshot": "s1"}  # fmt: skip
    assert sessions[0] == sessions[1] != "" and sessions[2] == ""
    assert "alice" not in body
    nobody = json.loads(collector.get("/scores?service=nobody&environment=production&evaluation=groundedness")[1])
    assert (nobody["seen"], nobody["scores"], nobody["sessions"]) == (0, [], [])


def test_failing_gives_the_newest_traces_first(start: Start) -> None:
    """Evaluation, trace id in hex, end of the span."""
    collector = start()
    collector.post(
        traces([span(judged("fail"), trace_id=b"\x01" * 16), span(judged("pass")), span(judged("fail"), trace_id=b"\x02" * 16)])
    )
    failing = json.loads(collector.get("/failing?service=bot&environment=production")[1])["failing"]
    assert [(one["evaluation"], one["trace_id"]) for one in failing] == [("groundedness", "02" * 16), ("groundedness", "01" * 16)]
    assert failing[0]["time"] == pytest.approx(1_700_000_001)
    assert json.loads(collector.get("/failing?service=nobody&environment=x")[1]) == {"failing": []}


def test_calibration_files_are_exposed_and_a_broken_one_is_named(start: Start, tmp_path: Path) -> None:
    """Size and date of the baseline, how often its evaluator errs; a file that cannot be read costs a line, not the collector."""
    folder = tmp_path / "calibration"
    folder.mkdir()
    frozen = Calibration("bot", "production", "groundedness", "context_support", "relative", -1.0, tuple(map(float, QUANTILES)), 0.03, 1.0, 600,
                         "2026-01-02T03:04:05+00:00")  # fmt: skip
    rates = ErrorRates(80, 20, 0.05, 0.25, 0.9, 0.81, 0.96)
    frozen = replace(frozen, scale="calibrated", curve=((0.0, 0.1), (1.0, 0.9)), error_rates=rates)
    (folder / "a.json").write_text(to_text(frozen))
    (folder / "b.json").write_text("{}")
    collector = start("--calibration", str(folder))
    text = collector.get("/metrics")[1]
    assert 'truegreen_baseline_answers{service="bot",environment="production",signal="groundedness",template=""} 600\n' in text
    who = 'service="bot",environment="production",evaluator="context_support"'
    assert f'truegreen_evaluator_error_rate{{{who},error="false_positive"}} 0.05\n' in text
    assert f'truegreen_evaluator_error_rate{{{who},error="false_negative"}} 0.25\n' in text
    assert (
        'truegreen_baseline_timestamp_seconds{service="bot",environment="production",signal="groundedness",template=""} 1767323045\n'
        in text
    )
    (folder / "a.json").write_text(to_text(replace(frozen, error_rates=None)))
    text = collector.get("/metrics")[1]
    assert "truegreen_evaluator_error_rate{" not in text and "truegreen_baseline_answers{" in text
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=20)[1]
    assert "b.json:1: version is missing" in said


def test_sigterm_ends_it_and_says_what_was_counted(start: Start) -> None:
    """Exit code 0, no traceback, no content on its output."""
    collector = start()
    collector.post(traces([span(judged() | {"gen_ai.output.messages": "SECRET ANSWER"})] * 7))
    collector.post(b"SECRET ANSWER")
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=20)[1]
    assert collector.process.returncode == 0
    assert "7 spans counted" in said and "Traceback" not in said and "SECRET" not in said


def test_explain_says_what_feeds_a_metric() -> None:
    """Source attributes of one metric, one line for each of all, and the compiled source."""
    from click.testing import CliRunner

    from truegreen.collector.commands import collect

    run = CliRunner().invoke
    one = run(collect, ["--explain", "truegreen_answers_total"]).output
    assert "`truegreen.cohort`" in one and "tool_calls" in one
    assert run(collect, ["--explain"]).output.count("\n") == len(catalogue.ALL)
    assert "def count(ctx, kind, spans, now, tick):" in run(collect, ["--explain", "source"]).output
    assert (
        json.loads(run(collect, ["--explain", "LLM_DURATION", "--json"]).output)[0]["metric"] == "truegreen_llm_duration_seconds"
    )
