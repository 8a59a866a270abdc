"""The rules of a sound board that do not read PromQL: data sources, panels, thresholds, variables, places, links."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, Final

from truegreen.core.words.terms import FAILURE_MODES
from truegreen.dashboards import lint_queries, promql
from truegreen.dashboards.frame import COLUMNS
from truegreen.dashboards.lint_board import (
    LABEL_VALUES,
    NO_DATA,
    Found,
    Path,
    World,
    asked,
    mapping,
    objects,
    panels,
    place,
    prometheus,
    queries,
    source,
    variables,
)  # fmt: skip
from truegreen.dashboards.model import Json

_HAVE_UNITS: Final = frozenset({"stat", "timeseries", "gauge", "bargauge", "graph", "barchart", "singlestat"})
_NAMES: Final = ("datasource", "prometheus_datasource")
_ALL_MODES: Final = "${__field.labels.failure_mode}"
_BOARD_LINK: Final = re.compile(r"/d/((?:[A-Za-z0-9_-]|" + re.escape(_ALL_MODES) + r")+)")
_BARE: Final = re.compile(r"\$[A-Za-z_]\w*")
_MATH: Final = "__expr__"
_CODE: Final = re.compile(r"`[^`]*`")


def data_source_variable(board: Json, _: World) -> Iterator[Found]:
    """The first variable chooses the Prometheus, so that the board can be taken elsewhere."""
    if not any(query.kind == "target" for query in queries(board)):
        return
    first = next((variable for _, variable in variables(board)), {})
    right = first.get("type") == "datasource" and first.get("query") == "prometheus"
    if not (right and first.get("name") in _NAMES and first.get("label") == "Data source"):
        said = f"the first variable is {first.get('name')}, of type {first.get('type')}" if first else "there is no variable"
        yield Found(
            ("templating", "list", 0) if first else ("templating",),
            f'{said}; make it {{"type": "datasource", "query": "prometheus", "name": "datasource", "label": "Data source"}}',
        )


def data_source(board: Json, _: World) -> Iterator[Found]:
    """Queries go through the variable: a fixed uid is that of one Grafana."""
    chosen = {
        f"{form}" for _, each in variables(board) if each.get("type") == "datasource" for form in _forms(str(each.get("name")))
    }
    inputs = {form for _, each in objects(board.get("__inputs")) for form in _forms(str(each.get("name")))}
    for path, panel in panels(board):
        holders = [((*path, "targets", index), (target, panel)) for index, target in objects(panel.get("targets"))]
        for where, holder in [(path, (panel,))] * (panel.get("type") not in NO_DATA) + holders:
            uid = source(*holder)[1]
            if uid and prometheus(*holder) and uid not in chosen:
                says = f"the data source is fixed to {uid!r}; write ${{datasource}}"
                if uid in inputs:
                    says = f'{uid} is an input of an export for sharing; export it without that ("share externally"), or write ${{datasource}}'
                yield Found((*where, "datasource"), says)
                break


def _forms(name: str) -> tuple[str, str]:
    return f"${name}", f"${{{name}}}"


def title_and_reason(board: Json, _: World) -> Iterator[Found]:
    """A panel says what it is and why it is there."""
    for path, panel in panels(board):
        if panel.get("type") in NO_DATA or panel.get("libraryPanel"):
            continue
        if not panel.get("title"):
            yield Found((*path, "title"), "has no title; write what it shows")
        if not panel.get("description"):
            yield Found((*path, "description"), "has no description; say in a sentence why it is there")


def unit(board: Json, world: World) -> Iterator[Found]:
    """A number without a unit is read wrongly at night."""
    for path, panel in panels(board):
        if panel.get("type") not in _HAVE_UNITS or panel.get("libraryPanel"):
            continue
        config = mapping(panel.get("fieldConfig"))
        defaults = mapping(config.get("defaults"))
        overridden = [
            mapping(one).get("id") for _, each in objects(config.get("overrides")) for _, one in objects(each.get("properties"))
        ]
        named = mapping(panel.get("options")).get("textMode") == "name" or defaults.get("mappings")
        if not defaults.get("unit") and "unit" not in overridden and not named:
            texts = [target["expr"] for _, target in objects(panel.get("targets")) if isinstance(target.get("expr"), str)]
            wanted = lint_queries.unit_of(texts[0], world) if texts else "short"
            yield Found(
                (*path, "fieldConfig", "defaults", "unit"), f'has no unit; write "unit": "{wanted}" in fieldConfig.defaults'
            )


def targets(board: Json, _: World) -> Iterator[Found]:
    """A panel asks something."""
    for path, panel in panels(board):
        asks = any(target.get("expr") != "" for _, target in objects(panel.get("targets")))
        if not asks and panel.get("type") not in {*NO_DATA, "canvas"} and not panel.get("libraryPanel"):
            yield Found((*path, "targets"), "asks nothing; give it a query, or take it away")


def thresholds(board: Json, _: World) -> Iterator[Found]:
    """The first step has no value, and the others rise: else Grafana paints nothing, or the wrong state."""
    for path, panel in panels(board):
        config = mapping(mapping(mapping(panel.get("fieldConfig")).get("defaults")).get("thresholds"))
        steps = [step.get("value") for _, step in objects(config.get("steps"))]
        where = (*path, "fieldConfig", "defaults", "thresholds", "steps")
        if steps and steps[0] is not None:
            yield Found(
                (*where, 0, "value"), f"the first threshold begins at {steps[0]!r}; write null, or no other one is ever reached"
            )
        rest = [value if isinstance(value, int | float) else None for value in steps[1:]]
        if None in rest or rest != sorted(rest, key=lambda value: value or 0):
            yield Found(where, f"thresholds do not rise: {steps[1:]}; write numbers, the smallest first")


def variable_query(board: Json, _: World) -> Iterator[Found]:
    """Values of a variable are those of the time that is shown."""
    for path, variable in variables(board):
        if variable.get("type") != "query" or not prometheus(variable):
            continue
        if "label_values" in asked(variable) and not LABEL_VALUES.fullmatch(asked(variable)) and "," in asked(variable):
            yield Found((*path, "query"), f"{asked(variable)!r} is not label_values(METRIC, LABEL)")
        if variable.get("refresh") != 2:
            yield Found(
                (*path, "refresh"), f"found {variable.get('refresh')!r}; write 2, so that its values are those of the time range"
            )


def used_variables(board: Json, world: World) -> Iterator[Found]:
    """Each variable that is used is defined, and the other way round."""
    defined = {str(variable.get("name")): (path, str(variable.get("type"))) for path, variable in variables(board)}
    given = {str(each.get("name")) for _, each in objects(board.get("__inputs"))}
    repeated = {str(panel["repeat"]) for _, panel in panels(board) if panel.get("repeat")}
    read = _names(board) | repeated
    meant = (
        read if world.ours else repeated.union(_names({**board, "panels": []}), *(_meant(panel) for _, panel in panels(board)))
    )
    for name in sorted(meant - set(defined) - given):
        if not name.startswith("__") and name != "timeFilter":
            yield Found(
                _first_use(board, name), f"variable {name} is used and not defined; defined are {', '.join(defined) or 'none'}"
            )
    for name, (path, kind) in defined.items():
        if name not in read and kind not in ("datasource", "adhoc"):
            yield Found(path, f"variable {name} is defined and not used; take it away")


def _names(thing: Json) -> set[str]:
    return {"".join(found) for found in promql.VARIABLE.findall(_CODE.sub("", json.dumps(thing, ensure_ascii=False)))}


def _meant(panel: Json) -> set[str]:
    # Without what is `$USD` in a text, and without the queries that an expression of Grafana's server calls `$A`.
    options = mapping(panel.get("options"))
    texts = {"description": panel.get("description"), "content": options.get("content")}
    said = {key: _BARE.sub("", text) for key, text in texts.items() if isinstance(text, str)}
    content = {"options": {**options, "content": said["content"]}} if "content" in said else {}
    names = _names({**panel, **content, "description": said.get("description", ""), "panels": []})
    queried = list(objects(panel.get("targets")))
    math = any(_MATH in source(target) for _, target in queried)
    return names - {str(target.get("refId")) for _, target in queried} if math else names


def _first_use(board: Json, name: str) -> Path:
    def used(text: str) -> bool:
        return any(name in found for found in promql.VARIABLE.findall(text))

    paths = [query.path for query in queries(board) if used(query.expr)]
    paths += [path for path, panel in panels(board) if used(json.dumps({**panel, "panels": []}))]
    return paths[0] if paths else ()


def editable(board: Json, world: World) -> Iterator[Found]:
    """What is kept in files is not edited in the browser."""
    if board.get("editable") is not False:
        yield Found(
            ("editable",), "can be edited in the browser, where the next push undoes it; write false", warning=not world.ours
        )


def ids(board: Json, _: World) -> Iterator[Found]:
    """Ids of panels are unique."""
    known = [(path, panel["id"]) for path, panel in panels(board) if isinstance(panel.get("id"), int)]
    times = Counter(identity for _, identity in known)
    seen: set[int] = set()
    for path, identity in known:
        if identity in seen:
            yield Found((*path, "id"), f"id {identity} is used {times[identity]} times; ids are unique")
        seen.add(identity)


def places(board: Json, _: World) -> Iterator[Found]:
    """Panels lie on the grid, and none on another."""
    laid = [(path, at) for path, panel in panels(board) if (at := _rectangle(panel.get("gridPos")))]
    for path, at in laid:
        if at[0] + at[2] > COLUMNS:
            yield Found((*path, "gridPos"), f"ends in column {at[0] + at[2]}; the grid has {COLUMNS}")
    for (path, a), (other, b) in combinations([each for each in laid if len(each[0]) == 2], 2):
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]:
            yield Found((*other, "gridPos"), f"lies over {place(board, path)}: they overlap")


def _rectangle(at: Any) -> tuple[int, int, int, int] | None:
    numbers = [mapping(at).get(key) for key in "xywh"]
    return tuple(numbers) if all(isinstance(each, int) for each in numbers) else None  # type: ignore[return-value]


def links(board: Json, world: World) -> Iterator[Found]:
    """A link to a board opens one; of a user's links only those to our boards are known."""
    if world.boards is None:
        return
    for path, panel in [*panels(board), ((), {**board, "panels": []})]:
        for uid in sorted(set(_BOARD_LINK.findall(json.dumps({**panel, "panels": []})))):
            every = [uid.replace(_ALL_MODES, mode) for mode in FAILURE_MODES] if _ALL_MODES in uid else [uid]
            for each in every:
                if each not in world.boards and (world.ours or each.startswith("truegreen-")):
                    yield Found(path, f"a link opens /d/{each}, which is no board; boards are {', '.join(sorted(world.boards))}")


Rule = Callable[[Json, World], Iterator[Found]]
RULES: Final[dict[str, Rule]] = {
    "datasource-variable": data_source_variable,
    "datasource": data_source,
    "title-description": title_and_reason,
    "unit": unit,
    "targets": targets,
    **lint_queries.RULES,
    "variable-query": variable_query,
    "variables": used_variables,
    "thresholds": thresholds,
    "ids": ids,
    "places": places,
    "links": links,
    "editable": editable,
}
"""Every rule by the name by which it can be skipped."""


def problems(board: Json, world: World, skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, Found]]:
    """What breaks a rule, with the rule's name."""
    for name, rule in RULES.items():
        if name not in skip:
            yield from ((name, found) for found in rule(board, world))
