"""The reference page of the catalogue, `docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from truegreen.core.words.metric import Condition, External, Label, Metric, Read, Value

HEAD = """# Metrics

Written from `core/truegreen/core/words/catalogue.yaml` by `python -m truegreen.core.words.catalogue_build --write`; do not edit.

A label value that has no source is `unknown` or as stated; a value outside a closed set becomes `other`; past a limit it becomes
`__overflow__` and `truegreen_collector_overflow_total` says so. A counter or histogram series is exposed as 0 for two scrape intervals after
its birth, so that `increase()` sees its first events. *Stock* says what an OpenTelemetry Collector alone can do of a metric ([otelcol.md](otelcol.md)). Every metric that
is fed by spans has the labels `service` and `environment`. Spans with `truegreen.duplicate` true are not counted.
"""


def page(
    metrics: Sequence[Metric],
    identity: Sequence[Label],
    gates: Mapping[str, Condition],
    external: Sequence[External],
    limits: Mapping[str, Any],
) -> str:
    """The page's text."""
    lines = [HEAD, f"At most {limits['series']} series; label values are cut at {limits['value_length']} characters.", ""]
    lines += [
        "| metric | kind | unit | layer | failure mode or pillar | source | stock | labels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in metrics:
        about = ", ".join(filter(None, (m.failure_mode, m.pillar))) or "-"
        labels = ", ".join(f"`{name}`" for name in m.labels) or "-"
        lines.append(
            f"| [`{m.prometheus}`](#{m.prometheus}) | {m.kind} | {m.unit or '-'} | {m.layer} | {about} | {m.source} | {m.stock} | {labels} |"
        )
    lines += ["", "## Labels of every application metric", "", *_labels(identity), "", "## Span classes", ""]
    lines += [f"- `{key}`: {_condition(gate)}" for key, gate in gates.items()]
    for m in metrics:
        lines += ["", *section(m)]
    lines += ["", "## Metrics of other exporters", "", "| metric | exporter | kind | unit | what |", "|---|---|---|---|---|"]
    lines += [f"| `{e.name}` | {e.exporter} | {e.kind} | {e.unit or '-'} | {e.description} |" for e in external]
    return "\n".join([*lines, ""])


def section(m: Metric) -> list[str]:
    """The lines on one metric."""
    lines = [
        f"## {m.prometheus}",
        "",
        m.description,
        "",
        f"- OTLP `{m.name}`, {m.kind}, unit `{m.unit or 'none'}`, constant `{m.constant}`",
    ]
    if m.span:
        lines.append(
            f"- Spans: `{m.span}`" + (f", each {_each(m)}" if m.each else "") + (f", when {_condition(m.when)}" if m.when else "")
        )
    if m.value and m.keep != "since":
        lines.append(f"- Value: {_value(m.value)}")
    lines += [f"- Value: {_value(part.value)}, as {', '.join(f'`{k}={v}`' for k, v in part.labels)}" for part in m.parts]
    if m.born:
        lines.append(f"- Born at 0, every `{m.born.label}`, when {_condition(m.born.when)}")
    if m.buckets:
        lines.append(f"- Buckets: {', '.join(f'{b:g}' for b in m.buckets)}")
    if m.span:
        lines.append(f"- OpenTelemetry Collector alone: {m.stock}" + (f" ({m.stock_why})" if m.stock_why else ""))
    if m.nearest:
        lines.append(f"- Nearest of the conventions: `{m.nearest}`")
    if m.label_set:
        lines += ["", *_labels(m.label_set)]
    return lines


def _labels(labels: Sequence[Label]) -> list[str]:
    lines = ["| label | from | without it | values |", "|---|---|---|---|"]
    for label in labels:
        cases = "; ".join(f"`{c.then}` when {_condition(c.when)}" for c in (*label.cases, *label.default_cases))
        origin = "; ".join(filter(None, (cases, _read(label.read) if label.read else ""))) or "set by its source"
        without = "-" if label.default is None else f"`{label.default}`" if label.default else "empty"
        values = ", ".join(f"`{v}`" if v else "empty" for v in label.values) or f"at most {label.limit}"
        lines.append(f"| `{label.name}` | {origin} | {without} | {values} |")
    return lines


def _each(metric: Metric) -> str:
    return "evaluation of the span" if metric.each == "evaluation" else f"element of `{metric.each}`"


def _read(read: Read) -> str:
    names = ", else ".join(f"`{name}`" for name in read.names)
    return {
        "attribute": names,
        "resource": f"resource {names}",
        "evaluation": f"`truegreen.evaluation.<name>.{read.names[0] if read.names else ''}`",
        "computed": f"computed {names}",
        "item": "the element",
    }[read.kind].replace("`truegreen.evaluation.<name>.name`", "the evaluation's name")


def _value(value: Value) -> str:
    cases = "; ".join(f"{c.then:g} when {_condition(c.when)}" if isinstance(c.then, (int, float)) else "" for c in value.cases)
    read = (
        (_read(value.read) if value.read else "")
        + (f" less `{value.minus}`" if value.minus else "")
        + (", squared" if value.squared else "")
    )
    default = "" if value.default is None else f"else {value.default:g}"
    return "; ".join(filter(None, (cases, read, default)))


def _condition(c: Condition) -> str:
    if c.op in ("all", "any"):
        return "(" + (" and " if c.op == "all" else " or ").join(_condition(part) for part in c.parts) + ")"
    if c.op == "not":
        return "not " + _condition(c.parts[0])
    what = _read(c.read) if c.read else ""
    if c.read and c.read.names == ("status_error",):
        return "the span's status is error"
    values = ", ".join(f"`{v}`" for v in c.values)
    return {
        "present": f"{what} is there", "in": f"{what} is one of {values}", "contains": f"{what} contains one of {values}",
        "has": f"{what} has one of {values}", "equals": f"{what} is {values}", "over": f"{what} is over {values}",
        "under": f"{what} is under {values}",
    }[c.op]  # fmt: skip
