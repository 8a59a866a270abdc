"""OTLP on the wire: shadow messages whose attributes stay bytes, and the few values that are decoded by hand.

A span's attributes are `repeated bytes`, one KeyValue each: the parser copies them and nothing more, and `layout.py` knows where each stands.
Those of resources, log records and events are `map<string, bytes>`, which has the same bytes as `repeated KeyValue {string key = 1; AnyValue
value = 2}`: a value stays the bytes of its AnyValue. Only fields that are read are declared; others are skipped by the parser. Field numbers are those
of opentelemetry-proto 1.x (`trace/v1/trace.proto`, `logs/v1/logs.proto`, `common/v1/common.proto`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import isnan
from struct import Struct
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

NAN: Final = float("nan")
NUMBERS: Final = 10_000
TRUE: Final = b"\x10\x01"
double: Final = Struct("<d").unpack_from
_OPTIONAL: Final[Any] = 1
_REPEATED: Final[Any] = 3
_TYPES: Final[dict[str, Any]] = {"int32": 5, "fixed64": 6, "string": 9, "message": 11, "bytes": 12}

# message -> (field, number, type, repeated); `map` is map<string, bytes>.
_SHADOW: Final = {
    "Resource": [("attributes", 1, "map", False)],
    "Span": [
        ("trace_id", 1, "bytes", False), ("span_id", 2, "bytes", False), ("name", 5, "bytes", False), ("start", 7, "fixed64", False), ("end", 8, "fixed64", False),
        ("attributes", 9, "bytes", True), ("events", 11, "bytes", True), ("status", 15, "bytes", False),
    ],
    "KeyValue": [("key", 1, "bytes", False), ("value", 2, "bytes", False)],
    "Event": [("time", 1, "fixed64", False), ("name", 2, "bytes", False), ("attributes", 3, "map", False)],
    "Scope": [("name", 1, "bytes", False)],
    "ScopeSpans": [("scope", 1, "Scope", False), ("spans", 2, "Span", True)],
    "ResourceSpans": [("resource", 1, "Resource", False), ("scope_spans", 2, "ScopeSpans", True)],
    "TraceRequest": [("resource_spans", 1, "ResourceSpans", True)],
    "LogRecord": [
        ("time", 1, "fixed64", False), ("attributes", 6, "map", False), ("trace_id", 9, "bytes", False), ("span_id", 10, "bytes", False),
        ("observed", 11, "fixed64", False), ("event_name", 12, "bytes", False),
    ],
    "ScopeLogs": [("log_records", 2, "LogRecord", True)],
    "ResourceLogs": [("resource", 1, "Resource", False), ("scope_logs", 2, "ScopeLogs", True)],
    "LogsRequest": [("resource_logs", 1, "ResourceLogs", True)],
}  # fmt: skip


def _messages() -> dict[str, Any]:
    package = "truegreen.shadow"
    file = descriptor_pb2.FileDescriptorProto(name="truegreen/shadow.proto", package=package, syntax="proto3")
    for name, fields in _SHADOW.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            made = message.field.add(name=field, number=number, label=_REPEATED if repeated else _OPTIONAL)
            if kind in _TYPES:
                made.type = _TYPES[kind]
                continue
            made.type = _TYPES["message"]
            made.type_name = f".{package}.{kind}"
            if kind == "map":
                entry = message.nested_type.add(name=f"{field.capitalize()}Entry")
                entry.options.map_entry = True
                for position, (part, part_kind) in enumerate((("key", "string"), ("value", "bytes")), 1):
                    entry.field.add(name=part, number=position, label=_OPTIONAL, type=_TYPES[part_kind])
                made.label = _REPEATED
                made.type_name = f".{package}.{name}.{entry.name}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in _SHADOW}


_MADE: Final = _messages()
parse_traces: Final[Callable[[bytes], Any]] = _MADE["TraceRequest"].FromString
"""Bytes of an ExportTraceServiceRequest to its shadow; raises `DecodeError`."""
parse_logs: Final[Callable[[bytes], Any]] = _MADE["LogsRequest"].FromString
"""Bytes of an ExportLogsServiceRequest to its shadow; raises `DecodeError`."""
parse_event: Final[Callable[[bytes], Any]] = _MADE["Event"].FromString
"""Bytes of one event of a span to its shadow; raises `DecodeError`."""
_parse_pair: Final[Callable[[bytes], Any]] = _MADE["KeyValue"].FromString

__all__ = [
    "NAN",
    "TRUE",
    "DecodeError",
    "Numbers",
    "double",
    "doubles",
    "encoded",
    "encoded_list",
    "head",
    "head_of",
    "is_error",
    "name",
    "named",
    "number",
    "pair",
    "parse_event",
    "parse_logs",
    "parse_traces",
    "plain",
    "strings",
    "text",
    "value",
    "value_of",
]


def pair(name: str, value: bytes) -> bytes:
    """The bytes of a KeyValue: its name and the bytes of its AnyValue."""
    length = len(value)
    return head_of(name) + (bytes((length,)) + value if length < 128 else _field(b"", value))


@lru_cache(maxsize=4096)
def head_of(name: str) -> bytes:
    """How the KeyValue of a name begins."""
    return _field(b"\x0a", name.encode("utf-8", "replace")) + b"\x12"


def named(pairs: list[bytes]) -> dict[str, bytes]:
    """KeyValues as names and AnyValues; of a name that is there twice the last, of what is no KeyValue nothing."""
    found: dict[str, bytes] = {}
    for one in pairs:
        size = len(one)
        if size > 3 and one[0] == 10 and one[1] < 128 and size > one[1] + 3:
            at = one[1] + 3
            if one[at - 1] == 18 and one[at] == size - at - 1 < 128:
                found[_decoded(one[2 : at - 1])] = one[at + 1 :]
                continue
        for usual in plain([one]):
            found[name(usual)] = value(usual)
    return found


@lru_cache(maxsize=4096)
def _decoded(key: bytes) -> str:
    return key.decode("utf-8", "replace")


def head(pair: bytes) -> bytes:
    """How a KeyValue written as usual begins: all before the length of its value, so that no two names have the same."""
    length, start = _varint(pair, 1)
    return pair[: start + length + 1]


def name(pair: bytes) -> str:
    """The name in a KeyValue, or in its head."""
    length, start = _varint(pair, 1)
    return pair[start : start + length].decode("utf-8", "replace")


def value(pair: bytes) -> bytes:
    """The AnyValue of a KeyValue written as usual; no bytes where it is cut short."""
    length, start = _varint(pair, 1)
    length, start = _varint(pair, start + length + 1)
    return pair[start:] if start + length == len(pair) else b""


def plain(pairs: list[bytes]) -> list[bytes]:
    """KeyValues written as usual: first the name, then the value, nothing else. The same list where all are; what is no KeyValue is left out."""
    return pairs if all(map(_is_usual, pairs)) else [made for one in pairs if (made := _usual(one))]


def number(value: bytes) -> float:
    """An AnyValue that holds a double or an integer; NaN for any other."""
    if len(value) == 9 and value[0] == 0x21:
        return double(value, 1)[0]  # type: ignore[no-any-return]
    if len(value) > 1 and value[0] == 0x18:
        if len(value) == 3 and value[2] < 128 <= value[1]:
            return value[1] + (value[2] << 7) - 128
        if len(value) == 2 and value[1] < 128:
            return value[1]
        made, end = _varint(value, 1)
        return NAN if end != len(value) else made - (1 << 64) if made >> 63 else made
    return NAN


class Numbers(dict[bytes, float]):
    """The number in a KeyValue, NaN where there is none; what was decoded is kept, bounded: counts of tokens come again and again."""

    def __missing__(self, pair: bytes) -> float:
        found = number(value(pair))
        if len(pair) < 128:
            if len(self) >= NUMBERS:
                self.clear()
            self[pair] = found
        return found


def text(value: bytes) -> str | None:
    """An AnyValue as a label value: a text as it is, numbers and booleans as written; None for lists, maps, bytes and nothing."""
    if not value:
        return None
    if value[0] == 0x0A:
        length, start = _varint(value, 1)
        return value[start : start + length].decode("utf-8", "replace") if start + length == len(value) else None
    if value[0] == 0x10 and len(value) == 2:
        return "true" if value[1] else "false"
    made = number(value)
    return None if isnan(made) else repr(made)


def strings(value: bytes) -> list[str]:
    """The texts of an AnyValue that holds a list of texts, or one text."""
    if value[:1] != b"\x2a":
        one = text(value)
        return [] if one is None else [one]
    return [made for made in map(text, _elements(value)) if made is not None]


def value_of(value: bytes) -> Any:
    """An AnyValue as Python has it: a text, a number, a boolean or a list of those; None for maps, bytes and nothing."""
    if value[:1] == b"\x0a" and len(value) > 1 and value[1] == len(value) - 2 < 128:
        return value[2:].decode("utf-8", "replace")
    if value[:1] == b"\x2a":
        return [made for made in map(value_of, _elements(value)) if made is not None]
    if value[:1] == b"\x10":
        return value[1:] == b"\x01"
    if value[:1] == b"\x0a":
        return text(value)
    made = number(value)
    return None if isnan(made) else made


def doubles(value: bytes) -> list[float]:
    """The numbers of an AnyValue that holds a list of numbers, or one number; NaN stands for an element that is none."""
    if value[:1] != b"\x2a":
        return [number(value)]
    length, start = _varint(value, 1)
    end, many = start + length, length // 11
    marks = (value[start::11], value[start + 1 :: 11], value[start + 2 :: 11])
    if end == len(value) and length == many * 11 and marks == (b"\x0a" * many, b"\x09" * many, b"\x21" * many):
        return [double(value, at)[0] for at in range(start + 3, end, 11)]
    return [number(element) for element in _elements(value)]


def encoded(value: str) -> bytes:
    """The bytes of an AnyValue that holds this text."""
    return _field(b"\x0a", value.encode("utf-8", "replace"))


def encoded_list(values: Iterable[str]) -> bytes:
    """The bytes of an AnyValue that holds a list of these texts."""
    return _field(b"\x2a", b"".join(_field(b"\x0a", encoded(value)) for value in values))


def _field(tag: bytes, raw: bytes) -> bytes:
    length, left = b"", len(raw)
    while left > 127:
        length, left = length + bytes((left & 127 | 128,)), left >> 7
    return tag + length + bytes((left,)) + raw


def is_error(status: bytes) -> bool:
    """Whether the bytes of a span's Status hold code 2 (error)."""
    at = 0
    code = 0
    while at < len(status):
        tag, at = _varint(status, at)
        if tag & 7 == 0:
            made, at = _varint(status, at)
            code = made if tag >> 3 == 3 else code
        elif tag & 7 == 2:
            length, at = _varint(status, at)
            at += length
        else:
            return code == 2
    return code == 2


def _is_usual(pair: bytes) -> bool:
    if len(pair) < 4 or pair[0] != 0x0A or pair[1] > 127 or len(pair) < pair[1] + 4 or pair[pair[1] + 2] != 0x12:
        return False
    length, start = _varint(pair, pair[1] + 3)
    return start + length == len(pair)


def _usual(one: bytes) -> bytes:
    if _is_usual(one):
        return one
    try:
        made = _parse_pair(one)
    except DecodeError:
        return b""
    return _field(b"\x0a", made.key) + _field(b"\x12", made.value)


def _elements(value: bytes) -> list[bytes]:
    length, at = _varint(value, 1)
    end = at + length
    found: list[bytes] = []
    while at < end <= len(value) and value[at] == 0x0A:
        size, at = _varint(value, at + 1)
        found.append(value[at : at + size])
        at += size
    return found


def _varint(value: bytes, at: int) -> tuple[int, int]:
    made = shift = 0
    while at < len(value) and shift < 70:
        byte = value[at]
        made |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            break
    return made, at
