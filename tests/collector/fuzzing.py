"""A corpus of bad requests, made from seeds: the same case for the same number on every machine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Final

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import events, judged, llm, scoped, span, traces

TOOL: Final = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
SPANS: Final = traces(
    [
        span(judged("fail", user__id="u", session__id="s")),
        span(llm(gen_ai__response__finish_reasons=["stop", "length"], gen_ai__usage__input_tokens=12), error=True),
        span(TOOL),
        span({"http.route": "/"}),
    ]
)
VENDOR: Final = scoped("openinference.instrumentation.openai", [span({"openinference.span.kind": "LLM", "llm.model_name": "m"})])
EVENTS: Final = events(
    [{"gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.label": "pass", "gen_ai.evaluation.score.value": 0.5}]
)
WHOLE: Final = (("traces", SPANS), ("traces", VENDOR), ("logs", EVENTS))
JSON: Final = json.dumps(json_format.MessageToDict(ExportTraceServiceRequest.FromString(SPANS))).replace("AQEB", "0101").encode()
Case = tuple[str, str, bytes]
"""Signal, encoding (`identity`, `gzip` or `json`), bytes."""


def case(number: int) -> Case:
    """One bad request: a whole one, of which one to four things are changed; every tenth is packed with gzip before or after, or is JSON."""
    random = Random(number)
    signal, body = random.choice(WHOLE)
    kind = random.randrange(20)
    if kind == 0:
        return signal, "gzip", _mutated(random, gzip.compress(body, 1, mtime=0))
    if kind == 1:
        return signal, "gzip", gzip.compress(_mutated(random, body), 1, mtime=0)
    if kind == 2:
        return "traces", "json", _mutated(random, JSON)
    return signal, "identity", _mutated(random, body)


def _mutated(random: Random, body: bytes) -> bytes:
    for _ in range(random.randint(1, 4)):
        body = random.choice(_CHANGES)(random, body)
    return body


def _cut(random: Random, body: bytes) -> bytes:
    return body[: random.randint(0, len(body))]


def _flipped(random: Random, body: bytes) -> bytes:
    if not body:
        return body
    at = random.randrange(len(body))
    return body[:at] + bytes((body[at] ^ (1 << random.randrange(8)),)) + body[at + 1 :]


def _inserted(random: Random, body: bytes) -> bytes:
    at = random.randint(0, len(body))
    return body[:at] + random.randbytes(random.randint(1, 20)) + body[at:]


def _deleted(random: Random, body: bytes) -> bytes:
    at = random.randint(0, len(body))
    return body[:at] + body[at + random.randint(1, 20) :]


def _doubled(random: Random, body: bytes) -> bytes:
    at = random.randint(0, len(body))
    return body[:at] + body[at : at + random.randint(1, 200)] * random.randint(2, 4) + body[at:]


def _long(random: Random, body: bytes) -> bytes:
    # A length or a number of ten bytes: as large as a varint may be, or larger.
    at = random.randint(0, len(body))
    return body[:at] + b"\xff" * random.randint(1, 12) + bytes((random.randrange(128),)) + body[at + 1 :]


def _spliced(random: Random, body: bytes) -> bytes:
    other = random.choice(WHOLE)[1]
    return body[: random.randint(0, len(body))] + other[random.randint(0, len(other)) :]


_CHANGES: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    _cut,
    _flipped,
    _flipped,
    _inserted,
    _deleted,
    _doubled,
    _long,
    _spliced,
)
