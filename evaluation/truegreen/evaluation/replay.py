"""Which recorded calls are sent, and in which order. Pure: the same seed gives the same calls."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from truegreen.core.errors import BadInput


class HasModel(Protocol):
    """A recorded call, or what is left of one: it knows its model."""

    @property
    def model(self) -> str:
        """The model's name as recorded."""


Call = TypeVar("Call", bound=HasModel)


def of_models(records: Iterable[Call], models: Sequence[str]) -> Iterator[Call]:
    """The records of the named models, in order; all of them when none is named."""
    return (record for record in records if not models or record.model in models)


def select(records: Sequence[Call], models: Sequence[str], seed: int, n: int | None) -> list[Call]:
    """The records of some models: each once and in order, or `n` drawn with replacement.

    Args:
        models: names as recorded; empty means all.
        seed: of the drawing; without `n` it changes nothing.
        n: how many to draw, at least 1; None takes each once.

    Raises:
        BadInput: a model that no record has; the message names those there are.
    """
    chosen = _chosen(records, models)
    return chosen if n is None else random.Random(seed).choices(chosen, k=n)


def mix(
    records: Sequence[Call], from_models: Sequence[str], to_models: Sequence[str], switch_at: float, total: int, seed: int
) -> Iterator[Call]:
    """Calls of the `from` models for a fraction of the run, then of the `to` models, drawn with replacement.

    Args:
        from_models, to_models: names as recorded; empty means all.
        switch_at: the fraction of `total` before the switch, 0 to 1; at 1 there is none.
        total: how many calls, at least 0.
        seed: of the drawing.

    Raises:
        BadInput: a model that no record has, or a fraction out of range. Raised at the call, not at the first record.
    """
    if not 0 <= switch_at <= 1:
        raise BadInput(f"the switch is a fraction of the run from 0 to 1, found {switch_at:g}")
    before = round(total * switch_at)
    first = _chosen(records, from_models) if before else []
    second = _chosen(records, to_models) if before < total else []
    dice = random.Random(seed)
    return (dice.choice(first if place < before else second) for place in range(total))


def _chosen(records: Sequence[Call], models: Sequence[str]) -> list[Call]:
    there = {record.model for record in records}
    for model in models:
        if model not in there:
            raise BadInput(f"no recorded call of the model {model!r}; there are: {', '.join(sorted(there)) or 'none'}")
    return list(of_models(records, models))
