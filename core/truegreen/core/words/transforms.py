"""What a reader makes of a value that it found: one function for each transform of the dialect table. They may raise `view.FAULTS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from truegreen.core.words import dialect as shapes
from truegreen.core.words import messages
from truegreen.core.words.dialect import Source
from truegreen.core.words.error_words import class_of
from truegreen.core.words.view import LARGE, View, data, mended, number, parsed


def _text(value: Any, _: View) -> str | None:
    if isinstance(value, str):
        return mended(value) or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: Any, _: View) -> tuple[str, ...] | None:
    items = (value,) if isinstance(value, str) else value
    return tuple(mended(item) for item in items if isinstance(item, str) and item) or None


def _finishes(value: Any, view: View) -> tuple[str, ...] | None:
    if value.__class__ is tuple and len(value) == 1 and value[0] in shapes.FINISHED:
        return value
    if isinstance(value, str) and value.isidentifier():
        return (shapes.finish(value),)
    found = _texts(value, view)
    return tuple(shapes.finish(_unquoted(word, view) or word) for word in found) if found else None


def _unquoted(value: Any, view: View) -> str | None:
    return _text(json.loads(value), view) if isinstance(value, str) and value.startswith('"') else _text(value, view)


def _since_start(value: Any, view: View) -> float | None:
    at = datetime.fromisoformat(_unquoted(value, view) or "")
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    took = at.timestamp() - view.start / 1e9
    return took if took >= 0 else None


def _elapsed(value: Any, _: View) -> float | int | None:
    found = number(value)
    return found if found is not None and found >= 0 else None


def _of(shape: Callable[[Any, View], Any]) -> Callable[[Source], Callable[[Any, View], Any]]:
    return lambda _: shape


def _parsing(make: Callable[[Any, str], Any]) -> Callable[[Source], Callable[[Any, View], Any]]:
    """A shape that takes what the attribute holds as JSON; a bare text stays one."""

    def of(source: Source) -> Callable[[Any, View], Any]:
        own = not source.path and "*" not in source.name

        def shape(value: Any, view: View) -> Any:
            if own and isinstance(value, str):
                held = parsed(source.name, value, view, LARGE)
                value = value if held is None and value[:1] not in ("{", "[") else held
            return make(value, source.role)

        return shape

    return of


SHAPES: Mapping[str, Callable[[Source], Callable[[Any, View], Any]]] = {
    shapes.TEXT: _of(_text),
    shapes.NUMBER: lambda source: _elapsed if source.kind == shapes.EVENT else number,
    shapes.FINISHES: _of(_finishes),
    shapes.ERROR: _of(lambda value, _: class_of(value)),
    shapes.MESSAGES: _parsing(
        lambda value, role: [m for m in messages.messages(value, role) or () if m["role"] not in messages.SYSTEM_ROLES] or None
    ),
    shapes.SYSTEM: _parsing(messages.system),
    shapes.DOCUMENTS: _parsing(lambda value, _: messages.documents(value)),
    shapes.DATA: _of(data),
    shapes.UNQUOTED: _of(_unquoted),
    shapes.SECONDS_SINCE_START: _of(_since_start),
}
