"""Series for every metric and record that boards may read, as OpenMetrics with timestamps, for a real Prometheus."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import promql_parser as p

from truegreen.core.clients import engines
from truegreen.core.words import catalogue
from truegreen.dashboards import promql
from truegreen.dashboards.expressions import EXPORTED
from truegreen.dashboards.known import SERIES

STEP = 15
SAMPLES = 160
"""40 minutes: longer than any range that the tests ask for."""
BUCKETS = {metric.bucket: metric.buckets for metric in catalogue.ALL if metric.kind == "histogram"}


def asked(expressions: list[str]) -> tuple[frozenset[str], Mapping[str, list[str]]]:
    """The names that expressions read, and the values that they ask of each label."""
    names: set[str] = set()
    values: dict[str, set[str]] = {}

    def enter(node: Any) -> None:
        if isinstance(node, p.VectorSelector):
            names.update([node.name] if node.name else [])
            for matcher in node.matchers.matchers:
                if matcher.name == "__name__":
                    names.update(matcher.value.split("|"))
                    continue
                values.setdefault(matcher.name, set()).update(v for v in matcher.value.split("|") if v not in ("", ".*"))

    for expression in expressions:
        p.walk(p.parse(promql.filled(expression)), enter)
    return frozenset(names), {label: sorted(found) for label, found in values.items() if found}


def series(name: str, wanted: Mapping[str, list[str]]) -> Iterator[tuple[dict[str, str], float]]:
    """Label sets of one name with the growth, or the level, of each: all values that are asked for, else one."""
    known = SERIES[name]
    labels = [label for label in known.labels or EXPORTED if label != "le"]
    choices = [wanted.get(label) or [known.values.get(label, (f"{label}-1",))[-1]] for label in labels]
    for number, combination in enumerate(itertools.product(*choices), 1):
        made = dict(zip(labels, combination, strict=True))
        if "le" not in (known.labels or ()):
            yield made, float(number)
            continue
        for rank, bound in enumerate((*BUCKETS[name], "+Inf"), 1):
            yield {**made, "le": str(bound)}, float(rank)


def openmetrics(rows: list[tuple[str, Mapping[str, str], str, float]], end: int) -> str:
    """The text: (name, labels, `counter` or `gauge`, growth a step or level) over `SAMPLES` steps that end at `end`, unix seconds."""
    lines: list[str] = []
    for name, group in itertools.groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0]):
        lines.append(f"# TYPE {name} unknown")
        for _, labels, kind, value in group:
            inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
            for step in range(SAMPLES):
                number = value * (step + 1) if kind == "counter" else value
                lines.append(f"{name}{{{inside}}} {number} {end - STEP * (SAMPLES - 1 - step)}")
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def served(rows: list[tuple[str, Mapping[str, str], str, float]], folder: Path, end: int, promtool: Path) -> Iterator[str]:
    """The address of a real Prometheus that has these rows."""
    text, config = folder / "series.om", folder / "prometheus.yml"
    text.write_text(openmetrics(rows, end), "utf-8")
    config.write_text("global: {scrape_interval: 15s}\n", "utf-8")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", text, folder / "data" / "tsdb"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    with engines.prometheus(config, folder / "data") as server:
        yield server.url
