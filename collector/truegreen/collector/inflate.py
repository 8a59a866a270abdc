"""Bodies as they were before gzip or zstd: never more bytes than the limit, whatever a body says of itself."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final

from truegreen.collector.model import MAX_MESSAGE
from truegreen.collector.refusals import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, Refused

ENCODINGS: Final = ("identity", "gzip", "zstd")
MEMBERS: Final = 16
"""Gzip members, or zstd frames, of one body; clients send one. Each costs a copy of what is left, so a body of tiny ones would cost the square of its size."""
WINDOW_LOG: Final = 23
"""zstd windows of at most 8 MiB: what RFC 8878 (3.1.1.1.2) asks decoders to support, and as much memory as a frame may ask for."""


def inflated(data: bytes, encoding: str = "gzip", limit: int = MAX_MESSAGE) -> bytes:
    """The body, `gzip` or `zstd`, inflated to at most `limit` bytes.

    Raises:
        Refused: not of that encoding, cut short, of more than 16 members, or more than the limit.
    """
    opened, errors = _gzip() if encoding == "gzip" else _zstd()
    parts: list[bytes] = []
    left = limit
    try:
        while data:
            if len(parts) == MEMBERS:
                raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the {encoding} body has over {MEMBERS} members; write one")
            member = opened()
            made = member.decompress(data, left + 1)
            if len(made) > left:
                raise Refused(
                    "too_large", 413, RESOURCE_EXHAUSTED, f"the body is over {limit} bytes when inflated; send smaller batches"
                )
            if not member.eof:
                raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the {encoding} body is cut short")
            parts.append(made)
            left -= len(made)
            data = member.unused_data
    except errors:
        raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the body is not {encoding}, or of a window over 8 MiB") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _gzip() -> tuple[Callable[[], Any], type[Exception]]:
    return lambda: zlib.decompressobj(31), zlib.error


def _zstd() -> tuple[Callable[[], Any], type[Exception]]:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14
    except ImportError:
        from backports import zstd
    options = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
    return lambda: zstd.ZstdDecompressor(options=options), zstd.ZstdError
