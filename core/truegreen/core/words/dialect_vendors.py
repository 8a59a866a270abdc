"""Dialects with a vocabulary of their own: OpenInference, the Langfuse SDK, LangSmith's OpenTelemetry mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from truegreen.core.words import attributes as names
from truegreen.core.words.dialect import (
    DATA,
    DOCUMENTS,
    ERROR,
    EVENT,
    EVENT_ATTRIBUTE,
    FINISHES,
    MESSAGES,
    NUMBER,
    PROVIDERS,
    SECONDS_SINCE_START,
    SPAN_NAME,
    SYSTEM,
    UNQUOTED,
    Dialect,
    Source,
)  # fmt: skip

GUARDRAIL: Final = "guardrail"
"""The operation of a guardrail's span: the conventions have none."""
RERANK: Final = "rerank"

_KIND: Final = "openinference.span.kind"
_INPUT, _OUTPUT, _PARAMETERS = "input.value", "output.value", "llm.invocation_parameters"
_CHUNK, _RESULT = '"ChatGenerationChunk"', '"llm_output": {'
_LLM: Final = (_KIND, ("LLM",))
_RETRIEVER: Final = (_KIND, ("RETRIEVER",))
_TOOL: Final = (_KIND, ("TOOL",))
_RAISED: Final = Source("exception", ERROR, kind=EVENT_ATTRIBUTE, path=("exception.type",))

_OPENINFERENCE: Final[Mapping[str, tuple[Source, ...]]] = {
    # Of the OpenAI SDK any request is an `LLM` span, `files.delete` too: a call of a model has a model, messages or tokens.
    "operation": (
        Source("llm.model_name", when=_LLM, says="chat"), Source(_PARAMETERS, path=("model",), when=_LLM, says="chat"),
        Source(_PARAMETERS, path=("model_name",), when=_LLM, says="chat"), Source("llm.request.model_name", when=_LLM, says="chat"),
        Source("llm.response.model_name", when=_LLM, says="chat"), Source("llm.input_messages.0.message.role", when=_LLM, says="chat"),
        Source("llm.output_messages.0.message.role", when=_LLM, says="chat"), Source("llm.token_count.prompt", NUMBER, when=_LLM, says="chat"),
        Source(_KIND, values={
            "EMBEDDING": "embeddings", "RETRIEVER": names.RETRIEVAL_OPERATION, "TOOL": names.TOOL_OPERATION, "AGENT": names.AGENT_OPERATION, "GUARDRAIL": GUARDRAIL, "RERANKER": RERANK,
        }),
    ),
    "provider": (Source("llm.provider", values=PROVIDERS, rest=True), Source("llm.system", values=PROVIDERS, rest=True)),
    "request_model": (
        Source("llm.request.model_name"), Source(_PARAMETERS, path=("model",)), Source(_PARAMETERS, path=("model_name",)),
        Source("embedding.invocation_parameters", path=("model",)),
    ),
    # A LangChain stream and a failed call repeat the model asked for in `llm.model_name`.
    "response_model": (
        Source(_OUTPUT, path=("generations", 0, 0, "generation_info", "model_name"), needs=_CHUNK, when=_LLM), Source("llm.response.model_name"),
        Source("llm.model_name"), Source("embedding.model_name"),
    ),
    "response_id": (Source(_OUTPUT, path=("llm_output", "id"), needs=_RESULT, when=_LLM), Source(_OUTPUT, path=("id",), when=_LLM)),
    "fingerprint": (
        Source(_OUTPUT, path=("llm_output", "system_fingerprint"), needs=_RESULT, when=_LLM),
        Source(_OUTPUT, path=("system_fingerprint",), needs="system_fingerprint", when=_LLM),
        Source(_OUTPUT, path=("generations", 0, 0, "generation_info", "system_fingerprint"), needs=_CHUNK, when=_LLM),
    ),
    "finish_reasons": (Source("llm.finish_reason", FINISHES),),
    "input_tokens": (Source("llm.token_count.prompt", NUMBER),),
    "output_tokens": (Source("llm.token_count.completion", NUMBER),),
    "cache_read_tokens": (Source("llm.token_count.prompt_details.cache_read", NUMBER),),
    "cache_write_tokens": (Source("llm.token_count.prompt_details.cache_write", NUMBER),),
    "reasoning_tokens": (Source("llm.token_count.completion_details.reasoning", NUMBER),),
    "time_to_first_chunk": (Source("First Token Stream Event", NUMBER, kind=EVENT),),
    "error_type": (Source(names.ERROR_TYPE, ERROR), _RAISED),
    "input_messages": (Source("llm.input_messages.*", MESSAGES),),
    "output_messages": (Source("llm.output_messages.*", MESSAGES, role="assistant"),),
    "system": (Source("llm.input_messages.*", SYSTEM),),
    "tool_name": (Source("tool.name"), Source("", when=_TOOL, kind=SPAN_NAME)),
    "tool_call_id": (Source("tool_call.id"), Source("tool.id"), Source(_OUTPUT, path=("data", "tool_call_id"), when=_TOOL)),
    "tool_arguments": (Source(_INPUT, DATA, when=_TOOL),),  # `tool.parameters` is the schema
    "tool_result": (Source(_OUTPUT, DATA, path=("data", "content"), when=_TOOL), Source(_OUTPUT, DATA, when=_TOOL)),
    "documents": (
        Source(_OUTPUT, DOCUMENTS, path=("documents",), when=_RETRIEVER), Source("retrieval.documents.*", DOCUMENTS),
        Source("reranker.output_documents.*", DOCUMENTS),
    ),
    "query": (Source(_INPUT, when=_RETRIEVER), Source("reranker.query")),
    "data_source": (Source("metadata", path=("ls_retriever_name",), when=_RETRIEVER), Source("", when=_RETRIEVER, kind=SPAN_NAME)),
    "top_k": (Source("reranker.top_k", NUMBER),),
    GUARDRAIL: (Source("", when=(_KIND, ("GUARDRAIL",)), kind=SPAN_NAME),),
    "agent": (
        Source("agent.name"), Source("metadata", path=("lc_agent_name",)), Source("", when=(_KIND, ("AGENT",)), kind=SPAN_NAME),
    ),
    "prompt_name": (Source("prompt.id"),),
    "prompt_version": (Source("llm.prompt_template.version"),),
    "session": (Source(names.SESSION_ID),),
    "user": (Source(names.USER_ID), Source("metadata", path=("user_id",))),
    "conversation": (Source("metadata", path=("thread_id",)),),
}  # fmt: skip

