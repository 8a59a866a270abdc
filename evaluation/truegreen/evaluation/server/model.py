"""One item that was accepted, and how an answer is named in a trace."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import SpanContext, TraceFlags

from truegreen.evaluation.server.bodies import Body, Sample

SAMPLE, FEEDBACK, ESCALATION, DOWNSTREAM, REVIEW = KINDS = ("sample", "feedback", "escalation", "downstream", "guardrail_review")
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be sent.

    Args:
        kind: one of `KINDS`.
        at: when it was accepted, in unix ns.
        span: of a sample, the span that it will have; of a later word, the one that it is about, None for none.
        size: bytes that it may hold while it waits.
    """

    kind: str
    service: str
    environment: str
    body: Body
    at: int
    span: SpanContext | None = None
    size: int = 0


def named(service: str, environment: str, own: str) -> SpanContext:
    """The span of the sample that a service calls `own`: the same whenever it is asked for, and nothing of the name can be read from it."""
    digest = hashlib.sha256(f"{service}\x00{environment}\x00{own}".encode()).digest()
    return SpanContext(
        int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big"), is_remote=True, trace_flags=_SAMPLED
    )


def unnamed() -> SpanContext:
    """The span of a sample without a name of its own."""
    return SpanContext(secrets.randbits(128) or 1, secrets.randbits(64) or 1, is_remote=True, trace_flags=_SAMPLED)


def traceparent(span: SpanContext) -> str:
    """As the W3C writes it."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-01"


def context_of(header: str) -> SpanContext | None:
    """The span that a traceparent names; None where it names none (ids of zeros)."""
    _, trace_id, span_id, _ = header.split("-")
    found = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_SAMPLED)
    return found if found.is_valid else None


def named_by_sender(item: Item) -> int:
    """The trace of a sample that its sender has named; 0 for anything else."""
    return item.span.trace_id if item.span and isinstance(item.body, Sample) and item.body.id is not None else 0
