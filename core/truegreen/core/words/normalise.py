"""Reads a span through the dialect table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from truegreen.core.words import dialect as shapes
from truegreen.core.words import dialects, messages
from truegreen.core.words.dialect import Dialect, Source
from truegreen.core.words.dialect_genai import MANUAL
from truegreen.core.words.transforms import SHAPES
from truegreen.core.words.view import FAULTS, LARGE, SMALL, View, decoded, parsed

__all__ = ["COMPILED", "View", "compile_", "marked", "marks", "of_scope", "read", "record", "select"]

SCOPES: Final = 1_024
Reader = Callable[[View], Any]


def select(scope: str, attributes: Mapping[str, Any], table: Iterable[Dialect] | None = None) -> Dialect | None:
    """The dialect of a span.

    That of the longest start of its scope, where one of its markers is there; without them the conventions' names alone are read. In a scope
    that no dialect names, the first dialect whose own vocabulary is there.
    """
    kept = _BY_SCOPE.get(scope)  # as `of_scope` does, without a call: every span of an application comes by
    dialect = kept[1] if table is None and kept is not None and kept[0] is dialects.DIALECTS else of_scope(scope, table)
    if dialect is None:
        return marked(attributes, table)
    for marker in dialect.markers:
        if marker in attributes:
            return dialect
    return marked(attributes, (MANUAL,))


def of_scope(scope: str, table: Iterable[Dialect] | None = None) -> Dialect | None:
    """The dialect that claims a scope, None where its attributes have to say."""
    known = dialects.DIALECTS if table is None else tuple(table)
    kept = _BY_SCOPE.get(scope)
    if kept is not None and kept[0] is known:
        return kept[1]
    best, length = None, 0
    for dialect in known:
        reach = max((len(start) for start in dialect.scopes if scope.startswith(start)), default=0)
        if reach > length:
            best, length = dialect, reach
    if len(_BY_SCOPE) >= SCOPES:
        _BY_SCOPE.clear()
    _BY_SCOPE[scope] = known, best
    return best


def marked(attributes: Mapping[str, Any], table: Iterable[Dialect] | None = None) -> Dialect | None:
    """The first dialect of the table that a span's attributes alone select."""
    for mark, dialect in marks(dialects.DIALECTS if table is None else table):
        if mark in attributes:
            return dialect
    return None


def marks(table: Iterable[Dialect]) -> Sequence[tuple[str, Dialect]]:
    """The attributes that select a dialect in a scope that none names, in the order in which they are looked for."""
    if _MARKS and _MARKS[0] is table:
        return _MARKS[1]  # type: ignore[no-any-return]
    found = tuple((mark, dialect) for dialect in table for mark in (dialect.anywhere if dialect.scopes else dialect.markers))
    if table is dialects.DIALECTS:
        _MARKS[:] = table, found
    return found


def compile_(dialect: Dialect) -> Mapping[str, Reader]:
    """A function for each field of the dialect; it gives None where the span has nothing usable."""
    return {field: _first(sources) for field, sources in dialect.fields.items()}


def read(dialect: Dialect, field: str, view: View) -> Any:
    """The value of a field, None where the dialect or the span does not have it."""
    reader = COMPILED[dialect.name].get(field)
    return reader(view) if reader else None


def record(dialect: Dialect, view: View) -> Mapping[str, Any]:
    """The normalised record of a span: every field of `dialect.FIELDS` that it has."""
    found = ((field, read(dialect, field, view)) for field in shapes.FIELDS)
    return {field: value for field, value in found if value is not None}


def _first(sources: Sequence[Source]) -> Reader:
    """The first source that has something; those that the span cannot have are passed over without a call."""
    if len(sources) == 1:
        return _reader(sources[0])
    tried = tuple((*(source.when or ("", ())), _plain(source), _reader(source)) for source in sources)

    def first(view: View) -> Any:
        held = view.attributes.get
        for condition, allowed, name, reader in tried:
            if (condition and held(condition) not in allowed) or (name and held(name) is None):
                continue
            value = reader(view)
            if value is not None:
                return value
        return None

    return first


def _plain(source: Source) -> str:
    """The one attribute without which a source has nothing, empty for any other kind of source."""
    return source.name if source.kind == shapes.ATTRIBUTE and "*" not in source.name else ""


