"""The running collector as an OTLP citizen: real exporters, bad requests, limits, its pages, its end."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
from aiohttp import ClientSession, web
from conftest import Running, until
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from otlp_requests import Clock, events, judged, llm, span, total, traces

from truegreen.collector import grpc_receiver, intake, receiver
from truegreen.collector.processor import Processor
from truegreen.core.clients.engines import free_port
from truegreen.core.words import catalogue
from truegreen.core.words.calibration import QUANTILES, Calibration, to_text

Start = Callable[..., Running]
FAST = ("--scrape-interval", "10ms")


def count(collector: Running, pattern: str) -> float:
    """The sum of the samples whose line begins with this pattern."""
    lines = re.findall(rf"^{pattern}(?:\{{[^\n]*\}})? (\S+)$", collector.get("/metrics")[1], re.MULTILINE)
    return sum(map(float, lines))


def accepted(collector: Running, spans: float) -> None:
    until(lambda: count(collector, "truegreen_collector_accepted_spans_total") == spans, f"{spans:.0f} spans accepted")


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
    body = events([{"gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.label": "pass", "truegreen.evaluation.sampled": "base"}])
    assert collector.post(body, "/v1/logs")[0] == 200
    with grpc.insecure_channel(collector.grpc) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export", lambda b: b, lambda b: b)
        assert call(body, timeout=10) == b""
    until(lambda: count(collector, "truegreen_evaluated_answers_total") == 2, "both are counted")


BOMB = gzip.compress(b"\0" * 200_000_000, 9)


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"\xff\xff\xff", {}, 400, "undecodable"),
        (traces([span(llm())])[:-3], {}, 400, "undecodable"),
        (b"{", {"Content_Type": "application/json"}, 400, "undecodable"),
        (b"[]", {"Content_Type": "application/json"}, 400, "undecodable"),
        (b'{"resourceSpans": 5}', {"Content_Type": "application/json"}, 400, "undecodable"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}', {"Content_Type": "application/json"}, 400, "undecodable"),
        (b"not gzip", {"Content_Encoding": "gzip"}, 400, "undecodable"),
        (gzip.compress(traces([span(llm())]))[:-9], {"Content_Encoding": "gzip"}, 400, "undecodable"),
        (BOMB, {"Content_Encoding": "gzip"}, 413, "too_large"),
        (b"\0" * (20 * 1024 * 1024 + 1), {}, 413, "too_large"),
        (b"x", {"Content_Type": "text/plain"}, 415, "content_type"),
        (b"x", {"Content_Encoding": "br"}, 415, "encoding"),
    ],
    ids=lambda value: None if isinstance(value, (bytes, dict)) else str(value),
)
def test_a_bad_request_is_refused_counted_and_survived(collector: Running, body: bytes, headers: dict[str, str], status: int, reason: str) -> None:
    """The answer is a google.rpc.Status in the request's type, and the next request is taken; a bomb is not inflated."""
    refused = f'truegreen_collector_refused_requests_total{{reason="{reason}"}} '
    before = int(collector.get("/metrics")[1].split(refused)[1].split()[0])
    spans = count(collector, "truegreen_collector_accepted_spans_total")
    got, answer, sent = collector.post(body, **headers)
    assert got == status
    if headers.get("Content_Type") == "application/json":
        assert json.loads(answer)["message"]
    else:
        assert sent["Content-Type"] == "application/x-protobuf"
        assert Status.FromString(answer).message
    assert f"{refused}{before + 1}\n" in collector.get("/metrics")[1]
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{collector.process.pid}/status").read_text())[1])  # type: ignore[index]
    assert peak < 220_000, "kB"
    assert collector.post(traces([span(llm())]))[0] == 200
    accepted(collector, spans + 1)


def test_other_methods_and_paths_are_named(collector: Running) -> None:
    """PUT is 405 with Allow, metrics are not taken (404), and gRPC says UNIMPLEMENTED."""
    status, _, headers = collector.post(b"", method="PUT")
    assert (status, headers["Allow"]) == (405, "POST")
    assert collector.post(b"", "/v1/metrics")[0] == 404
    with grpc.insecure_channel(collector.grpc) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", lambda b: b, lambda b: b)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
        call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", lambda b: b, lambda b: b)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff\xff", timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]


def test_an_overloaded_collector_refuses_before_it_parses_and_says_when_to_come_back() -> None:
    """503 with Retry-After by HTTP, UNAVAILABLE with both RetryInfo keys by gRPC; after that it takes requests again."""

    async def run() -> None:
        processor = Processor(Clock(), 30.0)
        gate = intake.Intake(processor, limit=1000)
        runner = web.ServerRunner(receiver.server(gate))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        rpc = grpc_receiver.server(gate)
        port = rpc.add_insecure_port("127.0.0.1:0")
        await rpc.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
        body = traces([span(llm())])
        try:
            gate.reserve(1000 - len(body) + 1)
            async with ClientSession() as session, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", lambda b: b, lambda b: b)
                async with session.post(url, data=b"\xff" * len(body), headers={"Content-Type": "application/x-protobuf"}) as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
                    status = Status.FromString(await answer.read())
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(body)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
                metadata = dict(caught.value.trailing_metadata())
                inner = RetryInfo()
                assert Status.FromString(metadata["grpc-status-details-bin"]).details[0].Unpack(inner)
                assert inner.retry_delay.seconds == RetryInfo.FromString(metadata["google.rpc.retryinfo-bin"]).retry_delay.seconds == 1
                assert status.details[0].Unpack(inner)
                assert total(processor, catalogue.COLLECTOR_REFUSED_REQUESTS, reason="overloaded") == 2
                gate.release(1000 - len(body) + 1)
                assert await call(body) == b""
                async with session.post(url, data=body, headers={"Content-Type": "application/x-protobuf"}) as answer:
                    assert answer.status == 200
            assert gate.held == 0
            assert total(processor, catalogue.COLLECTOR_ACCEPTED_SPANS) == 2
        finally:
            await rpc.stop(0)
            await runner.cleanup()

    asyncio.run(run())


