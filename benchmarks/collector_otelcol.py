"""truegreen's collector beside a real OpenTelemetry Collector: `python benchmarks/collector.py --otelcol [--seconds 5] [--rounds 5] [--json]`.

The OpenTelemetry Collector (`make otelcol`, GOMAXPROCS=1) derives what it can of the catalogue, by the configuration that `truegreen generate collector`
writes, nothing exported but the series; truegreen's collector derives the whole catalogue. Both are pinned to one core, this client to another, and are sent the
same requests in turn, round by round, so that what else the machine does meets both. A round ends when the server shows every span of it as counted. The rate is LLM
spans over the CPU seconds that the server took for the round, counting included; the ratio is that of the medians of all rounds. Before the first round both are sent each
request once.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import collector
from truegreen.collector.generate import files
from truegreen.core.clients.engines import require
from truegreen.core.config import parse_text

Send = Callable[[bytes], None]
COUNTERS = {
    "truegreen": r"^truegreen_collector_accepted_spans_total(?:\{.*\})? (\S+)$",
    "otelcol": r"^truegreen_llm_requests_total\{.*\} (\S+)$",
}


@dataclass(frozen=True)
class Server:
    """A running collector and how to reach it."""

    name: str
    process: subprocess.Popen[bytes]
    metrics: int
    senders: Mapping[str, Send]

    def cpu(self) -> float:
        """CPU seconds that it has taken."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def counted(self) -> float:
        """Spans that its series show."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as answer:
            return sum(map(float, re.findall(COUNTERS[self.name], answer.read().decode(), re.MULTILINE)))

    def memory(self) -> int:
        """Largest resident memory so far, MB."""
        return round(int(Path(f"/proc/{self.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)


def measured(server: Server, protocol: str, requests: list[bytes], seconds: float) -> float:
    """LLM spans by CPU second in one round of so many seconds."""
    before, began, send, sent = server.counted(), time.perf_counter(), server.senders[protocol], 0
    cpu = server.cpu()
    while time.perf_counter() - began < seconds:
        send(requests[sent % len(requests)])
        sent += 1
    _wait(lambda: server.counted() - before == sent * collector.SPANS, f"{server.name} counts what it took")
    return sent * collector.SPANS / (server.cpu() - cpu)


def run(seconds: float, rounds: int) -> dict[str, Any]:
    """All figures."""
    cores = sorted(os.sched_getaffinity(0))
    requests = [collector.request(seed) for seed in range(collector.REQUESTS)]
    pinned = lambda: os.sched_setaffinity(0, {cores[0]})  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        servers = [_truegreen(pinned), _otelcol(pinned, Path(folder))]
        os.sched_setaffinity(0, {cores[-1]})
        try:
            figures: dict[str, Any] = {}
            for server in servers:
                _wait(lambda server=server: _answers(server), f"{server.name} comes up")  # type: ignore[misc]
            for protocol in ("http", "grpc"):
                for server in servers:
                    for body in requests:
                        server.senders[protocol](body)
                    time.sleep(2)  # its last batch, before the first round
                rates = {server.name: [] for server in servers}  # type: ignore[var-annotated]
                for _ in range(rounds):
                    for server in servers:
                        rates[server.name].append(measured(server, protocol, requests, seconds))
                middle = {name: statistics.median(of) for name, of in rates.items()}
                spread = {
                    f"{name}_{end}": pick(of) for name, of in rates.items() for end, pick in (("least", min), ("most", max))
                }
                figures[protocol] = {**middle, "ratio": middle["truegreen"] / middle["otelcol"], **spread}
            figures["peak_rss_mb"] = {server.name: server.memory() for server in servers}
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait(20)
            os.sched_setaffinity(0, set(cores))
    return figures


def _truegreen(pinned: Callable[[], None]) -> Server:
    http, grpc, metrics = _ports(3)
    command = [sys.executable, "-m", "truegreen.core", "collect"]
    for name, port in (("http", http), ("grpc", grpc), ("metrics", metrics)):
        command += [f"--{name}-endpoint", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pinned)  # noqa: PLW1509
    return Server("truegreen", process, metrics, {"http": _http(http), "grpc": _grpc(grpc)})


def _otelcol(pinned: Callable[[], None], folder: Path) -> Server:
    http, grpc, metrics, health = _ports(4)
    generated = files(parse_text("", "benchmark", {}, None), 1).files["otelcol_metrics.yaml"]
    (folder / "generated.yaml").write_text(generated)
    here = {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{http}"}}}
        },
        "exporters": {"prometheus": {"endpoint": f"127.0.0.1:{metrics}"}},
        "service": {"telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}}},
    }
    (folder / "addresses.yaml").write_text(yaml.safe_dump(here))
    command = [str(require("otelcol")), *(f"--config={folder / name}.yaml" for name in ("generated", "addresses"))]
    process = subprocess.Popen(command, env=os.environ | {"GOMAXPROCS": "1"}, preexec_fn=pinned)  # noqa: PLW1509
    return Server("otelcol", process, metrics, {"http": _http(http), "grpc": _grpc(grpc)})


def _http(port: int) -> Send:
    kept: list[socket.socket] = []

    def send(body: bytes) -> None:
        if not kept:
            kept.append(socket.create_connection(("127.0.0.1", port)))
            kept[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        kept[0].sendall(head.encode() + body)
        answer = kept[0].recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]

    return send


def _grpc(port: int) -> Send:
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_send_message_length", -1)])
    call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", lambda b: b, lambda b: b)
    return lambda body: call(body, timeout=20, wait_for_ready=True)


def _answers(server: Server) -> bool:
    try:
        server.counted()
    except OSError:
        return False
    return True


def _ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not check():
        if time.monotonic() > end:
            raise SystemExit(f"not within 30 s: {what}")
        time.sleep(0.25)


if __name__ == "__main__":
    for key, value in run(5.0, 5).items():
        print(f"{key:12} " + ", ".join(f"{name} {number:,.2f}" for name, number in value.items()))
