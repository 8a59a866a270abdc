"""The sampling endpoint and what it sends to, for tests: real servers on free ports of this process."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from truegreen.evaluation.server import running
from truegreen.evaluation.server.access import address

WHO = {"service": "support-agent", "environment": "production"}
PASSAGE = "Opened items can be returned within 30 days of delivery when the box is undamaged, says clause zebra."
SAMPLE = {
    "query": "May opened items go back?",
    "answer": PASSAGE,
    "context": [PASSAGE],
    "model": "good-model",
    "latency_seconds": 2.0,
}
BAD = {**SAMPLE, "answer": "Certainly! Zenith couriers collect every parcel in Belgium for ninety years, unicorns included."}


class Sink:
    """Takes OTLP over HTTP; `answer` decides the status from the path and the request, and only what it takes is kept."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.answer: Callable[[str, bytes], int] = lambda _path, _body: 200
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                status = sink.answer(self.path, body)
                if status == 200:
                    sink.bodies.append((self.path, body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[tuple[dict[str, str], Any, dict[str, Any]]]:
        """All spans: resource attributes, the span, its attributes."""
        return [
            (_texts(resource.resource), span, {one.key: _value(one.value) for one in span.attributes})
            for path, body in list(self.bodies)
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def records(self) -> list[tuple[dict[str, str], Any, dict[str, Any]]]:
        """All log records: resource attributes, the record, its attributes."""
        return [
            (_texts(resource.resource), record, {one.key: _value(one.value) for one in record.attributes})
            for path, body in list(self.bodies)
            if path == "/v1/logs"
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@dataclass
class Endpoint:
    """The endpoint while it runs, and a client of it."""

    running: running.Running
    client: httpx.Client
    said: list[str] = field(default_factory=list)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Post JSON."""
        named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers=named)

    def feedback(self, *scores: Any, **headers: str) -> httpx.Response:
        """Post some feedback."""
        return self.post("/v1/feedback", {**WHO, "feedback": [{"score": score} for score in scores]}, **headers)

    def count(self, name: str, **headers: str) -> float:
        """The sum of a family of /metrics."""
        page = self.client.get("/metrics", headers=headers).text
        lines = [line for line in page.splitlines() if line.partition("{")[0].partition(" ")[0] == f"truegreen_sampling_{name}"]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


@contextmanager
def serving(endpoint: str, environ: dict[str, str], **more: Any) -> Iterator[Endpoint]:
    """The endpoint on a free port."""
    said: list[str] = []
    options = {"timeout": 0.3, "pause": 0.02, "drain": 5.0} | more
    asked = running.Asked(address("127.0.0.1:0"), endpoint, environ, **options)
    with running.serving(asked, said.append) as one, httpx.Client(base_url=one.url, timeout=20, trust_env=False) as client:
        yield Endpoint(one, client, said)


def until(check: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait until a real server has done something."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.01)


def tokens(folder: Path, *lines: str) -> Path:
    """A token file."""
    path = folder / "tokens"
    path.write_text("\n".join(lines) + "\n")
    return path


def _texts(resource: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in resource.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind) if kind else None
