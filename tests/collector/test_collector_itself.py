"""What the collector says of itself: its metrics, its health, its log, and a line in a terminal that a pipe never sees.

Of the numbered behaviours this has 14; 17, the published load test, is benchmarks/collector.py, with what it found in docs/collector_speed.md.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_process import DEADLINE, Running, count, until
from otlp_requests import judged, span, traces

from truegreen.collector import live, logs
from truegreen.core.clients.engines import free_port
from truegreen.core.words import catalogue

Start = Callable[..., Running]
FORWARD = """
collector:
  forward:
    - {name: nobody, endpoint: "http://127.0.0.1:9", timeout: 1s, max_age: 1s}
"""


def test_behaviour_14_every_metric_of_the_collector_returns_data_from_its_start(start: Start, tmp_path: Path) -> None:
    """All that the catalogue says a collector gives of itself, before the first request; those of forwarding where something is forwarded."""
    (tmp_path / "truegreen.yaml").write_text(FORWARD)
    text = start().get("/metrics")[1]
    own = [metric for metric in catalogue.ALL if metric.source == "collector"]
    assert len(own) >= 13
    assert [m.prometheus for m in own if not re.search(rf"^{m.prometheus}(_count)?(\{{|\s)", text, re.MULTILINE)] == []


def test_behaviour_14_its_numbers_are_those_of_what_was_sent(start: Start) -> None:
    """Spans, refusals by reason, values that were left out, requests, series."""
    collector = start("--scrape-interval", "10ms")
    collector.post(traces([span(judged()), span(judged(score=7.0))]))
    collector.post(b"\x0a\xff")
    assert count(collector, 'truegreen_collector_accepted_requests_total{signal="traces"}') == 1
    assert count(collector, "truegreen_collector_accepted_spans_total") == 2
    text = collector.get("/metrics")[1]
    assert 'truegreen_collector_refused_requests_total{reason="undecodable"} 1\n' in text
    assert 'truegreen_collector_dropped_spans_total{reason="out_of_range"} 1\n' in text
    assert 'truegreen_collector_overflow_total{metric="truegreen_llm_requests_total"} 0\n' in text
    assert count(collector, "truegreen_collector_request_duration_seconds_count") >= 1
    assert count(collector, "truegreen_collector_series") > 50


def test_behaviour_14_health_stays_and_readiness_goes_while_requests_are_finished(start: Start) -> None:
    """A stop with a request in flight: 503 at /readyz, 200 at /healthz and /metrics, and the request is still counted."""
    collector = start()
    assert (collector.get("/healthz"), collector.get("/readyz")) == ((200, "ok\n"), (200, "ok\n"))
    body = traces([span(judged())])
    host, _, port = collector.http.partition(":")
    slow = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
    slow.putrequest("POST", "/v1/traces")
    slow.putheader("Content-Type", "application/x-protobuf")
    slow.putheader("Content-Length", str(len(body)))
    slow.endheaders(body[:10])
    until(lambda: count(collector, "truegreen_collector_accepted_spans_total") == 0, "the pages answer")
    collector.process.send_signal(signal.SIGTERM)
    until(lambda: collector.get("/readyz") == (503, "stopping\n"), "it is not ready")
    assert collector.get("/healthz") == (200, "ok\n")
    slow.send(body[10:])
    assert slow.getresponse().status == 200
    assert "1 spans counted" in collector.process.communicate(timeout=DEADLINE)[1]


def command(*more: str) -> list[str]:
    ports = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    options = ["--http-endpoint", ports[0], "--grpc-endpoint", ports[1], "--metrics-endpoint", ports[2]]
    return [sys.executable, "-m", "truegreen.core", "collect", *options, *more]


def test_a_terminal_shows_a_line_that_is_rewritten(tmp_path: Path) -> None:
    """Standard error is a terminal: spans a second, refusals, series, over the same line; the log's lines stand whole between."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(command(), stderr=theirs, stdout=subprocess.PIPE, cwd=tmp_path, env=environ)
    os.close(theirs)
    seen = ""
    line = re.compile(r"\r\x1b\[K\d[\d,]* spans/s  \d+ refused  [\d,]+ series")
    try:

        def twice() -> bool:
            nonlocal seen
            seen += os.read(ours, 4096).decode()
            return len(line.findall(seen)) >= 2

        until(twice, "two lines")
        process.send_signal(signal.SIGTERM)
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert re.search(r"\x1b\[KOTLP by HTTP on .*\r\n", seen)
    assert seen.endswith("stopped; 0 spans counted\r\n") and "\x1b[Kstopped" in seen


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_pipe_never_sees_the_line(start: Start, term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log alone, without an escape, whatever TERM says."""
    monkeypatch.setenv("TERM", term)
    collector = start()
    collector.post(traces([span(judged())]))
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=DEADLINE)[1]
    assert said.endswith("stopped; 1 spans counted\n")
    assert "\x1b" not in said and "\r" not in said and "spans/s" not in said


def test_the_line_is_for_a_terminal_that_can_rewrite_it(tmp_path: Path) -> None:
    """Not for a file, not for TERM=dumb; thousands are grouped."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, (tmp_path / "x").open("w") as file:
        assert live.wanted(terminal, {"TERM": "xterm"})
        assert not live.wanted(terminal, {"TERM": "dumb"}) and not live.wanted(terminal, {})
        assert not live.wanted(file, {"TERM": "xterm"})
    os.close(ours)
    assert live.line(12_345.6, 7, 1_890) == "12,346 spans/s  7 refused  1,890 series"


def test_with_json_the_log_is_one_object_a_line(tmp_path: Path) -> None:
    """Time, level, logger, message on standard output; nothing on standard error."""
    process = subprocess.Popen(command("--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=DEADLINE)
    assert errors == ""
    rows = [first, *map(json.loads, rest.splitlines())]
    assert all(set(row) == {"time", "level", "logger", "message"} for row in rows)
    assert "metrics on http" in first["message"] and first["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])
    assert rows[-1]["message"] == "stopped; 0 spans counted"


@pytest.fixture
def said() -> list[str]:
    """The lines of the log of this process, which is as it was afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logs.LOG.level
    lines: list[str] = []
    logs.begin(lines.append, as_json=False)
    yield lines
    root.handlers[:], level, own = before
    root.setLevel(level)
    logs.LOG.setLevel(own)


def test_no_line_quotes_what_was_received(said: list[str]) -> None:
    """Errors and arguments of other libraries may hold it: of an error the kind, of another library's line the text in its code."""
    try:
        raise ValueError("SECRET ANSWER")
    except ValueError:
        logs.LOG.exception("a request failed")
        logging.getLogger("grpc").exception("handler raised %s", "SECRET ANSWER")
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: <Task exception='SECRET ANSWER'>")
        logging.getLogger("aiohttp.server").exception("Error handling request")
    logging.getLogger("some.library").info("SECRET ANSWER")
    logs.LOG.warning("%d requests were not whole", 3)
    assert said == [
        "error: a request failed (ValueError)",
        "error: handler raised %s (ValueError)",
        "error: Task exception was never retrieved (ValueError)",
        "error: Error handling request (ValueError)",
        "warning: 3 requests were not whole",
    ]
