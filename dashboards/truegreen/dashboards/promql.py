"""PromQL as a panel has it, with Grafana's variables in it: filled in, read once, and what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import promql_parser as p

FILLED: Final = {"$__rate_interval": "3671s", "$__range": "3673s", "$__interval": "3677s"}
"""Durations that stand in for Grafana's own, each recognisable in the syntax tree (the parser refuses 2^32 ms and more)."""
NUMBERS: Final = {
    "$__rate_interval_ms": "3671000", "$__range_s": "3673", "$__range_ms": "3673000", "$__interval_ms": "3677000"
}  # fmt: skip
"""Numbers that stand in for Grafana's own; a unit may follow them."""
SECONDS: Final = {name: int(text[:-1]) for name, text in FILLED.items()}
OVER_COUNTERS: Final = ("rate", "irate", "increase")
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_]\w*)(?:[.:][^}]*)?\}|\$([A-Za-z_]\w*)|\[\[([A-Za-z_]\w*)(?::\w+)?\]\]")
"""A variable of Grafana's in its three forms; `$1` of a regular expression is none."""
_SPELT: Final = re.compile(r"[\w:]+(\|[\w:]+)*")
UNKNOWN: Final = "a_variable"
"""What stands in for a variable where PromQL wants a name."""
ANY_SECONDS: Final = 3679
"""What stands in for a variable where PromQL wants a duration."""
_GROUPED: Final = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
_PARTS: Final = re.compile(_GROUPED + r'|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|' + VARIABLE.pattern + r"|[\[\]]")
_NAME_BEFORE: Final = re.compile(r"[A-Za-z_:][\w:]*$")
_NAME_AFTER: Final = re.compile(r"(?!(?:ms|[smhdwy])\b)[\w:]")
_UNIT_AFTER: Final = re.compile(r"(?:ms|[smhdwy])")
_MAKE_LABELS: Final = ("label_replace", "label_join")


@dataclass(frozen=True, slots=True)
class Selector:
    """One series that an expression reads.

    Args:
        name: empty where it is chosen by matchers alone, `UNKNOWN` where a variable is in it.
        matchers: (label, operator, value), values filled in; of `__name__` only what is not the name.
        around: what stands around it, outermost first: (function or aggregation, seconds of the range that it reads).
    """

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    around: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The labels that `by`, `on` or `group_left` name, the series below, and the labels that are made below."""

    labels: tuple[str, ...]
    below: tuple[Selector, ...]
    made: frozenset[str]


@dataclass(frozen=True, slots=True)
class Quantile:
    """A call of `histogram_quantile`: which one (None where it is computed), the labels that it is given, as those of `Read`, and the series below."""

    wanted: float | None
    labels: frozenset[str] | None
    below: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """An expression as it was read; with an `error` there is nothing else.

    Args:
        labels: the labels of the result; None where the series decide.
        ratio: it divides series by series.
    """

    error: str = ""
    selectors: tuple[Selector, ...] = ()
    groupings: tuple[Grouping, ...] = ()
    quantiles: tuple[Quantile, ...] = ()
    labels: frozenset[str] | None = None
    ratio: bool = False


def filled(expression: str, durations: Mapping[str, str] | None = None, value: str = ".*") -> str:
    """The expression with Grafana's variables filled in: durations by name, every other variable by `value`."""
    known = {**FILLED, **NUMBERS} if durations is None else durations
    return VARIABLE.sub(lambda found: known.get(f"${_name(found)}", value), expression)


def names(expression: str) -> frozenset[str]:
    """The metrics and records that an expression reads."""
    return frozenset(selector.name for selector in read(expression).selectors)


@lru_cache(8192)
def read(expression: str) -> Read:
    """An expression, parsed once. A variable outside of texts and ranges stands for a number, or for a name where a number cannot be."""
    said = ""
    for stand_in in ("1", UNKNOWN):
        try:
            tree = p.parse(_parsable(expression, stand_in))
        except ValueError as error:
            said = said or str(error)
        else:
            return Read("", *_walked(tree), _labels(tree), _divides(tree))
    return Read(said)


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[3]


def _parsable(expression: str, stand_in: str) -> str:
    depth = 0

    def put(found: re.Match[str]) -> str:
        nonlocal depth
        text = found[0]
        if text in "[]":
            depth += 1 if text == "[" else -1
            return text
        if text[0] in "\"'`":
            return VARIABLE.sub(lambda inside: FILLED.get(f"${_name(inside)}", ".*"), text)
        if text[-1] == ")":
            return VARIABLE.sub(UNKNOWN, text)
        name = f"${_name(found)}"
        if name in FILLED or name in NUMBERS:
            return FILLED.get(name) or NUMBERS[name]
        if depth > 0:
            return f"{ANY_SECONDS}" if _UNIT_AFTER.match(expression, found.end()) else f"{ANY_SECONDS}s"
        inside = _NAME_BEFORE.search(expression[: found.start()]) or _NAME_AFTER.match(expression, found.end())
        return UNKNOWN if inside else stand_in

    return _PARTS.sub(put, expression)


def _walked(tree: Any) -> tuple[tuple[Selector, ...], tuple[Grouping, ...], tuple[Quantile, ...]]:
    # By the attributes of the nodes: the parser's own walk copies each subtree, and takes as long as parsing.
    selectors: list[Selector] = []
    groupings: list[Grouping] = []
    quantiles: list[Quantile] = []
    _visit(tree, (), selectors, groupings, quantiles)
    return tuple(selectors), tuple(groupings), tuple(quantiles)


