"""OTLP/JSON to the bytes of the same protobuf message."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final

from truegreen.collector.refusals import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, Refused

TRACES: Final = "traces"
LOGS: Final = "logs"
PARTS: Final = 1_000_000
"""Objects, lists and elements of one body: each costs about 100 bytes while it is read, whatever it holds; 20 MiB of spans have half as many."""
DEPTH: Final = 100
_IDS: Final = ("traceId", "spanId", "parentSpanId")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_HALF: Final = re.compile("[\ud800-\udfff]")
_HEX: Final = re.compile(r"[0-9a-fA-F]*")


def from_json(signal: str, data: bytes) -> bytes:
    """An OTLP/JSON request (ids in hex, other bytes in base64, unknown fields ignored) as the bytes of the same protobuf message.

    Raises:
        Refused: not JSON, not such a message, or of more parts than are read.
    """
    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    if data.count(b",") + data.count(b"[") + data.count(b"{") > PARTS:
        raise Refused(
            "too_large",
            413,
            RESOURCE_EXHAUSTED,
            f"over {PARTS} objects and elements in the body; send smaller batches, or protobuf",
        )
    message: Any = ExportTraceServiceRequest() if signal == TRACES else ExportLogsServiceRequest()
    try:
        # Protobuf reads NaN and Infinity where they are texts; others write them bare.
        parsed = json.loads(data, parse_constant=str)
        if not isinstance(parsed, dict):
            raise Refused("undecodable", 400, INVALID_ARGUMENT, "the body is no JSON object")
        if _SURROGATE.search(data):
            parsed = _without_surrogates(parsed)
        _ids_to_base64(parsed)
        json_format.ParseDict(parsed, message, ignore_unknown_fields=True, max_recursion_depth=DEPTH)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error, json_format.ParseError):
        raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the body is not an OTLP/JSON {signal} request") from None
    return bytes(message.SerializeToString())


def _without_surrogates(value: Any) -> Any:
    """A text cut in the middle of a character costs the half of that, as bytes that are no UTF-8 do in protobuf, and not the batch."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _ids_to_base64(value: Any) -> None:
    """In place: a copy would cost as much memory again."""
    if isinstance(value, list):
        for item in value:
            _ids_to_base64(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _IDS and isinstance(item, str):
                if not _HEX.fullmatch(item):
                    raise ValueError(key)
                value[key] = base64.b64encode(bytes.fromhex(item)).decode()
            else:
                _ids_to_base64(item)
