"""The protocol of a place for vectors, and its shapes. Frozen, no I/O, never text."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MOST: Final = 10_000
"""Rows of a group that a centroid is taken over, the newest: what Weaviate gives in all by default, and local files keep."""


@dataclass(frozen=True, slots=True)
class Row:
    """One vector and when it was made, Unix seconds."""

    time: float
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A row that is near to a question, with the cosine of the angle between them: 1 for the same direction."""

    row: Row
    alike: float


@dataclass(frozen=True, slots=True)
class Group:
    """Whose vectors: they are kept and asked for by it. `kind` is `answer` or `query`; `embedder` is what made them."""

    service: str
    environment: str
    template: str
    kind: str
    embedder: str

    @property
    def key(self) -> str:
        """A name without any sign that a store could object to, the same in every process."""
        whose = (self.service, self.environment, self.template, self.kind, self.embedder)
        return uuid.uuid5(uuid.NAMESPACE_URL, repr(whose)).hex


class Vectors(Protocol):
    """A place for vectors; every method may raise `Failed` where the place cannot be reached."""

    def put(self, group: Group, rows: Sequence[Row]) -> None:
        """Keep rows of one size; a row that is there already is not kept twice."""

    def nearest(self, group: Group, vector: Sequence[float], many: int) -> list[Near]:
        """The nearest rows by cosine, the nearest first."""

    def centroid(self, group: Group) -> tuple[float, ...]:
        """The mean of the newest rows; empty where there is none."""

    def count(self, group: Group) -> int:
        """How many rows there are."""

    def close(self) -> None:
        """Let go of connections."""


def row_id(group: Group, row: Row) -> str:
    """A UUID of a row: the same row has the same, so that a retry keeps it once."""
    return str(uuid.uuid5(uuid.UUID(group.key), f"{row.time!r} {row.vector!r}"))


def mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The mean of rows of one size; empty of none."""
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
