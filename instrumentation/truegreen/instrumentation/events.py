"""Emits the verdict of a judgement made after the span ended: the `gen_ai.evaluation.result` event of the GenAI conventions."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from truegreen.core.words import attributes as names
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import mirrored
from truegreen.instrumentation.shared import shared

SCOPE = "truegreen.instrumentation"
COPIED = (
    names.REQUEST_MODEL, names.COHORT, names.SNAPSHOT_ID, names.PROMPT_TEMPLATE, names.SESSION_ID, names.USER_ID, names.CONVERSATION_ID,
    names.RESPONSE_ID,
)  # fmt: skip
"""What an event repeats of its span, so that a verdict can be sliced as one on a span is."""


def labels(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event repeats of a span with these attributes."""
    return {name: attributes[name] for name in COPIED if attributes.get(name) is not None}


def destination() -> bool:
    """Whether an event would go anywhere: a logger provider of the SDK without a processor exports nothing."""
    provider = _provider()
    if type(provider).__module__.startswith("opentelemetry._logs"):
        return False  # the no-op one, or the proxy of a global one that nobody has set
    combined = getattr(provider, "_multi_log_record_processor", None)
    listed = getattr(combined, "_log_record_processors", None)
    return not isinstance(listed, tuple | list) or bool(listed)


def emit(
    result: Result,
    sampled: str,
    span: SpanContext,
    copied: Mapping[str, Any],
    attributes: Mapping[str, Any],
    logger: Any = None,
    resource: Resource | None = None,
) -> None:
    """Emit one verdict as an event of its span.

    Args:
        sampled: `base` or `boost`.
        span: the context of the span that is judged; it has ended.
        copied: what `labels` gave.
        attributes: the verdict as it would be on the span.
        logger: of the SDK; None takes one of the provider in use.
        resource: the span's; an event of a mirrored call goes where its span goes.
    """
    found: dict[str, Any] = {
        **copied, **attributes, names.EVALUATION_EVENT_NAME: result.evaluation, names.evaluation(result.evaluation, "sampled"): sampled,
        names.EVALUATION_SAMPLED: sampled,
    }  # fmt: skip
    if result.score is not None:
        found[names.EVALUATION_EVENT_VALUE] = result.score
    if result.label:
        found[names.EVALUATION_EVENT_LABEL] = result.label
    if result.skipped == "error":
        found[names.ERROR_TYPE] = "_OTHER"  # the conventions ask for a type where an evaluation failed
    logger = mirrored.logger(logger or _provider().get_logger(SCOPE), resource)
    logger.emit(_record(found, span, logger))


def _provider() -> Any:
    if shared.logs is not None:
        return shared.logs
    from opentelemetry._logs import get_logger_provider

    return get_logger_provider()


def _record(attributes: Mapping[str, Any], span: SpanContext, logger: Any) -> Any:
    """The record as the installed SDK wants it: of the SDK with ids up to 1.38, of the API with a context since."""
    now = time.time_ns()
    import opentelemetry.sdk._logs as sdk

    record: Any = getattr(sdk, "LogRecord", None)
    if record is None:
        from opentelemetry._logs import LogRecord

        context = set_span_in_context(NonRecordingSpan(span))
        return LogRecord(
            timestamp=now,
            observed_timestamp=now,
            context=context,
            attributes=dict(attributes),
            event_name=names.EVALUATION_EVENT,
        )
    from opentelemetry._logs import SeverityNumber

    told: dict[str, Any] = {
        "timestamp": now, "observed_timestamp": now, "trace_id": span.trace_id, "span_id": span.span_id, "trace_flags": span.trace_flags,
        "resource": getattr(logger, "resource", None), "attributes": dict(attributes),
        "severity_number": SeverityNumber.UNSPECIFIED,  # the OTLP exporter of 1.30 fails on a record without one
    }  # fmt: skip
    if "event_name" in inspect.signature(record.__init__).parameters:
        return record(**told, event_name=names.EVALUATION_EVENT)
    told["attributes"][names.EVENT_NAME] = names.EVALUATION_EVENT  # before 1.35 there is no field for it
    return record(**told)
