"""Spans of a dialect through their own names: where its sources are plain attributes, numbers are taken and plans are found by place, without a reader.

What readers make of a span is decided by its names, by the attributes on which sources depend (`when`), and by what the sources hold. So for one
sequence of names and one set of such values, each field is one of three: taken by its place, with a look at the type of the value; part of the key,
by the raw attributes from which a reader makes it when a plan is made; or, where it is inside JSON, an event or a name, read for each span and
put behind the attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from truegreen.collector import wire
from truegreen.collector.compile import PARTS
from truegreen.collector.layout import INTEGER, TEXT, Held, Layout, Layouts, View, evaluations_in
from truegreen.collector.overlay import Overlays, Read, Table, encoded, view_of
from truegreen.core.words import attributes as names
from truegreen.core.words import dialect as shapes
from truegreen.core.words.attributes import EVALUATION_PREFIX
from truegreen.core.words.dialect import Source

_TAGS: Final = {shapes.NUMBER: INTEGER, shapes.TEXT: TEXT}
_SHORT: Final = (shapes.TEXT, shapes.FINISHES, shapes.UNQUOTED)
"""Transforms of values that come again and again; the message of an error does not."""


@dataclass(slots=True, eq=False)
class Translated:
    """One sequence of names in one dialect, with one set of the values on which its sources depend.

    Args:
        heads: how each attribute begins.
        fixed: places of those values, and the attributes.
        events: whether its spans have events.
        view: how they are counted; None where each has to be read whole.
        extras: what is read for each span, under the conventions' names, and the place of what stands there where that is nothing.
        needed: the attributes, with their places, that those readers may look at.
    """

    heads: tuple[bytes, ...]
    fixed: tuple[tuple[int, bytes], ...]
    events: bool
    view: View | None = None
    extras: tuple[tuple[str, Read, int], ...] = ()
    needed: tuple[tuple[str, int], ...] = ()

    def matches(self, held: Held, events: bool) -> bool:
        """Whether it is the one of a span."""
        return (
            events == self.events
            and all(held[at] == pair for at, pair in self.fixed)
            and all(map(bytes.startswith, held, self.heads))
        )

    def extended(self, span: Any, held: Held) -> Held:
        """The attributes of a span with what was read besides."""
        if not self.extras:
            return held
        view = view_of(span, {name: wire.value(held[at]) for name, at in self.needed})
        values = [(name, encoded(read(view)), otherwise) for name, read, otherwise in self.extras]
        more = [held[otherwise] if value is None else wire.pair(name, value) for name, value, otherwise in values]
        return [*held[:-2], *more, *held[-2:]]


class Translator:
    """Makes them.

    Args:
        deciding: attributes on which a plan depends.
        measured: attributes that are taken from each span.
    """

    def __init__(self, overlays: Overlays, layouts: Layouts, deciding: Iterable[str], measured: Iterable[str]) -> None:
        self._overlays = overlays
        self._layouts = layouts
        self._deciding = frozenset(deciding)
        self._measured = frozenset(measured)

    def made(self, kind: Any, span: Any, held: Held) -> Translated:
        """What counts the spans that have the names of this one."""
        pairs = held[:-2]
        heads = tuple(map(wire.head, pairs))
        at = {wire.name(head): i for i, head in enumerate(heads)}
        events = bool(span.events)
        table = self._overlays.table(kind, at)
        if table is None:
            return Translated(heads, (), events)
        conditions = sorted({source.when[0] for sources in table.sources.values() for source in sources if source.when})
        fixed = tuple((at[name], pairs[at[name]]) for name in conditions if name in at)
        made = Translated(heads, fixed, events)
        evaluations = evaluations_in(at)
        if len(evaluations) < 2:
            said = {
                name: wire.value_of(wire.value(pair))
                for name, pair in ((name, pairs[at[name]]) for name in conditions if name in at)
            }
            self._fill(made, table, _Span(at, said, events), evaluations)
        return made

    def _fill(self, made: Translated, table: Table, span: _Span, evaluations: tuple[str, ...]) -> None:
        places = {name: i for name, i in span.at.items() if name in table.kept or name.startswith(EVALUATION_PREFIX)}
        key = {i for i, _ in made.fixed}
        checks: dict[int, int] = {}
        extras: dict[str, Read] = {}
        for name, sources in table.sources.items():
            possible = [source for source in sources if span.may_have(source)]
            sure = next((i for i, source in enumerate(possible) if _is_plain(source)), None)
            if sure is not None and (name not in self._measured or not sure):
                del possible[sure + 1 :]
            if not possible or name not in self._deciding | self._measured:
                continue
            if all(map(_is_short, possible)) and (name not in self._measured or sure == 0):
                touched = [span.at[source.name] for source in possible]
                if sure is not None:
                    checks[touched[-1]] = _TAGS[possible[-1].transform]
                if name in self._deciding:
                    key.update(touched)
                if name in self._measured:
                    places[name] = touched[0]
            else:
                extras[name] = table.readers[name]
        many = len(made.heads)
        made.extras = tuple((name, read, places.get(name, many)) for name, read in extras.items())
        places |= {name: many + i for i, name in enumerate(extras)}
        looked = {one for name in extras for source in table.sources[name] for one in (source.name, *(source.when or ())[:1])}
        made.needed = tuple((name, i) for name, i in span.at.items() if any(_reaches(one, name) for one in looked))
        key.update(self._layouts.positions(places, self._deciding_of(evaluations)))
        made.view = self._layouts.view(
            Layout(
                (*made.heads, *(b"" for _ in extras)), places, (), evaluations, tuple(sorted(key)),
                checks=tuple((i, len(made.heads[i]) + 1, tag) for i, tag in checks.items()),
            )
        )  # fmt: skip

    def _deciding_of(self, evaluations: tuple[str, ...]) -> tuple[str, ...]:
        parts = [names.evaluation(name, part) for name in evaluations for part in PARTS]
        return (*self._deciding, names.DUPLICATE, names.EVALUATION_SAMPLED, *parts)


@dataclass(frozen=True, slots=True)
class _Span:
    """What is known of all spans that one `Translated` counts: where each name stands, the values of conditions, whether there are events."""

    at: Mapping[str, int]
    said: Mapping[str, Any]
    events: bool

    def may_have(self, source: Source) -> bool:
        if source.when and self.said.get(source.when[0]) not in source.when[1]:
            return False
        if source.kind == shapes.ATTRIBUTE:
            return any(_reaches(source.name, name) for name in self.at)
        return source.kind == shapes.SPAN_NAME or self.events


def _reaches(wanted: str, name: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _is_short(source: Source) -> bool:
    """Whether it reads one attribute whose values come again and again, or whose value does not matter."""
    return (
        source.kind == shapes.ATTRIBUTE
        and not source.path
        and "*" not in source.name
        and (_is_plain(source) or source.transform in _SHORT)
    )


def _is_plain(source: Source) -> bool:
    """Whether it gives any value of the attribute that has the right type as it is (or one word for all of them)."""
    whole = source.kind == shapes.ATTRIBUTE and "*" not in source.name and not (source.path or source.values)
    return whole and source.transform in _TAGS and not (source.says and source.transform == shapes.NUMBER)
