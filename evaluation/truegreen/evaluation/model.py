"""What a frozen baseline holds: distributions, ratios, and a sketch of each prompt template. Frozen, no I/O, never text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

RESERVOIR: Final = 512
"""Rows that one sketch keeps of one template: enough for an empirical null at the 200 answers of a window."""
LIVE: Final = "live"
EXPECTED: Final = "expected"

Rows = tuple[tuple[float, ...], ...]
Retrievals = tuple[tuple[int, int], ...]
"""Of each retrieval, how many chunks are under the similarity floor of how many, at least one."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A number of a service, such as its latency, over the baseline's days.

    Args:
        count: N, how many values there were.
        quantiles: 101 values, the 0th to 100th percentile; of a histogram linear within a bucket.
        bounds: rising upper bounds of the buckets that the values were counted in; empty where only quantiles are known.
        counts: values in each bucket, one more than `bounds`: the last has no upper bound.
        design_effect: variance inflation of values that come in bursts, at least 1; 1 where nobody measured it.
    """

    count: int
    mean: float
    variance: float
    quantiles: tuple[float, ...]
    bounds: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    design_effect: float = 1.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """Bad events out of all events over the baseline's days; `design_effect` is at least 1."""

    bad: float
    events: float
    design_effect: float = 1.0


@dataclass(frozen=True, slots=True)
class Profile:
    """How one prompt template of one service and environment was answered.

    Where there are query vectors, row i of each sketch is the same answer.

    Args:
        answers: how many answers it was kept from.
        style: a reservoir, at most RESERVOIR rows of `terms.STYLE`.
        answer_vectors: a reservoir of embeddings of answers; may be empty.
        query_vectors: the same of their questions; may be empty.
        embedder: name@version of what made the vectors; empty where there are none.
        source: `live`, or `expected`: made from an evaluation set's expected answers.
        retrievals: a reservoir, where `template` is a data source.
    """

    template: str
    answers: int
    style: Rows
    answer_vectors: Rows = ()
    query_vectors: Rows = ()
    embedder: str = ""
    source: str = LIVE
    retrievals: Retrievals = ()


@dataclass(frozen=True, slots=True)
class FrozenBaseline:
    """What healthy looked like on given days. It is never changed: a new one has a new name.

    Args:
        taken: ISO 8601 time with its offset.
        snapshot: the snapshot id that served, empty where there were several or none is known.
        numbers: name to distribution, such as `latency_seconds`.
        ratios: SLO or signal to bad events out of all.
        days: the days that the numbers and ratios are from, 0 where there are none.
        seed: of every reservoir in it.
    """

    service: str
    environment: str
    taken: str
    snapshot: str = ""
    numbers: Mapping[str, Distribution] = field(default_factory=dict)
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    profiles: tuple[Profile, ...] = ()
    days: float = 0.0
    seed: int = 1
