"""One span as a reader sees it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

SMALL, LARGE = 32_768, 1_048_576
"""Characters of JSON that are parsed at most: for a single value, and for messages, documents and data."""
_REPR: Final = 4_096
_DECODER: Final = json.JSONDecoder()

FAULTS: Final = (
    TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError, SyntaxError, MemoryError, OSError,
)  # fmt: skip
"""What a value of a wrong type or form makes a reader raise."""

Event = tuple[str, int] | tuple[str, int, Mapping[str, Any]]


class View:
    """What a reader may look at.

    Args:
        events: span events as (name, unix ns) or (name, unix ns, attributes), or a function that gives them.
        start: the span's start in unix ns.
    """

    __slots__ = ("_events", "attributes", "name", "parsed", "start")

    def __init__(
        self,
        attributes: Mapping[str, Any],
        name: str = "",
        events: Sequence[Event] | Callable[[], Sequence[Event]] = (),
        start: int = 0,
    ) -> None:
        self.attributes = attributes
        self.name = name
        self.start = start
        self._events = events
        self.parsed: dict[str, Any] = {}

    @property
    def events(self) -> Sequence[Event]:
        """The span's events in their order."""
        if callable(self._events):
            self._events = self._events()
        return self._events


def parsed(name: str, text: Any, view: View, limit: int) -> Any:
    """What a text holds as JSON or as Python's repr of a mapping, None where it does not; once for each span."""
    if not isinstance(text, str):
        return text
    if name in view.parsed:
        return view.parsed[name]
    if len(text) > limit:
        return None
    view.parsed[name] = None
    if text[:1] in ("{", "["):
        view.parsed[name] = literal(text)
    return view.parsed[name]


def literal(text: str) -> Any:
    """What a text of JSON, or a short one of Python's repr, holds; raises what the parsers raise."""
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text) if len(text) < _REPR else None
    except RecursionError:
        return None


def data(value: Any, _: View | None = None) -> Any:
    """What a text of JSON or of Python's repr holds; any other text, and what is no text, as it is, and nothing for an empty one."""
    if not isinstance(value, str):
        return value
    if value[:1] in ("{", "[") and len(value) <= LARGE:
        try:
            found = literal(value)
        except FAULTS:
            return value
        return value if found is None else found
    return value or None


def number(value: Any, _: View | None = None) -> float | int | None:
    """A finite number, None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else None


def decoded(text: str, at: int) -> Any:
    """The JSON value that begins at this place of a text; raises what the parser raises."""
    return _DECODER.raw_decode(text, at)[0]


def mended(text: str) -> str:
    """A text that can be encoded: JSON may hold half of a character, at which exporters and digests stumble."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
