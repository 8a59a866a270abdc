"""How long `truegreen rollback prompt` takes until spans show the old version; `benchmarks/runbook.py --only rollback` prints it.

For each setting 4 applications run beside each other (`runbook_rollback_app.py`), each a service with the real Langfuse SDK and five prompts of its
own; an answer of one prompt says nothing of another. They send spans to a real `truegreen collect`, which a real Prometheus scrapes; the prompt server speaks Langfuse's contract. Each prompt is
rolled back by the command, as a process, at a moment drawn from the minute after its cache was filled.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from langfuse._utils.prompt_cache import DEFAULT_PROMPT_CACHE_TTL_SECONDS as DEFAULT

from truegreen.core.clients import engines, prometheus
from truegreen.core.clients.engines import free_port

HERE: Final = Path(__file__).resolve().parent
RUNS: Final = int(os.environ.get("TRUEGREEN_ROLLBACK_RUNS", "20"))
APPS: Final = 4
BOUND: Final = 60.0
PAUSE: Final = 0.25
"""Seconds between two answers of one application."""
SCRAPE: Final = 5
"""Seconds between two scrapes."""
KEYS: Final = {"LANGFUSE_PUBLIC_KEY": "pk-lf-demo", "LANGFUSE_SECRET_KEY": "sk-lf-demo"}
SETTINGS: Final = (("default", "alone"), ("default", "told"), ("5", "alone"))
FOREIGN: Final = ("OTEL_", "TRUEGREEN_", "LANGFUSE_")


@dataclass(frozen=True)
class World:
    """The servers that all applications of one setting share."""

    folder: Path
    langfuse: str
    otlp: str
    prometheus: str
    environ: Mapping[str, str]


def run(seed: int) -> dict[str, Any]:
    """Measure every setting, one after the other."""
    rng = random.Random(seed)
    found = {setting: _setting(*setting, [rng.uniform(0.0, DEFAULT) for _ in range(RUNS)]) for setting in SETTINGS}
    rows, bars = [], []
    for (ttl, told), runs in found.items():
        cache = f"{DEFAULT} s, the SDK's default" if ttl == "default" else f"{ttl} s"
        named = f"{cache}{', told by `containment.fresh`' if told == 'told' else ''}"
        seen, whole = [one["seconds"] for one in runs], [one["whole"] for one in runs]
        within = sum(one < BOUND for one in seen)
        rows.append({"cache": named, "runs": len(runs), "median s": statistics.median(seen), "longest s": max(seen),
                     f"under {BOUND:g} s": f"{within} of {len(runs)}", "whole command, longest s": max(whole)})  # fmt: skip
        if (ttl, told) == ("default", "alone"):
            says = f"cache {named}: the median is under {BOUND:g} s"
            bars.append({"says": says, "found": statistics.median(seen), "held": statistics.median(seen) < BOUND})
        else:
            says = f"cache {named}: each is verified in under {BOUND:g} s"
            bars.append({"says": says, "found": max(seen), "held": within == len(runs)})
    return {
        "title": "A prompt rolled back and seen to serve",
        "rows": rows,
        "bars": bars,
        "note": f"Seconds from the moved label to the {20}th answer in a row by the old version; {1 / PAUSE:g} answers a second at most, OpenTelemetry's "
        f"own export every 5 s, a scrape every {SCRAPE} s. The command's own start, its evidence and its look at Prometheus are in the whole.",
    }


def _setting(ttl: str, told: str, phases: list[float]) -> list[dict[str, float]]:
    names = [f"support-{n}" for n in range(len(phases))]
    with _world() as world, ThreadPoolExecutor(len(phases)) as pool, ExitStack() as stack:
        for n in range(APPS):
            process = stack.enter_context(_app(world, n, ttl, told, names[n::APPS]))
            _until(lambda n=n: _answered(world, n) >= 2 * len(names[n::APPS]), process)
        print(f"rollback: {APPS} applications run, cache {ttl}, {told}", file=sys.stderr, flush=True)
        return list(pool.map(lambda one: _rolled(world, *one), enumerate(phases)))


def _rolled(world: World, n: int, phase: float) -> dict[str, float]:
    folder, service = world.folder / f"run-{n}", f"agent-{n % APPS}"
    folder.mkdir()
    environ = {**world.environ, "TRUEGREEN_PROMETHEUS_URL": world.prometheus, "TRUEGREEN_FLAGS": _flags(world, n % APPS)}
    _command(folder, environ, "incident", "open", "--service", service, "--environment", "production", "--slo", "grounding")
    time.sleep(phase)
    began = time.monotonic()
    said = _command(folder, environ, "rollback", "prompt", "--name", f"support-{n}", "--to", "1", "--timeout", "3m", "--json")
    return {"whole": time.monotonic() - began, "seconds": json.loads(said.splitlines()[-1])["verified"]["seconds"]}


def _command(folder: Path, environ: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "truegreen.core", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"truegreen {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def _world() -> Iterator[World]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN) or k == engines.FOLDER_VARIABLE}
    ports = {name: free_port() for name in ("prompts", "http", "grpc", "metrics")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    environ = {**clean, **KEYS, "LANGFUSE_BASE_URL": urls["prompts"], "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        collect = [
            "collect",
            *(w for part in ("http", "grpc", "metrics") for w in (f"--{part}-endpoint", f"127.0.0.1:{ports[part]}")),
        ]
        collect += ["--scrape-interval", f"{SCRAPE}s"]
        prompts = stack.enter_context(
            _process(folder, environ, "prompts", "-m", "truegreen.demo.world.prompts", "--port", str(ports["prompts"]))
        )
        collector = stack.enter_context(_process(folder, environ, "collector", "-m", "truegreen.core", *collect))
        _until(lambda: _ok(urls["prompts"] + "/api/public/health"), prompts)
        _until(lambda: _ok(urls["metrics"] + "/readyz"), collector)
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {SCRAPE}s}}\n"
            f"scrape_configs: [{{job_name: truegreen, static_configs: [{{targets: ['127.0.0.1:{ports['metrics']}']}}]}}]\n"
        )
        running = stack.enter_context(engines.prometheus(folder / "prometheus.yml", folder / "prometheus"))
        yield World(folder, urls["prompts"], urls["http"], running.url, environ)


@contextmanager
def _app(world: World, n: int, ttl: str, told: str, names: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with httpx.Client(base_url=world.langfuse, auth=tuple(KEYS.values()), trust_env=False) as api:  # type: ignore[arg-type]
        for name in names:
            for labels in ([], ["production"]):
                body = {"name": name, "type": "text", "prompt": "You help.", "labels": labels}
                api.post("/api/public/v2/prompts", json=body).raise_for_status()
    environ = {
        **world.environ, "OTEL_SERVICE_NAME": f"agent-{n}", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=production",
        "OTEL_EXPORTER_OTLP_ENDPOINT": world.otlp, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none", "TRUEGREEN_FLAGS": _flags(world, n),
    }  # fmt: skip
    program = [str(HERE / "runbook_rollback_app.py"), str(PAUSE), ttl, told, *names]
    words = ("-c", "from opentelemetry.instrumentation.auto_instrumentation import run; run()", sys.executable, *program)
    with _process(world.folder, environ, f"app-{n}", *words) as process:
        yield process


@contextmanager
def _process(folder: Path, environ: Mapping[str, str], name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *words], cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _flags(world: World, n: int) -> str:
    return str(world.folder / f"flags-{n}.json")


def _answered(world: World, n: int) -> int:
    server = prometheus.connect(world.prometheus, environ={})
    return len(prometheus.query(server, f'truegreen_answers_total{{service="agent-{n}"}}'))


def _ok(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _until(so: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not so():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args}: did not get ready (exit code {process.poll()})")
        time.sleep(0.25)
