"""Clients that stop in the middle: they take no room from others, they are given up after a time, and nobody's traceback is printed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientSession, web
from otlp_requests import Clock, llm, span, total, traces

from truegreen.collector import intake, receiver
from truegreen.collector.model import IN_FLIGHT, MAX_MESSAGE
from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue

BODY: Final = traces([span(llm())])
PROTOBUF: Final = {"Content-Type": receiver.PROTOBUF}
DEADLINE: Final = 20.0


@asynccontextmanager
async def listening(
    limit: int = IN_FLIGHT, body_seconds: float = receiver.BODY_SECONDS
) -> AsyncIterator[tuple[intake.Intake, int]]:
    """The real receiver on a free port."""
    gate = intake.Intake(Processor(Clock(), 30.0), limit)
    runner = web.ServerRunner(receiver.server(gate, body_seconds), shutdown_timeout=0.1)
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


def test_a_body_that_stalls_is_answered_408_and_closed() -> None:
    """What it held is given back, the refusal is counted, and the connection ends."""

    async def run() -> None:
        async with listening(body_seconds=0.05) as (gate, port):
            reader, writer = await opened(port, 1000, b"x" * 10)
            async with asyncio.timeout(DEADLINE):
                answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 408 ") and b"\r\nConnection: close\r\n" in answer
            assert (gate.held, refused(gate, "timed_out")) == (0, 1)
            writer.close()

    asyncio.run(run())


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
