"""A board of anybody's as the rules read it: its panels, its queries, and how a place in it is called. Nothing in it is taken for granted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.dashboards.known import SERIES, Series
from truegreen.dashboards.model import Json

Path = tuple[str | int, ...]
NO_DATA: Final = frozenset(
    {"row", "text", "dashlist", "news", "alertlist", "annolist", "welcome", "gettingstarted", "library-panel"}
)
"""Panels that ask no data source."""
LABEL_VALUES: Final = re.compile(r"\s*label_values\((.+),\s*([A-Za-z_]\w*)\s*\)\s*", re.DOTALL)
_QUERY_RESULT: Final = re.compile(r"\s*query_result\((.+)\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class World:
    """What a board is held against.

    Args:
        series: the names that we know.
        boards: the uids that a link may open; None where nobody knows them.
        scraped: the names that a Prometheus has; None where none was asked.
        allowed: names that are taken as they are.
        ours: the board is one of ours, so that nothing may be unknown.
    """

    series: Mapping[str, Series] = field(default_factory=lambda: SERIES)
    boards: Collection[str] | None = None
    scraped: Collection[str] | None = None
    allowed: re.Pattern[str] | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong: where in the JSON, what it is and what to write instead."""

    path: Path
    says: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression of a board.

    Args:
        panel: the panel that draws it; empty for annotations and variables.
        target: what the expression stands in.
        kind: `target`, `annotation` or `variable`.
    """

    path: Path
    expr: str
    kind: str
    panel: Json
    target: Json


def mapping(thing: Any) -> Json:
    """The thing where it is an object, else an empty one."""
    return thing if isinstance(thing, dict) else {}


def objects(thing: Any) -> Iterator[tuple[int, Json]]:
    """The objects of a list with their places; nothing where it is no list."""
    for index, each in enumerate(thing if isinstance(thing, list) else ()):
        if isinstance(each, dict):
            yield index, each


def panels(board: Json) -> Iterator[tuple[Path, Json]]:
    """All panels, rows included, those of a collapsed row after it."""
    for index, panel in objects(board.get("panels")):
        yield ("panels", index), panel
        for below, inner in objects(panel.get("panels")):
            yield ("panels", index, "panels", below), inner


def variables(board: Json) -> Iterator[tuple[Path, Json]]:
    """The variables of a board."""
    for index, variable in objects(mapping(board.get("templating")).get("list")):
        yield ("templating", "list", index), variable


def source(*holders: Json) -> tuple[str, str]:
    """Kind and uid of the data source that the first holder names; both empty where none does. A name alone (old boards) is a uid."""
    for holder in holders:
        found = holder.get("datasource")
        if isinstance(found, str) and found:
            return "", found
        if isinstance(found, dict) and found:
            return str(found.get("type") or ""), str(found.get("uid") or "")
    return "", ""


def queries(board: Json) -> Iterator[Query]:
    """Every PromQL of a board: targets, annotations, variables."""
    for path, panel in panels(board):
        for index, target in objects(panel.get("targets")):
            if isinstance(target.get("expr"), str) and target["expr"].strip() and prometheus(target, panel):
                yield Query((*path, "targets", index, "expr"), target["expr"], "target", panel, target)
    for index, annotation in objects(mapping(board.get("annotations")).get("list")):
        if isinstance(annotation.get("expr"), str) and prometheus(annotation):
            yield Query(("annotations", "list", index, "expr"), annotation["expr"], "annotation", {}, annotation)
    for path, variable in variables(board):
        text = of_variable(variable)
        if variable.get("type") == "query" and text and prometheus(variable):
            yield Query((*path, "query"), text, "variable", {}, variable)


def prometheus(*holders: Json) -> bool:
    """Whether the data source is, or may be, a Prometheus."""
    kind, uid = source(*holders)
    return kind in ("", "prometheus") and not uid.startswith("--")


def asked(variable: Json) -> str:
    """The text of a variable's query."""
    query = variable.get("query")
    text = mapping(query).get("query", query)
    return text if isinstance(text, str) else ""


def of_variable(variable: Json) -> str:
    """The PromQL inside a variable's query; empty for what reads no metric."""
    text = asked(variable)
    if found := LABEL_VALUES.fullmatch(text):
        return f"count by ({found[2]}) ({found[1]})"
    inside = _QUERY_RESULT.fullmatch(text)
    return inside[1] if inside else ""


def skipped(board: Json) -> Iterator[Found]:
    """What is not looked at: queries of other data sources, and panels that are kept elsewhere."""
    for path, panel in panels(board):
        if panel.get("libraryPanel"):
            yield Found(path, "is a library panel: its queries are kept in Grafana, and are not looked at")
        kinds = {
            source(target, panel)[0] or "another source"
            for _, target in objects(panel.get("targets"))
            if not prometheus(target, panel)
        }
        if kinds:
            yield Found(path, f"asks {', '.join(sorted(kinds))}: only PromQL is looked at")


def place(board: Json, path: Path) -> str:
    """A place in words, such as `panel 7 "Calls" (row "Where"), target A`."""
    if path[:1] == ("panels",) and len(path) > 1:
        return _in_panel(board, path)
    for words, prefix in (("annotation", ("annotations", "list")), ("variable", ("templating", "list"))):
        if path[:2] == prefix and len(path) > 2:
            return ", ".join([f"{words} {_at(board, path[:3]).get('name', path[2])!s}", *_dotted(path[3:])])
    return ", ".join(_dotted(path)) or "the board"


def _in_panel(board: Json, path: Path) -> str:
    depth = 4 if path[2:3] == ("panels",) and len(path) > 3 else 2
    panel, rest = _at(board, path[:depth]), path[depth:]
    said = f"panel {panel.get('id', '?')}" + (f' "{panel["title"]}"' if panel.get("title") else "")
    above = _at(board, path[:2]) if depth == 4 else _row_above(board, path)
    if above.get("title") and panel.get("type") != "row":
        said += f' (row "{above["title"]}")'
    if rest[:1] == ("targets",) and len(rest) > 1:
        said += f", target {_at(board, path[: depth + 2]).get('refId', rest[1])}"
        rest = rest[2:] if rest[2:] != ("expr",) else ()
    return ", ".join([said, *_dotted(rest)])


def _row_above(board: Json, path: Path) -> Json:
    index = path[1]
    rows = [
        panel
        for at, panel in objects(board.get("panels"))
        if isinstance(index, int) and at < index and panel.get("type") == "row"
    ]
    return rows[-1] if rows and not rows[-1].get("collapsed") else {}


def _at(board: Json, path: Path) -> Json:
    here: Any = board
    for part in path:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return mapping(here)


def _dotted(path: Path) -> list[str]:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return [text] if text else []
