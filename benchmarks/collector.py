"""How many LLM spans a second one core of the collector counts: `python benchmarks/collector.py [--seconds 5] [--json]`.

A real `truegreen collect` process is pinned to one core, this client to another. Requests of 200 LLM spans (32 attributes, 2.7 kB each, 4
resources, 48 combinations of model, cohort and version, every answer evaluated) are made in advance and sent over loopback by HTTP, by HTTP
with gzip, and by gRPC, with the whole catalogue on. The rate is spans over the CPU seconds of the server (its own core, whatever else the machine does) and
over wall time. With `--official`, the same spans are read by the official protobuf classes and counted with prometheus_client, in this process.
`--dialects` plays the recorded spans of every dialect instead, as their libraries wrote them (no evaluation, no snapshot), a row for each; the first row is the load above.
`--stages`, `--growth` and `--scrape` say where the time goes, how the cost grows, and what a scrape of 20,000 series takes (`collector_stages.py`, ...).
`--otelcol` measures a real OpenTelemetry Collector beside it, by the same load (`collector_otelcol.py`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = 200
REQUESTS = 20
WORDS = [
    "the", "refund", "window", "for", "unopened", "items", "is", "thirty", "days", "counted", "from", "the", "day", "of", "delivery", "and", "a",
    "receipt", "is", "needed",
]  # fmt: skip


def request(seed: int) -> bytes:
    """One ExportTraceServiceRequest of 200 LLM spans."""
    r = random.Random(seed)
    made = ExportTraceServiceRequest()
    for service in range(4):
        resource = made.resource_spans.add()
        for key, value in (
            ("service.name", f"bot-{service}"),
            ("deployment.environment.name", "production"),
            ("host.name", "h1"),
        ):
            resource.resource.attributes.add(key=key).value.string_value = value
        scope = resource.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.genai.openai"
        for _ in range(SPANS // 4):
            _span(scope.spans.add(), r)
    return made.SerializeToString()


def alone(seed: int) -> list[bytes]:
    """The spans of such a request, each in a request of its own."""
    whole = ExportTraceServiceRequest.FromString(request(seed))
    found = []
    for one in whole.resource_spans:
        for span in one.scope_spans[0].spans:
            made = ExportTraceServiceRequest()
            resource = made.resource_spans.add(resource=one.resource)
            resource.scope_spans.add(scope=one.scope_spans[0].scope).spans.append(span)
            found.append(made.SerializeToString())
    return found


def _span(span, r: random.Random) -> None:  # type: ignore[no-untyped-def]
    span.trace_id, span.span_id, span.name, span.kind = r.randbytes(16), r.randbytes(8), "chat support-large", 3
    span.start_time_unix_nano = 1_700_000_000_000_000_000 + r.randrange(10**9)
    span.end_time_unix_nano = span.start_time_unix_nano + r.randrange(10**8, 5 * 10**9)
    model, version, failed = r.randrange(4), r.randrange(4), r.random() < 0.04
    question, answer = " ".join(r.choices(WORDS, k=165)), " ".join(r.choices(WORDS, k=82))
    raw = r.random() * 4 - 1
    texts = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": f"support-{model}",
        "gen_ai.response.model": f"support-{model}-0613", "gen_ai.response.id": r.randbytes(12).hex(), "server.address": "api.example.com",
        "gen_ai.input.messages": question, "gen_ai.output.messages": answer, "openai.response.system_fingerprint": f"fp_{model}",
        "gen_ai.conversation.id": f"c{r.randrange(500)}", "session.id": f"s{r.randrange(500)}", "user.id": f"u{r.randrange(300)}",
        "truegreen.cohort": ("free", "pro", "enterprise")[r.randrange(3)], "truegreen.snapshot.id": f"{version:012x}",
        "truegreen.version.model": f"support-{model}", "truegreen.version.prompt": f"support@{version}",
        "truegreen.version.retrieval_index": "kb-7", "truegreen.prompt.template": f"support@{version}",
        "truegreen.dialect": "genai", "truegreen.evaluation.sampled": "base", "truegreen.evaluation.groundedness.evaluator": "context_support",
        "truegreen.evaluation.groundedness.scale": "relative", "truegreen.evaluation.groundedness.calibration": "9f3c12ab34cd",
        "truegreen.evaluation.groundedness.label": "fail" if failed else "pass",
    }  # fmt: skip
    numbers = {
        "gen_ai.response.time_to_first_chunk": r.random(), "truegreen.evaluation.groundedness.raw": raw,
        "truegreen.evaluation.groundedness.score": 0.01 if failed else r.random(),
    }  # fmt: skip
    whole = {
        "gen_ai.usage.input_tokens": r.randrange(100, 4000),
        "gen_ai.usage.output_tokens": r.randrange(2, 800),
        "server.port": 443,
    }
    for key, value in texts.items():
        span.attributes.add(key=key).value.string_value = value
    for key, value in numbers.items():
        span.attributes.add(key=key).value.double_value = value
    for key, value in whole.items():
        span.attributes.add(key=key).value.int_value = value
    span.attributes.add(key="gen_ai.response.finish_reasons").value.array_value.values.add().string_value = "stop"
    span.attributes.add(key="truegreen.answer.markers").value.array_value.values.add().string_value = "overconfident"


def inner(requests: list[bytes], seconds: float) -> float:
    """Spans a second of the processor alone, in this process."""
    from truegreen.collector.processor import Processor

    processor = Processor(time.time, 30.0)
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        done += processor.traces(requests[done // SPANS % len(requests)])
    return done / (time.process_time() - began)


def measured(
    server: subprocess.Popen[bytes], send: Callable[[bytes], None], requests: list[bytes], seconds: float, spans: int = SPANS
) -> dict[str, float]:
    """Send for so long; spans by the server's CPU second and by wall second, and the median and 99th percentile of a request in ms."""
    for one in requests:
        send(one)
    cpu, began, done, times = _cpu(server.pid), time.perf_counter(), 0, []
    while (now := time.perf_counter()) - began < seconds:
        send(requests[done % len(requests)])
        times.append(time.perf_counter() - now)
        done += 1
    wall, used = time.perf_counter() - began, _cpu(server.pid) - cpu
    times.sort()
    return {
        "spans_per_cpu_second": done * spans / used, "spans_per_second": done * spans / wall,
        "p50_ms": times[len(times) // 2] * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3,
    }  # fmt: skip


def by_dialect(seconds: float) -> dict[str, object]:
    """For each dialect of the table, spans a second of the processor alone, in this process, with recorded spans of its libraries."""
    import collector_recorded

    played = {"ours": [request(seed) for seed in range(REQUESTS)]}
    for name, spans in collector_recorded.recorded().items():
        played[name] = collector_recorded.requests(spans, SPANS, REQUESTS)
    return {
        name: {"spans_per_cpu_second": inner(made, seconds), "bytes_per_span": sum(map(len, made)) / len(made) / SPANS}
        for name, made in played.items()
    }


def run(seconds: float, with_official: bool, scrape: bool) -> dict[str, object]:
    """All figures, or those of a scrape of 20,000 series."""
    cores = sorted(os.sched_getaffinity(0))
    requests = [request(seed) for seed in range(REQUESTS)]
    ports = _ports(3)
    command = [sys.executable, "-m", "truegreen.core", "collect"]
    for name, port in zip(("http", "grpc", "metrics"), ports, strict=True):
        command += [f"--{name}-endpoint", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cores[0]}))  # noqa: PLW1509
    os.sched_setaffinity(0, {cores[-1]})
    found: dict[str, object] = {"bytes_per_span": round(sum(map(len, requests)) / len(requests) / SPANS), "cores": len(cores)}
    try:
        _wait(ports[2])
        send = _http(ports[0], {})
        if scrape:
            from collector_scrape import scraped

            return scraped(server.pid, send, ports[2], seconds)
        found["http"] = measured(server, send, requests, seconds)
        found["http_gzip"] = measured(
            server, _http(ports[0], {"Content-Encoding": "gzip"}), [gzip.compress(r, 6) for r in requests], seconds
        )
        found["grpc"] = measured(server, _grpc(ports[1]), requests, seconds)
        single = alone(0)
        found["http, 1 span a request"] = measured(server, send, single, seconds, 1)
        found["grpc, 1 span a request"] = measured(server, _grpc(ports[1]), single, seconds, 1)
        began = time.perf_counter()
        body = urllib.request.urlopen(f"http://127.0.0.1:{ports[2]}/metrics").read()
        found["scrape"] = {"ms": (time.perf_counter() - began) * 1e3, "lines": body.count(b"\n")}
        status = Path(f"/proc/{server.pid}/status").read_text()
        found["rss_mb"] = round(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        found["peak_rss_mb"] = round(int(status.split("VmHWM:")[1].split()[0]) / 1024)
    finally:
        server.terminate()
        server.wait(20)
    found["processor_alone"] = inner(requests, seconds)
    if with_official:
        from collector_official import official

        found["official_classes"] = official(requests, seconds)
        found["ratio_to_official"] = found["processor_alone"] / found["official_classes"]  # type: ignore[operator]
    return found


def _http(port: int, headers: dict[str, str]) -> Callable[[bytes], None]:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    extra = "".join(f"{key}: {value}\r\n" for key, value in headers.items())

    def send(body: bytes) -> None:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]

    return send


