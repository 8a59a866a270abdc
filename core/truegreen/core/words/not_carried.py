"""What each library leaves out of its spans, or says otherwise, and of what it makes none.

The reference page and the test of the recordings are written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Left:
    """Fields of the normalised record that a library's spans do not have, or have otherwise.

    Args:
        reason: why, in words for a user.
        cases: the cases of the recording for which it holds; empty for all that have the field.
        but: cases for which it does not hold.
        differs: the field is there and says something else; otherwise it is not there.
    """

    fields: tuple[str, ...]
    reason: str
    cases: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Without:
    """Cases of which a library has no span that is an operation.

    Args:
        reason: why, in words for a user.
        played: the call was made; otherwise there is no such call to make.
        read: the call left no span; otherwise it left one that is no operation.
    """

    cases: tuple[str, ...]
    reason: str
    played: bool = True
    read: bool = True


@dataclass(frozen=True, slots=True)
class Driver:
    """One library as it was recorded."""

    dialect: str
    left: tuple[Left, ...]
    without: tuple[Without, ...] = ()


CASES: Final = (
    "chat", "chat_stream", "chat_async", "chat_stream_async", "tools", "embeddings", "error_429", "error_500", "timeout", "retrieval",
)  # fmt: skip
"""What every library is asked for; where it has no span of one, its `without` says why."""
STREAMS: Final = ("chat_stream", "chat_stream_async")
FAILS: Final = ("error_429", "error_500", "timeout")
TEXT: Final = ("input_messages", "output_messages", "system")
_SCORES_ONLY: Final = Left(("documents",), "ids and scores only, never their text", differs=True)
_WHO: Final = Left(("session", "user"), "the conventions know a conversation only")
_TOP_K: Final = Left(("top_k",), "not written")
_STREAM_FINGERPRINT: Final = Left(("fingerprint",), "not read from a stream", STREAMS)
_STREAM_ID: Final = Left(("response_id",), "not read from LangChain's stream", STREAMS)
_STREAM_CHUNK: Final = Left(("time_to_first_chunk",), "the first chunk is not noted")
_ASKED_AS_SERVED: Final = Left(("response_model",), "the model that was asked for, although none answered", FAILS, differs=True)
_STREAM_MODEL: Final = Left(("response_model",), "LangChain's stream: the model that was asked for", STREAMS, differs=True)
_OWN_ERRORS: Final = Left(("error_type",), "the class that LangChain raises in place of the SDK's", FAILS, differs=True)
_NO_CONVERSATION: Final = Left(("conversation",), "a session only", ("session",))
_MASKED: Final = Left(("input_messages", "output_messages"), "what the mask left of the text", ("chat_no_content",), differs=True)
_CALLBACKS: Final = Without(
    ("embeddings", "embeddings_async", "embeddings_documents"),
    "LangChain has no callback for embeddings; an instrumentation of the SDK beneath sees them",
)
_SEARCHED: Final = Without(
    ("vector_store_search",),
    "any request of the SDK is an `LLM` span; one without a model, messages or tokens is no call of a model",
    read=False,
)
_SEARCH: Final = Without(("retrieval",), "`vector_stores.search` makes no span")
_ANTHROPIC: Final = Without(("embeddings", "retrieval"), "Anthropic's API has none", played=False)
_GEMINI: Final = Without(
    ("retrieval",), "Gemini's API has no call for it: file search is a tool inside `generate_content`", played=False
)
_AS_OPENAI: Final = Without(CASES[1:], "those of its instrumentation of the OpenAI SDK: `traceloop_openai`", played=False)

DRIVERS: Final[Mapping[str, Driver]] = {
    "genai_openai": Driver("genai", (
        _STREAM_FINGERPRINT, _SCORES_ONLY, _WHO,
        Left(TEXT, "a span that the application opens itself holds no text of the call folded into it", ("prompt",)),
    )),
    "genai_anthropic": Driver("genai", (
        Left(("time_to_first_chunk",), "not noted where the helper `messages.stream` is used", ("chat_stream_helper",)),
    ), (_ANTHROPIC,)),
    "genai_langchain": Driver("genai", (
        Left(("fingerprint", "data_source", "top_k"), "not written"), _STREAM_ID, _SCORES_ONLY, _OWN_ERRORS, _WHO,
        Left(("prompt_version",), "the name only", ("prompt",)),
    ), (_CALLBACKS,)),
    "openai_v2_latest": Driver("genai", (
        Left(("cache_read_tokens", "reasoning_tokens", "time_to_first_chunk"), "not written"), _STREAM_FINGERPRINT,
        Left(("finish_reasons",), "not read from a stream", STREAMS),
    ), (_SEARCH,)),
    "openai_v2_old": Driver("genai", (
        Left(("cache_read_tokens", "reasoning_tokens", "time_to_first_chunk", "fingerprint"), "not written"),
        Left(("finish_reasons",), "not read from a stream", STREAMS), Left(TEXT, "in log events only"),
    ), (_SEARCH,)),
    "anthropic_native": Driver("anthropic", (
        Left(("output_messages",), "not collected from a stream without its helper", STREAMS), _WHO,
    ), (_ANTHROPIC,)),
    "manual": Driver("manual", (
        Left(("cache_read_tokens", "reasoning_tokens", "fingerprint"), "the recorded application does not write it"),
        Left(("input_messages", "system"), "the recorded application writes text with an answer only", FAILS),
        Left(("error_type",), "the class that the recorded application raises", ("timeout",), differs=True),
    )),
    "traceloop_openai": Driver("openllmetry", (
        _STREAM_FINGERPRINT, Left(("reasoning_tokens",), "not read from a stream", STREAMS),
        Left(("time_to_first_chunk",), "not noted for the Responses API", ("responses_stream",)),
        Left(("cache_read_tokens",), "0 where the API says nothing", ("embeddings",), differs=True),
        Left(("input_messages",), "the embedded text", ("embeddings",), differs=True),
    ), (_SEARCH,)),
    "traceloop_anthropic": Driver("openllmetry", (
        _STREAM_CHUNK,
        Left(("output_tokens",), "of a stream: the sum of two events, of which the last alone is the count",
             (*STREAMS, "chat_stream_helper"), differs=True),
    ), (_ANTHROPIC,)),
    "traceloop_google": Driver("openllmetry", (
        Left(("operation",), "the conventions' word for Gemini's API, `generate_content`", differs=True),
        Left(("output_tokens",), "without the reasoning", differs=True), Left(("reasoning_tokens",), "not written"), _STREAM_CHUNK,
        Left(("response_model",), "the model that was asked for", differs=True),
        Left(("output_messages",), "of a stream: the last chunk", STREAMS, differs=True),
    ), (
        Without(("embeddings", "embeddings_async"), "`embed_content` makes no span"),
        Without(("error_429_stream",), "the span of a stream that the server refuses never ends"), _GEMINI,
    )),
    "traceloop_langchain": Driver("openllmetry", (
        Left(("fingerprint", "reasoning_tokens", "top_k"), "not written"), Left(("documents",), "without their ids", differs=True),
        _STREAM_ID, _STREAM_CHUNK, _STREAM_MODEL, _ASKED_AS_SERVED, _OWN_ERRORS, _NO_CONVERSATION,
        Left(("prompt_name", "prompt_version"), "needs traceloop-sdk"),
    ), (_CALLBACKS,)),
    "traceloop_sdk": Driver("openllmetry", (
        _NO_CONVERSATION, Left(("tool_call_id",), "not written by `@tool`"),
    ), (_AS_OPENAI,)),
    "openinference_openai": Driver("openinference", (
        Left(("response_id", "fingerprint"), "inside `output.value` only, which is hidden with the text", ("chat_no_content",)),
        Left(("finish_reasons",), "not written for the Responses API", ("responses", "responses_stream")), _NO_CONVERSATION,
        Left(("prompt_name",), "a version and a template only"), Left(("tool_call_id", "top_k"), "not written"),
    ), (_SEARCHED,)),
    "openinference_google": Driver("openinference", (
        Left(("request_model",), "the served model only"), Left(("response_id", "time_to_first_chunk"), "not written"),
        Left(("input_tokens",), "not written for embeddings", ("embeddings", "embeddings_async")),
        Left(("output_messages",), "a tool call without its id", ("tools",), differs=True), _NO_CONVERSATION,
        Left(("response_model",), "the model that was asked for, although none answered", (*FAILS, "error_429_stream"), differs=True),
        Left(("prompt_name",), "a version and a template only"),
    ), (_GEMINI,)),
    "openinference_langchain": Driver("openinference", (
        Left(("response_id", "fingerprint"), "inside `output.value` only, which is hidden with the text", ("chat_no_content",)), _STREAM_ID,
        _STREAM_CHUNK, _ASKED_AS_SERVED, _OWN_ERRORS, _NO_CONVERSATION, _TOP_K,
        Left(("prompt_name", "prompt_version"), "not written by LangChain"),
        Left(("tool_arguments",), "the value of a single argument, without its name", differs=True),
        Left(("tool_call_id",), "in the tool's result only, which a failed tool does not have", ("tool_raises", "tool_error_in_node")),
    ), (_CALLBACKS,)),
    "langfuse_openai": Driver("langfuse", (
        Left(("fingerprint", "response_id", "tool_call_id", "top_k"), "not written"),
        Left(("finish_reasons",), "written for a streamed chat completion only", but=STREAMS),
        Left(("request_model",), "overwritten by the model that answered", but=(*FAILS, "embeddings"), differs=True), _ASKED_AS_SERVED, _MASKED, _NO_CONVERSATION,
    )),
    "langfuse_langchain": Driver("langfuse", (
        Left(("fingerprint", "response_id", "finish_reasons", "top_k"), "not written"), _STREAM_MODEL, _ASKED_AS_SERVED, _MASKED,
        Left(("provider",), "in the metadata only, which is masked with the text", ("chat_no_content",)),
        Left(("request_model",), "in the metadata only, which is masked with the text", ("chat_no_content",), differs=True),
        Left(("session", "user", "conversation"), "not on the span of the call"),
        Left(("error_type",), "a message that names no class", ("tool_error", "tool_raises", "tool_error_in_node"), differs=True),
    ), (_CALLBACKS,)),
    "langsmith_openai": Driver("langsmith", (
        Left(("time_to_first_chunk", "tool_call_id", "top_k"), "not written"), _NO_CONVERSATION,
        Left(("finish_reasons",), "not written for the Responses API", ("responses", "responses_stream")),
        Left(("finish_reasons", "response_id", "response_model",
              "fingerprint"), "read from the answer, which is hidden with its text", ("chat_no_content",)),
        Left(("response_model",), "not written for embeddings", ("embeddings",)),
        Left(("output_tokens",), "0 where the API says nothing", ("embeddings",), differs=True),
    )),
}  # fmt: skip
