"""The metrics of the catalogue as definitions of the OpenTelemetry Collector's `signal_to_metrics` connector, with what has to be done before and after it. Pure.

Three steps. Before the connector a span gets a mark for each class that it is of (`is/llm`) and the labels that have to be worked out
(`as/llm/outcome`); the connector counts by marks, those labels and the span's own attributes; after it the labels get their names, and values are brought
into their closed sets. The last is done there because it is done once for each series of a batch, not for each span.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.collector.generate_ottl import (
    NAME,
    PARTS,
    SPAN,
    Item,
    alike,
    condition,
    evaluated,
    in_class,
    label_statements,
    number,
    quoted,
)
from truegreen.collector.generate_reads import condition_reads, metric_conditions, metric_reads
from truegreen.collector.plan import is_constant
from truegreen.core.words import attributes as names
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.metric import Label, Metric, Read, Value

EVALUATION: Final = "evaluation"
LISTED: Final = 4
"""Elements of a list of texts that are counted."""
MEASURED: Final = 10
"""Elements of a list of numbers that are observed."""
EXPIRES: Final = 2880
"""Scrapes after which a series that nothing was counted for leaves: a day at 30 s, for all metrics alike."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is generated for one kind of item, spans or evaluation events.

    Args:
        groups: statements for each group of conditions of which one must hold, in their order.
        definitions: the connector's.
        renamed: the attribute that the connector counts by, to the label.
        named: what a label reads, and of what list, to the first label that reads it: its attribute is counted by as it is.
        worked_out: the labels with cases of a group that have one name.
    """

    groups: list[tuple[list[str], list[str]]] = field(default_factory=list)
    definitions: list[dict[str, Any]] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    named: Mapping[tuple[Read, str], str] = field(default_factory=dict)
    worked_out: dict[tuple[str, str], list[Label]] = field(default_factory=dict)


def mark(metric: Metric) -> tuple[str, str]:
    """What the OpenTelemetry Collector can do of a metric (`full`, `partial`, `none`), and why it is not all."""
    if not metric.span:
        return "none", ""
    if any(label.read and label.read.kind == "resource" for label in metric.label_set):
        return "none", "a label of the resource"
    if metric.keep:
        kept = {
            "traces": "names single traces",
            "distinct": "counts different ids",
            "since": "remembers when a value was first seen",
        }
        return "none", f"{kept[metric.keep]}: the connector keeps no state"
    why = []
    if metric.each == EVALUATION:
        why.append("evaluations that truegreen.yaml names, not any")
    elif metric.each:
        most = LISTED if is_constant(metric) else MEASURED
        why.append(f"the first {most} elements of the list")
    if any(found not in ("", "true", "false") and float(found).is_integer() for found in map(alike, _in_lists(metric))):
        why.append("in a list 3 and 3.0 are one")
    if metric.expires and metric.expires != EXPIRES:
        why.append("leaves a day after it was last seen, as all series do")
    return ("partial", "; ".join(why)) if why else ("full", "")


def _in_lists(metric: Metric) -> Iterator[str]:
    """The words that a condition looks for in a list."""
    for c in metric_conditions(metric):
        if c.op == "has":
            yield from map(str, c.values)


def derived(wanted: Catalogue) -> Catalogue:
    """The part of a catalogue that the OpenTelemetry Collector can derive."""
    return Catalogue(tuple(metric for metric in wanted.metrics if mark(metric)[0] != "none"), wanted.spans)


def looked_at(wanted: Catalogue) -> frozenset[str]:
    """The attributes of spans that the definitions look at."""
    reads = [read for gate in wanted.spans.values() for read in condition_reads(gate)]
    reads += [read for metric in wanted.metrics for read in metric_reads(metric)]
    more = (names.TIME_TO_FIRST_CHUNK, names.OUTPUT_TOKENS, names.DUPLICATE)
    return frozenset((*(name for read in reads if read.kind == "attribute" for name in read.names), *more))


def kept(plan: Plan, wanted: Catalogue, evaluations: Sequence[str]) -> list[str]:
    """The attributes that the connector needs: nothing else, prompts and answers least of all, waits in a batch."""
    counted = (attribute["key"] for definition in plan.definitions for attribute in definition["attributes"])
    parts = (names.evaluation(evaluation, part) for evaluation in evaluations for part in PARTS)
    firsts = (SPAN.key(read) for metric in wanted.metrics for read in metric_reads(metric) if len(read.names) > 1)
    return sorted({*counted, *parts, *firsts, *looked_at(wanted)} - {""})


def spans(wanted: Catalogue, evaluations: Sequence[str]) -> Plan:
    """The plan for spans."""
    made = Plan(named=_named(wanted))
    for name, gate in wanted.spans.items():
        own = [metric for metric in wanted.metrics if metric.span == name and metric.each != EVALUATION]
        if own:
            is_class = f"is/{name}"
            statements = [f'set({SPAN.attribute(is_class)}, "")']
            listed: list[tuple[list[str], list[str]]] = []
            for metric in own:
                statements += [s for s in _worked_out(made, metric, SPAN, name) if s not in statements]
                listed += [group for group in _elements(made, metric) if group not in listed]
                _define(made, metric, SPAN, is_class, name)
            made.groups.append(([in_class(gate, SPAN)], statements))
            made.groups.extend(listed)
    judged = [metric for metric in wanted.metrics if metric.each == EVALUATION]
    for name in evaluations if judged else ():
        item = Item("span", name)
        of_class = in_class(wanted.spans[judged[0].span], item)
        _evaluation(made, judged, item, [f"{of_class} and ({evaluated(item)})"], f"is/evaluation/{name}")
    return made


def events(wanted: Catalogue, evaluations: Sequence[str]) -> Plan:
    """The plan for `gen_ai.evaluation.result` events that mirror no span."""
    made = Plan(named=_named(wanted))
    judged = [metric for metric in wanted.metrics if metric.each == EVALUATION]
    for name in evaluations if judged else ():
        item = Item("log", name)
        score, label, skipped = (item.attribute(names.evaluation(name, part)) for part in ("score", "label", "skipped"))
        given = [(label, "gen_ai.evaluation.score.label"), (score, "gen_ai.evaluation.score.value")]
        said = [
            f"set({own}, {item.attribute(other)}) where {own} == nil and {item.attribute(other)} != nil" for own, other in given
        ]
        said.append(
            f'set({skipped}, "error") where {skipped} == nil and {label} == nil and {item.attribute(names.ERROR_TYPE)} != nil'
        )
        gate = f"{item.attribute('gen_ai.evaluation.name')} == {quoted(name)}"
        _evaluation(made, judged, item, [gate], f"is/evaluation/{name}", said)
    return made


def _evaluation(
    made: Plan, metrics: Sequence[Metric], item: Item, gate: list[str], mark_: str, first: Sequence[str] = ()
) -> None:
    sampled, of_answer = item.attribute(names.evaluation(item.evaluation, "sampled")), item.attribute(names.EVALUATION_SAMPLED)
    statements = [
        f'set({item.attribute(mark_)}, "")',
        *first,
        f"set({sampled}, {of_answer}) where {sampled} == nil and {of_answer} != nil",
    ]
    for metric in metrics:
        statements += [s for s in _worked_out(made, metric, item, item.evaluation) if s not in statements]
        _define(made, metric, item, mark_, item.evaluation)
    made.groups.append((gate, statements))


def _define(made: Plan, metric: Metric, item: Item, mark_: str, group: str) -> None:
    when = [condition(metric.when, item)] if metric.when else []
    if metric.born:
        born = [condition(metric.born.when, item)]
        for value in metric.label(metric.born.label).values:
            made.definitions.append(_definition(made, metric, item, mark_, group, born, "0", {metric.born.label: value}))
    for fixed, conditions, value, position in _amounts(made, metric, item):
        made.definitions.append(_definition(made, metric, item, mark_, group, when + conditions, value, fixed, position))


def _amounts(made: Plan, metric: Metric, item: Item) -> Iterator[tuple[Mapping[str, str], list[str], str, int]]:
    """What a metric adds, one for each definition: fixed labels, conditions, value, the list's element."""
    values: list[tuple[Mapping[str, str], Value | None]] = [(dict(part.labels), part.value) for part in metric.parts]
    values = values or [({}, metric.value)]
    for fixed, value in values:
        if value is None or value.read is None:
            for position in range(LISTED if metric.each and metric.each != EVALUATION else 1):
                there = [] if any(map(_is_item, metric.label_set)) else _there(made, metric, item, position)
                for conditions, amount in _constants(value, item):
                    yield fixed, there + conditions, amount, position
        elif value.read.kind == "item":
            x = item.attribute(metric.each)
            for position in range(MEASURED):
                read = Read("attribute", (metric.each,))
                limits = number(Value(read, squared=value.squared, low=value.low, high=value.high), item)
                test, found = (part.replace(x, f"{x}[{position}]") for part in limits)
                yield fixed, [f"IsList({x}) and Len({x}) > {position} and {test}"], found, 0
        else:
            test, found = number(value, item)
            yield fixed, [test], found, 0