_TYPE: Final = "langfuse.observation.type"
_ASKED, _ANSWERED = "langfuse.observation.input", "langfuse.observation.output"
_USAGE, _METADATA = "langfuse.observation.usage_details", "langfuse.observation.metadata."
_SEARCH: Final = (_TYPE, ("retriever",))
_USED: Final = (_TYPE, ("tool",))
_GENERATED: Final = (_TYPE, ("generation",))

# Usage comes in three forms: OpenAI's two APIs raw, in which the input holds the cache; LangChain's, in which it does not; a user's own.
_LANGFUSE: Final[Mapping[str, tuple[Source, ...]]] = {
    "operation": (
        Source(_TYPE, values={
            "generation": "chat", "embedding": "embeddings", "retriever": names.RETRIEVAL_OPERATION, "tool": names.TOOL_OPERATION,
            "agent": names.AGENT_OPERATION, "guardrail": GUARDRAIL,
        }),
    ),
    "provider": (
        Source(_METADATA + "ls_provider", UNQUOTED, values=PROVIDERS, rest=True),
        Source("", values={"OpenAI-generation": "openai", "OpenAI-embedding": "openai"}, kind=SPAN_NAME),
    ),
    "request_model": (Source(_METADATA + "ls_model_name", UNQUOTED), Source("langfuse.observation.model.name")),
    "response_model": (Source("langfuse.observation.model.name"),),
    "finish_reasons": (Source(_METADATA + "finish_reason", FINISHES),),
    "input_tokens": (
        Source(_USAGE, NUMBER, path=("prompt_tokens",)), Source(_USAGE, NUMBER, path=("input_tokens",)),
        Source(_USAGE, NUMBER, path=("input",), add=("input_*",)),
    ),
    "output_tokens": (
        Source(_USAGE, NUMBER, path=("completion_tokens",)), Source(_USAGE, NUMBER, path=("output_tokens",)),
        Source(_USAGE, NUMBER, path=("output",), add=("output_*",)),
    ),
    "cache_read_tokens": (
        Source(_USAGE, NUMBER, path=("prompt_tokens_details", "cached_tokens")),
        Source(_USAGE, NUMBER, path=("input_tokens_details", "cached_tokens")), Source(_USAGE, NUMBER, path=("input_cache_read",)),
        Source(_USAGE, NUMBER, path=("cache_read_input_tokens",)),
    ),
    "cache_write_tokens": (
        Source(_USAGE, NUMBER, path=("input_cache_creation",)), Source(_USAGE, NUMBER, path=("cache_creation_input_tokens",)),
    ),
    "reasoning_tokens": (
        Source(_USAGE, NUMBER, path=("completion_tokens_details", "reasoning_tokens")),
        Source(_USAGE, NUMBER, path=("output_tokens_details", "reasoning_tokens")), Source(_USAGE, NUMBER, path=("output_reasoning",)),
    ),
    "time_to_first_chunk": (Source("langfuse.observation.completion_start_time", SECONDS_SINCE_START),),
    "error_type": (
        Source(names.ERROR_TYPE, ERROR), _RAISED,
        Source("langfuse.observation.status_message", ERROR, when=("langfuse.observation.level", ("ERROR",))),
    ),
    "input_messages": (Source(_ASKED, MESSAGES, when=_GENERATED),),
    "output_messages": (Source(_ANSWERED, MESSAGES, role="assistant", when=_GENERATED),),
    "system": (Source(_ASKED, SYSTEM, when=_GENERATED),),
    "tool_name": (Source("", when=_USED, kind=SPAN_NAME),),
    "tool_call_id": (Source(_METADATA + "tool_call_id", UNQUOTED), Source(_ANSWERED, path=("tool_call_id",), when=_USED)),
    "tool_arguments": (Source(_ASKED, DATA, path=("kwargs",), when=_USED), Source(_ASKED, DATA, when=_USED)),
    "tool_result": (Source(_ANSWERED, DATA, path=("content",), when=_USED), Source(_ANSWERED, DATA, when=_USED)),
    "documents": (Source(_ANSWERED, DOCUMENTS, path=("documents",), when=_SEARCH), Source(_ANSWERED, DOCUMENTS, when=_SEARCH)),
    "query": (
        Source(_ASKED, path=("args", 0), when=_SEARCH), Source(_ASKED, path=("kwargs", "query"), when=_SEARCH), Source(_ASKED, when=_SEARCH),
    ),
    "data_source": (Source("", when=_SEARCH, kind=SPAN_NAME),),
    GUARDRAIL: (Source("", when=(_TYPE, ("guardrail",)), kind=SPAN_NAME),),
    "agent": (Source(_METADATA + "lc_agent_name", UNQUOTED), Source("", when=(_TYPE, ("agent",)), kind=SPAN_NAME)),
    "prompt_name": (Source("langfuse.observation.prompt.name"),),
    "prompt_version": (Source("langfuse.observation.prompt.version"),),
    "session": (Source(names.SESSION_ID), Source(_METADATA + "session_id", UNQUOTED)),
    "user": (Source(names.USER_ID), Source(_METADATA + "user_id", UNQUOTED)),
    "conversation": (Source(_METADATA + "thread_id", UNQUOTED),),
}  # fmt: skip

