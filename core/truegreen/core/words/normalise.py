"""Reads a span through the dialect table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from truegreen.core.words import dialects
from truegreen.core.words.dialects import DIALECTS, Dialect, Source


@dataclass(frozen=True, slots=True)
class View:
    """What a reader may look at.

    Args:
        events: span events as (name, unix ns).
        start: the span's start in unix ns.
    """

    attributes: Mapping[str, Any]
    name: str = ""
    events: Sequence[tuple[str, int]] = ()
    start: int = 0


Reader = Callable[[View], Any]


def select(scope: str, attributes: Mapping[str, Any], table: Iterable[Dialect] | None = None) -> Dialect | None:
    """The dialect of a span: the longest scope start wins, else the first dialect without scopes; a marker must be there."""
    best, length = None, -1
    for dialect in dialects.DIALECTS if table is None else table:
        reach = max((len(s) for s in dialect.scopes if scope.startswith(s)), default=-1) if dialect.scopes else 0
        if reach > length and any(marker in attributes for marker in dialect.markers):
            best, length = dialect, reach
    return best


def compile_(dialect: Dialect) -> Mapping[str, Reader]:
    """A function for each field of the dialect; it gives None where the span has nothing usable."""
    return {field: _first([_reader(source) for source in sources]) for field, sources in dialect.fields.items()}


def read(dialect: Dialect, field: str, view: View) -> Any:
    """The value of a field, None where the dialect or the span does not have it."""
    reader = COMPILED[dialect.name].get(field)
    return reader(view) if reader else None


def _first(readers: Sequence[Reader]) -> Reader:
    if len(readers) == 1:
        return readers[0]
    return lambda view: next((value for reader in readers if (value := reader(view)) is not None), None)


def _reader(source: Source) -> Reader:
    found = _finder(source)
    shape = _SHAPES[source.transform]

    def reader(view: View) -> Any:
        value = found(view)
        if value is None:
            return None
        try:
            shaped = shape(value, view)
        except (TypeError, ValueError, AttributeError, KeyError):
            return None
        if source.values:
            return source.values.get(shaped) if isinstance(shaped, str) else None
        return shaped

    return reader


def _finder(source: Source) -> Reader:
    if source.kind == dialects.EVENT:
        return lambda view: next(((at - view.start) / 1e9 for name, at in view.events if name == source.name), None)
    if source.kind == dialects.SPAN_NAME:
        return lambda view: view.name
    if "*" in source.name:
        return lambda view: _indexed(source.name, view.attributes)
    if source.path:
        return lambda view: _inside(source, view.attributes.get(source.name))
    return lambda view: view.attributes.get(source.name)


def _indexed(name: str, attributes: Mapping[str, Any]) -> list[Any] | None:
    """The values of `a.*.b` in index order; for `a.*` mappings of what follows the index."""
    before, _, after = name.partition("*")
    pattern = re.compile(re.escape(before) + r"(\d+)" + (re.escape(after) + "$" if after else r"\.(.+)$"))
    found: dict[int, Any] = {}
    for key, value in attributes.items():
        match = pattern.match(key)
        if match is None:
            continue
        if after:
            found[int(match[1])] = value
        else:
            found.setdefault(int(match[1]), {})[match[2]] = value
    return [found[i] for i in sorted(found)] or None


def _inside(source: Source, text: Any) -> Any:
    value = _json(text)
    holder = value
    for key in source.path:
        if not isinstance(value, dict):
            return None
        holder, value = value, value.get(key)
    if value is None or not source.add:
        return value
    extra = [
        v
        for k, v in holder.items()
        if k != source.path[-1] and any(_matches(k, a) for a in source.add) and isinstance(v, int | float)
    ]
    return value + sum(extra)


def _matches(key: str, pattern: str) -> bool:
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern


def _json(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return None


def _number(value: Any, _: View) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _texts(value: Any, _: View) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(v for v in value if isinstance(v, str))


def _messages(value: Any, _: View) -> list[Any] | None:
    found = _json(value)
    return found if isinstance(found, list) else None


def _documents(value: Any, _: View) -> list[Any] | None:
    found = _json(value)
    return [d if isinstance(d, dict) else {"text": d} for d in found] if isinstance(found, list) else None


def _since_start(value: Any, view: View) -> float:
    text = json.loads(value) if value.startswith('"') else value
    return datetime.fromisoformat(text).timestamp() - view.start / 1e9


_SHAPES: Mapping[str, Callable[[Any, View], Any]] = {
    dialects.TEXT: lambda value, _: value if isinstance(value, str) else str(value) if isinstance(value, int) else None,
    dialects.NUMBER: _number,
    dialects.TEXTS: _texts,
    dialects.MESSAGES: _messages,
    dialects.DOCUMENTS: _documents,
    dialects.UNQUOTED: lambda value, _: json.loads(value) if value.startswith('"') else value,
    dialects.SECONDS_SINCE_START: _since_start,
}

COMPILED: Mapping[str, Mapping[str, Reader]] = {dialect.name: compile_(dialect) for dialect in DIALECTS}
