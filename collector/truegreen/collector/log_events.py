"""Evaluation events: log records that are counted as if a span carried the evaluation. Pure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from truegreen.collector import wire
from truegreen.core.words import attributes as names


def as_span(record: Any) -> SimpleNamespace | None:
    """What the processor looks at of a record of the shadow; None where it does not name its evaluation."""
    found = dict(record.attributes)
    name = wire.text(found.get("gen_ai.evaluation.name", b""))
    if not name:
        return None
    for part, own in (("label", "gen_ai.evaluation.score.label"), ("score", "gen_ai.evaluation.score.value")):
        if own in found:
            found.setdefault(names.evaluation(name, part), found[own])
    if names.evaluation(name, "label") not in found and names.ERROR_TYPE in found:
        found.setdefault(names.evaluation(name, "skipped"), wire.encoded("error"))
    return SimpleNamespace(
        attributes=[wire.pair(name, value) for name, value in found.items()],
        status=b"",
        start=0,
        end=record.time or record.observed,
        trace_id=record.trace_id,
        span_id=record.span_id,
        evaluation=name,
    )
