"""Seconds to read and generate 200 SLOs: `python benchmarks/alerting.py --only speed`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from truegreen.alert_rules.generate import files
from truegreen.core.config import parse_text

COUNT = 200
MOST_SECONDS = 2.0
ROUNDS = 3
KINDS = (
    "{evaluation: groundedness, floor: baseline}",
    "{metric: truegreen_llm_requests_total, label: outcome, bad: [error, throttled, timeout]}",
    "{metric: truegreen_llm_duration_seconds, threshold: 10}",
)
"""One of each kind in turn; every SLO has an objective of its own, so nothing can be shared between them."""


def text(count: int) -> str:
    """A `truegreen.yaml` of so many live SLOs."""
    rows = [
        f"  - {{name: slo_{at}, description: Number {at}, sli: {KINDS[at % len(KINDS)]}, objective: {90 + 9.9 * at / count:.4f}%, "
        "layer: quality, failure_mode: hallucination, mode: live}"
        for at in range(count)
    ]
    return "slos:\n" + "\n".join(rows) + "\n"


def measured() -> dict[str, Any]:
    """The best of some rounds, in seconds of this process' CPU and on the clock."""
    written = text(COUNT)
    config, reading = _best(lambda: parse_text(written, "truegreen.yaml", {}, None))
    made, making = _best(lambda: files(config, 1))
    size = sum(len(each) for each in made.files.values())
    return {"slos": COUNT, "read": reading, "generate": making, "bytes": size, "cpu_seconds": reading["cpu"] + making["cpu"]}


def _best(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    cpu, wall, result = [], [], None
    for _ in range(ROUNDS):
        began, on_clock = time.process_time(), time.perf_counter()
        result = call()
        cpu.append(time.process_time() - began)
        wall.append(time.perf_counter() - on_clock)
    return result, {"cpu": min(cpu), "wall": min(wall)}


def show(found: dict[str, Any]) -> None:
    """The figures for a person, and the bar."""
    print(f"\n## Generating {found['slos']} SLOs of different objectives, best of {ROUNDS}\n")
    print("| | CPU s | wall s |\n|---|---|---|")
    for name in ("read", "generate"):
        print(f"| {name} | {found[name]['cpu']:.2f} | {found[name]['wall']:.2f} |")
    verdict = "HELD" if found["cpu_seconds"] <= MOST_SECONDS else "MISSED"
    print(f"\n{found['bytes'] / 1e6:.1f} MB. Bar: {MOST_SECONDS:g} s for both. {found['cpu_seconds']:.2f} s of CPU: {verdict}.")
