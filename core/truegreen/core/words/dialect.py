"""The shapes of the dialect table, and the fields that a normalised record has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TEXT: Final = "text"
NUMBER: Final = "number"
FINISHES: Final = "finishes"
ERROR: Final = "error"
MESSAGES: Final = "messages"
SYSTEM: Final = "system"
DOCUMENTS: Final = "documents"
DATA: Final = "data"
UNQUOTED: Final = "unquoted"
SECONDS_SINCE_START: Final = "seconds_since_start"
TRANSFORMS: Final = (
    TEXT, NUMBER, FINISHES, ERROR, MESSAGES, SYSTEM, DOCUMENTS, DATA, UNQUOTED, SECONDS_SINCE_START,
)  # fmt: skip
"""What a reader does with what it found: `text` a string that is not empty; `number` a finite int or float; `finishes` a tuple of
strings in the words of `FINISH_WORDS`, a single string being one; `error` the name of an exception's class without its module, from
a class's name, from the words of an exception that was formatted, or from those of an HTTP client's message; `messages` a list of {role,
parts} without the system's, `system` the parts of the system's alone, `documents` a list of {id, score, text} (see `messages.py`), all from
JSON or from indexed attributes; `data` JSON or Python's repr of it as data, any other text as it is; `unquoted` a string that was
JSON-encoded once more; `seconds_since_start` an ISO 8601 time minus the span's start."""

ATTRIBUTE: Final = "attribute"
EVENT: Final = "event"
EVENT_ATTRIBUTE: Final = "event_attribute"
SPAN_NAME: Final = "span_name"


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a dialect keeps a field.

    Args:
        name: the attribute. `*` stands for an index: `llm.input_messages.*` is a list in index order, and its elements are mappings of
            what follows the index. For an event, the span event's name.
        transform: one of `TRANSFORMS`.
        path: keys (or indexes) into the JSON that the attribute holds as text; empty when it holds the value itself. The first is the
            event's attribute where the kind is `event_attribute`.
        add: further keys beside the last of `path` whose numbers are added; a trailing `*` matches every key with that start.
        values: what the dialect writes, mapped to what the GenAI conventions write; a value that is not named yields nothing, and so does
            one that is mapped to "". Empty maps nothing. Of texts the lower-case form is looked up too.
        rest: a value that `values` does not name is kept.
        when: an attribute and the values of which it must have one.
        needs: a piece of text that the attribute holds where it is worth parsing.
        kind: `attribute`; `event` (seconds from the span's start to the first event of that name); `event_attribute`; `span_name`.
        role: whose message it is where the source holds a bare text.
        says: what it stands for wherever it gives a value: the value itself is not looked at.
    """

    name: str
    transform: str = TEXT
    path: tuple[str | int, ...] = ()
    add: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    rest: bool = False
    when: tuple[str, tuple[str, ...]] | None = None
    needs: str = ""
    kind: str = ATTRIBUTE
    role: str = "user"
    says: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one family of instrumentations writes.

    Args:
        name: the value of `truegreen.dialect`.
        scopes: starts of instrumentation scope names that select it; the longest start of all dialects wins.
        markers: attributes of which one must be there; with `scopes` empty they alone select it, in the table's order.
        fields: field of `FIELDS` to its sources; for each field the sources are tried in order and the first that yields a value wins. A
            field that the dialect does not have is left out.
        anywhere: attributes of which one selects it in a scope that no dialect names: a vocabulary that applications write by hand.
        canonical: it writes the names of the GenAI conventions, with their values.
    """

    name: str
    scopes: tuple[str, ...]
    markers: tuple[str, ...]
    fields: Mapping[str, tuple[Source, ...]]
    anywhere: tuple[str, ...] = ()
    canonical: bool = False


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
    "error_type",
    "input_messages",
    "output_messages",
    "system",
    "tool_name",
    "tool_call_id",
    "tool_arguments",
    "tool_result",
    "documents",
    "query",
    "data_source",
    "top_k",
    "guardrail",
    "agent",
    "workflow",
    "prompt_name",
    "prompt_version",
    "prompt_template",
    "conversation",
    "session",
    "user",
)
"""The normalised fields. Token counts follow the GenAI conventions: cache reads and writes are part of `input_tokens`, reasoning is part of
`output_tokens`."""

CONTENT_FIELDS: Final = (
    "input_messages", "output_messages", "system", "tool_arguments", "tool_result", "documents", "query",
)  # fmt: skip
"""Fields that hold text of people, models or documents: read for evaluators, never a label, never an attribute of ours."""

TOOL_FINISH: Final = "tool_calls"
FINISH_WORDS: Final[Mapping[str, str]] = {
    "tool_call": TOOL_FINISH, "tool_use": TOOL_FINISH, "function_call": TOOL_FINISH, "tool-calls": TOOL_FINISH,
    "end_turn": "stop", "stop_sequence": "stop", "eos": "stop", "eos_token": "stop", "finish_reason_stop": "stop", "complete": "stop",
    "max_tokens": "length", "max_output_tokens": "length", "finish_reason_max_tokens": "length", "model_context_window_exceeded": "length",
    "model_length": "length", "error_limit": "length",
    "safety": "content_filter", "refusal": "content_filter", "content-filter": "content_filter", "prohibited_content": "content_filter",
    "blocklist": "content_filter", "recitation": "content_filter", "spii": "content_filter", "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter", "image_safety": "content_filter", "image_prohibited_content": "content_filter",
    "image_recitation": "content_filter", "model_armor": "content_filter", "error_toxic": "content_filter",
}  # fmt: skip
"""A provider's word for why an answer ended, in lower case, to the word that OpenAI's API and most instrumentations write."""

FINISHED: Final = tuple(frozenset(FINISH_WORDS.values()))
"""The words that stand for themselves."""

PROVIDERS: Final[Mapping[str, str]] = {
    "google": "gcp.gen_ai", "google_genai": "gcp.gen_ai", "gemini": "gcp.gemini", "vertexai": "gcp.vertex_ai", "vertex_ai": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai", "azure": "azure.ai.openai", "azure_openai": "azure.ai.openai", "bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock", "aws": "aws.bedrock", "mistralai": "mistral_ai", "mistral": "mistral_ai", "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference", "watsonx": "ibm.watsonx.ai", "ibm": "ibm.watsonx.ai", "xai": "x_ai", "openai": "openai",
    "anthropic": "anthropic", "cohere": "cohere", "langchain": "", "langgraph": "", "llamaindex": "", "haystack": "", "crewai": "",
}  # fmt: skip
"""What libraries call a provider, to the conventions' word; a framework is no provider."""


def finish(word: str) -> str:
    """The one word for a provider's word for why an answer ended."""
    lowered = word.lower()
    return FINISH_WORDS.get(lowered, lowered)
