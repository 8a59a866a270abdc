"""OTLP over HTTP: protobuf and JSON, gzip, bounded at every step. aiohttp with its own inflation off (it would inflate a bomb first)."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

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


def server(intake: Intake) -> web.Server:
    """The HTTP receiver, to be run by a `ServerRunner`."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await _taken(intake, request)
        except Refused as refused:
            intake.processor.store.refused(refused.reason)
            return _refusal(request, refused)

    return web.Server(handle, auto_decompress=False, access_log=None, keepalive_timeout=HEADER_SECONDS, read_bufsize=READ_BUFFER)


async def _taken(intake: Intake, request: web.BaseRequest) -> web.Response:
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
    held = 0
    try:
        intake.reserve(expected)
        held = expected
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > MAX_MESSAGE:
                raise Refused("too_large", 413, into.RESOURCE_EXHAUSTED, f"over {MAX_MESSAGE} bytes; send smaller batches")
            if size > held:
                intake.reserve(size - held)
                held = size
            chunks.append(chunk)
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        del chunks
        if encoding == "gzip":
            body = into.inflated(body)
        if kind == JSON:
            body = into.from_json(signal, body) if body else b""
        intake.take(signal, body)
    finally:
        intake.release(held)
    return web.Response(body=b"{}" if kind == JSON else b"", content_type=kind)


def _refusal(request: web.BaseRequest, refused: Refused) -> web.Response:
    if request.content_type == JSON:
        body, kind = json.dumps({"code": refused.code, "message": refused.message}).encode(), JSON
    else:
        body, kind = into.status_bytes(refused.code, refused.message, RETRY_SECONDS if refused.status == 503 else 0), PROTOBUF
    headers = {"Retry-After": str(RETRY_SECONDS)} if refused.status == 503 else None
    return web.Response(status=refused.status, body=body, content_type=kind, headers=headers)
