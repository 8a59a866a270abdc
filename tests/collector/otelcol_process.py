"""A real OpenTelemetry Collector for tests: a generated configuration, as it is, on free ports."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from collector_process import DEADLINE
from prometheus_client.parser import text_string_to_metric_families

from truegreen.core.clients.engines import free_port

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Otelcol:
    """A running OpenTelemetry Collector and its ports."""

    process: subprocess.Popen[bytes]
    http: int
    grpc: int
    metrics: int
    log: Path

    def post(self, body: bytes, path: str = "/v1/traces") -> None:
        """Send an OTLP request by HTTP; it must be taken."""
        url = f"http://127.0.0.1:{self.http}{path}"
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200

    def scraped(self) -> str:
        """What the Prometheus exporter shows."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=20) as answer:
            return str(answer.read().decode())


def validated(program: Path, configuration: Path) -> str:
    """What `otelcol validate` says of a configuration; empty when it is valid."""
    done = subprocess.run(
        [program, "validate", f"--config={configuration}"], capture_output=True, text=True, timeout=60, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@contextmanager
def running(program: Path, text: str, folder: Path, over: Mapping[str, Any] | None = None) -> Iterator[Otelcol]:
    """A collector with this configuration, ready; only addresses, and what `over` says, are replaced."""
    http, grpc, metrics, health = (free_port() for _ in range(4))
    folder.mkdir(exist_ok=True)
    (folder / "generated.yaml").write_text(text)
    local: dict[str, Any] = {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{http}"}}}
        },
        "service": {"telemetry": {"metrics": {"level": "none"}}},
    }
    if "prometheus" in yaml.safe_load(text)["exporters"]:
        local["exporters"] = {"prometheus": {"endpoint": f"127.0.0.1:{metrics}"}}
    (folder / "addresses.yaml").write_text(yaml.safe_dump(local))
    (folder / "over.yaml").write_text(yaml.safe_dump(dict(over or {})))
    named = [f"--config={folder / name}.yaml" for name in ("generated", "addresses", "over")]
    with (folder / "otelcol.log").open("wb") as log:
        process = subprocess.Popen([program, *named], stderr=log)
        made = Otelcol(process, http, grpc, metrics, folder / "otelcol.log")
        try:
            _ready(made, health)
            yield made
        finally:
            process.terminate()
            process.wait(20)


def series(text: str, metrics: Sequence[str]) -> Series:
    """The samples of these metrics of an exposition; an empty label is none."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            base = sample.name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            if sample.name in metrics or base in metrics:
                found[sample.name, frozenset((k, v) for k, v in sample.labels.items() if v)] = sample.value
    return found


def differences(ours: Series, theirs: Series) -> list[str]:
    """What is not alike, a line each. A series of ours that has counted nothing need not be there: only truegreen's is born at 0."""
    keys = sorted({*ours, *theirs}, key=str)
    return [
        f"{name}{dict(sorted(labels))}: ours {ours.get((name, labels))}, otelcol {theirs.get((name, labels))}"
        for name, labels in keys
        if not _alike(ours.get((name, labels)), theirs.get((name, labels)))
    ]


def _alike(ours: float | None, theirs: float | None) -> bool:
    if theirs is None:
        return ours == 0
    # Sums of fractions are added in another order.
    return ours is not None and abs(ours - theirs) <= 1e-9 * max(1.0, abs(ours))


def _ready(made: Otelcol, health: int) -> None:
    end = time.monotonic() + DEADLINE
    while True:
        assert made.process.poll() is None, made.log.read_text()
        assert time.monotonic() < end, f"not ready within {DEADLINE:.0f} s: {made.log.read_text()}"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{health}/", timeout=5).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
