"""The limits of connections and of time hold over TLS too: behaviour 7 of an honest OTLP citizen."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificates import authority, issued
from otlp_requests import Clock, llm, span, traces
from receivers import DEADLINE, post_head, until

from truegreen.collector import receiver, tls_gate
from truegreen.collector.intake import Intake
from truegreen.collector.model import Limits
from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue

BODY = traces([span(llm())])
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Secured:
    """A receiver behind TLS."""

    def __init__(self, intake: Intake, port: int, trusting: ssl.SSLContext) -> None:
        self.intake, self.port, self._trusting = intake, port, trusting

    def refused(self, reason: str) -> float:
        """How many were refused for this reason."""
        return self.intake.processor.store.own[catalogue.COLLECTOR_REFUSED_REQUESTS.prometheus, reason][0]

    async def silent(self) -> Stream:
        """A connection that does not begin its handshake."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def opened(self, sent: bytes = b"") -> Stream:
        """A connection whose handshake is over, on which this was sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self._trusting, server_hostname="localhost")
        writer.write(sent)
        return reader, writer


@asynccontextmanager
async def secured(folder: Path, limits: Limits) -> AsyncIterator[Secured]:
    """The real receiver, with a certificate of its own."""
    ours = authority(folder, "ours")
    pair = issued(folder, "server", ours)
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=ours.cert)
    context.load_cert_chain(pair.cert, pair.key)
    trusting.check_hostname = False
    intake = Intake(Processor(Clock(), 30.0), 64 << 20, limits)
    made = receiver.server(intake)
    door = receiver.behind_tls(made, intake, lambda: context)
    listening = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)
    try:
        yield Secured(intake, listening.sockets[0].getsockname()[1], trusting)
    finally:
        listening.close()
        door.close()
        await made.shutdown(0.1)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end."""
    async with asyncio.timeout(DEADLINE):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


def test_behaviour_07_connections_over_the_limit_are_turned_away_over_tls(tmp_path: Path) -> None:
    """One more than the limit is answered 503; when one has left, the next is served."""

    async def run() -> None:
        async with secured(tmp_path, Limits(connections=2)) as server:
            first = [await server.opened() for _ in range(2)]
            await until(lambda: True)
            reader, writer = await server.opened(post_head(len(BODY)).encode() + BODY)
            answer = await ended(reader)
            assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in answer
            assert server.refused("connections") == 1
            writer.close()
            first[0][1].close()
            async with asyncio.timeout(DEADLINE):
                status = b""
                while not status.startswith(b"HTTP/1.1 200 "):
                    reader, writer = await server.opened(post_head(len(BODY), "Connection: close").encode() + BODY)
                    status = await ended(reader)
                    writer.close()
            first[1][1].close()

    asyncio.run(run())


def test_behaviour_07_handshakes_that_do_not_begin_are_bounded_in_number_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects and says nothing is turned away past the limit, holds nobody up for long, and makes room as soon as it leaves."""
    monkeypatch.setattr(tls_gate, "SPARE", 1)

    async def run() -> None:
        async with secured(tmp_path, Limits(connections=3, header_seconds=1000)) as server:
            silent = [await server.silent() for _ in range(4)]
            more = [await server.silent() for _ in range(5)]
            assert [await ended(reader) for reader, _ in more] == [b""] * 5
            assert server.refused("connections") == 5
            for _, writer in silent[:2]:
                writer.transport.abort()
            async with asyncio.timeout(DEADLINE):
                while True:
                    try:
                        reader, writer = await server.opened(post_head(len(BODY), "Connection: close").encode() + BODY)
                    except OSError:
                        continue
                    assert (await ended(reader)).startswith(b"HTTP/1.1 200 ")
                    break
            for _, one in [*silent, *more, (reader, writer)]:
                one.close()
        async with secured(tmp_path, Limits(connections=3, header_seconds=0.1)) as server:
            reader, writer = await server.silent()
            assert (await ended(reader), server.refused("tls")) == (b"", 1)
            writer.close()

    asyncio.run(run())
