"""OTLP over gRPC: handlers that take and give raw bytes.

Export has one request, and is served as if it might have many: what a handler of a stream gets first are the headers, so that who may not send, or
comes when all places are taken, is answered before the message is read, and a message that never ends is given up.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
import grpc.aio

from truegreen.collector import refusals
from truegreen.collector.forward_payload import VIA, Original
from truegreen.collector.intake import Intake
from truegreen.collector.otlp_json import LOGS, TRACES
from truegreen.collector.refusals import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED, UNAVAILABLE, Refused
from truegreen.collector.turns import Turns

SERVICES: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": LOGS,
}
STREAMS: Final = 100
"""Requests of one connection that are open at once; a client that has more waits, which it does by itself."""
OTHERS: Final = 8
"""One part in so many of the requests that are taken at once is left to other addresses, however many one of them has waiting."""
ENDING_SECONDS: Final = 0.5
"""Where no message came, gRPC has cancelled the call by then (in a millisecond, as a rule) or there was none."""
_CODES: Final = {
    INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
}


def server(intake: Intake) -> grpc.aio.Server:
    """The gRPC receiver, without a port; others than Export of traces and logs are UNIMPLEMENTED by gRPC itself."""
    limits = intake.limits
    wait = int(limits.header_seconds * 1000)
    made = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", limits.request),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", STREAMS),
            ("grpc.max_allowed_incoming_connections", limits.connections),
            ("grpc.server_handshake_timeout_ms", wait),
            ("grpc.http2.settings_timeout", wait),
            ("grpc.max_connection_idle_ms", wait),
            ("grpc.keepalive_time_ms", wait),
        )
    )
    turns = Turns(limits.reading, max(1, limits.requests - max(1, limits.requests // OTHERS)))
    ending = asyncio.Semaphore(limits.requests)
    for service, signal in SERVICES.items():
        handler = grpc.stream_unary_rpc_method_handler(_export(intake, signal, turns, ending))
        made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    return made


def _export(intake: Intake, signal: str, turns: Turns, ending: asyncio.Semaphore) -> Any:
    async def export(_requests: Any, context: Any) -> bytes:
        answer = await _answer(intake, signal, turns, context)
        if answer is None:
            answer = await _without(intake, ending)
        if isinstance(answer, Refused):
            intake.refused(answer)
            await _abort(context, answer)
            return b""
        return answer

    return export


async def _answer(intake: Intake, signal: str, turns: Turns, context: Any) -> bytes | Refused | None:
    """The answer to a call; None where no message came."""
    try:
        via = _header(context, VIA)
        with intake.request(_header(context, "authorization"), via):
            intake.check(0)
            async with turns.one(intake.limits.body_seconds, lambda: context.peer().rpartition(":")[0]):
                message = await context.read()
            if message is grpc.aio.EOF:
                return None
            size = len(message)
            intake.reserve(size)
            try:
                rejected, words = intake.take(signal, message, Original(signal, message, via=via))
            finally:
                intake.release(size)
        return refusals.partial_bytes(rejected, words) if words else b""
    except Refused as refused:
        # Its frames hold the message, and gRPC holds what ends a call for a while: forty refusals of 19 MiB were 800 MiB.
        refused.__context__ = None
        return refused.with_traceback(None)


async def _without(intake: Intake, ending: asyncio.Semaphore) -> Refused:
    """What is over the limit, gRPC refuses by itself: all that is seen of it here is that nothing came and that the call is then cancelled."""
    if not ending.locked():
        async with ending:
            try:
                await asyncio.sleep(ENDING_SECONDS)
            except asyncio.CancelledError:
                intake.processor.store.refused("too_large")
                raise
    return Refused("malformed", 400, INVALID_ARGUMENT, "there is no message in the call; send an Export request")


def _header(context: Any, name: str) -> str:
    return next((str(value) for key, value in context.invocation_metadata() or () if key == name), "")


async def _abort(context: Any, refused: Refused) -> None:
    metadata = [("grpc-status-details-bin", refusals.status_bytes(refused))]
    if refused.retry_seconds:
        # The Python exporter reads this key and not the standard one above.
        metadata.append(("google.rpc.retryinfo-bin", refusals.retry_bytes(refused.retry_seconds)))
    await context.abort(_CODES[refused.code], refused.message, trailing_metadata=tuple(metadata))
