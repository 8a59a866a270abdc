"""OTLP over HTTP: protobuf and JSON, gzip, bounded at every step. aiohttp with its own inflation off (it would inflate a bomb first)."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Final

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from truegreen.collector import intake as into
from truegreen.collector.intake import Intake, Refused
from truegreen.collector.model import MAX_MESSAGE, RETRY_SECONDS

PATHS: Final = {"/v1/traces": into.TRACES, "/v1/logs": into.LOGS}
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
READ_BUFFER: Final = 1 << 20
"""Bytes read before the sender is paused; with aiohttp's 64 KiB a batch of 200 spans costs three times the CPU to receive."""
HEADER_SECONDS: Final = 60
"""A connection that sends nothing for so long is closed."""
BODY_SECONDS: Final = 30.0
"""A body must be whole within so long: the longest time that exporters wait by default (the OpenTelemetry Collector's; an SDK's is 10 s)."""
LINGER_SECONDS: Final = 2.0
"""A client that is answered while it still sends is read for so long, or it would see a reset and not the answer."""


def _quiet(record: logging.LogRecord) -> bool:
    """Nothing for a client that writes no HTTP, and the kind alone of any other error: aiohttp's own lines quote what was sent."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (HttpProcessingError, ConnectionError, ClientPayloadError)):
        return False
    if error is not None:
        record.msg, record.args, record.exc_info = "a request failed: %s", (type(error).__name__,), None
    return True


LOG: Final = logging.getLogger("truegreen.collector.http")
"""What aiohttp says of its connections."""
LOG.addFilter(_quiet)


def server(intake: Intake, body_seconds: float = BODY_SECONDS) -> web.Server:
    """The HTTP receiver, to be run by a `ServerRunner`; a body that is not whole within `body_seconds` is given up."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await _taken(intake, request, body_seconds)
        except Refused as refused:
            intake.processor.store.refused(refused.reason)
            return _refusal(request, refused)

    return web.Server(
        handle, auto_decompress=False, access_log=None, keepalive_timeout=HEADER_SECONDS, read_bufsize=READ_BUFFER,
        lingering_time=LINGER_SECONDS, logger=LOG,
    )  # fmt: skip


async def _taken(intake: Intake, request: web.BaseRequest, body_seconds: float) -> web.Response:
    signal = PATHS.get(request.path)
    if signal is None:
        return web.Response(status=404, text=f"this is an OTLP receiver: POST to {' or '.join(PATHS)}\n")
    if request.method != "POST":
        return web.Response(status=405, headers={"Allow": "POST"}, text="write POST\n")
    kind = request.content_type
    if kind not in (PROTOBUF, JSON):
        raise Refused("content_type", 415, into.INVALID_ARGUMENT, f"content type {kind[:60]}: write {PROTOBUF} or {JSON}")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
    if encoding not in ("identity", "gzip"):
        raise Refused("encoding", 415, into.INVALID_ARGUMENT, f"content encoding {encoding[:60]}: write gzip or identity")
    expected = request.content_length or 0
    if expected > MAX_MESSAGE:
        raise Refused(
            "too_large", 413, into.RESOURCE_EXHAUSTED, f"{expected} bytes, at most {MAX_MESSAGE} are taken; send smaller batches"
        )
    intake.check(expected)
    chunks: list[bytes] = []
    held = [0]
    try:
        try:
            async with asyncio.timeout(body_seconds):
                await _read(intake, request, chunks, held)
        except TimeoutError:
            raise Refused(
                "timed_out", 408, into.DEADLINE_EXCEEDED, f"the body was not whole after {body_seconds:g} s; send again"
            ) from None
        except (ConnectionError, ClientPayloadError, HttpProcessingError):
            raise Refused("disconnected", 400, into.INVALID_ARGUMENT, "the body ended before it was whole") from None
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        if encoding == "gzip":
            body = into.inflated(body)
        if kind == JSON:
            body = into.from_json(signal, body) if body else b""
        intake.take(signal, body)
    finally:
        intake.release(held[0])
    return web.Response(body=b"{}" if kind == JSON else b"", content_type=kind)


async def _read(intake: Intake, request: web.BaseRequest, chunks: list[bytes], held: list[int]) -> None:
    """Read the body into `chunks`, holding the bytes that are here and no others: a length that is only announced takes no room from others."""
    async for chunk in request.content.iter_any():
        if held[0] + len(chunk) > MAX_MESSAGE:
            raise Refused("too_large", 413, into.RESOURCE_EXHAUSTED, f"over {MAX_MESSAGE} bytes; send smaller batches")
        intake.reserve(len(chunk))
        held[0] += len(chunk)
        chunks.append(chunk)


def _refusal(request: web.BaseRequest, refused: Refused) -> web.Response:
    if request.content_type == JSON:
        body, kind = json.dumps({"code": refused.code, "message": refused.message}).encode(), JSON
    else:
        body, kind = into.status_bytes(refused.code, refused.message, RETRY_SECONDS if refused.status == 503 else 0), PROTOBUF
    headers = {"Retry-After": str(RETRY_SECONDS)} if refused.status == 503 else None
    answer = web.Response(status=refused.status, body=body, content_type=kind, headers=headers)
    if refused.status == 408:
        answer.force_close()
    return answer
