"""Reads spans of dialects that do not write the conventions' names: their attributes as if they did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any, Final

from truegreen.collector import aliases, wire
from truegreen.core.words import normalise
from truegreen.core.words.attributes import EVALUATION_PREFIX
from truegreen.core.words.dialects import CANONICAL, Dialect, Source
from truegreen.core.words.view import Event, View

Raw = Mapping[str, bytes]
Needed = Mapping[str, Mapping[bytes | None, frozenset[str]]]
Read = Callable[[View], Any]
Overlay = Callable[[Any, Raw], Raw | None]
"""A span and its attributes, to those attributes in the conventions' names; None where they are not of the dialect and stand as they are."""
SCOPES: Final = 1_024
LONGEST: Final = 256
"""A longer scope name is worked out anew each time."""
DECIDED: Final = ("operation", "provider")
"""Fields of which the dialect has the last word: what stands under the conventions' names, old or new, may be something else."""
_double: Final = Struct("<d").pack


@dataclass(frozen=True, slots=True)
class Table:
    """What an overlay reads.

    Args:
        markers: attributes of which a span of the dialect has one.
        sources, readers: by the attribute of the conventions.
        kept: attributes that stand for themselves where no reader has something.
    """

    markers: tuple[str, ...]
    sources: Mapping[str, tuple[Source, ...]]
    readers: Mapping[str, Read]
    kept: frozenset[str]


class Overlays:
    """Which look-up the spans of a scope need.

    Args:
        wanted: the attributes that the collector looks at.
        table: dialects in their order.
        needed: what `compile.needed` gave.
    """

    def __init__(self, wanted: Iterable[str], table: Iterable[Dialect], needed: Needed) -> None:
        self._wanted = frozenset(wanted)
        self._table = tuple(table)
        others = [dialect for dialect in self._table if not dialect.canonical]
        old = aliases.of(self._table)
        tables = {dialect.name: _table(dialect, self._wanted, old) for dialect in others}
        self._made = {name: _overlay(table, needed) for name, table in tables.items()}
        self._tables = {self._made[name]: table for name, table in tables.items()}
        self._marks = tuple((mark, self._made.get(dialect.name)) for mark, dialect in normalise.marks(self._table))
        self.marks = tuple(mark for mark, overlay in self._marks if overlay)
        self._known: dict[bytes, Overlay | bool] = {}
        self.marked: Overlay = self._marked

    def of(self, scope: bytes) -> Overlay | bool:
        """The overlay of a scope; False where its spans have the conventions' names, `marked` where each has to say."""
        known = self._known.get(scope)
        if known is not None:
            return known
        dialect = normalise.of_scope(scope[:LONGEST].decode("utf-8", "replace"), self._table)
        found: Overlay | bool = self.marked if dialect is None else self._made.get(dialect.name, False)
        if len(scope) < LONGEST:
            if len(self._known) >= SCOPES:
                self._known.clear()
            self._known[scope] = found
        return found

    def table(self, overlay: Any, attributes: Mapping[str, Any]) -> Table | None:
        """What is read of the spans of an overlay that have these attributes; None where they stand as they are."""
        if overlay == self.marked:
            overlay = next((other for mark, other in self._marks if mark in attributes), None)
        table = self._tables.get(overlay)
        return table if table and any(marker in attributes for marker in table.markers) else None

    def _marked(self, span: Any, raw: Raw) -> Raw | None:
        for mark, overlay in self._marks:
            if mark in raw:
                return overlay(span, raw) if overlay else None
        return None


class _Attributes(Mapping[str, Any]):
    """A span's attributes, each decoded when it is asked for."""

    __slots__ = ("_kept", "_raw")

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._kept: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return wire.value_of(self._raw[name])

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute's value."""
        if name not in self._kept:
            raw = self._raw.get(name)
            self._kept[name] = None if raw is None else wire.value_of(raw)
        found = self._kept[name]
        return default if found is None else found


def _table(dialect: Dialect, wanted: frozenset[str], old: Mapping[str, tuple[str, ...]]) -> Table:
    compiled = normalise.compile_(dialect)
    readers = {CANONICAL[field]: read for field, read in compiled.items() if CANONICAL.get(field) in wanted}
    decided = frozenset(CANONICAL[field] for field in DECIDED)
    passed_over = frozenset(name for attribute in decided for name in old.get(attribute, ()))
    read_on = (wanted | {name for attribute in wanted for name in old.get(attribute, ())}) - passed_over - decided
    sources = {CANONICAL[field]: dialect.fields[field] for field in compiled if CANONICAL.get(field) in wanted}
    return Table(dialect.markers, sources, readers, read_on)


def _overlay(table: Table, needed: Needed) -> Overlay:
    markers, readers, read_on = table.markers, table.readers, table.kept
    first = tuple((name, read) for name, read in readers.items() if name in needed)
    others = tuple((name, read) for name, read in readers.items() if name not in needed)

    by_value = {
        gate: {value: tuple((name, read) for name, read in others if name in reads) for value, reads in values.items()}
        for gate, values in needed.items()
    }

    def overlay(span: Any, raw: Raw) -> Raw | None:
        if not any(marker in raw for marker in markers):
            return None
        view = view_of(span, raw)
        made = {name: value for name, value in raw.items() if name in read_on or name.startswith(EVALUATION_PREFIX)}
        for name, read in first:
            found = encoded(read(view))
            if found is not None:
                made[name] = found
        found_gates = [name for name in needed if name in made]
        if not found_gates:
            return {}
        chosen = others
        if len(found_gates) == 1 and not any(name.startswith(EVALUATION_PREFIX) for name in made):
            chosen = by_value[found_gates[0]].get(made[found_gates[0]], others)
        for name, read in chosen:
            found = encoded(read(view))
            if found is not None:
                made[name] = found
        return made

    return overlay


def view_of(span: Any, raw: Raw) -> View:
    """A span as readers see it, with these attributes."""
    return View(_Attributes(raw), span.name.decode("utf-8", "replace"), lambda: _events(span), span.start)


def _events(span: Any) -> list[Event]:
    found: list[Event] = []
    for raw in span.events:
        try:
            event = wire.parse_event(raw)
        except wire.DecodeError:
            continue
        found.append((event.name.decode("utf-8", "replace"), event.time, _Attributes(event.attributes)))
    return found


def encoded(value: Any) -> bytes | None:
    """The bytes of an AnyValue: what the reader made of it is a text, a number or a tuple of texts; anything else is no label."""
    if value is None:
        return None
    if isinstance(value, str):
        return wire.encoded(value)
    if isinstance(value, tuple):
        return wire.encoded_list([item for item in value if isinstance(item, str)])
    try:
        return b"\x21" + _double(value)
    except (TypeError, ArithmeticError, StructError):
        return None