_RUN: Final = "langsmith.span.kind"
_PROMPT, _COMPLETION, _DATA = "gen_ai.prompt", "gen_ai.completion", "langsmith.metadata."
_FOUND: Final = (_RUN, ("retriever",))
_CALLED: Final = (_RUN, ("tool",))
_MODEL: Final = (_RUN, ("llm",))
_CALL: Final = (_RUN, ("llm", "embedding"))
_USED_UP: Final = _DATA + "usage_metadata"
_IN_DETAIL, _OUT_DETAIL = "gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details"

# The kind of the run is what holds: `gen_ai.operation.name` of a retriever is `embeddings`. `gen_ai.system` is `langchain` whoever answered, and
# `langsmith.trace.session_name` is the project.
_LANGSMITH: Final[Mapping[str, tuple[Source, ...]]] = {
    "operation": (
        Source(_RUN, values={
            "llm": "chat", "embedding": "embeddings", "retriever": names.RETRIEVAL_OPERATION, "tool": names.TOOL_OPERATION,
        }),
    ),
    "provider": (
        Source(_DATA + "ls_provider", values=PROVIDERS, rest=True), Source("gen_ai.system", values=PROVIDERS, rest=True, when=_CALL),
    ),
    "request_model": (Source(names.REQUEST_MODEL), Source(_DATA + "ls_model_name")),
    "response_model": (Source(names.RESPONSE_MODEL),),
    "response_id": (Source(names.RESPONSE_ID),),
    "fingerprint": (Source("gen_ai.response.system_fingerprint"),),
    "finish_reasons": (Source(names.FINISH_REASONS, FINISHES),),
    "input_tokens": (Source(names.INPUT_TOKENS, NUMBER), Source(_USED_UP, NUMBER, path=("input_tokens",))),
    "output_tokens": (Source(names.OUTPUT_TOKENS, NUMBER), Source(_USED_UP, NUMBER, path=("output_tokens",))),
    "cache_read_tokens": (Source(_USED_UP, NUMBER, path=("input_token_details", "cache_read")), Source(_IN_DETAIL, NUMBER, path=("cache_read",), needs="cache_read")),
    "cache_write_tokens": (Source(_USED_UP, NUMBER, path=("input_token_details", "cache_creation")), Source(_IN_DETAIL, NUMBER, path=("cache_creation",), needs="cache_creation")),
    "reasoning_tokens": (Source(_USED_UP, NUMBER, path=("output_token_details", "reasoning")), Source(_OUT_DETAIL, NUMBER, path=("reasoning",), needs="reasoning")),
    # The type is `Exception` whatever was raised; the class stands in the message, and the status may be OK.
    "error_type": (Source(names.ERROR_TYPE, ERROR), Source("exception", ERROR, kind=EVENT_ATTRIBUTE, path=("exception.message",))),
    "input_messages": (Source(_PROMPT, MESSAGES, when=_MODEL),),
    "output_messages": (Source(_COMPLETION, MESSAGES, role="assistant", when=_MODEL),),
    "system": (Source(_PROMPT, SYSTEM, when=_MODEL),),
    "tool_name": (Source(names.TOOL_NAME), Source("", when=_CALLED, kind=SPAN_NAME)),
    "tool_call_id": (Source(_COMPLETION, path=("output", "tool_call_id"), when=_CALLED),),
    "tool_arguments": (Source(_PROMPT, DATA, when=_CALLED),),
    "tool_result": (
        Source(_COMPLETION, DATA, path=("output", "content"), when=_CALLED), Source(_COMPLETION, DATA, path=("output",), when=_CALLED),
    ),
    "documents": (Source(_COMPLETION, DOCUMENTS, path=("output",), when=_FOUND), Source(_COMPLETION, DOCUMENTS, path=("documents",), when=_FOUND)),
    "query": (Source(_PROMPT, path=("query",), when=_FOUND),),
    "data_source": (Source("", when=_FOUND, kind=SPAN_NAME),),
    "agent": (Source(_DATA + "lc_agent_name"),),
    "prompt_name": (Source(_DATA + "prompt_name"), Source(_DATA + "lc_hub_repo")),
    "prompt_version": (Source(_DATA + "prompt_version"), Source(_DATA + "lc_hub_commit_hash")),
    "conversation": (Source(_DATA + "thread_id"), Source(_DATA + "conversation_id")),
    "session": (Source(_DATA + "session_id"),),
    "user": (Source(_DATA + "user_id"),),
}  # fmt: skip

DIALECTS: Final = (
    Dialect("openinference", ("openinference.",), (_KIND,), _OPENINFERENCE, anywhere=(_KIND,)),
    Dialect("langfuse", ("langfuse-sdk",), (_TYPE,), _LANGFUSE, anywhere=(_TYPE,)),
    Dialect("langsmith", ("langsmith",), (_RUN,), _LANGSMITH, anywhere=(_RUN,)),
)
