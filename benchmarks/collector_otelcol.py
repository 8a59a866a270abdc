"""truegreen's collector beside a real OpenTelemetry Collector: `python benchmarks/collector.py --otelcol [--seconds 5] [--rounds 5] [--json]`.

The OpenTelemetry Collector (`make otelcol`, GOMAXPROCS=1) derives what it can of the catalogue, by the configuration that `truegreen generate collector`
writes, nothing exported but the series; truegreen's collector derives the whole catalogue. Both are pinned to one core, this client to another, and are sent the
same requests in turn, round by round, so that what else the machine does meets both. A round ends when the server shows every span of it as counted. The rate is LLM
spans over the CPU seconds that the server took for the round, counting included; the ratio is that of the medians of all rounds. Before the first round both are sent each
request once.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from collector_load import REQUESTS, SPANS, request
from collector_server import Send, Server, grpc, http, pinned, running, truegreen, wait

from truegreen.collector.generate import files
from truegreen.core.clients.engines import free_port, require
from truegreen.core.config import parse_text

COUNTED = r"^truegreen_llm_requests_total\{.*\} (\S+)$"


def measured(server: Server, send: Send, requests: list[bytes], seconds: float) -> float:
    """LLM spans by CPU second in one round of so many seconds."""
    before, began, sent = server.counted(), time.perf_counter(), 0
    cpu = server.cpu()
    while time.perf_counter() - began < seconds:
        send(requests[sent % len(requests)])
        sent += 1
    wait(lambda: server.counted() - before == sent * SPANS, "what was taken is counted")
    return sent * SPANS / (server.cpu() - cpu)


def run(seconds: float, rounds: int) -> dict[str, Any]:
    """All figures."""
    requests = [request(seed) for seed in range(REQUESTS)]
    figures: dict[str, Any] = {}
    with pinned() as (core, _), truegreen(core) as ours, otelcol(core) as theirs:
        servers = {"truegreen": ours, "otelcol": theirs}
        for protocol in ("http", "grpc"):
            senders = {name: http(server.http) if protocol == "http" else grpc(server.grpc) for name, server in servers.items()}
            rates: dict[str, list[float]] = {name: [] for name in servers}
            for send in senders.values():
                for body in requests:
                    send(body)
                time.sleep(2)  # its last batch, before the first round
            for _ in range(rounds):
                for name, send in senders.items():
                    rates[name].append(measured(servers[name], send, requests, seconds))
            middle = {name: statistics.median(of) for name, of in rates.items()}
            spread = {f"{name}_{end}": pick(of) for name, of in rates.items() for end, pick in (("least", min), ("most", max))}
            figures[protocol] = {**middle, "ratio": middle["truegreen"] / middle["otelcol"], **spread}
        figures["peak_rss_mb"] = {name: server.memory("VmHWM") / 1024 for name, server in servers.items()}
    return figures


@contextmanager
def otelcol(core: int) -> Iterator[Server]:
    """The OpenTelemetry Collector, with the configuration that we generate."""
    ports = {name: free_port() for name in ("http", "grpc", "metrics", "health")}
    here = {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{ports['health']}"}},
        "receivers": {"otlp": {"protocols": {name: {"endpoint": f"127.0.0.1:{ports[name]}"} for name in ("grpc", "http")}}},
        "exporters": {"prometheus": {"endpoint": f"127.0.0.1:{ports['metrics']}"}},
        "service": {"telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}}},
    }
    with tempfile.TemporaryDirectory() as folder:
        written = {"generated": files(parse_text("", "benchmark", {}, None), 1).files["otelcol_metrics.yaml"]}
        written["addresses"] = yaml.safe_dump(here)
        for name, text in written.items():
            Path(folder, f"{name}.yaml").write_text(text)
        command = [str(require("otelcol")), *(f"--config={folder}/{name}.yaml" for name in written)]
        with running(command, ports, core, COUNTED, env=os.environ | {"GOMAXPROCS": "1"}) as server:
            yield server
