"""A running collector for tests: the real command, on free ports."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from truegreen.core.clients.engines import free_port

DEADLINE = 20.0


@dataclass(frozen=True)
class Running:
    """A collector process and its addresses."""

    process: subprocess.Popen[str]
    http: str
    grpc: str
    metrics: str

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the metrics endpoint."""
        try:
            with urllib.request.urlopen(f"http://{self.metrics}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(
        self, body: bytes, path: str = "/v1/traces", method: str = "POST", **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an OTLP request; protobuf unless `Content_Type` says otherwise."""
        named = {"Content-Type": "application/x-protobuf"} | {key.replace("_", "-"): value for key, value in headers.items()}
        request = urllib.request.Request(f"http://{self.http}{path}", data=body, headers=named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), dict(error.headers)


def until(check: Callable[[], bool], what: str) -> None:
    """Wait until a real process has done something."""
    end = time.monotonic() + DEADLINE
    while not check():
        assert time.monotonic() < end, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)


def count(collector: Running, pattern: str) -> float:
    """The sum of the samples whose line begins with this pattern."""
    lines = re.findall(rf"^{pattern}(?:\{{[^\n]*\}})? (\S+)$", collector.get("/metrics")[1], re.MULTILINE)
    return sum(map(float, lines))


def accepted(collector: Running, spans: float) -> None:
    """Wait until so many spans are accepted."""
    until(lambda: count(collector, "truegreen_collector_accepted_spans_total") == spans, f"{spans:.0f} spans accepted")


def running(options: Sequence[str], folder: Path, at: Running | None = None) -> Running:
    """A collector that is ready; `at` is one that has ended, whose addresses it takes."""
    http, grpc, metrics = (at.http, at.grpc, at.metrics) if at else (f"127.0.0.1:{free_port()}" for _ in range(3))
    command = [
        sys.executable,
        "-m",
        "truegreen.core",
        "collect",
        "--http-endpoint",
        http,
        "--grpc-endpoint",
        grpc,
        "--metrics-endpoint",
        metrics,
    ]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, cwd=folder)
    made = Running(process, http, grpc, metrics)

    def ready() -> bool:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            return made.get("/readyz")[0] == 200
        except OSError:
            return False

    try:
        until(ready, "the collector is ready")
    except BaseException:
        ended(made)
        raise
    return made


def ended(one: Running) -> None:
    """End a collector, if it still runs."""
    one.process.kill()
    one.process.wait()
    if one.process.stderr:
        one.process.stderr.close()
