"""The metrics of the catalogue as definitions of the OpenTelemetry Collector's `signal_to_metrics` connector, with what has to be done before and after it. Pure.

Three steps. Before the connector a span gets a mark for each class that it is of (`is/llm`) and the labels that have to be worked out
(`as/llm/outcome`); the connector counts by marks, those labels and the span's own attributes; after it the labels get their names, and values are brought
into their closed sets. The last is done there because it is done once for each series of a batch, not for each span.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.collector.generate_ottl import PARTS, SPAN, Item, condition, evaluated, label_statements, number, quoted
from truegreen.collector.plan import is_constant
from truegreen.core.words import attributes as names
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.metric import Condition, Label, Metric, Read, Value

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
    """

    groups: list[tuple[list[str], list[str]]] = field(default_factory=list)
    definitions: list[dict[str, Any]] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


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
    if metric.expires and metric.expires != EXPIRES:
        why.append("leaves a day after it was last seen, as all series do")
    return ("partial", "; ".join(why)) if why else ("full", "")


def derived(wanted: Catalogue) -> Catalogue:
    """The part of a catalogue that the OpenTelemetry Collector can derive."""
    return Catalogue(tuple(metric for metric in wanted.metrics if mark(metric)[0] != "none"), wanted.spans)


def looked_at(wanted: Catalogue) -> frozenset[str]:
    """The attributes of spans that the definitions look at."""
    reads = [read for gate in wanted.spans.values() for read in _reads(gate)]
    for metric in wanted.metrics:
        reads += [read for label in metric.label_set for read in _label_reads(label)]
        reads += list(_reads(metric.when)) if metric.when else []
        values = [metric.value] if metric.value else [part.value for part in metric.parts]
        reads += [read for value in values for read in _value_reads(value)]
        reads += [Read("attribute", (metric.each,))] if metric.each and metric.each != EVALUATION else []
    more = (names.TIME_TO_FIRST_CHUNK, names.OUTPUT_TOKENS, names.DUPLICATE)
    return frozenset((*(name for read in reads if read.kind == "attribute" for name in read.names), *more))


def kept(plan: Plan, wanted: Catalogue, evaluations: Sequence[str]) -> list[str]:
    """The attributes that the connector needs: nothing else, prompts and answers least of all, waits in a batch."""
    counted = (attribute["key"] for definition in plan.definitions for attribute in definition["attributes"])
    parts = (names.evaluation(evaluation, part) for evaluation in evaluations for part in PARTS)
    return sorted({*counted, *parts, *looked_at(wanted)})


def spans(wanted: Catalogue, evaluations: Sequence[str]) -> Plan:
    """The plan for spans."""
    made = Plan()
    for name, gate in wanted.spans.items():
        own = [metric for metric in wanted.metrics if metric.span == name and metric.each != EVALUATION]
        if own:
            is_class = f"is/{name}"
            statements = [f'set({SPAN.attribute(is_class)}, "")']
            listed: list[tuple[list[str], list[str]]] = []
            for metric in own:
                statements += [s for s in _worked_out(metric, SPAN, name) if s not in statements]
                listed += [group for group in _elements(metric) if group not in listed]
                _define(made, metric, SPAN, is_class, name)
            made.groups.append(([condition(gate, SPAN)], statements))
            made.groups.extend(listed)
    judged = [metric for metric in wanted.metrics if metric.each == EVALUATION]
    for name in evaluations if judged else ():
        item = Item("span", name)
        of_class = condition(wanted.spans[judged[0].span], item)
        _evaluation(made, judged, item, [f"{of_class} and ({evaluated(item)})"], f"is/evaluation/{name}")
    return made


def events(wanted: Catalogue, evaluations: Sequence[str]) -> Plan:
    """The plan for `gen_ai.evaluation.result` events that mirror no span."""
    made = Plan()
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
        statements += [s for s in _worked_out(metric, item, item.evaluation) if s not in statements]
        _define(made, metric, item, mark_, item.evaluation)
    made.groups.append((gate, statements))


def _define(made: Plan, metric: Metric, item: Item, mark_: str, group: str) -> None:
    when = [condition(metric.when, item)] if metric.when else []
    if metric.born:
        born = [condition(metric.born.when, item)]
        for value in metric.label(metric.born.label).values:
            made.definitions.append(_definition(made, metric, item, mark_, group, born, "0", {metric.born.label: value}))
    for fixed, conditions, value, position in _amounts(metric, item):
        made.definitions.append(_definition(made, metric, item, mark_, group, when + conditions, value, fixed, position))


