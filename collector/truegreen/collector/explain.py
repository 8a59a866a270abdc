"""What `truegreen collect --explain` prints: what is compiled from the catalogue, and the piece of source that counts one metric."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
import time
from collections.abc import Sequence
from typing import Any, Final

from truegreen.collector import compile as compiler
from truegreen.collector.plan import attributes_of
from truegreen.collector.processor import Processor
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue_page
from truegreen.core.words.catalogue_check import SPAN_SOURCES
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.metric import Metric

ALL: Final = "all"
SOURCE: Final = "source"
_HOW: Final = """Counted by these lines of the compiled source (`--explain source` prints all of it). A span's plan `p` is made when its values are first
seen: it holds the series that the labels and conditions above give; each span adds to `p[0]`, and a measured number goes into its cell."""


def explained(what: str, derived: Catalogue, as_json: bool) -> str:
    """What `--explain` prints of one metric, of all, or the whole source.

    Raises:
        BadInput: there is no such metric.
    """
    processor = Processor(time.time, 30.0, derived=derived)
    if what == SOURCE:
        return processor.source
    chosen = [m for m in derived.metrics if what in (ALL, m.prometheus, m.name) or (what == m.constant and m not in derived.own)]
    if not chosen:
        names = ", ".join(m.prometheus for m in derived.metrics)
        raise BadInput(f"--explain: found {what!r}; write one of {names}, or {SOURCE}")
    if as_json:
        return json.dumps([_row(metric, derived, processor.source, what != ALL) for metric in chosen])
    if what == ALL:
        return "\n".join(_table(chosen, derived))
    (metric,) = chosen
    lines = catalogue_page.section(metric)
    if metric in derived.own:
        lines[4] = lines[4].rpartition(", constant")[0] + ", of truegreen.yaml"
    counted = code(metric, derived, processor.source)
    how = [_HOW, "", *counted] if counted else [f"No span feeds it: its source is {metric.source}."]
    return "\n".join([*lines, "", *how])


def code(metric: Metric, derived: Catalogue, source: str) -> list[str]:
    """The lines of the compiled source that count a metric, other statements left out; empty where no span feeds it."""
    if metric.source not in SPAN_SOURCES:
        return []
    lines = source.splitlines()
    block = next((b for b in compiler.blocks(derived.metrics, derived.spans) if metric in b.metrics), None)
    name = block.name if block else compiler.EVALUATION
    decide = [line for line in lines if _decides(line, name, metric)]
    edges = [line for line in lines if line.strip().startswith(f"{compiler.edges(metric)} =")]
    begun = next(at for at, line in enumerate(lines) if "for span in spans:" in line)
    loop = [line for part in _suite(lines, begun) for line in part if "for code," not in part[0]]
    cells = [f"m{at}" for at, step in enumerate(block.steps) if step.metric is metric] if block else ["failed"]
    branch = next((at for at, line in enumerate(lines) if line.endswith(f":  # {name}")), None)
    counted: list[str] = []
    if cells and branch is not None:
        used = re.compile(rf"\b({'|'.join(cells)})\b")
        parts = _suite(lines, branch)
        found = [part for part in parts if used.search("\n".join(part))]
        read = set(re.findall(r"\bw\d+\b", "\n".join(line for part in found[1:] for line in part)))
        counted = [lines[branch].replace("elif", "if")]
        counted += [line for part in parts if part in found or part[0].split()[0] in read for line in part]
    return [
        *(line.strip() for line in (*decide, *edges)),
        *_dedented([lines[begun], *loop, *([line for line in lines if "for code," in line] if counted else []), *counted]),
    ]


def _decides(line: str, name: str, metric: Metric) -> bool:
    read = line.strip().removeprefix(f"# {name}: ")
    return read != line.strip() and any(f"{read} or ".startswith(f"{names[0]!r} or ") for names in attributes_of(metric))


def _suite(lines: Sequence[str], head: int) -> list[list[str]]:
    """The statements below a line that ends in a colon, each with what is indented below it."""
    depth = _depth(lines[head + 1])
    made: list[list[str]] = []
    for line in lines[head + 1 :]:
        if _depth(line) < depth:
            break
        if _depth(line) == depth:
            made.append([])
        made[-1].append(line)
    return made


def _dedented(lines: Sequence[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).split("\n")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _row(metric: Metric, derived: Catalogue, source: str, with_code: bool) -> dict[str, Any]:
    row = {"metric": metric.prometheus, "labels": metric.labels, "own": metric in derived.own, **dataclasses.asdict(metric)}
    return row | {"code": code(metric, derived, source)} if with_code else row


def _table(metrics: Sequence[Metric], derived: Catalogue) -> list[str]:
    width = max(len(metric.prometheus) for metric in metrics)
    own = set(derived.own)
    return [
        f"{m.prometheus:{width}}  {m.kind:9}  {m.source:22}  {m.description}" + (" (truegreen.yaml)" if m in own else "")
        for m in metrics
    ]
