"""The dialect table: which library made a span, and under which names it wrote what. Data only, compiled by its readers.

A reader compiles a dialect's `fields` once: for each field the sources are tried in order and the first that yields a value wins.
A source attribute is never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from truegreen.core.words import attributes as names

TEXT: Final = "text"
NUMBER: Final = "number"
TEXTS: Final = "texts"
MESSAGES: Final = "messages"
DOCUMENTS: Final = "documents"
UNQUOTED: Final = "unquoted"
SECONDS_SINCE_START: Final = "seconds_since_start"
TRANSFORMS: Final = (TEXT, NUMBER, TEXTS, MESSAGES, DOCUMENTS, UNQUOTED, SECONDS_SINCE_START)
"""What a reader does with what it found: `text` a string; `number` an int or float; `texts` a list of strings, a single string being a list of one;
`messages` a list of {role, parts or content}, from JSON or from indexed attributes; `documents` a list of {id, score, text};
`unquoted` a string that was JSON-encoded once more; `seconds_since_start` an ISO 8601 time minus the span's start."""

ATTRIBUTE: Final = "attribute"
EVENT: Final = "event"
SPAN_NAME: Final = "span_name"


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a dialect keeps a field.

    Args:
        name: the attribute. `*` stands for an index: `llm.input_messages.*.message.content` is a list in index order, and its
            element keys are what follows the index. For an event, the span event's name.
        transform: one of `TRANSFORMS`.
        path: keys into the JSON that the attribute holds as text; empty when it holds the value itself.
        add: further keys beside the last of `path` whose numbers are added; a trailing `*` matches every key with that start.
        values: what the dialect writes, mapped to what the GenAI conventions write; a value that is not named yields nothing.
            Empty maps nothing.
        kind: `attribute`; `event` (seconds from the span's start to the first event of that name); `span_name`.
    """

    name: str
    transform: str = TEXT
    path: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    kind: str = ATTRIBUTE


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one family of instrumentations writes.

    Args:
        name: the value of `truegreen.dialect`.
        scopes: starts of instrumentation scope names that select it; the longest start of all dialects wins.
        markers: attributes of which one must be there; with `scopes` empty they alone select it, in the table's order.
        fields: field of `FIELDS` to its sources; a field that the dialect does not have is left out.
    """

    name: str
    scopes: tuple[str, ...]
    markers: tuple[str, ...]
    fields: Mapping[str, tuple[Source, ...]]


FIELDS: Final = (
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "fingerprint",
    "finish_reasons",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "time_to_first_chunk",
    "input_messages",
    "output_messages",
    "system",
    "tool_name",
    "documents",
    "query",
    "data_source",
    "top_k",
    "prompt_name",
    "prompt_version",
    "prompt_template",
    "conversation",
    "session",
    "user",
    "agent",
    "workflow",
    "error_type",
)
"""The normalised fields. Token counts follow the GenAI conventions: cache reads and writes are part of `input_tokens`, reasoning is part of
`output_tokens`."""

_GENAI: Final[Mapping[str, tuple[Source, ...]]] = {
    "operation": (Source(names.OPERATION_NAME),),
    "provider": (Source(names.PROVIDER_NAME),),
    "request_model": (Source(names.REQUEST_MODEL),),
    "response_model": (Source(names.RESPONSE_MODEL),),
    "response_id": (Source(names.RESPONSE_ID),),
    "fingerprint": (Source(names.SYSTEM_FINGERPRINT),),
    "finish_reasons": (Source(names.FINISH_REASONS, TEXTS),),
    "input_tokens": (Source(names.INPUT_TOKENS, NUMBER),),
    "output_tokens": (Source(names.OUTPUT_TOKENS, NUMBER),),
    "cache_read_tokens": (Source(names.CACHE_READ_TOKENS, NUMBER),),
    "cache_write_tokens": (Source(names.CACHE_WRITE_TOKENS, NUMBER), Source("gen_ai.usage.cache_creation.input_tokens", NUMBER)),
    "reasoning_tokens": (Source(names.REASONING_TOKENS, NUMBER),),
    "time_to_first_chunk": (Source(names.TIME_TO_FIRST_CHUNK, NUMBER),),
    "input_messages": (Source(names.INPUT_MESSAGES, MESSAGES),),
    "output_messages": (Source(names.OUTPUT_MESSAGES, MESSAGES),),
    "system": (Source(names.SYSTEM_INSTRUCTIONS, MESSAGES),),
    "tool_name": (Source(names.TOOL_NAME),),
    "documents": (Source(names.RETRIEVAL_DOCUMENTS, DOCUMENTS),),
    "query": (Source(names.RETRIEVAL_QUERY),),
    "data_source": (Source(names.DATA_SOURCE_ID),),
    "top_k": (Source(names.RETRIEVAL_TOP_K, NUMBER),),
    "prompt_name": (Source(names.PROMPT_NAME),),
    "prompt_version": (Source(names.PROMPT_VERSION),),
    "conversation": (Source(names.CONVERSATION_ID),),
    "session": (Source(names.SESSION_ID),),
    "user": (Source(names.USER_ID),),
    "agent": (Source(names.AGENT_NAME),),
    "workflow": (Source(names.WORKFLOW_NAME),),
    "error_type": (Source(names.ERROR_TYPE),),
}

CANONICAL: Final[Mapping[str, str]] = {field: sources[0].name for field, sources in _GENAI.items()} | {
    "prompt_template": names.PROMPT_TEMPLATE
}
"""Field to the attribute that holds it in the conventions (or in ours): what every other name of a dialect stands for."""

DIALECTS: Final[tuple[Dialect, ...]] = (
    Dialect("genai", ("opentelemetry.instrumentation.genai.", "opentelemetry.util.genai."), (names.OPERATION_NAME,), _GENAI),
    Dialect("manual", (), (names.OPERATION_NAME,), _GENAI),
)
"""`genai`: opentelemetry-util-genai 1.3b0 and the instrumentations on it. `manual`: spans that an application writes itself with the same names."""
