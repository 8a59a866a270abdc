"""The catalogue's conditions and labels, interpreted: the slow path, run once for each new combination of attribute values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from truegreen.collector import wire
from truegreen.core.words.metric import Case, Condition, Label, Metric, Read, Value

OTHER: Final = "other"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a span when its plan is made; values are bytes of an AnyValue.

    Args:
        attributes: by the names of a read, as in the catalogue.
        resource: attributes of the resource, by name.
        parts: parts of the evaluation at hand; `name` is a text.
    """

    attributes: Mapping[tuple[str, ...], bytes | None]
    resource: Mapping[str, bytes | None] = field(default_factory=dict)
    error: bool = False
    name: str = ""
    parts: Mapping[str, bytes | None] = field(default_factory=dict)


def raw(read: Read, facts: Facts) -> bytes | None:
    """The bytes that a read finds."""
    if read.kind == "attribute":
        return facts.attributes.get(read.names)
    if read.kind == "resource":
        return next((facts.resource[name] for name in read.names if facts.resource.get(name)), None)
    if read.kind == "evaluation":
        return wire.encoded(facts.name) if read.names == ("name",) else facts.parts.get(read.names[0])
    if read.names == ("status_error",):
        return wire.TRUE if facts.error else None
    return None


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether a condition of the catalogue holds."""
    if condition.op == "all":
        return all(holds(part, facts) for part in condition.parts)
    if condition.op == "any":
        return any(holds(part, facts) for part in condition.parts)
    if condition.op == "not":
        return not holds(condition.parts[0], facts)
    found = raw(condition.read, facts) if condition.read else None
    if not found:
        return False
    if condition.op == "present":
        return True
    if condition.op == "in":
        return wire.text(found) in condition.values
    if condition.op == "contains":
        folded = (wire.text(found) or "").casefold()
        return any(str(value).casefold() in folded for value in condition.values)
    if condition.op == "has":
        return any(value in condition.values for value in wire.strings(found))
    wanted = condition.values[0]
    if isinstance(wanted, bool):
        return wire.text(found) == str(wanted).lower()
    made = wire.number(found)
    return {"equals": made == wanted, "over": made > float(wanted), "under": made < float(wanted)}[condition.op]


def label_value(label: Label, facts: Facts, item: str | None) -> str | None:
    """The value of a label: None when it has none and the series is not counted; outside a closed set it is `other`."""
    found = _first(label.cases, facts)
    if found is None:
        if label.read is not None:
            value = raw(label.read, facts)
            found = item if label.read.kind == "item" else wire.text(value) if value else None
        found = found or _first(label.default_cases, facts) or label.default
    return found if found is None or not label.values or found in label.values else OTHER


def clean(value: str, length: int) -> str:
    """A label value without control characters, cut at `length` characters."""
    return _CONTROL.sub(" ", value[:length])


def constant(value: Value | None, facts: Facts) -> float | None:
    """The number of a value that does not depend on a measured one: 1 without a value; None where it has none."""
    if value is None:
        return 1.0
    found = next((float(case.then) for case in value.cases if holds(case.when, facts)), None)
    return value.default if found is None else found


def is_constant(metric: Metric) -> bool:
    """Whether the amount is known from the plan alone (cases or 1)."""
    return not metric.parts and (metric.value is None or metric.value.read is None)


def attributes_of(metric: Metric) -> list[tuple[str, ...]]:
    """The attributes (as the names of their reads) on which labels, conditions and constant amounts of a metric depend."""
    own = [label.read.names for label in metric.label_set if label.read and label.read.kind == "attribute"]
    return [*own, *conditions_of(metric)]


def conditions_of(metric: Metric) -> list[tuple[str, ...]]:
    """The same without what a label shows as it is."""
    conditions = [metric.when, metric.born.when if metric.born else None]
    reads = [read for condition in conditions if condition for read in _reads(condition)]
    for label in metric.label_set:
        reads += _case_reads((*label.cases, *label.default_cases))
    if metric.value:
        reads += _case_reads(metric.value.cases)
    if metric.each and metric.each != "evaluation" and is_constant(metric):
        reads.append(Read("attribute", (metric.each,)))
    return [read.names for read in reads if read.kind == "attribute"]


def _case_reads(cases: tuple[Case, ...]) -> list[Read]:
    return [read for case in cases for read in _reads(case.when)]


def _reads(condition: Condition) -> list[Read]:
    own = [condition.read] if condition.read else []
    return own + [read for part in condition.parts for read in _reads(part)]


def _first(cases: tuple[Case, ...], facts: Facts) -> str | None:
    return next((str(case.then) for case in cases if holds(case.when, facts)), None)
