"""How many LLM spans a second one core of the collector counts: `python benchmarks/collector.py [--seconds 5] [--json]`.

A real `truegreen collect` process is pinned to one core, this client to another. Requests of 200 LLM spans (32 attributes, 2.7 kB each, 4
resources, 48 combinations of model, cohort and version, every answer evaluated) are made in advance and sent over loopback by HTTP, by HTTP
with gzip, and by gRPC, with the whole catalogue on. The rate is spans over the CPU seconds of the server (its own core, whatever else the machine does) and
over wall time. With `--official`, the same spans are read by the official protobuf classes and counted with prometheus_client, in this process.
`--dialects` plays the recorded spans of every dialect instead, as their libraries wrote them (no evaluation, no snapshot), a row for each; the first row is the load above.
`--stages`, `--growth` and `--scrape` say where the time goes, how the cost grows, and what a scrape of 20,000 series takes (`collector_stages.py`, ...).
`--otelcol` measures a real OpenTelemetry Collector beside it, by the same load (`collector_otelcol.py`); `--soak MINUTES` watches its memory under 70 % of what it
takes (`collector_soak.py`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time

from collector_load import REQUESTS, SPANS, alone, request
from collector_server import Send, Server, grpc, http, pinned, truegreen


def inner(requests: list[bytes], seconds: float) -> float:
    """Spans a second of the processor alone, in this process."""
    from truegreen.collector.processor import Processor

    processor = Processor(time.time, 30.0)
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        done += processor.traces(requests[done // SPANS % len(requests)])
    return done / (time.process_time() - began)


def measured(server: Server, send: Send, requests: list[bytes], seconds: float, spans: int = SPANS) -> dict[str, float]:
    """Send for so long; spans by the server's CPU second and by wall second, and the median and 99th percentile of a request in ms."""
    for one in requests:
        send(one)
    cpu, began, done, times = server.cpu(), time.perf_counter(), 0, []
    while (now := time.perf_counter()) - began < seconds:
        send(requests[done % len(requests)])
        times.append(time.perf_counter() - now)
        done += 1
    wall, used = time.perf_counter() - began, server.cpu() - cpu
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


def run(seconds: float, with_official: bool) -> dict[str, object]:
    """What a core takes."""
    requests = [request(seed) for seed in range(REQUESTS)]
    found: dict[str, object] = {"bytes_per_span": round(sum(map(len, requests)) / len(requests) / SPANS)}
    with pinned() as (core, _), truegreen(core) as server:
        send = http(server.http)
        found["http"] = measured(server, send, requests, seconds)
        squeezed = [gzip.compress(one, 6) for one in requests]
        found["http_gzip"] = measured(server, http(server.http, {"Content-Encoding": "gzip"}), squeezed, seconds)
        found["grpc"] = measured(server, grpc(server.grpc), requests, seconds)
        single = alone(0)
        found["http, 1 span a request"] = measured(server, send, single, seconds, 1)
        found["grpc, 1 span a request"] = measured(server, grpc(server.grpc), single, seconds, 1)
        began = time.perf_counter()
        body = server.page()
        found["scrape"] = {"ms": (time.perf_counter() - began) * 1e3, "lines": body.count("\n")}
        found |= {"rss_mb": server.memory() / 1024, "peak_rss_mb": server.memory("VmHWM") / 1024}
        found["processor_alone"] = inner(requests, seconds)
    if with_official:
        from collector_official import official

        found["official_classes"] = official(requests, seconds)
        found["ratio_to_official"] = found["processor_alone"] / found["official_classes"]  # type: ignore[operator]
    return found


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
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="memory under 70 %% of what it takes, for so long")
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
    elif options.soak:
        from collector_soak import soak

        figures = soak(options.soak * 60)
    elif options.scrape:
        from collector_scrape import scraped

        figures = scraped(options.seconds)
    elif options.stages:
        from collector_stages import stages

        figures = stages([request(seed) for seed in range(REQUESTS)], options.seconds)
    elif options.growth:
        from collector_growth import growth

        figures = growth(options.rounds)
    else:
        figures = by_dialect(options.seconds) if options.dialects else run(options.seconds, options.official)
    if options.json:
        print(json.dumps(figures))
    else:
        width = max(map(len, figures))
        for key, value in figures.items():
            shown = ", ".join(f"{k} {v:,.1f}" for k, v in value.items()) if isinstance(value, dict) else f"{value:,.1f}"
            print(f"{key:{width}} {shown}")
