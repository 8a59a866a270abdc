"""A real `truegreen collect` on one core for the benchmarks of the collector, and clients that only send bytes."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from truegreen.core.clients.engines import free_port

Send = Callable[[bytes], None]
ACCEPTED = r"^truegreen_collector_accepted_spans_total(?:\{.*\})? (\S+)$"


@dataclass(frozen=True)
class Server:
    """A process that receives OTLP, and the ports of it."""

    process: subprocess.Popen[bytes]
    http: int
    grpc: int
    metrics: int
    counter: str = ACCEPTED
    """Matches the value of each series whose sum is the spans that it has counted."""

    def cpu(self) -> float:
        """CPU seconds that it has taken."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, which: str = "VmRSS") -> int:
        """Resident memory, kB; of `VmHWM` the most so far."""
        return int(Path(f"/proc/{self.process.pid}/status").read_text().split(f"{which}:")[1].split()[0])

    def page(self) -> str:
        """What it shows at /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as answer:
            return str(answer.read().decode())

    def counted(self) -> float:
        """Spans that its series show."""
        return self.sum(self.counter)

    def sum(self, series: str) -> float:
        """The sum of all values that a pattern finds on its page."""
        return sum(map(float, re.findall(series, self.page(), re.MULTILINE)))

    def answers(self) -> bool:
        """Whether its page can be read."""
        try:
            self.page()
        except OSError:
            return False
        return True


@contextmanager
def pinned() -> Iterator[tuple[int, int]]:
    """Keep this process on the last core; the core for the server, and this one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    try:
        yield cores[0], cores[-1]
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def running(
    command: list[str], ports: Mapping[str, int], core: int, counter: str = ACCEPTED, **named: object
) -> Iterator[Server]:
    """A process on a core, from when its page answers until the end of the block."""
    process = subprocess.Popen(command, **named)  # type: ignore[call-overload]
    os.sched_setaffinity(process.pid, {core})
    server = Server(process, ports["http"], ports["grpc"], ports["metrics"], counter)
    try:
        wait(server.answers, f"{command[0]} comes up")
        yield server
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def truegreen(core: int, **named: object) -> Iterator[Server]:
    """Our collector."""
    ports = {name: free_port() for name in ("http", "grpc", "metrics")}
    command = [sys.executable, "-m", "truegreen.core", "collect"]
    for name, port in ports.items():
        command += [f"--{name}-endpoint", f"127.0.0.1:{port}"]
    with running(command, ports, core, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **named) as server:
        yield server


def http(port: int, headers: Mapping[str, str] | None = None) -> Send:
    """A client of one connection; each request must be taken."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    extra = "".join(f"{key}: {value}\r\n" for key, value in (headers or {}).items())

    def send(body: bytes) -> None:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]

    return send


def grpc(port: int) -> Send:
    """The same by gRPC."""
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_send_message_length", -1)])
    call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", lambda b: b, lambda b: b)
    return lambda body: call(body, timeout=20, wait_for_ready=True)


def wait(check: Callable[[], bool], what: str) -> None:
    """Until it holds, for 30 s.

    Raises:
        SystemExit: it does not.
    """
    end = time.monotonic() + 30
    while not check():
        if time.monotonic() > end:
            raise SystemExit(f"not within 30 s: {what}")
        time.sleep(0.05)
