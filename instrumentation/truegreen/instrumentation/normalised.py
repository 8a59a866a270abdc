"""The conventions' names on spans of libraries that have names of their own, so that every backend and collector reads one vocabulary.

A source attribute is never overwritten, text is never copied, and a span that is no operation of the conventions gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import CANONICAL, Dialect
from truegreen.instrumentation.call import Call

_NEEDED: Final = ("operation", "provider", "request_model", "error_type")
_CALL: Final = (
    "response_model", "input_tokens", "output_tokens", "finish_reasons", "cache_read_tokens", "reasoning_tokens", "cache_write_tokens",
    "time_to_first_chunk", "response_id",
)  # fmt: skip
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(names.LLM_OPERATIONS, (*_NEEDED, *_CALL)),
    names.RETRIEVAL_OPERATION: ("operation", "error_type", "data_source", "agent"),
    names.TOOL_OPERATION: ("operation", "error_type", "tool_name", "agent"),
    names.AGENT_OPERATION: ("operation", "error_type", "agent"),
    names.WORKFLOW_OPERATION: ("operation", "error_type", "workflow"),
}
"""What a span of each operation gets, the most needed first: what the metric catalogue reads."""
RESERVED: Final = 24
"""Room that is left for what else is put on the span at its end."""

_plans: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}


def attributes(call: Call, taken: int) -> Mapping[str, Any]:
    """The conventions' attributes that a span lacks.

    Where the span is full each one more would push out the oldest: then only those are put on without which nobody knows the call.

    Args:
        taken: attributes that are about to be put on besides.
    """
    dialect, present = call.dialect, call.attributes
    if dialect.canonical or call.operation not in FIELDS:
        return {}
    room = call.limit - len(present) - taken - RESERVED
    found: dict[str, Any] = {}
    for field, name in _plans.get((dialect.name, call.operation)) or _plan(dialect, call.operation):
        if name in present or (len(found) >= room and field not in _NEEDED):
            continue
        value = call.read(field)
        if value is not None:
            found[name] = value
    return found


def _plan(dialect: Dialect, operation: str) -> tuple[tuple[str, str], ...]:
    """Field and attribute of what a dialect can hold elsewhere than under that attribute."""
    fields = [field for field in FIELDS[operation] if any(s.name != CANONICAL[field] for s in dialect.fields.get(field, ()))]
    _plans[dialect.name, operation] = plan = tuple((field, CANONICAL[field]) for field in fields)
    return plan