def test_scores_give_the_raw_numbers_of_the_base_sample(start: Start) -> None:
    """What `baseline take` reads: raw scores with a hashed session each, calibrated or not; boosts stay out."""
    collector = start()
    first = judged(raw=1.25, session__id="alice", truegreen__snapshot__id="s1")
    without_baseline = {k: v for k, v in judged(raw=-0.5, session__id="alice").items() if not k.endswith((".label", ".score", ".calibration"))}
    collector.post(traces([span(first), span(without_baseline), span(judged(raw=9.0, sampled="boost")), span(judged(raw=2.0))]))
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
    collector.post(traces([span(judged("fail"), trace_id=b"\x01" * 16), span(judged("pass")), span(judged("fail"), trace_id=b"\x02" * 16)]))
    failing = json.loads(collector.get("/failing?service=bot&environment=production")[1])["failing"]
    assert [(one["evaluation"], one["trace_id"]) for one in failing] == [("groundedness", "02" * 16), ("groundedness", "01" * 16)]
    assert failing[0]["time"] == pytest.approx(1_700_000_001)
    assert json.loads(collector.get("/failing?service=nobody&environment=x")[1]) == {"failing": []}


def test_a_page_asked_wrongly_says_how_to_ask(collector: Running) -> None:
    """400 with the missing names; health answers."""
    status, body = collector.get("/scores?service=bot")
    assert status == 400 and "environment, evaluation missing" in json.loads(body)["error"]
    assert collector.get("/healthz") == (200, "ok\n")


def test_calibration_files_are_exposed_and_a_broken_one_is_named(start: Start, tmp_path: Path) -> None:
    """Size and date of the baseline; a file that cannot be read costs a line, not the collector."""
    folder = tmp_path / "calibration"
    folder.mkdir()
    frozen = Calibration("bot", "production", "groundedness", "context_support", "relative", -1.0, tuple(map(float, QUANTILES)), 0.03, 1.0, 600,
                         "2026-01-02T03:04:05+00:00")  # fmt: skip
    (folder / "a.json").write_text(to_text(frozen))
    (folder / "b.json").write_text("{}")
    collector = start("--calibration", str(folder))
    text = collector.get("/metrics")[1]
    assert 'truegreen_baseline_answers{service="bot",environment="production",signal="groundedness",template=""} 600\n' in text
    assert 'truegreen_baseline_timestamp_seconds{service="bot",environment="production",signal="groundedness",template=""} 1767323045\n' in text
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=20)[1]
    assert "b.json: version is missing" in said


def test_sigterm_ends_it_and_says_what_was_counted(start: Start) -> None:
    """Exit code 0, no traceback, no content on its output."""
    collector = start()
    collector.post(traces([span(judged() | {"gen_ai.output.messages": "SECRET ANSWER"})] * 7))
    collector.post(b"SECRET ANSWER")
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=20)[1]
    assert collector.process.returncode == 0
    assert "7 spans counted" in said and "Traceback" not in said and "SECRET" not in said


@pytest.mark.parametrize("option", ["--http-endpoint", "--grpc-endpoint", "--metrics-endpoint"])
def test_a_port_in_use_is_one_line_and_exit_1(collector: Running, option: str) -> None:
    """The line names the option and the address."""
    taken = collector.http
    command = [sys.executable, "-m", "truegreen.core", "collect"]
    for name in ("--http-endpoint", "--grpc-endpoint", "--metrics-endpoint"):
        command += [name, taken if name == option else f"127.0.0.1:{free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1 and option in lines[0] and taken in lines[0], done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--http-endpoint", "4318"), "write HOST:PORT"),
        (("--scrape-interval", "soon"), "write a time such as 30s"),
        (("--explain", "truegreen_nothing"), "write one of truegreen_llm_requests_total"),
    ],
)
def test_a_bad_option_is_exit_2_with_what_to_write(options: tuple[str, ...], says: str) -> None:
    """One line, no traceback."""
    done = subprocess.run([sys.executable, "-m", "truegreen.core", "collect", *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_explain_says_what_feeds_a_metric() -> None:
    """Source attributes of one metric, one line for each of all, and the compiled source."""
    from click.testing import CliRunner

    from truegreen.collector.commands import collect

    run = CliRunner().invoke
    one = run(collect, ["--explain", "truegreen_answers_total"]).output
    assert "`truegreen.cohort`" in one and "tool_calls" in one
    assert run(collect, ["--explain"]).output.count("\n") == len(catalogue.ALL)
    assert "def traces(data):" in run(collect, ["--explain", "source"]).output
    assert json.loads(run(collect, ["--explain", "LLM_DURATION", "--json"]).output)[0]["metric"] == "truegreen_llm_duration_seconds"
