"""OTLP over gRPC: handlers that take and give raw bytes."""

from __future__ import annotations

from typing import Any, Final

import grpc
import grpc.aio

from truegreen.collector import intake as into
from truegreen.collector.intake import Intake, Refused
from truegreen.collector.model import MAX_MESSAGE, RETRY_SECONDS

SERVICES: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": into.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": into.LOGS,
}
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
)
_CODES: Final = {into.INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT, into.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE}


def server(intake: Intake) -> grpc.aio.Server:
    """The gRPC receiver, without a port; others than Export of traces and logs are UNIMPLEMENTED by gRPC itself."""
    made = grpc.aio.server(options=OPTIONS)
    for service, signal in SERVICES.items():
        handler = grpc.unary_unary_rpc_method_handler(_export(intake, signal))
        made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    return made


def _export(intake: Intake, signal: str) -> Any:
    async def export(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        size = len(request)
        try:
            intake.reserve(size)
            try:
                intake.take(signal, request)
            finally:
                intake.release(size)
        except Refused as refused:
            intake.processor.store.refused(refused.reason)
            await _abort(context, refused)
        return b""

    return export


async def _abort(context: grpc.aio.ServicerContext[Any, Any], refused: Refused) -> None:
    retry = RETRY_SECONDS if refused.code == into.UNAVAILABLE else 0
    metadata = [("grpc-status-details-bin", into.status_bytes(refused.code, refused.message, retry))]
    if retry:
        # The Python exporter reads this key and not the standard one above.
        metadata.append(("google.rpc.retryinfo-bin", into.retry_bytes(retry)))
    await context.abort(_CODES[refused.code], refused.message, trailing_metadata=tuple(metadata))
