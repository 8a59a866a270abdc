"""What HTTP and gRPC share: the bound on bytes in flight, bounded inflation, one request into the processor, answers of refusal."""

from __future__ import annotations

import base64
import binascii
import logging
import time
import zlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.collector.model import MAX_MESSAGE
from truegreen.collector.processor import Processor
from truegreen.collector.wire import DecodeError
from truegreen.core.words import catalogue

log = logging.getLogger("truegreen.collector")
TRACES: Final = "traces"
LOGS: Final = "logs"
# google.rpc.Code
INVALID_ARGUMENT: Final = 3
DEADLINE_EXCEEDED: Final = 4
UNIMPLEMENTED: Final = 12
UNAVAILABLE: Final = 14
RESOURCE_EXHAUSTED: Final = 8
MEMBERS: Final = 16
"""Gzip members of one body; clients send one. Each costs a copy of what is left, so a body of tiny ones would cost the square of its size."""
_IDS: Final = ("traceId", "spanId", "parentSpanId")


class Refused(Exception):
    """A request that is not taken; `reason` is the label of the counter."""

    def __init__(self, reason: str, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.reason, self.status, self.code, self.message = reason, status, code, message


@dataclass(slots=True)
class Intake:
    """Where requests go in.

    Args:
        processor: counts them.
        limit: bytes of requests that may be held at once.
    """

    processor: Processor
    limit: int
    held: int = 0
    draining: bool = False
    _timer: Callable[[], float] = field(default=time.perf_counter)

    def check(self, size: int) -> None:
        """Whether there is room for `size` more bytes now; nothing is held.

        Raises:
            Refused: there is no room, or the collector is stopping.
        """
        if self.draining:
            raise Refused("draining", 503, UNAVAILABLE, "the collector is stopping; send again")
        if self.held + size > self.limit:
            raise Refused(
                "overloaded", 503, UNAVAILABLE, f"{self.held} bytes are in flight, at most {self.limit} are held; send again"
            )

    def reserve(self, size: int) -> None:
        """Hold `size` more bytes that are here; give them back with `release`.

        Raises:
            Refused: there is no room, or the collector is stopping.
        """
        self.check(size)
        self.held += size

    def release(self, size: int) -> None:
        """Give bytes back."""
        self.held -= size

    def take(self, signal: str, data: bytes) -> None:
        """Count one request.

        Raises:
            Refused: the bytes are no such message.
        """
        began = self._timer()
        processor = self.processor
        try:
            if signal == TRACES:
                processor.traces(data)
            else:
                processor.logs(data)
        except DecodeError:
            raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the body is not an OTLP {signal} request") from None
        except Exception as error:
            # A retry would count the first part twice: the request is taken, what is left of it is lost, and the counter says so.
            processor.store.dropped("internal")
            log.error("a request could not be counted to its end: %s", type(error).__name__)  # noqa: TRY400  # a traceback could show content
        taken = self._timer() - began
        cell = processor.store.request_duration
        cell[bisect_left(catalogue.COLLECTOR_REQUEST_DURATION.buckets, taken) + 1] += 1
        cell[0] += taken


def inflated(data: bytes, limit: int = MAX_MESSAGE) -> bytes:
    """Gunzip, never making more than `limit` bytes.

    Raises:
        Refused: not gzip, cut short, of more than 16 members, or more than the limit.
    """
    parts: list[bytes] = []
    left = limit
    try:
        while data:
            if len(parts) == MEMBERS:
                raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the gzip body has over {MEMBERS} members; write one")
            member = zlib.decompressobj(31)
            made = member.decompress(data, left + 1)
            if len(made) > left:
                raise Refused(
                    "too_large", 413, RESOURCE_EXHAUSTED, f"the body is over {limit} bytes when inflated; send smaller batches"
                )
            if not member.eof:
                raise Refused("undecodable", 400, INVALID_ARGUMENT, "the gzip body is cut short")
            parts.append(made)
            left -= len(made)
            data = member.unused_data
    except zlib.error:
        raise Refused("undecodable", 400, INVALID_ARGUMENT, "the body is not gzip") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def from_json(signal: str, data: bytes) -> bytes:
    """An OTLP/JSON request (ids in hex, other bytes in base64, unknown fields ignored) as the bytes of the same protobuf message.

    Raises:
        Refused: not JSON, or not such a message.
    """
    import json

    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message: Any = ExportTraceServiceRequest() if signal == TRACES else ExportLogsServiceRequest()
    try:
        parsed = json.loads(data)
        if not isinstance(parsed, dict):
            raise Refused("undecodable", 400, INVALID_ARGUMENT, "the body is no JSON object")
        json_format.ParseDict(_with_base64_ids(parsed), message, ignore_unknown_fields=True, max_recursion_depth=100)
    except (ValueError, TypeError, RecursionError, binascii.Error, json_format.ParseError):
        raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the body is not an OTLP/JSON {signal} request") from None
    return bytes(message.SerializeToString())


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode()
            if key in _IDS and isinstance(item, str)
            else _with_base64_ids(item)
            for key, item in value.items()
        }
    return value


def status_bytes(code: int, message: str, retry_seconds: int = 0) -> bytes:
    """A google.rpc.Status, with a RetryInfo where there is something to wait for."""
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    status = Status(code=code, message=message)
    if retry_seconds:
        status.details.add().Pack(RetryInfo(retry_delay={"seconds": retry_seconds}))
    return bytes(status.SerializeToString())


def retry_bytes(seconds: int) -> bytes:
    """A google.rpc.RetryInfo."""
    from google.rpc.error_details_pb2 import RetryInfo

    return bytes(RetryInfo(retry_delay={"seconds": seconds}).SerializeToString())
