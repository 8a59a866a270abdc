"""What the running collector refuses, and how it says so."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import grpc
import grpc.aio
import pytest
from aiohttp import ClientSession, web
from collector_process import Running, accepted, count
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from otlp_requests import Clock, llm, span, total, traces

from truegreen.collector import grpc_receiver, inflate, intake, receiver, refusals
from truegreen.collector.processor import Processor
from truegreen.core.clients.engines import free_port
from truegreen.core.words import catalogue

BOMB = gzip.compress(b"\0" * 200_000_000, 9)


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"\xff\xff\xff", {}, 400, "undecodable"),
        (traces([span(llm())])[:-3], {}, 400, "undecodable"),
        (b"{", {"Content_Type": "application/json"}, 400, "undecodable"),
        (b"[]", {"Content_Type": "application/json"}, 400, "undecodable"),
        (b'{"resourceSpans": 5}', {"Content_Type": "application/json"}, 400, "undecodable"),
        (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}',
            {"Content_Type": "application/json"},
            400,
            "undecodable",
        ),
        (b"not gzip", {"Content_Encoding": "gzip"}, 400, "undecodable"),
        (gzip.compress(traces([span(llm())]))[:-9], {"Content_Encoding": "gzip"}, 400, "undecodable"),
        (BOMB, {"Content_Encoding": "gzip"}, 413, "too_large"),
        (b"\0" * (20 * 1024 * 1024 + 1), {}, 413, "too_large"),
        (b"x", {"Content_Type": "text/plain"}, 415, "content_type"),
        (b"x", {"Content_Encoding": "br"}, 415, "encoding"),
    ],
    ids=lambda value: None if isinstance(value, (bytes, dict)) else str(value),
)
def test_a_bad_request_is_refused_counted_and_survived(
    collector: Running, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
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


def test_many_tiny_gzip_members_are_refused_after_the_sixteenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 members cost sixteen, not the square of their number; sixteen that hold a body are read."""
    made = 0

    class Counted:
        """The real inflation, counted."""

        error = zlib.error

        @staticmethod
        def decompressobj(wbits: int) -> object:
            nonlocal made
            made += 1
            return zlib.decompressobj(wbits)

    monkeypatch.setattr(inflate, "zlib", Counted)
    with pytest.raises(refusals.Refused, match="over 16 members") as caught:
        inflate.inflated(gzip.compress(b"") * 100_000)
    assert (caught.value.status, caught.value.reason, made) == (400, "undecodable", 16)
    assert inflate.inflated(gzip.compress(b"ab") * 16) == b"ab" * 16


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
                call = channel.unary_unary(
                    "/opentelemetry.proto.collector.trace.v1.TraceService/Export", lambda b: b, lambda b: b
                )
                async with session.post(
                    url, data=b"\xff" * len(body), headers={"Content-Type": "application/x-protobuf"}
                ) as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
                    status = Status.FromString(await answer.read())
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(body)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
                metadata = dict(caught.value.trailing_metadata())
                inner = RetryInfo()
                assert Status.FromString(metadata["grpc-status-details-bin"]).details[0].Unpack(inner)
                assert (
                    inner.retry_delay.seconds
                    == RetryInfo.FromString(metadata["google.rpc.retryinfo-bin"]).retry_delay.seconds
                    == 1
                )
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


def test_a_page_asked_wrongly_says_how_to_ask(collector: Running) -> None:
    """400 with the missing names; health answers."""
    status, body = collector.get("/scores?service=bot")
    assert status == 400 and "environment, evaluation missing" in json.loads(body)["error"]
    assert collector.get("/healthz") == (200, "ok\n")


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
    done = subprocess.run(
        [sys.executable, "-m", "truegreen.core", "collect", *options], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr
