"""The exposition, written by hand: half a million lines a second and more. Prometheus text 0.0.4, or OpenMetrics 1.0.0 where the scraper prefers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from truegreen.collector.model import Exemplar, Exposed
from truegreen.core.words.metric import Metric, bound

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text"
OPENMETRICS_TYPE: Final = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_CACHED: Final = 50_000
_NONE: Final[Mapping[int, Exemplar]] = {}

Heads = dict[tuple[str, tuple[str, ...]], tuple[str, ...]]
"""Beginnings of lines by metric and label values, kept from scrape to scrape by the caller; each format has its own."""


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header names OpenMetrics and likes it as well as plain text; without one it is plain text."""
    liked = {OPENMETRICS: 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [parameter.removeprefix("q=") for parameter in parameters if parameter.startswith("q=")]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        if kind in liked:
            liked[kind] = max(liked[kind], weight)
    return liked[OPENMETRICS] > 0 and liked[OPENMETRICS] >= liked["text/plain"]


def text(exposed: Iterable[Exposed], heads: Heads) -> str:
    """The whole exposition as Prometheus text; metrics without series have their HELP and TYPE alone."""
    lines: list[str] = []
    for one in _each(exposed, heads):
        name = one.metric.prometheus
        lines.append(f"# HELP {name} {_help(one.metric.description)}")
        lines.append(f"# TYPE {name} {one.metric.kind}")
        histogram = one.metric.kind == "histogram"
        for labels, values in one.series.items():
            made = heads.get((name, labels)) or heads.setdefault((name, labels), _heads(one.metric, labels, _bound))
            if histogram:
                _histogram(lines, made, values)
            else:
                lines.append(made[0] + number(values[0]))
    lines.append("")
    return "\n".join(lines)


def openmetrics(exposed: Iterable[Exposed], heads: Heads) -> str:
    """The whole exposition as OpenMetrics: with the time at which each series began, and exemplars that name a trace."""
    lines: list[str] = []
    for one in _each(exposed, heads):
        name, kind = one.metric.prometheus, one.metric.kind
        family = name.removesuffix("_total") if kind == "counter" else name
        lines.append(f"# HELP {family} {one.metric.description.translate(_ESCAPES)}")
        lines.append(f"# TYPE {family} {kind}")
        for labels, values in one.series.items():
            made = heads.get((name, labels))
            if made is None:
                made = (*_heads(one.metric, labels, _canonical), f"{family}_created{_braces(_pairs(one.metric, labels))} ")
                heads[name, labels] = made
            if kind == "gauge":
                lines.append(made[0] + number(values[0]))
                continue
            exemplars = one.exemplars.get(labels, _NONE)
            first = len(lines)
            if kind == "histogram":
                _histogram(lines, made[:-1], values)
            else:
                lines.append(made[0] + number(values[0]))
            for place, exemplar in exemplars.items():
                lines[first + max(place - 1, 0)] += _exemplar(exemplar)
            if labels in one.created:
                lines.append(f"{made[-1]}{one.created[labels]:.3f}")
    return "\n".join([*lines, "# EOF", ""])


def number(value: float) -> str:
    """A sample's value: whole numbers without a fraction, others as `repr`, and the three special ones as Prometheus writes them."""
    if abs(value) < 1e15 and value == int(value):  # NaN is not under anything
        return str(int(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(value), repr(value))


def _each(exposed: Iterable[Exposed], heads: Heads) -> Iterable[Exposed]:
    if len(heads) > _CACHED:
        heads.clear()
    return exposed


def _histogram(lines: list[str], heads: Sequence[str], values: Sequence[float]) -> None:
    total = 0.0
    for head, count in zip(heads, values[1:], strict=False):
        total += count
        lines.append(head + number(total))
    lines.append(heads[-2] + number(values[0]))
    lines.append(heads[-1] + number(total))


def _exemplar(one: Exemplar) -> str:
    return f' # {{trace_id="{one.trace_id.hex()}",span_id="{one.span_id.hex()}"}} {number(one.value)} {one.time:.3f}'


def _heads(metric: Metric, labels: Sequence[str], bound: Callable[[float], str]) -> tuple[str, ...]:
    pairs = _pairs(metric, labels)
    if metric.kind != "histogram":
        return (f"{metric.prometheus}{_braces(pairs)} ",)
    bounds = [*map(bound, metric.buckets), "+Inf"]
    made = [f"{metric.bucket}{_braces([*pairs, _le(one)])} " for one in bounds]
    return (*made, f"{metric.sum}{_braces(pairs)} ", f"{metric.count}{_braces(pairs)} ")


def _pairs(metric: Metric, labels: Sequence[str]) -> list[str]:
    return [f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(metric.labels, labels, strict=True)]


def _bound(value: float) -> str:
    return bound(Decimal(repr(float(value))))


def _canonical(value: float) -> str:
    """A bound as OpenMetrics wants it ("Considerations: Canonical Numbers"), which is how Prometheus 3 writes it in either format."""
    made = _bound(value)
    return made if "." in made or "e" in made else made + ".0"


def _le(bound: str) -> str:
    return f'le="{bound}"'


def _braces(pairs: Sequence[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _help(description: str) -> str:
    return description.replace("\\", r"\\").replace("\n", r"\n")
