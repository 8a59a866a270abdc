"""Both receivers in the test's own process, on free ports, with limits that a test can reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc.aio
from aiohttp import ClientSession, web
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from otlp_requests import Clock, total

from truegreen.collector import grpc_receiver, receiver
from truegreen.collector.access import Allow, anybody
from truegreen.collector.intake import Intake
from truegreen.collector.model import Limits
from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue

DEADLINE: Final = 20.0
TRACES: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
ALONE: Final = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True)
class Both:
    """Two receivers that share an intake."""

    intake: Intake
    http: int
    grpc: int
    socket: str
    """Where gRPC is reached from another address."""

    def counted(self, metric: Any, **labels: str) -> float:
        """The sum of a metric."""
        return total(self.intake.processor, metric, **labels)

    def refused(self, reason: str) -> float:
        """How many requests were refused for this reason."""
        return self.counted(catalogue.COLLECTOR_REFUSED_REQUESTS, reason=reason)

    @property
    def spans(self) -> float:
        """How many spans were accepted."""
        return self.counted(catalogue.COLLECTOR_ACCEPTED_SPANS)

    async def post(self, body: Any, path: str = "/v1/traces", **headers: str) -> tuple[int, bytes, Any]:
        """Status, body and headers of a request by HTTP."""
        named = {"Content-Type": receiver.PROTOBUF} | {key.replace("_", "-"): value for key, value in headers.items()}
        async with (
            ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.http}{path}", data=body, headers=named) as answer,
        ):
            return answer.status, await answer.read(), answer.headers

    async def call(
        self, body: bytes, method: str = TRACES, compression: Any = None, metadata: Any = ()
    ) -> tuple[grpc.StatusCode, bytes, dict[str, bytes]]:
        """Code, answer and trailing metadata of a request by gRPC, on a connection of its own."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc}", options=ALONE, compression=compression) as channel:
            call = channel.unary_unary(method, lambda b: b, lambda b: b)
            try:
                return grpc.StatusCode.OK, await call(body, timeout=DEADLINE, metadata=metadata), {}
            except grpc.aio.AioRpcError as error:
                return error.code(), (error.details() or "").encode(), dict(error.trailing_metadata() or ())

    async def opened(self, head: str, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection by HTTP on which these headers and bytes were sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http)
        writer.write(head.encode() + sent)
        await writer.drain()
        return reader, writer


def post_head(length: int, *more: str) -> str:
    """The headers of a request that announces a body of this length."""
    lines = ["POST /v1/traces HTTP/1.1", "Host: x", f"Content-Type: {receiver.PROTOBUF}", f"Content-Length: {length}", *more]
    return "\r\n".join(lines) + "\r\n\r\n"


@asynccontextmanager
async def both(
    limits: Limits | None = None, in_flight: int = 64 << 20, allow: Allow = anybody, processor: Processor | None = None
) -> AsyncIterator[Both]:
    """The real receivers, on one intake."""
    gate = Intake(processor or Processor(Clock(), 30.0), in_flight, limits or Limits(), allow)
    runner = web.ServerRunner(receiver.server(gate), shutdown_timeout=0.1)
    rpc = grpc_receiver.server(gate)
    port = rpc.add_insecure_port("127.0.0.1:0")
    folder = TemporaryDirectory()
    beside = f"unix:{folder.name}/grpc"
    rpc.add_insecure_port(beside)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await rpc.start()
        yield Both(gate, runner.addresses[0][1], port, beside)
    finally:
        await rpc.stop(0)
        await runner.cleanup()
        folder.cleanup()


async def until(check: Callable[[], bool]) -> None:
    """Wait until a server in this process has done something for which it has no event."""
    async with asyncio.timeout(DEADLINE):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def retry_seconds(status: bytes) -> int:
    """What a google.rpc.Status says to wait; 0 where it says nothing."""
    inner = RetryInfo()
    return next((inner.retry_delay.seconds for detail in Status.FromString(status).details if detail.Unpack(inner)), 0)
