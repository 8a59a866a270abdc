"""OTLP over HTTP: protobuf and JSON, gzip and zstd, bounded at every step. aiohttp with its own inflation off (it would inflate a bomb first)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from truegreen.collector import refusals
from truegreen.collector.forward_payload import JSON, PROTOBUF, VIA, Original
from truegreen.collector.inflate import ENCODINGS, inflated
from truegreen.collector.intake import Intake, Partial
from truegreen.collector.otlp_json import LOGS, TRACES, from_json
from truegreen.collector.refusals import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, Refused, busy
from truegreen.collector.tls_gate import Door

PATHS: Final = {"/v1/traces": TRACES, "/v1/logs": LOGS}
COUNTED: Final = {TRACES: "rejectedSpans", LOGS: "rejectedLogRecords"}
READ_BUFFER: Final = 1 << 20
"""Bytes read before the sender is paused; with aiohttp's 64 KiB a batch of 200 spans costs three times the CPU to receive."""
SHORT_JSON: Final = 1 << 16
"""JSON under so many bytes is read at once (some milliseconds), longer in a thread."""
LINGER_SECONDS: Final = 2.0
"""A client that is answered while it still sends is read for so long, or it would see a reset and not the answer."""
FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


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


class _Connection(web.RequestHandler):
    """Counts what is no HTTP, and ends the connection of who does not read its answers."""

    __slots__ = ("away", "malformed", "unread", "unread_seconds")
    away: bool
    malformed: Callable[[], None]
    unread: asyncio.TimerHandle | None
    unread_seconds: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Writing is paused while a byte waits: one that waits holds the connection even after it was closed.
        cast("asyncio.Transport", transport).set_write_buffer_limits(0)
        self.unread = None
        self.away = False
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        # What came with the connection is read even where reading was paused at once (asyncio before 3.12).
        if not self.away:
            super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self.unread = self._loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_all()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._read_all()
        super().connection_lost(exc)

    def _read_all(self) -> None:
        if self.unread:
            self.unread.cancel()
            self.unread = None

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> Any:
        if status < 500:
            self.malformed()
        return super().handle_error(request, status, exc, message)


