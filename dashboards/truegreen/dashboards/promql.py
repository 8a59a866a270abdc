"""Whether a panel's PromQL can work: it parses, names what exists with the labels it has, and reads counters as counters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import promql_parser as p

from truegreen.core.words.metric import IDENTITY
from truegreen.dashboards.known import SERIES, Series

FILLED: Final = {"$__rate_interval": "3671s", "$__range": "3673s", "$__interval": "3677s"}
"""Durations that stand in for Grafana's own, each recognisable in the syntax tree (the parser refuses 2^32 ms and more)."""
_OVER_COUNTERS: Final = ("rate", "irate", "increase")
_SECONDS: Final = {name: int(text[:-1]) for name, text in FILLED.items()}


def filled(expression: str, durations: dict[str, str] | None = None, value: str = ".*") -> str:
    """The expression with Grafana's variables filled in: durations by name, every other variable by `value`."""
    for name, text in (durations or FILLED).items():
        expression = expression.replace(name, text)
    return re.sub(r"\$\{?\w+(?::\w+)?\}?", lambda _: value, expression)


def names(expression: str) -> frozenset[str]:
    """The metrics and records that an expression reads."""
    return frozenset(selector.name for selector, _ in _selectors(p.parse(filled(expression))))


def problems(expression: str, narrowed: bool = True) -> Iterator[str]:
    """What is wrong with an expression.

    Args:
        narrowed: whether each of our series must be narrowed by the board's service and environment.
    """
    try:
        tree = p.parse(filled(expression))
    except ValueError as error:
        yield f"not PromQL: {error}"
        return
    for selector, calls in _selectors(tree):
        yield from _selector(selector, calls)
        if narrowed:
            yield from _narrowing(selector, expression)
    yield from _grouping(tree)


def _selector(selector: Any, calls: tuple[tuple[str, int], ...]) -> Iterator[str]:
    name = selector.name or ""
    series = SERIES.get(name)
    if series is None:
        yield f"{name or 'a selector without a name'} is neither a catalogue metric nor a generated record"
        return
    for matcher in selector.matchers.matchers:
        yield from _matcher(name, series, matcher)
    counted = [(function, seconds) for function, seconds in calls if function in _OVER_COUNTERS]
    inner = calls[-1][0] if calls else ""
    if series.kind == "counter" and not counted and inner not in ("count", "group"):
        yield f"{name} is a counter: read it by rate or increase"
    if series.kind != "counter" and counted:
        yield f"{name} is a {series.kind}: {counted[0][0]} is for counters"
    for function, seconds in counted:
        if function != "increase" and seconds != _SECONDS["$__rate_interval"]:
            yield f"{name}: {function} over {seconds} s; write [$__rate_interval], which knows the scrape interval"


def _matcher(name: str, series: Series, matcher: Any) -> Iterator[str]:
    if series.labels is None:
        return
    if matcher.name not in series.labels:
        yield f"{name} has no label {matcher.name}; it has {', '.join(series.labels)}"
        return
    closed = series.values.get(matcher.name)
    for value in matcher.value.split("|") if closed else ():
        if closed and value not in (*closed, ".*"):
            yield f"{name}: {matcher.name}={value!r} does not occur; it is one of {', '.join(closed)}"


def _narrowing(selector: Any, expression: str) -> Iterator[str]:
    labels = (SERIES[selector.name].labels or ()) if selector.name in SERIES else ()
    given = {matcher.name for matcher in selector.matchers.matchers}
    for label in IDENTITY:
        if label in labels and (label not in given or f'{label}=~"${label}"' not in expression):
            yield f'{selector.name} is not narrowed by the board\'s variable: write {label}=~"${label}"'


def _grouping(tree: Any) -> Iterator[str]:
    # A label in by, on or group_left that no series below has is a misspelling: PromQL takes it for an empty one.
    for node in _nodes(tree):
        wanted: list[str] = []
        modifier = getattr(node, "modifier", None)
        if isinstance(node, p.AggregateExpr) and modifier is not None:
            wanted = list(modifier.labels)
        elif isinstance(node, p.BinaryExpr) and modifier is not None:
            wanted = [*(modifier.matching.labels if modifier.matching else ()), *(modifier.group_labels or ())]
        below = [SERIES[s.name].labels for s, _ in _selectors(node) if s.name in SERIES]
        if None in below:
            continue
        have = {label for labels in below for label in labels or ()}
        for label in wanted:
            if below and label not in have:
                yield f"no series below has the label {label}; they have {', '.join(sorted(have))}"


def _nodes(tree: Any) -> list[Any]:
    found: list[Any] = []
    p.walk(tree, found.append)
    return found


def _selectors(tree: Any) -> list[tuple[Any, tuple[tuple[str, int], ...]]]:
    # Each selector with what stands around it, outermost first: (function or aggregation, seconds of the range it reads).
    found: list[tuple[Any, tuple[tuple[str, int], ...]]] = []
    around: list[tuple[str, int]] = []

    def enter(node: Any) -> None:
        if isinstance(node, p.MatrixSelector):
            function = around.pop()[0] if around else ""
            around.append((function, int(node.range.total_seconds())))
        elif isinstance(node, p.Call):
            around.append((node.func.name, 0))
        elif isinstance(node, p.AggregateExpr):
            around.append((str(node.op).lower(), 0))
        elif isinstance(node, p.VectorSelector):
            found.append((node, tuple(around)))

    def leave(node: Any) -> None:
        if isinstance(node, p.Call | p.AggregateExpr):
            around.pop()

    p.walk(tree, enter, leave)
    return found
