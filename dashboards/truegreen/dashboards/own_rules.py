"""Rules for our own boards alone: what a person reads at night is what is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from truegreen.core.words import records
from truegreen.core.words.boards import BOARDS
from truegreen.dashboards import promql
from truegreen.dashboards.lint_board import Found, Path, World, mapping, objects, panels, queries
from truegreen.dashboards.model import Json

_LEGEND: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_CODE: Final = re.compile(r"`([^`]+)`")
_ALTERNATIVE: Final = re.compile(r"(?<!\\)\|")
_DRAWN_BY_LEGEND: Final = frozenset({"timeseries", "bargauge", "state-timeline", "stat"})
_COUNTS: Final = frozenset({"short", "locale", "cpm"})
_FOLDED: Final = (
    *map(records.bad_ratio, records.WINDOWS),
    *map(records.bad_lower_bound, records.WINDOWS),
    *map(records.events, records.WINDOWS),
)
_EVENTS: Final = frozenset(map(records.events, records.WINDOWS))


def legends(board: Json, _: World) -> Iterator[Found]:
    """A legend holds every label that its lines are told apart by: else two of them have one name."""
    for query in queries(board):
        legend = str(query.target.get("legendFormat", ""))
        labels = promql.read(query.expr).labels
        if query.panel.get("type") not in _DRAWN_BY_LEGEND or legend == "__auto" or not labels:
            continue
        fixed = {label for each in promql.read(query.expr).selectors for label, op, _ in each.matchers if op == "Equal"}
        hidden = sorted(labels - fixed - set(_LEGEND.findall(legend)))
        if hidden:
            yield Found(
                query.path[:-1],
                f"legend {legend!r} hides {', '.join(hidden)}: lines of one name; write {{{{{hidden[0]}}}}} in it, or do not group by it",
            )


def sample_sizes(board: Json, world: World) -> Iterator[Found]:
    """A ratio as a number has the number of its events in its row: 1 of 3 is not 33 %."""
    for row in _rows(board):
        counted = {name for _, panel in row if _unit(panel) in _COUNTS or panel.get("type") == "table" for name in _names(panel)}
        for path, panel in row:
            read = _names(panel)
            of_slo = any(name.startswith("truegreen:slo_bad") for name in read)
            counters = {name for name in read if _counter(name, world)}
            if panel.get("type") != "stat" or _unit(panel) != "percentunit" or not (of_slo or counters):
                continue
            if not (counted & _EVENTS if of_slo else counted & counters):
                yield Found(
                    path,
                    f"is a ratio without its sample size in its row: add a stat of {'the SLO events' if of_slo else min(counters)}",
                )


def folded(board: Json, _: World) -> Iterator[Found]:
    """Several SLOs under one name mislead: a failure mode's SLOs also count failing tools and branches."""
    for query in queries(board):
        read = promql.read(query.expr)
        if query.kind != "target" or read.labels is None or "slo" in read.labels:
            continue
        for selector in read.selectors:
            if selector.name in _FOLDED and not any(label == "slo" for label, _, _ in selector.matchers):
                yield Found(
                    query.path,
                    f'{selector.name} folds every SLO into one number: group by slo, or write slo=~"…" with those that the title means',
                )


def evaluations(board: Json, _: World) -> Iterator[Found]:
    """A number of two evaluations together is that of neither: a rare one halves the ratio of the other."""
    for query in queries(board):
        read = promql.read(query.expr)
        if query.kind != "target" or read.labels is None or "evaluation" in read.labels:
            continue
        for selector in read.selectors:
            wanted = [value for label, op, value in selector.matchers if label == "evaluation" and op == "Re"]
            if any(len(_ALTERNATIVE.split(value)) > 1 for value in wanted):
                yield Found(query.path, f"{selector.name} counts several evaluations as one: group by evaluation")


