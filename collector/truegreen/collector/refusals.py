"""What a client is told of a request that is not taken, or not taken whole: one reason, one status of each protocol, a google.rpc.Status.

By what exporters do with an answer: SDKs send again after UNAVAILABLE, 429 and 503, and drop a batch at once after 400, 408, 413, 500 and after a
delay that is over their budget of 10 s. So whatever may pass is 503 / UNAVAILABLE with a delay of one second, a body that came too slowly included.
"""

from __future__ import annotations

import json
from typing import Any, Final

from truegreen.collector.model import RETRY_SECONDS

# google.rpc.Code
INVALID_ARGUMENT: Final = 3
RESOURCE_EXHAUSTED: Final = 8
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16


class Refused(Exception):
    """A request that is not taken; `reason` is the label of the counter."""

    def __init__(self, reason: str, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.reason, self.status, self.code, self.message = reason, status, code, message

    @property
    def retry_seconds(self) -> int:
        """What the client should wait before it sends again; 0 where the same request would be refused again."""
        return RETRY_SECONDS if self.code == UNAVAILABLE else 0


def busy(reason: str, message: str) -> Refused:
    """A refusal that passes: 503 and UNAVAILABLE."""
    return Refused(reason, 503, UNAVAILABLE, f"{message}; send again")


def status_bytes(refused: Refused) -> bytes:
    """A google.rpc.Status, with a RetryInfo where there is something to wait for."""
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    status = Status(code=refused.code, message=refused.message)
    if refused.retry_seconds:
        status.details.add().Pack(_retry_info(refused.retry_seconds))
    return bytes(status.SerializeToString())


def status_json(refused: Refused) -> bytes:
    """The same as JSON, by the mapping of protobuf."""
    status: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.retry_seconds:
        status["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{refused.retry_seconds}s"}]
    return json.dumps(status).encode()


def retry_bytes(seconds: int) -> bytes:
    """A google.rpc.RetryInfo."""
    return bytes(_retry_info(seconds).SerializeToString())


def partial_bytes(rejected: int, message: str) -> bytes:
    """An Export response of traces or logs with a partial success (field 1 of either: rejected = 1, error_message = 2)."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


def partial_json(counted: str, rejected: int, message: str) -> bytes:
    """The same as OTLP/JSON; `counted` is `rejectedSpans` or `rejectedLogRecords`."""
    number = {counted: str(rejected)} if rejected else {}
    return json.dumps({"partialSuccess": {**number, "errorMessage": message}}).encode()


def _retry_info(seconds: int) -> Any:
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

    return RetryInfo(retry_delay={"seconds": seconds})
