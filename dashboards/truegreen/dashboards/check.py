"""The rules that a board must keep, ours or a user's: a schema stricter than Grafana's, PromQL that can work, panels that fit."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from importlib import resources
from itertools import combinations
from typing import Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from truegreen.dashboards import promql
from truegreen.dashboards.frame import COLUMNS
from truegreen.dashboards.model import Json

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_BOARD_LINK: Final = re.compile(r"/d/([A-Za-z0-9_-]+)")
_LABEL_VALUES: Final = re.compile(r"label_values\((.+),\s*(\w+)\)")


@cache
def schema() -> Json:
    """The profile: exactly the panel types and options that are written here (JSON Schema 2020-12, as shipped)."""
    loaded: Json = json.loads(resources.files("truegreen.dashboards").joinpath("board.schema.json").read_text("utf-8"))
    return loaded


def problems(board: Json, boards: Collection[str]) -> tuple[str, ...]:
    """What is wrong with a board, in the order of the file; empty when nothing is.

    Args:
        board: Grafana's JSON.
        boards: the uids that a link may open.
    """
    wrong = sorted(Draft202012Validator(schema()).iter_errors(board), key=lambda error: list(map(str, error.absolute_path)))
    if wrong:  # the other rules read what the schema promises
        return tuple(_place(board, list(each.absolute_path)) + (best_match([each]) or each).message[:300] for each in wrong)
    return (*_ids(board), *_places(board), *_queries(board), *_variables(board), *_thresholds(board), *_links(board, boards))


def panels(board: Json) -> Iterator[Json]:
    """All panels, rows included; those of a collapsed row after it."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    """Where, and the PromQL: of every target, annotation and variable."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield f"panel {panel['id']} ({panel['title']}) {target['refId']}", target["expr"]
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", _of_variable(variable["query"])


def _of_variable(query: str) -> str:
    found = _LABEL_VALUES.fullmatch(query)
    return f"count by ({found[2]}) ({found[1]})" if found else query


def _ids(board: Json) -> Iterator[str]:
    for identity, times in Counter(panel["id"] for panel in panels(board)).items():
        if times > 1:
            yield f"id {identity} is used {times} times; ids are unique"


def _places(board: Json) -> Iterator[str]:
    for panel in panels(board):
        at = panel["gridPos"]
        if at["x"] + at["w"] > COLUMNS:
            yield f"panel {panel['id']} ({panel['title']}) ends in column {at['x'] + at['w']}; the grid has {COLUMNS}"
    for one, other in combinations(board["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            yield f"panels {one['id']} ({one['title']}) and {other['id']} ({other['title']}) overlap"


def _queries(board: Json) -> Iterator[str]:
    for where, expression in expressions(board):
        for problem in promql.problems(expression, narrowed=not where.startswith("variable")):
            yield f"{where}: {problem}"


def _variables(board: Json) -> Iterator[str]:
    defined = [variable["name"] for variable in board["templating"]["list"]]
    used = {name or bare for name, bare in _VARIABLE.findall(json.dumps(board)) if not (name or bare).startswith("__")}
    for name in sorted(used - set(defined)):
        yield f"variable {name} is used and not defined; defined are {', '.join(defined)}"
    sources = {variable["name"] for variable in board["templating"]["list"] if variable["type"] == "datasource"}
    for name in defined:
        if name not in used | sources:
            yield f"variable {name} is defined and not used"


def _thresholds(board: Json) -> Iterator[str]:
    for panel in panels(board):
        steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
        values = [step["value"] for step in steps[1:]]
        if None in values or values != sorted(values):
            yield f"panel {panel['id']} ({panel['title']}): thresholds do not rise: {values}"


def _links(board: Json, boards: Collection[str]) -> Iterator[str]:
    for uid in sorted(set(_BOARD_LINK.findall(json.dumps(board)))):
        if uid not in boards:
            yield f"a link opens /d/{uid}, which is no board; boards are {', '.join(sorted(boards))}"


def _place(board: Json, path: list[str | int]) -> str:
    here: object = board
    for depth, part in enumerate(path):
        here = here[part]  # type: ignore[index]
        if isinstance(here, dict) and "title" in here and part != "options":
            return f"panel {here.get('id')} ({here['title']}) {'.'.join(map(str, path[depth + 1 :]))}: "
    return f"{'.'.join(map(str, path)) or 'the board'}: "