def _grpc(port: int) -> Callable[[bytes], None]:
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_send_message_length", -1)])
    call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", lambda b: b, lambda b: b)
    return lambda body: call(body, timeout=20)


def _cpu(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the collector did not come up in 10 s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--official", action="store_true", help="also the official classes with prometheus_client")
    parser.add_argument("--inner", action="store_true", help="the processor alone, without a server")
    parser.add_argument("--dialects", action="store_true", help="recorded spans of every dialect, by the processor alone")
    parser.add_argument("--stages", action="store_true", help="where the time of a span goes, by the processor alone")
    parser.add_argument("--growth", action="store_true", help="by label sets and attributes; writes the picture in docs")
    parser.add_argument("--scrape", action="store_true", help="a scrape of 20,000 series while spans come in")
    parser.add_argument(
        "--otelcol", action="store_true", help="beside a real OpenTelemetry Collector, as a ratio (needs `make otelcol`)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="rounds of --growth, and of --otelcol, each of --seconds for each collector and protocol",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.inner:
        print(f"processor alone: {inner([request(seed) for seed in range(REQUESTS)], options.seconds):,.0f} spans/s")
        sys.exit(0)
    figures: dict[str, object]
    if options.otelcol:
        from collector_otelcol import run as beside

        figures = beside(options.seconds, options.rounds)
    elif options.stages:
        from collector_stages import stages

        figures = stages([request(seed) for seed in range(REQUESTS)], options.seconds)
    elif options.growth:
        from collector_growth import growth

        figures = growth(options.rounds)
    else:
        figures = by_dialect(options.seconds) if options.dialects else run(options.seconds, options.official, options.scrape)
    if options.json:
        print(json.dumps(figures))
    else:
        width = max(map(len, figures))
        for key, value in figures.items():
            shown = ", ".join(f"{k} {v:,.1f}" for k, v in value.items()) if isinstance(value, dict) else f"{value:,.1f}"
            print(f"{key:{width}} {shown}")