def _constants(value: Value | None, item: Item) -> Iterator[tuple[list[str], str]]:
    """What is added without a measured number: the first case that holds, else the default; 0 adds nothing."""
    before: list[str] = []
    cases = value.cases if value else ()
    for case in cases:
        test = condition(case.when, item)
        yield ([f"not ({' or '.join(before)})"] if before else []) + [f"({test})" if before else test], f"{case.then:.17g}"
        before.append(test)
    default = 1 if value is None else value.default
    if default is not None:
        yield ([f"not ({' or '.join(before)})"] if before else []), f"{default:.17g}"


def _there(made: Plan, metric: Metric, item: Item, position: int) -> list[str]:
    if not metric.each or metric.each == EVALUATION:
        return []
    return [f"{item.attribute(f'{_listed(made, metric)}/{position}')} != nil"]


def _definition(
    made: Plan, metric: Metric, item: Item, mark_: str, group: str, conditions: Sequence[str], value: str, fixed: Mapping[str, str], position: int = 0,
) -> dict[str, Any]:  # fmt: skip
    keys: list[dict[str, Any]] = [{"key": mark_}]
    for label in metric.label_set:
        key, default = _key(made, metric, label, item, group, position)
        if label.name in fixed:
            key, default = f"as/{label.name}", fixed[label.name]
        made.renamed.setdefault(key, label.name)
        keys.append({"key": key} if default is None else {"key": key, "default_value": default})
    found: dict[str, Any] = {"name": metric.name, "unit": metric.unit, "description": metric.description}
    found["include_resource_attributes"] = [{"key": "service"}, {"key": "environment"}]
    found["attributes"] = keys
    # What has no default must be there, which the connector sees to, and must not be empty.
    stated = [f'{item.attribute(one["key"])} != ""' for one in keys[1:] if "default_value" not in one]
    if stated or conditions:
        found["conditions"] = [" and ".join([*stated, *conditions])]
    if metric.kind == "histogram":
        found["histogram"] = {"buckets": [int(b) if b == int(b) else b for b in metric.buckets], "count": "1", "value": value}
    else:
        found["gauge" if metric.kind == "gauge" else "sum"] = {"value": value}
    return {key: given for key, given in found.items() if given or key == "unit"}