def _reader(source: Source) -> Reader:
    """The function of one source; the plainest, which most are, without a detour."""
    read = _careful(source)
    name, values, says = source.name, source.values, source.says
    kind: Any = {shapes.TEXT: str, shapes.NUMBER: int}.get(source.transform)
    condition, allowed = source.when or ("", ())
    if not _plain(source) or (source.path and kind is not str):
        return read
    if source.path:
        found_inside = _inside(source)

        def within(view: View) -> Any:
            if condition and view.attributes.get(condition) not in allowed:
                return None
            try:
                value = found_inside(view)
            except FAULTS:
                return None
            if value.__class__ is str and value.isascii():
                found: Any = says or (values.get(value) if values else value)
                if found:
                    return found
            return None if value is None else read(view)

        return within
    if kind is None:
        return lambda view: read(view) if view.attributes.get(name) is not None else None

    def direct(view: View) -> Any:
        held = view.attributes.get
        value = held(name)
        if value is None or (condition and held(condition) not in allowed):
            return None
        if value.__class__ is kind and (kind is int or str.isascii(value)):
            found: Any = says or (values.get(value) if values else value)
            if found:
                return found
        return read(view)

    return direct


def _careful(source: Source) -> Reader:
    found = _finder(source)
    shape = SHAPES[source.transform](source)
    condition, allowed = source.when or ("", ())
    values, rest, says = source.values, source.rest, source.says

    def reader(view: View) -> Any:
        try:
            if condition and view.attributes.get(condition) not in allowed:
                return None
            value = found(view)
            if value is None:
                return None
            shaped = shape(value, view)
            if says:
                return None if shaped is None else says
            if not values or not isinstance(shaped, str):
                return None if values else shaped
            word = values.get(shaped)
            if word is None:
                word = values.get(shaped.lower(), shaped if rest else None)
        except FAULTS:
            return None
        return word or None

    return reader


def _finder(source: Source) -> Reader:
    name, path = source.name, source.path
    if source.kind == shapes.EVENT:
        return lambda view: next(((event[1] - view.start) / 1e9 for event in view.events if event[0] == name), None)
    if source.kind == shapes.EVENT_ATTRIBUTE:
        first = str(path[0])
        return lambda view: next((event[2].get(first) for event in view.events if event[0] == name and len(event) > 2), None)
    if source.kind == shapes.SPAN_NAME:
        return lambda view: view.name or None
    if "*" in name:
        return lambda view: _indexed(name, view)
    if path:
        return _inside(source)
    return lambda view: view.attributes.get(name)


def _indexed(name: str, view: View) -> list[Any] | None:
    """For `a.*` mappings of what follows the index, in its order; one pass over the attributes, kept for the fields that share it."""
    if name in view.parsed:
        return view.parsed[name]  # type: ignore[no-any-return]
    before = name[:-1]
    found: dict[int, dict[str, Any]] = {}
    for key, value in view.attributes.items():
        if key.startswith(before):
            index, _, rest = key[len(before) :].partition(".")
            if rest and index.isdecimal():
                found.setdefault(int(index), {})[rest] = value
    view.parsed[name] = made = [messages.of_indexed(found[i]) for i in sorted(found)] or None
    return made


def _inside(source: Source) -> Reader:
    name, path, needs, limit = source.name, source.path, source.needs, _limit(source)
    inner = needs.startswith(f'"{path[0]}": {{') and len(path) > 1
    heads = tuple(f'{{"{path[0]}":{space}"' for space in ("", " ")) if len(path) == 1 and not source.add else ()

    def inside(view: View) -> Any:
        text = view.attributes.get(name)
        if text is None:
            return None
        if isinstance(text, str):
            if needs and needs not in text:
                return None
            for head in heads:  # most often the key comes first: nothing is parsed
                if text.startswith(head):
                    whole = text[len(head) : text.find('"', len(head))]
                    if whole and "\\" not in whole:
                        return whole  # without an escape, half a character is the attribute's own
        keys = path
        if inner and isinstance(text, str):  # only the object that the last such key holds
            value: Any = decoded(text, text.rfind(needs) + len(needs) - 1)
            keys = path[1:]
        else:
            value = parsed(name, text, view, limit)
        holder = value
        for key in keys:
            holder = value
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, list | tuple) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        if value is None or not source.add:
            return value
        last = path[-1]
        more = (v for k, v in holder.items() if k != last and any(_matches(k, pattern) for pattern in source.add))
        return value + sum(v for v in more if isinstance(v, int | float) and not isinstance(v, bool))

    return inside


def _matches(key: str, pattern: str) -> bool:
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern


def _limit(source: Source) -> int:
    return LARGE if source.transform in (shapes.MESSAGES, shapes.SYSTEM, shapes.DOCUMENTS, shapes.DATA) else SMALL


_MARKS: list[Any] = []
"""The table, and its marks."""
_BY_SCOPE: dict[str, tuple[Any, Dialect | None]] = {}
COMPILED: Mapping[str, Mapping[str, Reader]] = {dialect.name: compile_(dialect) for dialect in dialects.DIALECTS}
