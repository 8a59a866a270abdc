"""The switches: each reads its flag and stamps the spans of the block with what it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from truegreen.containment import flags
from truegreen.containment.model import PINNED_MODEL
from truegreen.core.words.attributes import CONTAINMENT
from truegreen.instrumentation.context import stamp


@contextmanager
def model(default: str) -> Iterator[str]:
    """The model to call inside the block: `default`, or the pinned one while flag `pinned_model` names one.

    While it does, the GenAI spans that start in the block carry `truegreen.containment=pinned_model`.

    Args:
        default: the configured model.
    """
    pinned = flags.string(PINNED_MODEL)
    if not pinned:
        yield default
        return
    with stamp({CONTAINMENT: PINNED_MODEL}):
        yield pinned