def _key(made: Plan, metric: Metric, label: Label, item: Item, group: str, position: int) -> tuple[str, str | None]:
    """The attribute that the connector counts by for a label, and what stands for none."""
    if _is_item(label):
        return f"{_listed(made, metric)}/{position}", None
    if label.cases or label.default_cases:
        alike = made.worked_out.setdefault((group, label.name), [])
        if label not in alike:
            alike.append(label)
        at = alike.index(label)
        return f"as/{group}/{label.name}" + (f"/{at}" if at else ""), label.default
    if label.read is None or label.read == NAME:
        return f"as/{label.name}", item.evaluation if label.read else label.default
    own = item.key(label.read)
    return (own if made.named.get((label.read, ""), label.name) == label.name else f"as/{own}/{label.name}"), label.default


def _named(wanted: Catalogue) -> Mapping[tuple[Read, str], str]:
    found: dict[tuple[Read, str], str] = {}
    for metric in wanted.metrics:
        for label in metric.label_set:
            if label.read is not None:
                found.setdefault((label.read, metric.each if _is_item(label) else ""), label.name)
    return found


def _is_item(label: Label) -> bool:
    return label.read is not None and label.read.kind == "item"


def _listed(made: Plan, metric: Metric) -> str:
    """Where the elements of a metric's list are, which become a label of one name."""
    name = next((label.name for label in metric.label_set if _is_item(label)), "")
    first = made.named.get((Read("item"), metric.each), name)
    return f"as/{metric.each}" + (f"/{name}" if name not in ("", first) else "")


def _worked_out(made: Plan, metric: Metric, item: Item, group: str) -> list[str]:
    found = [statement for read in dict.fromkeys(metric_reads(metric)) for statement in item.first(read)]
    for label in metric.label_set:
        key, _ = _key(made, metric, label, item, group, 0)
        if label.cases or label.default_cases:
            found += label_statements(label, key, item)
        elif label.read is not None and item.key(label.read) not in ("", key):
            found.append(f"set({item.attribute(key)}, {item.path(label.read)}) where {item.path(label.read)} != nil")
    if is_constant(metric) and metric.each and metric.each != EVALUATION:
        x, first = SPAN.attribute(metric.each), SPAN.attribute(f"{_listed(made, metric)}/0")
        found += [f"set({first}, {x}[0]) where IsList({x}) and Len({x}) > 0", f"set({first}, {x}) where IsString({x})"]
    return found


def _elements(made: Plan, metric: Metric) -> list[tuple[list[str], list[str]]]:
    """The elements after the first of a list of texts: most lists have one."""
    if not is_constant(metric) or not metric.each or metric.each == EVALUATION:
        return []
    x = SPAN.attribute(metric.each)
    gate = f"{SPAN.attribute(f'is/{metric.span}')} != nil and IsList({x}) and Len({x}) > 1"
    key = _listed(made, metric)
    rest = [f"set({SPAN.attribute(f'{key}/{at}')}, {x}[{at}]) where Len({x}) > {at}" for at in range(1, LISTED)]
    return [([gate], rest)]