def one_budget(board: Json, world: World) -> Iterator[Found]:
    """A number in the colour of a budget is that of one service: of all together it is green while a small one is down."""
    for path, panel in panels(board):
        counters = sorted(name for name in _names(panel) if _counter(name, world))
        if (
            panel.get("type") == "stat"
            and counters
            and mapping(mapping(panel.get("fieldConfig")).get("defaults")).get("thresholds")
        ):
            yield Found(
                path, f"is coloured, and {counters[0]} is of all services: draw records of the worst one, or leave the colour out"
            )


def graphs(board: Json, world: World) -> Iterator[Found]:
    """A ratio over time has the number of its events on its board, by the labels of its lines."""
    counted = [
        (promql.names(query.expr), promql.read(query.expr).labels)
        for query in queries(board)
        if _unit(query.panel) in _COUNTS or query.panel.get("type") in ("table", "bargauge")
    ]
    for query in queries(board):
        labels = promql.read(query.expr).labels
        counters = {name for name in promql.names(query.expr) if _counter(name, world)}
        if query.panel.get("type") != "timeseries" or _unit(query.panel) != "percentunit" or not counters or labels is None:
            continue
        if not any(counters & names and (by is None or labels <= by) for names, by in counted):
            yield Found(
                query.path,
                f"is a ratio without its sample size by {', '.join(sorted(labels))}: add a table, or a graph of {min(counters)}",
            )


def mode_links(board: Json, _: World) -> Iterator[Found]:
    """Where each line is a failure mode, its link opens that mode's board."""
    for path, panel in panels(board):
        grouped = [
            promql.read(target["expr"]).labels or ()
            for _, target in objects(panel.get("targets"))
            if isinstance(target.get("expr"), str)
        ]
        if any("failure_mode" in labels for labels in grouped) and panel.get("type") != "table":
            for uid in BOARDS.values():
                if f"/d/{uid}?" in json.dumps(mapping(panel.get("fieldConfig"))):
                    yield Found(
                        path,
                        f"a link opens /d/{uid} whichever line is clicked; write /d/truegreen-${{__field.labels.failure_mode}}",
                    )


def commands(board: Json, _: World) -> Iterator[Found]:
    """No command has a variable in it: Grafana cannot quote for a shell, and All is no name."""
    for path, panel in panels(board):
        for code in _CODE.findall(str(mapping(panel.get("options")).get("content", ""))):
            if "$" in code:
                yield Found(
                    (*path, "options", "content"),
                    f"`{code}` puts what a span or a link says into a shell; write a word in capitals",
                )


def _rows(board: Json) -> Iterator[list[tuple[Path, Json]]]:
    # Panels by the row that they stand in: those of a collapsed row are inside of it, those of another follow it.
    row: list[tuple[Path, Json]] = []
    for path, panel in panels(board):
        if panel.get("type") == "row":
            yield row
            row = []
        else:
            row.append((path, panel))
    yield row


def _names(panel: Json) -> frozenset[str]:
    texts = [target["expr"] for _, target in objects(panel.get("targets")) if isinstance(target.get("expr"), str)]
    return frozenset(name for text in texts for name in promql.names(text))


def _counter(name: str, world: World) -> bool:
    # Of ours: what other exporters count is seconds, not events.
    return name in world.series and world.series[name].kind == "counter" and world.series[name].labels is not None


def _unit(panel: Json) -> str:
    return str(mapping(mapping(panel.get("fieldConfig")).get("defaults")).get("unit", ""))


RULES: Final[dict[str, Callable[[Json, World], Iterator[Found]]]] = {
    "legends": legends,
    "sample-sizes": sample_sizes,
    "folded": folded,
    "evaluations": evaluations,
    "one-budget": one_budget,
    "graphs": graphs,
    "mode-links": mode_links,
    "commands": commands,
}


def problems(board: Json, world: World) -> Iterator[tuple[str, Found]]:
    """What breaks a rule, with the rule's name."""
    for name, rule in RULES.items():
        yield from ((name, found) for found in rule(board, world))
