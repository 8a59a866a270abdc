"""Prometheus text exposition (format 0.0.4), written by hand: half a million lines a second and more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from truegreen.collector.model import Exposed
from truegreen.core.words.metric import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_CACHED: Final = 50_000

Heads = dict[tuple[str, tuple[str, ...]], tuple[str, ...]]
"""Beginnings of lines by metric and label values, kept from scrape to scrape by the caller."""


def text(exposed: Iterable[Exposed], heads: Heads) -> str:
    """The whole exposition; metrics without series have their HELP and TYPE alone."""
    if len(heads) > _CACHED:
        heads.clear()
    lines: list[str] = []
    for one in exposed:
        name = one.metric.prometheus
        lines.append(f"# HELP {name} {_help(one.metric.description)}")
        lines.append(f"# TYPE {name} {one.metric.kind}")
        histogram = one.metric.kind == "histogram"
        for labels, values in one.series.items():
            made = heads.get((name, labels))
            if made is None:
                made = heads[name, labels] = _heads(one.metric, labels)
            if histogram:
                _histogram(lines, made, values)
            else:
                lines.append(made[0] + number(values[0]))
    lines.append("")
    return "\n".join(lines)


def number(value: float) -> str:
    """A sample's value: whole numbers without a fraction, others as `repr`, and the three special ones as Prometheus writes them."""
    if abs(value) < 1e15 and value == int(value):  # NaN is not under anything
        return str(int(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(value), repr(value))


def _histogram(lines: list[str], heads: Sequence[str], values: Sequence[float]) -> None:
    total = 0.0
    for head, count in zip(heads, values[1:], strict=False):
        total += count
        lines.append(head + number(total))
    lines.append(heads[-2] + number(values[0]))
    lines.append(heads[-1] + number(total))


def _heads(metric: Metric, labels: Sequence[str]) -> tuple[str, ...]:
    pairs = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(metric.labels, labels, strict=True)]
    if metric.kind != "histogram":
        return (f"{metric.prometheus}{_braces(pairs)} ",)
    bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
    made = [f"{metric.bucket}{_braces([*pairs, _le(bound)])} " for bound in bounds]
    return (*made, f"{metric.sum}{_braces(pairs)} ", f"{metric.count}{_braces(pairs)} ")


def _le(bound: str) -> str:
    return f'le="{bound}"'


def _braces(pairs: Sequence[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _help(description: str) -> str:
    return description.replace("\\", r"\\").replace("\n", r"\n")
