"""A destination for tests: an OTLP server on the loopback, by HTTP and gRPC, that keeps what it takes and fails as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from aiohttp import web

HANG: Final = "hang"
RESET: Final = "reset"
HALF: Final = "half"
SLOW: Final = "slow"
LOST: Final = "lost"
OK: Final = "200"
METHODS: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "/v1/traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "/v1/logs",
}


@dataclass(frozen=True)
class Got:
    """One attempt that arrived whole."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Sink:
    """What a destination saw, and what it does next.

    Args:
        script: what it does with each attempt: OK, HANG, RESET, HALF (takes it, then breaks off its answer),
            LOST (takes it and does not answer), SLOW, a status such as `503`, with
            a Retry-After such as `503:2`, or the name of a gRPC code, with a RetryInfo such as `UNAVAILABLE:2`; when it is at its end, `then`.
        gate: while it is set, nothing is answered.
        answer: the body of a 200.
    """

    script: list[str] = field(default_factory=list)
    then: str = OK
    answer: bytes = b""
    answer_type: str = "application/x-protobuf"
    got: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    gate: bool = False
    http: str = ""
    grpc: str = ""

    def next(self) -> str:
        return self.script.pop(0) if self.script else self.then

    async def _opened(self) -> None:
        while self.gate:  # noqa: ASYNC110  # set by another thread
            await asyncio.sleep(0.01)

    async def _http(self, request: web.BaseRequest) -> web.StreamResponse:
        got = Got(request.path, b"".join([part async for part in request.content.iter_any()]), dict(request.headers))
        self.got.append(got)
        what, _, wait = self.next().partition(":")
        await self._opened()
        if what == HANG:
            await asyncio.sleep(3600)
        if what == SLOW:
            await asyncio.sleep(0.2)
        if what in (OK, SLOW, HALF, LOST):
            self.taken.append(got)
        if what in (RESET, LOST):
            assert request.transport
            request.transport.abort()
            return web.Response()
        if what == HALF:
            answer = web.StreamResponse(headers={"Content-Length": "1000"})
            await answer.prepare(request)
            await answer.write(b"half")
            assert request.transport
            request.transport.abort()
            return answer
        if what in (OK, SLOW):
            return web.Response(body=self.answer, content_type=self.answer_type)
        return web.Response(
            status=int(what), headers={"Retry-After": wait} if wait else {"Location": "http://127.0.0.1:1/"}, text="prompt"
        )

    def _grpc(self, service: str) -> Any:
        async def export(body: bytes, context: Any) -> bytes:
            from google.rpc.error_details_pb2 import RetryInfo
            from google.rpc.status_pb2 import Status

            got = Got(METHODS[service], body, dict(context.invocation_metadata()))
            self.got.append(got)
            what, _, wait = self.next().partition(":")
            await self._opened()
            if what == HANG:
                await asyncio.sleep(3600)
            if what != OK:
                code = grpc.StatusCode[what]
                status = Status(code=code.value[0], message="prompt")
                if wait:
                    status.details.add().Pack(RetryInfo(retry_delay={"seconds": int(wait)}))
                await context.abort(code, "prompt", trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),))
            self.taken.append(got)
            return self.answer

        return export

    async def serve(self, tls: Any = None, credentials: grpc.ServerCredentials | None = None) -> Callable[[], Any]:
        """Listen; what is returned ends it."""
        runner = web.ServerRunner(web.Server(self._http, auto_decompress=False), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.http = (
            f"{'https' if tls else 'http'}://localhost:{runner.addresses[0][1]}"
            if tls
            else f"http://127.0.0.1:{runner.addresses[0][1]}"
        )
        rpc = grpc.aio.server(options=(("grpc.max_receive_message_length", -1),))
        for service in METHODS:
            handler = grpc.unary_unary_rpc_method_handler(self._grpc(service))
            rpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
        port = rpc.add_secure_port("localhost:0", credentials) if credentials else rpc.add_insecure_port("127.0.0.1:0")
        self.grpc = f"https://localhost:{port}" if credentials else f"http://127.0.0.1:{port}"
        await rpc.start()

        async def end() -> None:
            self.gate = False
            await rpc.stop(None)
            await runner.cleanup()

        return end


@contextmanager
def threaded(sink: Sink) -> Iterator[Sink]:
    """The sink in a thread of its own, for a collector that is a process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    end = asyncio.run_coroutine_threadsafe(sink.serve(), loop).result(10)
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
