"""Says on spans that a switch did something: a stamp on the calls inside a block, or a span of ours where no call is made or many are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry import trace

from truegreen.core.words import attributes as names
from truegreen.core.words.terms import CONTAINED_OPERATION, FAILOVER_EVENT
from truegreen.instrumentation import failures
from truegreen.instrumentation.context import stamp
from truegreen.instrumentation.spans import facts, point


def inside(value: str) -> AbstractContextManager[None]:
    """Stamp the GenAI spans that start in the block with `truegreen.containment=value`, one of `terms.CONTAINMENTS`; empty stamps nothing."""
    return stamp({names.CONTAINMENT: value}) if value else nullcontext()


def moment(value: str, about: Mapping[str, Any] | None = None) -> None:
    """Record a span `contained VALUE` that is stamped itself: it can be counted where the model is not called at all."""
    try:
        told = facts("contained", about or {})
        point(f"contained {value}", {**told, names.OPERATION_NAME: CONTAINED_OPERATION, names.CONTAINMENT: value})
    except Exception as error:
        failures.count("contained", error)


def failed_over(asked: str, served: str, error: BaseException | None = None) -> None:
    """Say on the current span that another model is asked, or has served."""
    try:
        span = trace.get_current_span()
        if not span.is_recording():  # over: LiteLLM tells of an answer after it was given, and the SDK would log a warning
            return
        found = facts("failover", {"from": asked, "to": served, names.ERROR_TYPE: type(error).__qualname__ if error else ""})
        span.add_event(FAILOVER_EVENT, found)
    except Exception as failure:
        failures.count("failover", failure)


def fell_back(asked: str, served: str) -> None:
    """Say that a framework's own fallback has served: an event of the current span, and a span that is counted as `fallback_model`."""
    failed_over(asked, served)
    moment("fallback_model", {names.REQUEST_MODEL: asked, names.RESPONSE_MODEL: served})
