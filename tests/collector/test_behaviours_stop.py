"""How the collector ends, and what it never says: behaviours 13 and 16 of an honest OTLP citizen."""

from __future__ import annotations

import gzip
import re
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from collector_process import Running, count, until
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_requests import events, judged, llm, span, traces
from receivers import ALONE, LOGS, TRACES, post_head

Start = Callable[..., Running]
BODY = traces([span(llm())])


def made(many: int) -> list[ReadableSpan]:
    """So many spans of the real SDK."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    for _ in range(many):
        provider.get_tracer("t").start_span("chat", attributes=llm()).end()
    return list(kept.get_finished_spans())


def ended(collector: Running) -> str:
    """What a collector that is stopping says until it has ended."""
    said = collector.process.communicate(timeout=20)[1]
    assert collector.process.returncode == 0 and "Traceback" not in said, said
    return said


def test_behaviour_13_a_stop_finishes_what_was_let_in_and_takes_nothing_more(start: Start) -> None:
    """While half a body is here: not ready, no new connections, 503 on old ones; the other half is counted and answered; then it ends."""
    collector = start()
    host, _, port = collector.http.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as half,
        socket.create_connection((host, int(port)), timeout=20) as idle,
    ):
        half.sendall(post_head(len(BODY)).encode() + BODY[:10])
        idle.sendall(post_head(len(BODY)).encode() + BODY)
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        collector.process.send_signal(signal.SIGTERM)
        until(lambda: collector.get("/readyz")[0] == 503, "it says that it stops")

        def closed() -> bool:
            try:
                socket.create_connection((host, int(port)), timeout=20).close()
            except ConnectionRefusedError:
                return True
            return False

        until(closed, "no new connections")
        idle.sendall(post_head(len(BODY)).encode() + BODY)
        answer = idle.recv(4096)
        assert (
            answer.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in answer and b"\r\nConnection: close\r\n" in answer
        )
        half.sendall(BODY[10:])
        assert half.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert "stopped; 2 spans counted" in ended(collector)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_behaviour_13_a_rolling_restart_under_load_loses_nothing(start: Start, kind: str) -> None:
    """Real exporters send while the collector is replaced on the same ports: every batch succeeds, and both together counted each span once."""
    batch = made(20)
    first = start()

    def exporter() -> SpanExporter:
        return Grpc(endpoint=first.grpc, insecure=True) if kind == "grpc" else Http(endpoint=f"http://{first.http}/v1/traces")

    sent, failed, stop = [0], [0], threading.Event()

    def load() -> None:
        with_retries = exporter()
        while not stop.is_set():
            if with_retries.export(batch) is SpanExportResult.SUCCESS:
                sent[0] += len(batch)
            else:
                failed[0] += len(batch)
        with_retries.shutdown()

    loading = threading.Thread(target=load)
    loading.start()
    until(lambda: sent[0] > 200, "the load runs")
    first.process.send_signal(signal.SIGTERM)
    said = ended(first)
    before = int(re.search(r"stopped; (\d+) spans counted", said)[1])  # type: ignore[index]
    second = replace(start("--http-endpoint", first.http, "--grpc-endpoint", first.grpc), http=first.http, grpc=first.grpc)
    then = sent[0]
    until(lambda: sent[0] > then + 200, "the load goes on")
    stop.set()
    loading.join()
    assert failed[0] == 0
    assert before + count(second, "truegreen_collector_accepted_spans_total") == sent[0]


def test_behaviour_13_a_second_signal_does_not_wait_for_what_is_to_be_forwarded(start: Start, tmp_path: Path) -> None:
    """The destination takes the request and never answers, the flush may take 1,000 s: the stop says so, and the second signal ends it."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        where = f"http://127.0.0.1:{hung.getsockname()[1]}"
        (tmp_path / "truegreen.yaml").write_text(
            f"collector: {{flush: 1000s, forward: [{{name: hung, endpoint: '{where}', timeout: 600s, max_age: 1h}}]}}\n"
        )
        collector = start()
        assert collector.post(BODY)[0] == 200
        collector.process.send_signal(signal.SIGTERM)
        assert collector.process.stderr is not None
        lines: list[str] = []
        while not any("stopping, up to 1005 s; a second signal" in line for line in lines):
            lines.append(collector.process.stderr.readline())
            assert lines[-1], lines
        collector.process.send_signal(signal.SIGTERM)
        said = ended(collector)
    assert "1 requests for hung were not delivered" in said and "stopped; 1 spans counted" in said, said


SECRET = "SECRET ANSWER 4711"


def test_behaviour_16_nothing_that_was_sent_is_said(start: Start, tmp_path: Path) -> None:
    """Good, odd and bad requests by every way, with content in every place: no line of the log and no page has a word of it."""
    tokens = tmp_path / "tokens"
    tokens.write_text("the-token")
    collector = start("--token-file", str(tokens))
    content = {"gen_ai.output.messages": SECRET, "gen_ai.input.messages": SECRET, "user.id": SECRET, "session.id": SECRET}
    whole = traces([span(judged("fail", score=7.0) | content), span({"http.route": SECRET})])
    records = events([{"gen_ai.evaluation.score.label": "fail", "gen_ai.evaluation.explanation": SECRET}])
    token = {"Authorization": "Bearer the-token"}
    for body, path, more in (
        (whole, "/v1/traces", token), (records, "/v1/logs", token), (whole, "/v1/traces", {"Authorization": f"Bearer {SECRET}"}),
        (SECRET.encode(), "/v1/traces", token), (whole[:-5], "/v1/traces", token), (SECRET.encode(), "/v1/logs", token),
        (SECRET.encode(), "/v1/traces", token | {"Content_Encoding": "gzip"}), (gzip.compress(SECRET.encode()), "/v1/traces", token | {"Content_Encoding": "gzip"}),
        (SECRET.encode(), "/v1/traces", token | {"Content_Encoding": "zstd"}), (b'{"' + SECRET.encode(), "/v1/traces", token | {"Content_Type": "application/json"}),
        (b'{"resourceSpans":"' + SECRET.encode() + b'"}', "/v1/traces", token | {"Content_Type": "application/json"}),
    ):  # fmt: skip
        answer = collector.post(body, path, **more)
        assert SECRET.encode() not in answer[1], (path, more)
    host, _, port = collector.http.rpartition(":")
    for sent in (
        SECRET.encode() + b"\r\n\r\n",
        f"POST /{SECRET} HTTP/1.1\r\n{SECRET}\r\n\r\n".encode(),
        post_head(100).encode() + SECRET.encode(),
    ):
        with socket.create_connection((host, int(port)), timeout=20) as one:
            one.sendall(sent)
    with grpc.insecure_channel(collector.grpc, options=ALONE) as channel:
        for method, body in ((TRACES, whole), (LOGS, records), (TRACES, SECRET.encode()), (TRACES, b"\xff" + SECRET.encode())):
            call = channel.unary_unary(method, lambda b: b, lambda b: b)
            try:
                call(body, timeout=20, metadata=[("authorization", "Bearer the-token")])
            except grpc.RpcError as error:
                assert SECRET not in str(error.details()), body  # type: ignore[attr-defined]
    for path in (
        "/metrics",
        "/failing?service=bot&environment=production",
        "/scores?service=bot&environment=production&evaluation=groundedness",
    ):
        assert "SECRET" not in collector.get(path)[1], path
    collector.process.send_signal(signal.SIGTERM)
    said = ended(collector)
    assert "SECRET" not in said and "the-token" not in said, said
