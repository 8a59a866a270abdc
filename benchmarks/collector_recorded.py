"""Requests of recorded spans, for `python benchmarks/collector.py --dialects`: what each library writes, as `tests/dialects/recorded` has it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from truegreen.core.words.normalise import select

RECORDED = Path(__file__).parents[1] / "tests" / "dialects" / "recorded"
BEGAN = 1_700_000_000_000_000_000


def recorded() -> Mapping[str, list[Mapping[str, Any]]]:
    """The recorded spans of each dialect, of every library that writes it."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for path in sorted(RECORDED.glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"].values():
            for span in case:
                dialect = select(span["scope"]["name"], span["attributes"])
                if dialect is not None:
                    found.setdefault(dialect.name, []).append(span)
    return found


def requests(spans: Sequence[Mapping[str, Any]], size: int, many: int) -> list[bytes]:
    """So many requests of `size` spans each, from four services, with these spans again and again."""
    r = random.Random(0)
    played = cycle(spans)
    return [_request(list(islice(played, size)), r) for _ in range(many)]


def _request(spans: Sequence[Mapping[str, Any]], r: random.Random) -> bytes:
    made = ExportTraceServiceRequest()
    for service in range(4):
        resource = made.resource_spans.add()
        for key, text in (("service.name", f"bot-{service}"), ("deployment.environment.name", "production")):
            resource.resource.attributes.add(key=key).value.string_value = text
        scopes: dict[str, Any] = {}
        for one in spans[service::4]:
            name = one["scope"]["name"]
            if name not in scopes:
                scopes[name] = resource.scope_spans.add()
                scopes[name].scope.name = name
            _fill(scopes[name].spans.add(), one, r)
    return made.SerializeToString()


def _fill(span: Any, recorded: Mapping[str, Any], r: random.Random) -> None:
    span.trace_id, span.span_id, span.name, span.kind = r.randbytes(16), r.randbytes(8), recorded["name"], 3
    span.start_time_unix_nano = BEGAN + r.randrange(10**9)
    span.end_time_unix_nano = span.start_time_unix_nano + r.randrange(10**8, 5 * 10**9)
    span.status.code = {"UNSET": 0, "OK": 1, "ERROR": 2}[recorded["status"]["code"]]
    for key, given in recorded["attributes"].items():
        span.attributes.add(key=key).value.CopyFrom(_value(given))
    for event in recorded["events"]:
        at = span.start_time_unix_nano + event["time"] - recorded["start"]
        made = span.events.add(name=event["name"], time_unix_nano=at)
        for key, given in event["attributes"].items():
            made.attributes.add(key=key).value.CopyFrom(_value(given))


def _value(given: Any) -> AnyValue:
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, str):
        return AnyValue(string_value=given)
    made = AnyValue()
    made.array_value.values.extend(map(_value, given))
    return made
