"""Clients that stop in the middle: they take no room from others, they are given up after a time, and nobody's traceback is printed."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest
from aiohttp import ClientSession, web
from collector_process import Running, until
from otlp_requests import Clock, llm, span, total, traces

from truegreen.collector import intake, receiver, server
from truegreen.collector.model import IN_FLIGHT, MAX_MESSAGE, Limits, Settings
from truegreen.collector.processor import Processor
from truegreen.core.errors import Failed
from truegreen.core.words import catalogue

BODY: Final = traces([span(llm())])
PROTOBUF: Final = {"Content-Type": receiver.PROTOBUF}
DEADLINE: Final = 20.0


@asynccontextmanager
async def listening(limit: int = IN_FLIGHT, **limits: float) -> AsyncIterator[tuple[intake.Intake, int]]:
    """The real receiver on a free port."""
    gate = intake.Intake(Processor(Clock(), 30.0), limit, Limits(**limits))
    runner = web.ServerRunner(receiver.server(gate), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield gate, runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def opened(port: int, length: int, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that announces a body of this length and sends this much of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {receiver.PROTOBUF}\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + sent)
    await writer.drain()
    return reader, writer


async def posted(port: int) -> int:
    """The status of one good request."""
    async with (
        ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/v1/traces", data=BODY, headers=PROTOBUF) as answer,
    ):
        return answer.status


async def until_held(gate: intake.Intake, size: int) -> None:
    """Wait until the collector holds so many bytes."""
    async with asyncio.timeout(DEADLINE):
        while gate.held != size:  # noqa: ASYNC110  # what is awaited is the server's, which has no event for it
            await asyncio.sleep(0.005)


def refused(gate: intake.Intake, reason: str) -> float:
    """How many requests were refused for this reason."""
    return total(gate.processor, catalogue.COLLECTOR_REFUSED_REQUESTS, reason=reason)


def test_silent_connections_take_no_room_from_others() -> None:
    """Four that announce 80 MiB and send 40 bytes hold 40 bytes, and a fifth client is served."""

    async def run() -> None:
        async with listening() as (gate, port):
            silent = [await opened(port, MAX_MESSAGE, b"x" * 10) for _ in range(4)]
            await until_held(gate, 40)
            assert await posted(port) == 200
            assert gate.held == 40
            for _, writer in silent:
                writer.close()
            await until_held(gate, 0)

    asyncio.run(run())


def test_a_body_that_stalls_is_answered_503_and_closed() -> None:
    """It may be sent again (SDKs drop a batch after 408); what it held is given back, the refusal is counted, and the connection ends."""

    async def run() -> None:
        async with listening(body_seconds=0.05) as (gate, port):
            reader, writer = await opened(port, 1000, b"x" * 10)
            async with asyncio.timeout(DEADLINE):
                answer = await reader.read()
            assert (
                answer.startswith(b"HTTP/1.1 503 ")
                and b"\r\nRetry-After: 1\r\n" in answer
                and b"\r\nConnection: close\r\n" in answer
            )
            assert (gate.held, refused(gate, "timed_out")) == (0, 1)
            writer.close()

    asyncio.run(run())


@pytest.mark.parametrize("sent", [b"4\r\nabcd\r\n", b"4\r\nabcd\r\nSECRET\r\n"], ids=["gone", "garbled"])
def test_a_client_that_drops_out_is_counted_without_a_traceback(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged, nothing stays held, and the next client is served."""

    async def run() -> None:
        async with listening() as (gate, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            head = (
                f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {receiver.PROTOBUF}\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            writer.write(head.encode() + sent[:9])
            await until_held(gate, 4)
            writer.write(sent[9:])
            writer.close()
            async with asyncio.timeout(DEADLINE):
                while not refused(gate, "disconnected"):  # noqa: ASYNC110  # the server has no event for it
                    await asyncio.sleep(0.005)
            assert gate.held == 0
            assert await posted(port) == 200

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == []


def test_what_is_no_http_is_answered_without_quoting_it(caplog: pytest.LogCaptureFixture) -> None:
    """400, and no line in the log: it would hold what was sent."""

    async def run() -> None:
        async with listening() as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"SECRET ANSWER\r\n\r\n")
            async with asyncio.timeout(DEADLINE):
                assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
            writer.close()

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.full
def test_sigterm_ends_a_collector_whose_clients_hang(start: Callable[..., Running]) -> None:
    """Bodies that never come, on both ports: exit code 0, no traceback."""
    collector = start()
    hung = []
    for address, path in ((collector.http, "/v1/traces"), (collector.metrics, "/healthz"), (collector.metrics, "/metrics")):
        host, _, port = address.rpartition(":")
        one = socket.create_connection((host, int(port)))
        hung.append(one)
        kind = f"Content-Type: {receiver.PROTOBUF}\r\nContent-Length: 1000\r\n\r\nabc"
        one.sendall(f"{'POST' if path != '/metrics' else 'GET'} {path} HTTP/1.1\r\nHost: x\r\n{kind}".encode())
    assert collector.get("/healthz")[0] == 200
    collector.process.send_signal(signal.SIGTERM)
    until(lambda: collector.process.poll() is not None, "the collector has ended")
    said = collector.process.communicate()[1]
    assert (collector.process.returncode, "Traceback" in said) == (0, False), said
    for one in hung:
        one.close()


def test_all_waits_of_a_stop_are_within_its_grace(collector: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp waits twice for each of its servers, one server after the other."""
    waits: list[float] = []

    def noted(real: Callable[..., web.BaseRunner]) -> Callable[..., web.BaseRunner]:
        return lambda *given, **options: waits.append(options["shutdown_timeout"]) or real(*given, **options)

    for name in ("AppRunner", "ServerRunner"):
        monkeypatch.setattr(web, name, noted(getattr(web, name)))
    with pytest.raises(Failed, match="cannot listen"):
        asyncio.run(server.serve(Settings(metrics_endpoint=collector.metrics), lambda _: None))
    assert len(waits) == 2 and server.DRAIN_SECONDS + 2 * sum(waits) <= server.GRACE_SECONDS


def test_a_body_of_unknown_length_is_bounded_by_what_may_be_held() -> None:
    """Chunks are counted as they come: past the limit it is 503, and nothing stays held."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"x" * 1000

    async def run() -> None:
        async with listening(limit=4000) as (gate, port), ClientSession() as session:
            url = f"http://127.0.0.1:{port}/v1/traces"
            async with session.post(url, data=chunks(), headers=PROTOBUF) as answer:
                assert answer.status == 503
            assert (gate.held, refused(gate, "overloaded")) == (0, 1)

    asyncio.run(run())
