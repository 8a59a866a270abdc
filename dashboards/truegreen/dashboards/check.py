"""The rules that our boards must keep: a schema stricter than Grafana's, the rules of `lint_rules`, and those of `own_rules`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from truegreen.dashboards import lint_board, lint_rules, own_rules
from truegreen.dashboards.known import SERIES, Series
from truegreen.dashboards.lint_board import Path, World, place
from truegreen.dashboards.model import Json


@cache
def schema() -> Json:
    """The profile: exactly the panel types and options that are written here (JSON Schema 2020-12, as shipped)."""
    loaded: Json = json.loads(resources.files("truegreen.dashboards").joinpath("board.schema.json").read_text("utf-8"))
    return loaded


def problems(board: Json, boards: Collection[str], series: Mapping[str, Series] = SERIES) -> tuple[str, ...]:
    """What is wrong with a board of ours, what the schema says first; empty when nothing is.

    Args:
        board: Grafana's JSON.
        boards: the uids that a link may open.
        series: the names that PromQL may use.
    """
    world = World(series, boards, ours=True)
    found = [(path, says) for path, says in profile(board)]
    found += [(each.path, each.says) for _, each in lint_rules.problems(board, world)]
    found += [(each.path, each.says) for _, each in own_rules.problems(board, world)]
    return tuple(f"{place(board, path)}: {says}" for path, says in found)


def profile(board: Json) -> Iterator[tuple[Path, str]]:
    """Where a board leaves the profile schema, and how."""
    whole, kinds = _validators()
    yield from _said((), whole.iter_errors(board))
    for path, panel in lint_board.panels(board):
        if panel.get("type") in kinds:
            yield from _said(path, kinds[panel["type"]].iter_errors(panel))
        else:
            yield (*path, "type"), f"{panel.get('type')!r} is not one of {list(kinds)}"


def panels(board: Json) -> Iterator[Json]:
    """All panels, rows included; those of a collapsed row after it."""
    return (panel for _, panel in lint_board.panels(board))


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    """Where, and the PromQL: of every target, annotation and variable."""
    return ((place(board, query.path), query.expr) for query in lint_board.queries(board))


def _said(path: Path, errors: Iterator[ValidationError]) -> Iterator[tuple[Path, str]]:
    for error in sorted(errors, key=lambda error: list(map(str, error.absolute_path))):
        yield (*path, *error.absolute_path), (best_match([error]) or error).message[:300]


@cache
def _validators() -> tuple[Any, Mapping[str, Any]]:
    # The schema itself says by eight conditions which type has which definition. Asked panel by panel, with references written out, that takes
    # half of the time of `truegreen generate dashboards`; so the conditions are read here, once.
    whole = schema()
    panels = whole["properties"]["panels"]
    kinds = {each["if"]["properties"]["type"]["const"]: each["then"] for each in panels["items"]["allOf"]}
    around = {
        **whole,
        "properties": {**whole["properties"], "panels": {**panels, "items": {"type": "object", "required": ["type"]}}},
    }
    return _validator(around), {kind: _validator(definition) for kind, definition in kinds.items()}


def _validator(node: Json) -> Any:
    written: Json = _written_out({key: value for key, value in node.items() if key not in ("$defs", "$id", "$schema")})
    return _Validator(written)


def _properties(validator: Any, properties: Json, instance: Any, _: Json) -> Iterator[ValidationError]:
    # As the keyword of JSON Schema, but what was found good once is not looked at again: panels are alike in most of their parts.
    for name, schema in properties.items() if isinstance(instance, dict) else ():
        if name not in instance or (seen := (id(schema), repr(instance[name]))) in _GOOD:
            continue
        errors = list(validator.descend(instance[name], schema, path=name, schema_path=name))
        yield from errors
        if not errors and len(_GOOD) < _REMEMBERED:
            _GOOD.add(seen)


_GOOD: Final[set[tuple[int, str]]] = set()
"""A part of the schema, which is kept for as long as the process, with a value that fits it."""
_REMEMBERED: Final = 20_000
_Validator: Any = extend(Draft202012Validator, {"properties": _properties})  # type: ignore[no-untyped-call]


def _written_out(node: Any) -> Any:
    if isinstance(node, list):
        return [_written_out(each) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref", "")
    if reference == "#/properties/panels/items":  # the panels of a collapsed row are looked at one by one, as all are
        return {"type": "object", "required": ["type"]}
    if reference.startswith("#/$defs/"):
        return _written_out(
            {**schema()["$defs"][reference.removeprefix("#/$defs/")], **{k: v for k, v in node.items() if k != "$ref"}}
        )
    return {key: _written_out(value) for key, value in node.items()}
