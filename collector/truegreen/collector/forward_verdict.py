"""What an attempt to forward came to, by the rules of OTLP, and how long to wait before the next one: pure functions.

Rules: OTLP specification 1.x, "OTLP/HTTP Response" and "OTLP/gRPC Response" (which failures may be sent again, Retry-After, RetryInfo, partial success).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

from google.protobuf.message import DecodeError

JSON: Final = "application/json"

DELIVERED: Final = "delivered"
RETRY: Final = "retry"
QUEUE_FULL: Final = "queue_full"
EXPIRED: Final = "expired"
REJECTED: Final = "rejected"
UNAUTHORIZED: Final = "unauthorized"
UNREDACTABLE: Final = "unredactable"
SHUTDOWN: Final = "shutdown"
INTERNAL: Final = "internal"
LOSSES: Final = (QUEUE_FULL, EXPIRED, REJECTED, UNAUTHORIZED, UNREDACTABLE, SHUTDOWN, INTERNAL)
"""Why a request is dropped: every accepted one is delivered, dropped for one of these, or still in the queue."""

HTTP_RETRIED: Final = frozenset({429, 502, 503, 504})
HTTP_UNAUTHORIZED: Final = frozenset({401, 403})
GRPC_RETRIED: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
GRPC_UNAUTHORIZED: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
FIRST_WAIT: Final = 1.0
"""Seconds before the second attempt, doubled for each one after it."""
LONGEST_WAIT: Final = 30.0
LONGEST_ASKED: Final = 60.0
"""A destination that asks to wait for longer is asked again after so long: an hour, said once, would empty the queue."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt came to.

    Args:
        outcome: DELIVERED, RETRY, or the reason for which the request is dropped.
        said: what the destination did, for the log: never its words, which may quote what was sent.
        wait: seconds that it asks to wait, for all requests; None where it asks for nothing.
        rejected: spans or log records that it left out (partial success).
    """

    outcome: str
    said: str = ""
    wait: float | None = None
    rejected: int = 0


def of_http(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """The verdict of an HTTP answer; `now` is Unix seconds, for a Retry-After that is a date."""
    said = f"HTTP {status}"
    if 200 <= status < 300:
        json_body = headers.get("Content-Type", "").partition(";")[0].strip().lower() == JSON
        return Verdict(DELIVERED, said, rejected=_rejected_json(body) if json_body else rejected(body))
    if status in HTTP_RETRIED:
        return Verdict(RETRY, said, retry_after(headers.get("Retry-After", ""), now))
    if 300 <= status < 400:
        return Verdict(REJECTED, f"{said}, which sends on to another address: name that one")
    return Verdict(UNAUTHORIZED if status in HTTP_UNAUTHORIZED else REJECTED, said)


def of_grpc(code: str, details: bytes) -> Verdict:
    """The verdict of a gRPC status that is not OK; `details` is the google.rpc.Status of its metadata, or nothing."""
    wait = _retry_info(details)
    said = f"gRPC {code}"
    if code in GRPC_RETRIED or (code == "RESOURCE_EXHAUSTED" and wait is not None):
        return Verdict(RETRY, said, wait)
    return Verdict(UNAUTHORIZED if code in GRPC_UNAUTHORIZED else REJECTED, said)


def wait_before(attempt: int, asked: float | None, random: float) -> float:
    """Seconds until the next attempt: doubled each time up to 30 s, half of it random; never less than what was asked, and up to a tenth more.

    Args:
        attempt: how many have failed since the request was taken, from 1.
        asked: seconds, or None.
        random: 0 to 1.
    """
    own = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 10)) * (0.5 + random / 2)
    if asked is None:
        return own
    return max(asked * (1 + random / 10), FIRST_WAIT * (0.5 + random / 2))


def retry_after(text: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3: a number or a date); None when it is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)


def rejected(body: bytes) -> int:
    """Spans or log records that an Export…ServiceResponse says were rejected; 0 when it is none."""
    if not body:
        return 0
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:  # the response for logs has the same fields
        return max(0, ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:
        return 0


def _rejected_json(body: bytes) -> int:
    try:
        partial: Any = json.loads(body or b"{}")["partialSuccess"]
        return max(0, int(partial.get("rejectedSpans") or partial.get("rejectedLogRecords") or 0))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return 0


def _retry_info(details: bytes) -> float | None:
    if not details:
        return None
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    info = RetryInfo()
    try:
        if not any(detail.Unpack(info) for detail in Status.FromString(details).details):
            return None
    except DecodeError:
        return None
    wait = float(info.retry_delay.seconds) + info.retry_delay.nanos * 1e-9
    return max(0.0, wait) if isfinite(wait) else None