def _amounts(metric: Metric, item: Item) -> Iterator[tuple[Mapping[str, str], list[str], str, int]]:
    """What a metric adds, one for each definition: fixed labels, conditions, value, the list's element."""
    values: list[tuple[Mapping[str, str], Value | None]] = [(dict(part.labels), part.value) for part in metric.parts]
    values = values or [({}, metric.value)]
    for fixed, value in values:
        if value is None:
            for position in range(LISTED if metric.each and metric.each != EVALUATION else 1):
                yield fixed, [], "1", position
        elif value.read is None:
            tests = [condition(case.when, item) for case in value.cases]
            for case, test in zip(value.cases, tests, strict=True):
                yield fixed, [test], f"{case.then:g}" if isinstance(case.then, (int, float)) else case.then, 0
            if value.default is not None:
                yield fixed, [f"not ({' or '.join(tests)})"], f"{value.default:g}", 0
        elif value.read.kind == "item":
            x = item.attribute(metric.each)
            for position in range(MEASURED):
                limits = number(Value(Read("attribute", (metric.each,)), low=value.low, high=value.high), item)
                test, found = (part.replace(x, f"{x}[{position}]") for part in limits)
                yield fixed, [f"IsList({x}) and Len({x}) > {position} and {test}"], found, 0
        else:
            test, found = number(value, item)
            yield fixed, [test], found, 0


def _definition(
    made: Plan, metric: Metric, item: Item, mark_: str, group: str, conditions: Sequence[str], value: str, fixed: Mapping[str, str], position: int = 0,
) -> dict[str, Any]:  # fmt: skip
    keys: list[dict[str, Any]] = [{"key": mark_}]
    for label in metric.label_set:
        key, default = _key(metric, label, item, group, position)
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


def _key(metric: Metric, label: Label, item: Item, group: str, position: int) -> tuple[str, str | None]:
    """The attribute that the connector counts by for a label, and what stands for none."""
    if label.read is not None and label.read.kind == "item":
        return f"as/{metric.each}/{position}", None
    if label.cases or label.default_cases:
        return f"as/{group}/{label.name}", label.default
    if label.read is not None and label.read.names == ("name",):
        return f"as/{label.name}", item.evaluation
    own = item.names(label.read) if label.read else ()
    return (own[0] if own else f"as/{label.name}"), label.default


def _worked_out(metric: Metric, item: Item, group: str) -> list[str]:
    made = []
    for label in metric.label_set:
        if label.cases or label.default_cases:
            made += label_statements(label, f"as/{group}/{label.name}", item)
    if is_constant(metric) and metric.each and metric.each != EVALUATION:
        x, first = SPAN.attribute(metric.each), SPAN.attribute(f"as/{metric.each}/0")
        made += [f"set({first}, {x}[0]) where IsList({x}) and Len({x}) > 0", f"set({first}, {x}) where IsString({x})"]
    return made


def _elements(metric: Metric) -> list[tuple[list[str], list[str]]]:
    """The elements after the first of a list of texts: most lists have one."""
    if not is_constant(metric) or not metric.each or metric.each == EVALUATION:
        return []
    x = SPAN.attribute(metric.each)
    gate = f"{SPAN.attribute(f'is/{metric.span}')} != nil and IsList({x}) and Len({x}) > 1"
    rest = [f"set({SPAN.attribute(f'as/{metric.each}/{at}')}, {x}[{at}]) where Len({x}) > {at}" for at in range(1, LISTED)]
    return [([gate], rest)]


def _reads(c: Condition) -> Iterator[Read]:
    if c.read is not None:
        yield c.read
    for part in c.parts:
        yield from _reads(part)


def _label_reads(label: Label) -> list[Read]:
    cases = (*label.cases, *label.default_cases)
    return ([label.read] if label.read else []) + [read for case in cases for read in _reads(case.when)]


def _value_reads(value: Value) -> list[Read]:
    found = [value.read] if value.read else []
    found += [Read("attribute", (value.minus,))] if value.minus else []
    return found + [read for case in value.cases for read in _reads(case.when)]
