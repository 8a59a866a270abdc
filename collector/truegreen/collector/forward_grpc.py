"""Sends requests to one destination by OTLP/gRPC, as raw bytes."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio

from truegreen.collector import forward_files as files
from truegreen.collector.forward_payload import GZIP, LOOPBACK, VIA, Original
from truegreen.collector.forward_verdict import DELIVERED, Verdict, of_grpc, rejected
from truegreen.core.config.forward import Destination

METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_OPTIONS: Final = (("grpc.max_send_message_length", -1), ("grpc.max_reconnect_backoff_ms", 10_000))
_DIRECT: Final = (*_OPTIONS, ("grpc.enable_http_proxy", 0))
"""For the loopback: a proxy of the environment is not for it."""


class GrpcSender:
    """One channel to a destination, made anew when its certificates change.

    Raises:
        BadInput: a file of headers or certificates cannot be used.
    """

    def __init__(self, destination: Destination, say: files.Say) -> None:
        address = urlsplit(destination.endpoint)
        secure = address.scheme == "https"
        self._target = address.netloc if address.port else f"{address.netloc}:{443 if secure else 4317}"
        self._options = _DIRECT if address.hostname in LOOPBACK else _OPTIONS
        self._timeout = destination.timeout
        self._compression = grpc.Compression.Gzip if destination.compression == GZIP else grpc.Compression.NoCompression
        self._headers = files.headers(destination, say)
        self._pem = files.pem(destination, say) if secure else None
        self._used: files.Pem | None = None
        self._channel: grpc.aio.Channel | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def send(self, request: Original) -> Verdict:
        """One attempt."""
        call = self._open().unary_unary(METHODS[request.signal], request_serializer=None, response_deserializer=None)
        metadata = [(VIA, request.via), *((name.lower(), value) for name, value in self._headers().items())]
        try:
            answer = await call(request.body, timeout=self._timeout, metadata=metadata, compression=self._compression)
        except grpc.aio.AioRpcError as error:
            trailing: Any = dict(
                list(error.trailing_metadata() or ())
            )  # dict() alone asks for keys, which older versions give wrongly
            return of_grpc(error.code().name, trailing.get("grpc-status-details-bin", b""))
        return Verdict(DELIVERED, "gRPC OK", rejected=rejected(answer))

    async def close(self) -> None:
        """End the channel."""
        if self._channel:
            await self._channel.close(None)
        await asyncio.gather(*self._ending)

    def _open(self) -> grpc.aio.Channel:
        pem = self._pem() if self._pem else None
        if self._channel is None or pem is not self._used:
            if self._channel:  # what is on its way there may end
                task = asyncio.get_running_loop().create_task(self._channel.close(self._timeout))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
            self._used = pem
            self._channel = (
                grpc.aio.secure_channel(self._target, grpc.ssl_channel_credentials(*pem), self._options)
                if pem
                else grpc.aio.insecure_channel(self._target, self._options)
            )
        return self._channel
