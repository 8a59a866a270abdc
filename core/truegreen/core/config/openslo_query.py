"""PromQL of an OpenSLO indicator to an SLI: one selector each, parsed and taken apart, never rewritten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.metric import IDENTITY, Metric
from truegreen.core.words.terms import FAIL, PASS

Metrics = Mapping[str, Metric]
Given = dict[str, Any]
_LITERAL: Final = re.compile(r"(?:[^\\.+*?()|\[\]{}^$]|\\[^\w\s])+")
_ONE: Final = 'write one selector, such as truegreen_llm_requests_total{outcome="error"}, alone or in sum(increase(…[5m]))'
_EVALUATED: Final = catalogue.EVALUATED_ANSWERS.prometheus


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector: label to its values, and whether they are those that are meant or those that are not."""

    metric: str
    values: Mapping[str, tuple[str, ...]]
    negated: frozenset[str] = frozenset()
    wrapped: tuple[str, ...] = ()
    """What is written around it, from the outside."""

    def without(self, *labels: str) -> Mapping[str, tuple[str, ...]]:
        """The values of the other labels."""
        return {label: values for label, values in self.values.items() if label not in labels}


def selected(text: str) -> Selected:
    """The one selector of a query; `sum`, `rate` and `increase` around it say how to count, which the rules do themselves.

    Raises:
        BadInput: it is no PromQL, or more than that.
    """
    try:
        import promql_parser as promql
    except ImportError:
        raise BadInput("OpenSLO documents need the package promql-parser; run: pip install 'truegreen[generate]'") from None
    try:
        node: Any = promql.parse(text)
    except ValueError as error:
        raise BadInput(f"it is no PromQL: {error}; {_ONE}") from None
    wrapped: list[str] = []
    while not isinstance(node, promql.VectorSelector):
        if isinstance(node, promql.ParenExpr):
            node = node.expr
        elif isinstance(node, promql.AggregateExpr) and str(node.op) == "sum" and node.modifier is None:
            wrapped.append("sum")
            node = node.expr
        elif isinstance(node, promql.Call) and node.func.name in {"rate", "increase"}:
            wrapped.append(node.func.name)
            node = node.args[0]
        elif isinstance(node, promql.MatrixSelector):
            wrapped.append("a range")
            node = node.vector_selector
        else:
            raise BadInput(f"it is more than one selector; {_ONE}")
    if node.offset is not None or node.at is not None or node.matchers.or_matchers or not node.name:
        raise BadInput(f"offset, @, `or` and selectors without a name are not taken; {_ONE}")
    values: dict[str, tuple[str, ...]] = {}
    negated: set[str] = set()
    for one in node.matchers.matchers:
        if one.name in values:
            raise BadInput(f"{one.name} is matched twice; write one matcher with all values")
        pattern = one.op in (promql.MatchOp.Re, promql.MatchOp.NotRe)
        values[one.name] = _literals(one.name, one.value) if pattern else (one.value,)
        if one.op in (promql.MatchOp.NotEqual, promql.MatchOp.NotRe):
            negated.add(one.name)
    return Selected(node.name, values, frozenset(negated), tuple(wrapped))


def ratio(part: Selected, total: Selected, good: bool, metrics: Metrics) -> Given:
    """The SLI of a part of all events.

    Args:
        good: whether the part is the good events.

    Raises:
        BadInput: no SLI counts such events.
    """
    if good and part.metric == total.metric.removesuffix("_count") + "_bucket":
        return _bucket(part, total)
    if part.metric != total.metric:
        if good:
            raise BadInput(
                f"good events of another metric than all events cannot be told from bad ones; write bad in place of good, or both of {total.metric}"
            )
        if part.without(*IDENTITY) != total.without(*IDENTITY) or part.negated or total.negated:
            raise BadInput("both sides must match the same labels, with =; write them on both")
        return {"metric": part.metric, "total": total.metric, **_where(total.without(*IDENTITY))}
    told = [label for label in part.without(*IDENTITY) if part.values[label] != total.values.get(label) or label in part.negated]
    if len(told) != 1:
        what = f"{' and '.join(told)} do" if told else "no label does"
        raise BadInput(f"one label must tell the part from the whole, {what}; write one more matcher in it than in total")
    (label,) = told
    if part.negated - {label} or total.negated - {label} or set(total.without(label, *IDENTITY)) - set(part.values):
        raise BadInput(
            "beside the label that tells good from bad, both sides must match the same labels, with =; write them on both"
        )
    every = _known(metrics, part.metric, label)
    among = _meant(total, label, every) if label in total.values else ()
    chosen = _meant(part, label, among or every)
    bad = _rest(chosen, among or every, label) if good else chosen
    others = _where(total.without(label, *IDENTITY))
    if part.metric == _EVALUATED and label == "result":
        return _evaluation(bad, among, others)
    return {"metric": part.metric, "label": label, "bad": list(bad), **({"among": list(among)} if among else {}), **others}


