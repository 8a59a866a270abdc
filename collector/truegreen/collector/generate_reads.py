"""What the metrics of a catalogue read, for the generated configurations."""

from __future__ import annotations

from collections.abc import Iterator

from truegreen.core.words.metric import Condition, Label, Metric, Read, Value


def condition_reads(c: Condition) -> Iterator[Read]:
    """All that a condition tests."""
    if c.read is not None:
        yield c.read
    for part in c.parts:
        yield from condition_reads(part)


def metric_reads(metric: Metric) -> Iterator[Read]:
    """All that labels, conditions and values of a metric read."""
    for label in metric.label_set:
        yield from _label_reads(label)
    for when in (metric.when, metric.born.when if metric.born else None):
        yield from condition_reads(when) if when else ()
    for value in [metric.value] if metric.value else [part.value for part in metric.parts]:
        yield from _value_reads(value)
    if metric.each and metric.each != "evaluation":
        yield Read("attribute", (metric.each,))


def _label_reads(label: Label) -> list[Read]:
    cases = (*label.cases, *label.default_cases)
    return ([label.read] if label.read else []) + [read for case in cases for read in condition_reads(case.when)]


def _value_reads(value: Value) -> list[Read]:
    found = [value.read] if value.read else []
    found += [Read("attribute", (value.minus,))] if value.minus else []
    return found + [read for case in value.cases for read in condition_reads(case.when)]


def metric_conditions(metric: Metric) -> Iterator[Condition]:
    """All conditions of a metric that are no `all`, `any` or `not`."""
    cases = [case for label in metric.label_set for case in (*label.cases, *label.default_cases)]
    cases += [case for value in [metric.value, *(part.value for part in metric.parts)] if value for case in value.cases]
    whole = [metric.when, metric.born.when if metric.born else None, *(case.when for case in cases)]
    waiting = [c for c in whole if c]
    while waiting:
        c = waiting.pop()
        waiting += c.parts
        if not c.parts:
            yield c
