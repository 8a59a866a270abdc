"""An accepted request as it came, and what is sent of it: the same bytes, unless the destination asks for other ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from truegreen.collector.inflate import inflated
from truegreen.collector.otlp_json import TRACES, from_json
from truegreen.collector.redaction import DEFAULTS, Allowed, redacted_logs, redacted_traces
from truegreen.collector.refusals import Refused
from truegreen.core.config.forward import Destination

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
IDENTITY: Final = "identity"
GZIP: Final = "gzip"
GZIP_LEVEL: Final = 1
_NO_LIMIT: Final = 1 << 40
"""The limit of the receiver held when the request came; here it would be a second, other one."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
VIA: Final = "truegreen-via"
"""The header that names the collectors which forwarded a request, by an id that each draws when it starts."""


class Original(NamedTuple):
    """A request as it was received: signal, bytes, content type, content encoding, and its header `truegreen-via`."""

    signal: str
    body: bytes
    content_type: str = PROTOBUF
    encoding: str = IDENTITY
    via: str = ""


class UnredactableError(Exception):
    """The request cannot be read, so nothing says that what is not allowed is cut: it is not forwarded."""


Prepare = Callable[[Original], Original]


def preparation(destination: Destination) -> Prepare | None:
    """What is done to each request before it is sent, None when nothing is; it may take milliseconds, so it belongs in a thread."""
    grpc, redact, compression = destination.protocol == "grpc", destination.redact, destination.compression
    if redact is None and compression == "keep" and not grpc:
        return None
    allowed = Allowed((DEFAULTS if redact.defaults else ()) + redact.allow) if redact else None

    def prepare(original: Original) -> Original:
        made = original
        if allowed is not None:
            made = _redacted(made, allowed)
        if grpc:
            return _as_protobuf(made)
        if compression == "none":
            return made._replace(body=plain(made), encoding=IDENTITY)
        if compression == GZIP and made.encoding == IDENTITY:
            return made._replace(body=gzip.compress(made.body, GZIP_LEVEL), encoding=GZIP)
        return made

    return prepare


def plain(original: Original) -> bytes:
    """The body without its content encoding; it was within the limits when it was received."""
    return original.body if original.encoding == IDENTITY else inflated(original.body, original.encoding, _NO_LIMIT)


def _as_protobuf(original: Original) -> Original:
    body = plain(original)
    if original.content_type == JSON:
        body = from_json(original.signal, body)
    return Original(original.signal, body, via=original.via)


def _redacted(original: Original, allowed: Allowed) -> Original:
    try:
        made = _as_protobuf(original)
        cut = redacted_traces if made.signal == TRACES else redacted_logs
        return made._replace(body=cut(made.body, allowed))
    except (DecodeError, Refused) as error:
        raise UnredactableError(type(error).__name__) from None