def _visit(
    node: Any,
    around: tuple[tuple[str, int], ...],
    selectors: list[Selector],
    groupings: list[Grouping],
    quantiles: list[Quantile],
) -> frozenset[str]:
    # Adds what is in a subtree; the labels that are made in it.
    first = len(selectors)
    made: frozenset[str] = frozenset()
    if isinstance(node, p.VectorSelector):
        name, others = _selected(node)
        rest = tuple(each for each in others if each[0] != "__name__")
        chosen = [Selector(each, rest, around) for each in _alternatives(others)] if not name else []
        selectors += chosen or [Selector(name, others, around)]
    elif isinstance(node, p.MatrixSelector):
        selectors.append(Selector(*_selected(node.vector_selector), _reading(around, node.range)))
    elif isinstance(node, p.Call):
        inside = (*around, (node.func.name, 0))
        made = made.union(*(_visit(arg, inside, selectors, groupings, quantiles) for arg in node.args))
        made |= {node.args[1].val} if node.func.name in _MAKE_LABELS else set()
        if node.func.name == "histogram_quantile":
            wanted = node.args[0].val if isinstance(node.args[0], p.NumberLiteral) else None
            quantiles.append(Quantile(wanted, _labels(node.args[1]), tuple(selectors[first:])))
    elif isinstance(node, p.AggregateExpr):
        inside = (*around, (str(node.op).lower(), 0))
        made = _visit(node.param, inside, selectors, groupings, quantiles)
        made |= _visit(node.expr, inside, selectors, groupings, quantiles)
        if str(node.op) == "count_values" and isinstance(node.param, p.StringLiteral):
            made |= {node.param.val}
    elif isinstance(node, p.BinaryExpr):
        made = _visit(node.lhs, around, selectors, groupings, quantiles)
        made |= _visit(node.rhs, around, selectors, groupings, quantiles)
    elif isinstance(node, p.SubqueryExpr):
        made = _visit(node.expr, _reading(around, node.range), selectors, groupings, quantiles)
    elif isinstance(node, p.ParenExpr | p.UnaryExpr):
        made = _visit(node.expr, around, selectors, groupings, quantiles)
    if labels := tuple(_grouped(node)):
        groupings.append(Grouping(labels, tuple(selectors[first:]), made))
    return made


def _reading(around: tuple[tuple[str, int], ...], of: timedelta | None) -> tuple[tuple[str, int], ...]:
    return (*around[:-1], (around[-1][0] if around else "", int(of.total_seconds()) if of else 0))


def _selected(node: Any) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    matchers = tuple((each.name, str(each.op).rpartition(".")[2], each.value) for each in node.matchers.matchers)
    named = next((value for label, op, value in matchers if label == "__name__" and op == "Equal"), "")
    name = node.name or named
    others = tuple(each for each in matchers if each[:2] != ("__name__", "Equal"))
    return UNKNOWN if UNKNOWN in name or ".*" in name else name, others


def _alternatives(matchers: tuple[tuple[str, str, str], ...]) -> list[str]:
    # The names that `__name__=~"a|b"` chooses, where it spells them out.
    wanted = next((value for label, op, value in matchers if (label, op) == ("__name__", "Re")), "")
    return wanted.split("|") if _SPELT.fullmatch(wanted) else []


def _grouped(node: Any) -> Iterator[str]:
    modifier = getattr(node, "modifier", None)
    if isinstance(node, p.AggregateExpr) and modifier is not None:
        yield from modifier.labels
    elif isinstance(node, p.BinaryExpr) and modifier is not None:
        yield from modifier.matching.labels if modifier.matching else ()
        yield from modifier.group_labels or ()


def _labels(node: Any) -> frozenset[str] | None:
    # The labels of a result; None where they are those of the series, which only Prometheus knows.
    if isinstance(node, p.ParenExpr | p.UnaryExpr | p.SubqueryExpr):
        return _labels(node.expr)
    if isinstance(node, p.NumberLiteral):
        return frozenset()
    if isinstance(node, p.AggregateExpr):
        if str(node.op) in ("topk", "bottomk", "limitk", "limit_ratio"):
            return _labels(node.expr)
        if node.modifier is None:
            return frozenset()
        return frozenset(node.modifier.labels) if node.modifier.type == p.AggModifierType.By else None
    if isinstance(node, p.BinaryExpr):
        return _of_both(node)
    if isinstance(node, p.Call):
        vectors = [arg for arg in node.args if not isinstance(arg, p.NumberLiteral | p.StringLiteral)]
        labels = _labels(vectors[0]) if vectors else frozenset()
        if labels is not None and node.func.name in _MAKE_LABELS:
            return labels | {node.args[1].val}
        return labels - {"le"} if labels is not None and node.func.name == "histogram_quantile" else labels
    return None


def _of_both(node: Any) -> frozenset[str] | None:
    left, right = _labels(node.lhs), _labels(node.rhs)
    if _is_scalar(node.lhs):
        return right
    modifier = node.modifier
    if modifier is not None and modifier.card == p.VectorMatchCardinality.OneToMany:
        left = right
    more = frozenset(modifier.group_labels or ()) if modifier is not None else frozenset()
    if str(node.op) == "or":
        return None if left is None or right is None else left | right
    return None if left is None else left | more


def _divides(node: Any) -> bool:
    if isinstance(node, p.ParenExpr | p.UnaryExpr | p.AggregateExpr):
        return _divides(node.expr)
    if isinstance(node, p.BinaryExpr):
        return (str(node.op) == "/" and not _is_scalar(node.rhs)) or _divides(node.lhs) or _divides(node.rhs)
    return False


def _is_scalar(node: Any) -> bool:
    if isinstance(node, p.ParenExpr | p.UnaryExpr):
        return _is_scalar(node.expr)
    if isinstance(node, p.BinaryExpr):
        return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    return isinstance(node, p.NumberLiteral) or (isinstance(node, p.Call) and node.func.name in ("time", "scalar", "pi"))
