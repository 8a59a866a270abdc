"""A tap between the agent and the collector: passes OTLP on untouched, counts spans, and looks for text that should not be there."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from truegreen.demo.loopback import Quiet, serving
from truegreen.evaluation.canary.probe import SERVICE as CANARY

_SHINGLE: Final = 5
"""Words in a row that count as text of a prompt or an answer: names and labels are shorter."""


@dataclass(slots=True)
class Tap:
    """What went through: spans, chat spans but for the canary's, and every string of five words or more."""

    url: str = ""
    spans: int = 0
    answers: int = 0
    texts: list[str] = field(default_factory=list)

    def leaked_bytes(self, known: Iterable[str]) -> int:
        """Bytes of exported strings that share five words in a row with one of the `known` texts."""
        shingles = {shingle for text in known for shingle in _shingles(text)}
        return sum(len(text.encode()) for text in self.texts if shingles.intersection(_shingles(text)))


@contextmanager
def tap(destination: str) -> Iterator[Tap]:
    """Listen on a free port of loopback and pass every request on to `destination` (http://HOST:PORT)."""
    seen = Tap()
    lock = threading.Lock()
    client = httpx.Client(timeout=10.0, trust_env=False)

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802 - the base class names it so
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "content-encoding")}
            try:
                answer = client.post(destination + self.path, content=body, headers=headers)
                status, reply, kind = answer.status_code, answer.content, answer.headers.get("content-type", "")
            except httpx.HTTPError:
                status, reply, kind = 503, b"", ""
            if status == httpx.codes.OK and self.path == "/v1/traces":
                with lock:
                    _look(seen, gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(status)
            self.send_header("Content-Type", kind or "application/x-protobuf")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

    with client, serving(Handler) as seen.url:
        yield seen


def _look(seen: Tap, body: bytes) -> None:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        spans = [span for scope in resource.scope_spans for span in scope.spans]
        seen.spans += len(spans)
        # The canary's answers are nobody's: the score compares with the questions that were asked.
        if not any(a.key == "service.name" and a.value.string_value == CANARY for a in resource.resource.attributes):
            seen.answers += sum(
                a.key == "gen_ai.operation.name" and a.value.string_value == "chat" for s in spans for a in s.attributes
            )
    seen.texts += [text for text in _strings(request) if len(text.split()) >= _SHINGLE]


def _strings(message: Any) -> Iterator[str]:
    """Every string of a protobuf message, keys and bytes included, at any depth."""
    for descriptor, value in message.ListFields():
        for one in value if descriptor.is_repeated else (value,):
            if isinstance(one, str):
                yield one
            elif isinstance(one, bytes):
                yield one.decode("utf-8", "replace")
            elif hasattr(one, "ListFields"):
                yield from _strings(one)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}
