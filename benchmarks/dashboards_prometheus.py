"""A Prometheus of 5,000 series, and what the overview asks of it: `python benchmarks/dashboards.py --only queries`."""

from __future__ import annotations

import bisect
import gzip
import http.client
import itertools
import json
import os
import re
import statistics
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import engines, processes
from truegreen.core.errors import Failed
from truegreen.dashboards import check, promql

OVERVIEW: Final = Path(__file__).resolve().parent.parent / "dashboards" / "generated" / "overview.json"
SERIES, STEP, BLOCK, HOURS = 5_000, 15, 7_200, 3
"""Series, seconds between samples, seconds of a block, and the hours that the overview shows at first."""
AT_ONCE: Final = 6
"""Connections that a browser keeps to one host."""
COLD: Final = 5
"""Starts of Prometheus."""
WIDTH: Final = 1240
"""Pixels of the board's 24 columns in a window of 1,280."""
FLAGS: Final = (
    "--storage.tsdb.retention.time=100y",
    "--storage.tsdb.min-block-duration=2h",
    "--storage.tsdb.max-block-duration=2h",
)
"""Blocks as they were made: nothing is compacted while it is asked."""
_BOUNDS: Final = (7.5, 12.5, 17.5, 25, 45, 90)
_STEPS: Final = (5, 10, 15, 20, 30, 60, 120)
"""Grafana's steps in seconds, and the intervals between them (`rangeUtil.roundInterval`)."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """What was backfilled: `end` is the time of the last sample."""

    series: int
    samples: int
    blocks: int
    seconds: float
    end: int


def fill(folder: Path, incident: Path, seconds: float) -> Filled:
    """Blocks of two hours from now on backwards, two at a time, until the time is over.

    One file for each block: promtool reads a file once for each block that is in it.
    """
    began = time.monotonic()
    copies = list(itertools.islice(_series(json.loads(gzip.decompress(incident.read_bytes()))), SERIES))
    end = int(time.time()) // BLOCK * BLOCK
    numbers, lock = itertools.count(), threading.Lock()
    samples: list[int] = []

    def work() -> None:
        while not samples or time.monotonic() - began < seconds:
            with lock:
                number = next(numbers)
            samples.append(_block(folder, copies, end - number * BLOCK, number))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work) for _ in range(2)]:
            done.result()
    return Filled(len(copies), sum(samples), len(samples), time.monotonic() - began, end - STEP)


def _series(raw: Json) -> Iterator[tuple[str, Json]]:
    # The recorded series under the names of one service after the other, each written once: labels as OpenMetrics, and what was recorded.
    seen = set()
    for number in range(1, SERIES):
        for one in raw["series"]:
            labels = {k: v for k, v in one["labels"].items() if k != "__name__"}
            for who in ("service", "instance"):
                if who in labels:
                    labels[who] = f"{labels[who]}-{number}"
            text = f"{one['labels']['__name__']}{{{','.join(f'{k}={json.dumps(v)}' for k, v in sorted(labels.items()))}}} "
            if text not in seen:
                seen.add(text)
                yield text, one


def _block(folder: Path, copies: Sequence[tuple[str, Json]], end: int, number: int) -> int:
    path, count, tails = folder / f"block-{number}.om", 0, dict[int, list[str]]()
    with path.open("w", encoding="utf-8") as out:
        for name, group in itertools.groupby(
            sorted(copies, key=lambda copy: copy[0]), key=lambda copy: copy[0].partition("{")[0]
        ):
            out.write(f"# TYPE {name} unknown\n")
            for text, one in group:
                lines = tails.get(id(one)) or tails.setdefault(id(one), _lines(one, end))
                out.write("".join([text, text.join(lines)] if lines else []))
                count += len(lines)
        out.write("# EOF\n")
    command = [str(engines.require("promtool")), "tsdb", "create-blocks-from", "openmetrics", str(path), str(folder / "tsdb")]
    log = folder / f"promtool-{number}.log"
    if processes.run("promtool", command, log, 600) != 0:
        raise Failed(f"promtool does not take the series: {processes.last_words(log)}")
    path.unlink()
    return count


def _lines(one: Json, end: int) -> list[str]:
    # What was recorded a second is a sample here; at its end it begins anew, and a counter goes on from where it was.
    there = [value for value in one["values"] if value is not None]
    counter = one["labels"]["__name__"].endswith(("_total", "_bucket", "_count", "_sum"))
    grown = there[-1] - there[0] if counter and there else 0
    made = []
    for at in range(end - BLOCK, end, STEP):
        again, index = divmod(at // STEP, len(one["values"]))
        value = one["values"][index]
        if value is not None:
            # Not all rounds since 1970: a counter would be so large that it loses digits.
            made.append(f"{value + grown * (again % 100_000):.15g} {at}\n")
    return made


def measured(stack: ExitStack, folder: Path, filled: Filled, rounds: int) -> tuple[Json, tuple[str, int]]:
    """Ask all that the overview asks, cold and warm; the Prometheus goes on until the stack is left: its address and the end of its data."""
    settings = folder / "prometheus.yml"
    settings.write_text("scrape_configs: []\n", "utf-8")
    paths = questions(json.loads(OVERVIEW.read_text("utf-8")), filled.end)
    cold = []
    for _ in range(COLD):
        with engines.prometheus(settings, folder, args=FLAGS) as running:
            cold.append(_asked(running.url, [path for _, path in paths]))
    running = stack.enter_context(engines.prometheus(settings, folder, args=FLAGS))
    _asked(running.url, [path for _, path in paths])
    before = _cpu(running)
    warm = [_asked(running.url, [path for _, path in paths]) for _ in range(rounds)]
    cpu = (_cpu(running) - before) / rounds
    alone, data = [], 0
    for expr, path in paths:
        took = [_asked(running.url, [path]) for _ in range(5)]
        alone.append((statistics.median(took), expr))
        data += _has_data(running.url, path)
    said = {
        "version": f"Prometheus {_version(running.url)}", "queries": len(paths), "with_data": data, "series": filled.series,
        "step": STEP, "samples": filled.samples, "days": filled.blocks * BLOCK / 86_400, "backfill": filled.seconds, "hours": HOURS,
        "cold": [statistics.median(cold), max(cold)], "warm": [statistics.median(warm), max(warm)],
        "cpu": cpu, "rounds": {"cold": COLD, "warm": rounds}, "slowest": sorted(alone, reverse=True)[:5],
    }  # fmt: skip
    return said, (running.url, filled.end)


def questions(board: Json, end: int) -> list[tuple[str, str]]:
    """Expression and path of all targets (those of folded rows too), annotations and variables, with the steps that a page of 1,280 pixels takes."""
    made = []
    for panel in check.panels(board):
        pixels = panel["gridPos"]["w"] / 24 * WIDTH
        made += [
            _question(one["expr"], one["interval"], pixels, end, bool(one.get("instant"))) for one in panel.get("targets", [])
        ]
    made += [_question(one["expr"], one.get("step", ""), WIDTH, end, instant=False) for one in board["annotations"]["list"]]
    for variable in board["templating"]["list"]:
        if found := re.fullmatch(r"label_values\((.+),\s*(\w+)\)", str(variable["query"])):
            asked = urllib.parse.urlencode({"match[]": promql.filled(found[1]), "start": end - HOURS * 3600, "end": end})
            made.append((variable["query"], f"/api/v1/label/{found[2]}/values?{asked}"))
    return made


def _question(expr: str, least: str, pixels: float, end: int, instant: bool) -> tuple[str, str]:
    least_seconds = int(least.removesuffix("s") or STEP)
    step = max(_STEPS[bisect.bisect_right(_BOUNDS, HOURS * 3600 / pixels)], least_seconds)
    durations: Mapping[str, str] = {
        "$__rate_interval": f"{max(step + least_seconds, 4 * least_seconds)}s", "$__interval": f"{step}s", "$__range": f"{HOURS * 3600}s",
    }  # fmt: skip
    when = {"time": end} if instant else {"start": (end - HOURS * 3600) // step * step, "end": end // step * step, "step": step}
    asked = urllib.parse.urlencode({"query": promql.filled(expr, durations), **when})
    return expr, f"/api/v1/query{'' if instant else '_range'}?{asked}"


def _asked(url: str, paths: Sequence[str]) -> float:
    # Milliseconds until the last answer has been read.
    left, lock = iter(paths), threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        while True:
            with lock:
                path = next(left, None)
            if path is None:
                connection.close()
                return
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.client.OK:
                raise Failed(f"Prometheus answers {answer.status} to {path}: {body[:300]!r}")

    with ThreadPoolExecutor(min(AT_ONCE, len(paths))) as pool:
        began = time.perf_counter()
        for done in [pool.submit(work) for _ in range(min(AT_ONCE, len(paths)))]:
            done.result()
        return (time.perf_counter() - began) * 1e3


def _cpu(engine: engines.Engine) -> float:
    # Milliseconds of the process, by Linux (proc(5): the 14th and 15th field of stat, in ticks).
    fields = Path(f"/proc/{engine.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e3


def _get(url: str, path: str) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request("GET", path)
    data = json.load(connection.getresponse())["data"]
    connection.close()
    return data


def _has_data(url: str, path: str) -> bool:
    data = _get(url, path)
    return bool(data["result"] if isinstance(data, dict) else data)


def _version(url: str) -> str:
    return str(_get(url, "/api/v1/status/buildinfo")["version"])
