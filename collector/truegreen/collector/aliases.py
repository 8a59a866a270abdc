"""Other names of an attribute, from the dialect table: what a dialect calls by another name is looked up after the name of the conventions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from truegreen.core.words.dialects import ATTRIBUTE, CANONICAL, NUMBER, TEXT, TEXTS, Dialect, Source

PLAIN: Final = (TEXT, NUMBER, TEXTS)
"""Transforms that leave a value as the collector reads it anyway."""


def of(table: Iterable[Dialect]) -> Mapping[str, tuple[str, ...]]:
    """The aliases that a table of dialects gives: attribute to its other names, in the table's order, each once.

    A source that a look-up by name cannot express gives none: one that maps values, reads inside JSON or an index, parses messages or a
    time, or is no attribute. An alias holds for spans of every scope, since it is tried only where the attribute itself is not there.
    """
    found: dict[str, dict[str, None]] = {}
    for dialect in table:
        for field, sources in dialect.fields.items():
            name = CANONICAL.get(field, "")
            for source in sources:
                if name and _is_plain(source) and source.name != name:
                    found.setdefault(name, {})[source.name] = None
    return {name: tuple(others) for name, others in found.items()}


def _is_plain(source: Source) -> bool:
    plain = source.kind == ATTRIBUTE and source.transform in PLAIN
    return plain and not (source.path or source.add or source.values or "*" in source.name)
