"""How long `truegreen triage` takes against a Prometheus with 30 days of data; `benchmarks/runbook.py` prints it."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from truegreen.core.cli import main
from truegreen.core.clients import engines
from truegreen.runbook import names

DAYS: Final = 30
SERVICES: Final = 160
COARSE, FINE, LAST, ONSET = 900, 30, 7 * 3_600, 1_200
"""Seconds: the step of the 30 days, that of the last hours, how many of them, and how long before the end something broke."""
RUNS: Final = 10
BOUND: Final = 10.0
"""Seconds that a triage may take."""


def run(seed: int) -> dict[str, Any]:
    """Fill a Prometheus, triage each of some services, and give the table, the promise and what it was measured on."""
    end = float(1_767_322_800 + seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series, samples = _fill(folder, end)
        (folder / "prometheus.yml").write_text("global: {}\n")
        with engines.prometheus(folder / "prometheus.yml", folder, args=["--storage.tsdb.retention.time=100y"]) as running:
            took, found = zip(*(_triage(folder, running.url, f"service-{n}", end) for n in range(RUNS)), strict=True)
    right = sum(one["whose"] == "them" and not any("counts" in lack for lack in one["missing"]) for one in found)
    return {
        "title": "Triage against a Prometheus with 30 days",
        "rows": [
            {"runs": RUNS, "series": series, "samples": samples, "median s": statistics.median(took), "longest s": max(took)}
        ],
        "bars": [
            {"says": f"the longest triage takes at most {BOUND:g} s", "found": max(took), "held": max(took) <= BOUND},
            {"says": "each names the provider's change", "found": f"{right} of {RUNS}", "held": right == RUNS},
        ],
        "note": f"{DAYS} days at {COARSE} s, the last {LAST / 3_600:g} h at {FINE} s; the command runs in this process, its imports are in the first run.",
    }


def _triage(folder: Path, url: str, service: str, end: float) -> tuple[float, dict[str, Any]]:
    os.chdir(folder)
    nobody = "http://127.0.0.1:9"
    words = ("triage", "--service", service, "--environment", "production", "--slo", "grounding", "--at", str(end), "--json",
             "--prometheus-url", url, "--alertmanager-url", nobody, "--collector-url", nobody)  # fmt: skip
    out, began = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(words)
    return time.perf_counter() - began, json.loads(out.getvalue())


def _fill(folder: Path, end: float) -> tuple[int, int]:
    begin = end - DAYS * 86_400
    times = [begin + n * COARSE for n in range(int((end - LAST - begin) // COARSE))]
    times += [end - LAST + n * FINE for n in range(LAST // FINE + 1)]
    series = 0
    with (folder / "data.txt").open("w") as file:
        for family, kind, rows in _families():
            file.write(f"# TYPE {family.removesuffix('_total') if kind == 'counter' else family} {kind}\n")
            for labels, rate, since, until in rows:
                series += 1
                lasting = [t for t in times if (not since or t > end - ONSET) and (not until or t <= end - ONSET)]
                start = lasting[0]
                for t in lasting:
                    value = rate if kind == "gauge" else math.floor(rate * (t - start)) + _more(labels, t, end)
                    file.write(
                        f"{family}{{{labels}}} {value:g} {t:.0f}\n"
                        if value < 1e6
                        else f"{family}{{{labels}}} {value:.0f} {t:.0f}\n"
                    )
        file.write("# EOF\n")
    subprocess.run(
        [engines.require("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1488h", folder / "data.txt", folder / "tsdb"],
        capture_output=True, check=True,
    )  # fmt: skip
    (folder / "data.txt").unlink()
    return series, series * len(times)


def _more(labels: str, now: float, end: float) -> int:
    # Failed answers come ten times as fast after the onset.
    return math.floor(0.09 * max(0.0, now - end + ONSET)) if 'result="fail"' in labels else 0


def _families() -> Iterator[tuple[str, str, list[tuple[str, float, bool, bool]]]]:
    who = [f'service="service-{n}",environment="production"' for n in range(SERVICES)]
    graded = 'evaluation="groundedness",evaluator="overlap",model="large",cohort="default",snapshot="aaaaaaaaaaaa",sampled="base"'
    yield names.SERVED, "counter", [
        (f'{w},model="large",served="{served}",fingerprint="{mark}"', 0.2, since, not since)
        for w in who for served, mark, since in (("large-0613", "fp_1", False), ("large-1106", "fp_2", True))
    ]  # fmt: skip
    yield (
        names.ANSWERS,
        "counter",
        [
            (f'{w},model="large",cohort="c{c}",snapshot="aaaaaaaaaaaa",sampled="base"', 0.1, False, False)
            for w in who
            for c in range(3)
        ],
    )
    yield (
        names.EVALUATED,
        "counter",
        [
            (f'{w},{graded},result="{result}"', rate, False, False)
            for w in who
            for result, rate in (("pass", 0.2), ("fail", 0.01))
        ],
    )
    yield (
        "truegreen_evaluations_total",
        "counter",
        [
            (f'{w},{graded},result="{result}"', rate, False, False)
            for w in who
            for result, rate in (("pass", 0.2), ("fail", 0.01))
        ],
    )
    yield (
        names.REQUESTS,
        "counter",
        [(f'{w},operation="chat",provider="openai",model="large",outcome="ok"', 0.2, False, False) for w in who],
    )
    yield (
        "truegreen_retrieval_chunks_total",
        "counter",
        [(f'{w},relevance="{r}"', rate, False, False) for w in who for r, rate in (("above", 0.5), ("below", 0.1))],
    )
    yield (
        names.SNAPSHOT,
        "gauge",
        [(f'{w},snapshot="aaaaaaaaaaaa",prompt_version="support@4",guardrail_version="g@1"', 1, False, False) for w in who],
    )
