"""What the boards cost: `python benchmarks/dashboards.py [--only generate queries paint] [--backfill 120] [--json]`.

`generate`: all boards and their provisioning, in fresh processes. `queries`: all that the overview asks, of a real Prometheus that holds 5,000 series at 15 s, as many days as
can be backfilled in `--backfill` seconds (`dashboards_prometheus.py`); the series are those of the recorded incident, replayed end to end by several services. `paint`: the preview in a real
Chromium, on the recorded incident and, where `queries` is asked for too, on that Prometheus (`dashboards_paint.py`).

Wall seconds hold for a machine that does nothing else; what it did is printed. A bar that is missed is printed as missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
INCIDENT: Final = ROOT / "dashboards" / "recorded" / "incident.json.gz"
PARTS: Final = ("generate", "queries", "paint")
RUNS: Final = 5
"""Fresh processes of `generate`."""
GENERATE_SECONDS, QUERIES_MS, PAINT_MS = 2.0, 300.0, 1000.0
"""The bars."""
_CHILD: Final = """
import json, time
began = time.perf_counter(), time.process_time()
from truegreen.core.config import parse_text
from truegreen.dashboards.generate import files
read = time.perf_counter(), time.process_time()
made = files(parse_text("", "truegreen.yaml", {}, None), 1).files
done = time.perf_counter(), time.process_time()
boards = [text for name, text in made.items() if "/" not in name]
print(json.dumps({"import": [b - a for a, b in zip(began, read)], "generate": [b - a for a, b in zip(read, done)],
                  "boards": len(boards), "bytes": sum(map(len, boards))}))
"""


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--backfill", type=float, default=120, metavar="SECONDS", help="time for filling the Prometheus")
    parser.add_argument("--rounds", type=int, default=20, help="times that the overview is asked, and half as often loaded")
    parser.add_argument("--incident", type=Path, default=INCIDENT, help="what `truegreen demo --record` wrote")
    parser.add_argument("--recording", default="shipped", help="what `paint` shows, as `truegreen dashboard preview` takes it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    said: dict[str, Any] = {"load": os.getloadavg()[0], "cores": os.cpu_count()}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="truegreen-dashboards-")))
        if "generate" in options.only:
            said["generate"] = generated()
        running = None
        if "queries" in options.only:
            import dashboards_prometheus

            filled = dashboards_prometheus.fill(folder, options.incident, options.backfill)
            said["queries"], running = dashboards_prometheus.measured(stack, folder, filled, options.rounds)
        if "paint" in options.only:
            import dashboards_paint

            said["paint"] = dashboards_paint.measured(folder, options.recording, running, max(1, options.rounds // 2))
    if options.json:
        print(json.dumps(said))
    else:
        show(said)


def generated() -> dict[str, Any]:
    """The median of some fresh processes: seconds on the clock and of CPU."""
    runs, whole = [], []
    for _ in range(RUNS):
        began = time.perf_counter()
        runs.append(json.loads(subprocess.run([sys.executable, "-c", _CHILD], capture_output=True, check=True).stdout))
        whole.append(time.perf_counter() - began)
    parts = {name: [statistics.median(run[name][of] for run in runs) for of in (0, 1)] for name in ("import", "generate")}
    return {**parts, "process": statistics.median(whole), "boards": runs[0]["boards"], "bytes": runs[0]["bytes"]}


def show(said: dict[str, Any]) -> None:
    """The figures for a person, as Markdown."""
    print(f"{said['cores']} cores; load of the last minute at the start: {said['load']:.1f}.")
    if found := said.get("generate"):
        (imports, imports_cpu), (makes, makes_cpu) = found["import"], found["generate"]
        print(f"\n## Generating {found['boards']} boards ({found['bytes'] / 1000:.0f} kB), median of {RUNS} fresh processes\n")
        print("| | wall s | CPU s |\n|---|---|---|")
        print(f"| import | {imports:.2f} | {imports_cpu:.2f} |\n| generate and check | {makes:.2f} | {makes_cpu:.2f} |")
        print(f"| the whole process | {found['process']:.2f} | |")
        print(f"\nBar: {GENERATE_SECONDS:g} s for the whole process. {verdict(found['process'], GENERATE_SECONDS)}.")
    if found := said.get("queries"):
        print(f"\n## The overview's {found['queries']} questions, six at a time ({found['version']})\n")
        print(
            f"{found['series']:,} series at {found['step']} s, {found['samples'] / 1e6:.1f} million samples, {found['days']:.2f} days: what could be",
            end=" ",
        )
        print(f"backfilled in {found['backfill']:.0f} s. Range of {found['hours']} h. {found['with_data']} of {found['queries']} have data.\n")  # fmt: skip
        print("| ms | median | worst |\n|---|---|---|")
        for name in ("cold", "warm"):
            print(f"| {name}: {found['rounds'][name]} times | {found[name][0]:.0f} | {found[name][1]:.0f} |")
        print(
            f"\nPrometheus itself: {found['cpu']:.0f} ms of CPU each warm time.\n\nThe slowest when asked alone:\n\n| ms | question |\n|---|---|"
        )
        for took, expr in found["slowest"]:
            print(f"| {took:.1f} | `{expr.replace('|', chr(92) + '|')}` |")
        print(
            f"\nCold is the first time after a start of Prometheus. Bar: {QUERIES_MS:g} ms, warm. {verdict(found['warm'][0], QUERIES_MS)}."
        )
    if found := said.get("paint"):
        print(f"\n## First paint of the overview in the preview ({found['version']}), without a cache\n")
        print("| ms, median (worst) | first contentful paint | all visible panels drawn |\n|---|---|---|")
        for name, row in found["pages"].items():
            paint, drawn = (f"{middle:.0f} ({worst:.0f})" for middle, worst in (row["paint"], row["drawn"]))
            print(f"| {name}, {row['loads']} loads | {paint} | {drawn} |")
        slowest = max(row["paint"][0] for row in found["pages"].values())
        print(f"\nBar: {PAINT_MS:g} ms for the first paint. {verdict(slowest, PAINT_MS)}.")


def verdict(found: float, most: float) -> str:
    """Whether a bar was held."""
    return "HELD" if found <= most else "MISSED"


if __name__ == "__main__":
    main()
