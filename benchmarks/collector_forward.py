"""What forwarding costs: `python benchmarks/collector_forward.py [--seconds 2] [--rounds 5] [--json]`.

A real `truegreen collect` on one core; this client and the destination, a server that reads and answers, on another. The requests of
`benchmarks/collector.py` (200 spans, 2.7 kB each) come in by HTTP, plain and gzip, and
the same with one span in each. Each row is spans over the CPU seconds of the collector until its queues are empty
again, so everything that was accepted has also been delivered. The rows take turns; the best of the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from collector_load import REQUESTS, SPANS, ExportTraceServiceRequest, request
from collector_server import Server, http, pinned, truegreen

from truegreen.core.clients.engines import free_port

ROWS: dict[str, list[dict[str, Any]]] = {
    "off": [],
    "http": [{}],
    "grpc": [{"protocol": "grpc"}],
    "two by http": [{}, {}],
    "http, redacted": [{"redact": {}}],
}
FORMS = ("plain", "gzip", "one span")
LOST = r"^truegreen_collector_forward_dropped_total\S* (\S+)$"
WAITING = r"^truegreen_collector_forward_queue_bytes\S* (\S+)$"


async def sink(http: int, grpc_port: int) -> None:
    """A destination that takes everything."""
    import grpc
    import grpc.aio

    class Taking(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.buffer, self.left = transport, b"", 0

        def data_received(self, data: bytes) -> None:
            while data:
                if self.left:
                    taken = min(self.left, len(data))
                    self.left, data = self.left - taken, data[taken:]
                else:
                    head, end, data = (self.buffer + data).partition(b"\r\n\r\n")
                    if not end:
                        self.buffer = head
                        return
                    self.buffer = b""
                    self.left = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
                if not self.left:
                    self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]

    async def export(_body: bytes, _context: Any) -> bytes:
        return b""

    server = grpc.aio.server(options=(("grpc.max_receive_message_length", -1),))
    handler = grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.trace.v1.TraceService", {"Export": grpc.unary_unary_rpc_method_handler(export)}
    )
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await server.start()
    made = await asyncio.get_running_loop().create_server(Taking, "127.0.0.1", http)
    await made.serve_forever()


def bodies_of(form: str) -> list[bytes]:
    """Requests of 200 spans, plain or gzip, or of one span."""
    requests = [request(seed) for seed in range(REQUESTS)]
    if form == "gzip":
        return [gzip.compress(one, 6) for one in requests]
    return [_first_span(one) for one in requests] if form == "one span" else requests


def _first_span(whole: bytes) -> bytes:
    made = ExportTraceServiceRequest.FromString(whole)
    del made.resource_spans[1:]
    del made.resource_spans[0].scope_spans[0].spans[1:]
    return made.SerializeToString()


def row(destinations: list[dict[str, Any]], seconds: float, form: str) -> dict[str, float]:
    """One collector with these destinations: spans by its CPU second, and requests that were not delivered."""
    to_http, to_grpc = free_port(), free_port()
    bodies, spans = bodies_of(form), 1 if form == "one span" else SPANS
    forward = [
        {
            "name": f"d{n}",
            "endpoint": f"http://127.0.0.1:{to_grpc if one.get('protocol') == 'grpc' else to_http}",
            "queue": "512MiB",
            **one,
        }
        for n, one in enumerate(destinations)
    ]
    with tempfile.TemporaryDirectory() as folder, pinned() as (core, ours):
        Path(folder, "truegreen.yaml").write_text(json.dumps({"collector": {"forward": forward}}))
        taker = subprocess.Popen([sys.executable, __file__, "--sink", str(to_http), str(to_grpc)])
        os.sched_setaffinity(taker.pid, {ours})
        try:
            with truegreen(core, cwd=folder) as server:
                send = http(server.http, {"Content-Encoding": "gzip"} if form == "gzip" else {})
                for one in bodies:
                    send(one)
                _emptied(server)
                used, began, done = server.cpu(), time.perf_counter(), 0
                while time.perf_counter() - began < seconds:
                    send(bodies[done % len(bodies)])
                    done += 1
                _emptied(server)
                used = server.cpu() - used
                return {"spans_per_cpu_second": done * spans / used, "requests_lost": server.sum(LOST)}
        finally:
            taker.terminate()
            taker.wait(20)


def _emptied(server: Server) -> None:
    while server.sum(WAITING):
        time.sleep(0.05)


def run(seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """All rows in every form, each the best of some rounds, with the ratio to the one without forwarding."""
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for form in FORMS:
            for name, destinations in ROWS.items():
                one, key = row(destinations, seconds, form), f"{form}: {name}"
                found[key] = max(found.get(key, one), one, key=lambda each: each["spans_per_cpu_second"])
    for key, one in found.items():
        one["ratio_to_off"] = one["spans_per_cpu_second"] / found[f"{key.partition(':')[0]}: off"]["spans_per_cpu_second"]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sink", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink:
        asyncio.run(sink(*options.sink))
    figures = run(options.seconds, options.rounds)
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(
                f"{key:26} {value['spans_per_cpu_second']:>10,.0f} spans/s of CPU  {value['ratio_to_off']:.2f} of off  {value['requests_lost']:.0f} lost"
            )
