"""Other names of an attribute, from the dialect table: what a dialect calls by another name is looked up after the name of the conventions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from truegreen.core.words.dialects import ATTRIBUTE, CANONICAL, NUMBER, TEXT, Dialect, Source

PLAIN: Final = (TEXT, NUMBER)
"""Transforms that leave a value as the collector reads it anyway."""


def of(table: Iterable[Dialect]) -> Mapping[str, tuple[str, ...]]:
    """The aliases that a table of dialects gives: attribute to its other names, in the table's order, each once.

    Only dialects that write the conventions' names give any: their spans are counted without the normaliser, and what they called by another
    name in an older version is looked up where the attribute itself is not there. A source that a look-up by name cannot express gives none:
    one that maps values, reads inside JSON or an index, parses messages or a time, or is no attribute.
    """
    found: dict[str, dict[str, None]] = {}
    for dialect in table:
        if not dialect.canonical:
            continue
        for field, sources in dialect.fields.items():
            name = CANONICAL.get(field, "")
            for source in sources:
                if name and _is_plain(source) and source.name != name:
                    found.setdefault(name, {})[source.name] = None
    return {name: tuple(others) for name, others in found.items()}


def _is_plain(source: Source) -> bool:
    plain = source.kind == ATTRIBUTE and source.transform in PLAIN
    return plain and not (source.path or source.add or source.values or source.when or "*" in source.name)
