"""Says on spans that a switch did something: a stamp on the calls inside a block, or a span of ours where no call is made or many are."""

from __future__ import annotations

from contextlib import AbstractContextManager

from truegreen.core.words import attributes as names
from truegreen.core.words.terms import CONTAINED_OPERATION
from truegreen.instrumentation import failures
from truegreen.instrumentation.context import stamp
from truegreen.instrumentation.spans import point


def inside(value: str) -> AbstractContextManager[None]:
    """Stamp the GenAI spans that start in the block with `truegreen.containment=value`, one of `terms.CONTAINMENTS`."""
    return stamp({names.CONTAINMENT: value})


def moment(value: str) -> None:
    """Record a span `contained VALUE` that is stamped itself: it can be counted where the model is not called at all."""
    try:
        point(f"contained {value}", {names.OPERATION_NAME: CONTAINED_OPERATION, names.CONTAINMENT: value})
    except Exception as error:
        failures.count("contained", error)