def threshold(one: Selected, op: str, value: Decimal, metrics: Metrics) -> Given:
    """The SLI of observations or gauges beside a number.

    Raises:
        BadInput: the metric has no such numbers, or the number itself would lie on the other side.
    """
    name = one.metric.removesuffix("_bucket")
    found = metrics.get(name)
    if found is None or found.kind not in {"histogram", "gauge"}:
        raise BadInput(
            f"{one.metric} is {f'a {found.kind}' if found else 'no metric that there is'}; write a histogram or a gauge of docs/metrics.md or of metrics"
        )
    where = _where(one.without(*IDENTITY))
    if one.negated:
        raise BadInput(f"{', '.join(sorted(one.negated))}: only = is taken; write the value that is meant")
    if found.kind == "histogram":
        if op != "lte":
            raise BadInput(f"op: {op}: a histogram's buckets count up to and with their boundary; write op: lte")
        return {"metric": name, "threshold": value, **where}
    if one.wrapped:
        raise BadInput(
            f"{one.wrapped[0]} of the gauge {name} is another number than the gauge, which is what is judged, minute by minute; write {name} alone"
        )
    if op not in {"lte", "gte"}:
        raise BadInput(f"op: {op}: on the bound is good; write op: {op}e")
    return {"metric": name, "at_most" if op == "lte" else "at_least": value, **where}


def _bucket(part: Selected, total: Selected) -> Given:
    le = part.values.get("le", ())
    if len(le) != 1 or part.negated or total.negated or part.without("le", *IDENTITY) != total.without(*IDENTITY):
        raise BadInput('good must be one bucket of total, with the same labels beside le; write le="10" there and not in total')
    try:
        value = Decimal(le[0])
    except InvalidOperation:
        raise BadInput(f"le={le[0]!r} is no number; write a boundary of the metric") from None
    return {"metric": part.metric.removesuffix("_bucket"), "threshold": value, **_where(total.without(*IDENTITY))}


def _evaluation(bad: tuple[str, ...], among: tuple[str, ...], others: Given) -> Given:
    where = others.get("where", {})
    if bad != (FAIL,) or set(among) != {PASS, FAIL} or set(where) != {"evaluation"}:
        raise BadInput(
            f'verdicts are counted as {_EVALUATED}{{evaluation="groundedness",result="{FAIL}"}} of '
            f'{_EVALUATED}{{evaluation="groundedness",result=~"{PASS}|{FAIL}"}}; write both so'
        )
    return {"evaluation": where["evaluation"]}


def _meant(one: Selected, label: str, every: tuple[str, ...]) -> tuple[str, ...]:
    return _rest(one.values[label], every, label) if label in one.negated else one.values[label]


def _rest(values: tuple[str, ...], every: tuple[str, ...], label: str) -> tuple[str, ...]:
    left = tuple(value for value in every if value not in values)
    if not left:
        raise BadInput(
            f"what {label} may be beside {', '.join(values)} is not known; write bad in place of good, with the values that are bad"
        )
    return left


def _known(metrics: Metrics, metric: str, label: str) -> tuple[str, ...]:
    found = metrics.get(metric)
    if found is None:
        raise BadInput(f"no metric is named {metric}; write one of docs/metrics.md or of metrics")
    return next((one.values for one in found.label_set if one.name == label), ())


def _where(values: Mapping[str, tuple[str, ...]]) -> Given:
    for label, each in values.items():
        if len(each) != 1:
            raise BadInput(f"{label} has {len(each)} values; write one, with =")
    return {"where": {label: each[0] for label, each in values.items()}} if values else {}


def _literals(label: str, pattern: str) -> tuple[str, ...]:
    # The texts that a pattern means, where it is a list of texts.
    parts = pattern.split("|")
    if not all(_LITERAL.fullmatch(part) for part in parts):
        raise BadInput(f'{label}=~{pattern!r} is a pattern; write the values: {label}=~"a|b"')
    return tuple(re.sub(r"\\(.)", r"\1", part) for part in parts)
