"""The dialect table: which library made a span, and under which names it wrote what. Data only, compiled by its readers.

A source attribute is never overwritten. The rows are in `dialect_genai.py` and `dialect_vendors.py`, what a library leaves out is in
`not_carried.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from truegreen.core.words import attributes as names
from truegreen.core.words import dialect_genai, dialect_vendors
from truegreen.core.words.dialect import (
    ATTRIBUTE,
    CONTENT_FIELDS,
    DATA,
    DOCUMENTS,
    ERROR,
    EVENT,
    EVENT_ATTRIBUTE,
    FIELDS,
    FINISHES,
    MESSAGES,
    NUMBER,
    SECONDS_SINCE_START,
    SPAN_NAME,
    SYSTEM,
    TEXT,
    TRANSFORMS,
    UNQUOTED,
    Dialect,
    Source,
)

__all__ = [
    "ATTRIBUTE", "CANONICAL", "CONTENT_FIELDS", "DATA", "DIALECTS", "DOCUMENTS", "ERROR", "EVENT", "EVENT_ATTRIBUTE", "FIELDS", "FINISHES",
    "MESSAGES", "NUMBER", "SECONDS_SINCE_START", "SPAN_NAME", "SYSTEM", "TEXT", "TRANSFORMS", "UNQUOTED", "Dialect", "Source",
]  # fmt: skip

CANONICAL: Final[Mapping[str, str]] = {field: sources[0].name for field, sources in dialect_genai.GENAI.items()} | {
    "prompt_template": names.PROMPT_TEMPLATE
}
"""Field to the attribute that holds it in the conventions (or in ours): what every other name of a dialect stands for."""

DIALECTS: Final[tuple[Dialect, ...]] = (*dialect_genai.DIALECTS, *dialect_vendors.DIALECTS, dialect_genai.MANUAL)
"""`genai`: opentelemetry-util-genai and the instrumentations on it, and openai-v2 before it. `anthropic`: the spans of Anthropic's own SDK.
`openllmetry`: the packages of traceloop. `openinference`: those of Arize. `langfuse`: the Langfuse SDK. `langsmith`: its OpenTelemetry mode.
`manual`: spans that an application writes itself with the names of the conventions."""