class _Server(web.Server):
    """Bounds the connections, and the time to a first request: aiohttp before 3.14 waits for one without end."""

    def __init__(self, intake: Intake, handler: Any, **named: Any) -> None:
        super().__init__(handler, **named)
        self._intake = intake
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._named = named
        self._open = 0
        self._away: set[web.RequestHandler] = set()

    def __call__(self) -> web.RequestHandler:
        made = _Connection(self, loop=self._loop, **self._named)
        made.unread_seconds = self._intake.limits.body_seconds
        made.malformed = lambda: self._intake.processor.store.refused("malformed")
        return made

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        limits = self._intake.limits
        if self._open < limits.connections:
            self._open += 1
            self._silent[handler] = self._loop.call_later(limits.header_seconds, transport.abort)
        else:
            self._intake.processor.store.refused("connections")
            self._turn_away(handler, transport)

    def _turn_away(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        # What it sends is not read, and an end with unread bytes is a reset: the client gets a while to see the answer first.
        self._away.add(handler)
        cast("_Connection", handler).away = True
        transport.pause_reading()
        transport.write(FULL)
        if transport.can_write_eof():
            transport.write_eof()
        many = len(self._away) > self._intake.limits.connections
        self._loop.call_later(0 if many else LINGER_SECONDS, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        if handler in self._away:
            self._away.discard(handler)
        else:
            self._open -= 1
        self.heard(handler)
        super().connection_lost(handler, exc)

    @property
    def open_now(self) -> int:
        """Connections that are open."""
        return self._open + len(self._away)

    def heard(self, handler: web.RequestHandler) -> None:
        """The headers of a first request are here."""
        timer = self._silent.pop(handler, None)
        if timer:
            timer.cancel()


def server(intake: Intake) -> _Server:
    """The HTTP receiver, to be run by a `ServerRunner`."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        made.heard(request.protocol)
        try:
            return await _taken(intake, request)
        except Refused as refused:
            intake.refused(refused)
            return _refusal(request, refused)

    made = _Server(
        intake, handle, auto_decompress=False, access_log=None, keepalive_timeout=intake.limits.header_seconds,
        read_bufsize=READ_BUFFER, lingering_time=LINGER_SECONDS, logger=LOG,
    )  # fmt: skip
    return made


def behind_tls(made: _Server, intake: Intake, context: Callable[[], ssl.SSLContext]) -> Door:
    """The same over TLS, with as many handshakes and connections at once as it has connections."""
    limits, refused = intake.limits, intake.processor.store.refused
    return Door(made, context, lambda: made.open_now, limits.connections, limits.header_seconds, refused)


async def _taken(intake: Intake, request: web.BaseRequest) -> web.Response:
    signal = PATHS.get(request.path)
    if signal is None:
        return web.Response(status=404, text=f"this is an OTLP receiver: POST to {' or '.join(PATHS)}\n")
    if request.method != "POST":
        return web.Response(status=405, headers={"Allow": "POST"}, text="write POST\n")
    with intake.request(request.headers.get("Authorization", ""), request.headers.get(VIA, "")):
        kind = request.content_type
        if kind not in (PROTOBUF, JSON):
            raise Refused("content_type", 415, INVALID_ARGUMENT, f"content type {kind[:60]}: write {PROTOBUF} or {JSON}")
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
        if encoding not in ENCODINGS:
            raise Refused("encoding", 415, INVALID_ARGUMENT, f"content encoding {encoding[:60]}: write {' or '.join(ENCODINGS)}")
        return await _counted(intake, request, signal, kind, encoding)


async def _counted(intake: Intake, request: web.BaseRequest, signal: str, kind: str, encoding: str) -> web.Response:
    expected, most = request.content_length or 0, intake.limits.request
    if expected > most:
        raise Refused("too_large", 413, RESOURCE_EXHAUSTED, f"{expected} bytes, at most {most} are taken; send smaller batches")
    intake.check(expected)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    chunks: list[bytes] = []
    held = [0]
    try:
        await _read(intake, request, chunks, held)
        original = Original(
            signal, chunks[0] if len(chunks) == 1 else b"".join(chunks), kind, encoding, request.headers.get(VIA, "")
        )
        chunks.clear()
        if kind == JSON:
            partial = await _take_json(intake, request, original)
        else:
            partial = intake.take(signal, _plain(original, most), original)
    finally:
        intake.release(held[0])
    return web.Response(body=_answer(signal, kind, partial), content_type=kind)


async def _take_json(intake: Intake, request: web.BaseRequest, original: Original) -> Partial:
    """JSON costs 30 times as much to read as protobuf, for its classes are read by Python: what takes long does not stop the loop.

    Raises:
        Refused: the body is not such a request, there was no turn, or the sender has left: it sends again, and would be counted twice.
    """
    signal = original.signal
    short = _short(original)
    if short is not None:
        return intake.take(signal, from_json(signal, short) if short else b"", original)
    async with intake.converting.one():
        _still_there(request)
        body = _plain(original, intake.limits.request)
        # A body of 20 kB may be 20 MiB here, and so stays until it is counted.
        more = len(body) if body is not original.body else 0
        intake.reserve(more)
        try:
            message = await asyncio.to_thread(from_json, signal, body)
            _still_there(request)
            return intake.take(signal, message, original)
        finally:
            intake.release(more)


def _short(original: Original) -> bytes | None:
    """The JSON, where it is so short that it is read at once."""
    try:
        body = _plain(original, SHORT_JSON)
    except Refused as refused:
        if refused.reason == "too_large":
            return None
        raise
    return body if len(body) <= SHORT_JSON else None


def _plain(original: Original, most: int) -> bytes:
    return original.body if original.encoding == "identity" else inflated(original.body, original.encoding, most)


def _still_there(request: web.BaseRequest) -> None:
    if request.transport is None:
        raise Refused("disconnected", 400, INVALID_ARGUMENT, "the sender left before its turn came")


async def _read(intake: Intake, request: web.BaseRequest, chunks: list[bytes], held: list[int]) -> None:
    """Read the body into `chunks`, holding the bytes that are here and no others: a length that is only announced takes no room from others."""
    most, seconds = intake.limits.request, intake.limits.body_seconds
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                if held[0] + len(chunk) > most:
                    raise Refused("too_large", 413, RESOURCE_EXHAUSTED, f"over {most} bytes; send smaller batches")
                intake.reserve(len(chunk))
                held[0] += len(chunk)
                chunks.append(chunk)
    except TimeoutError:
        raise busy("timed_out", f"the body was not whole after {seconds:g} s") from None
    except (ConnectionError, ClientPayloadError, HttpProcessingError):
        raise Refused("disconnected", 400, INVALID_ARGUMENT, "the body ended before it was whole") from None


def _answer(signal: str, kind: str, partial: Partial) -> bytes:
    rejected, message = partial
    if not message:
        return b"{}" if kind == JSON else b""
    return (
        refusals.partial_json(COUNTED[signal], rejected, message) if kind == JSON else refusals.partial_bytes(rejected, message)
    )


def _refusal(request: web.BaseRequest, refused: Refused) -> web.Response:
    json = request.content_type == JSON
    body = refusals.status_json(refused) if json else refusals.status_bytes(refused)
    headers = {"Retry-After": str(refused.retry_seconds)} if refused.retry_seconds else {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    answer = web.Response(status=refused.status, body=body, content_type=JSON if json else PROTOBUF, headers=headers)
    if refused.reason in ("timed_out", "draining"):
        answer.force_close()
    return answer
