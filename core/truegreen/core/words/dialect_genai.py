"""Dialects that write the names of the GenAI conventions, whole or with words of their own."""

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
    SYSTEM,
    UNQUOTED,
    Dialect,
    Source,
)  # fmt: skip

GENAI: Final[Mapping[str, tuple[Source, ...]]] = {
    "operation": (Source(names.OPERATION_NAME),),
    "provider": (Source(names.PROVIDER_NAME), Source("gen_ai.system")),
    "request_model": (Source(names.REQUEST_MODEL),),
    "response_model": (Source(names.RESPONSE_MODEL),),
    "response_id": (Source(names.RESPONSE_ID),),
    "fingerprint": (Source(names.SYSTEM_FINGERPRINT), Source("gen_ai.openai.response.system_fingerprint")),
    "finish_reasons": (Source(names.FINISH_REASONS, FINISHES),),
    "input_tokens": (Source(names.INPUT_TOKENS, NUMBER), Source("gen_ai.usage.prompt_tokens", NUMBER)),
    "output_tokens": (Source(names.OUTPUT_TOKENS, NUMBER), Source("gen_ai.usage.completion_tokens", NUMBER)),
    "cache_read_tokens": (Source(names.CACHE_READ_TOKENS, NUMBER),),
    "cache_write_tokens": (Source(names.CACHE_WRITE_TOKENS, NUMBER), Source("gen_ai.usage.cache_creation.input_tokens", NUMBER)),
    "reasoning_tokens": (Source(names.REASONING_TOKENS, NUMBER),),
    "time_to_first_chunk": (Source(names.TIME_TO_FIRST_CHUNK, NUMBER),),
    "error_type": (Source(names.ERROR_TYPE, ERROR),),
    "input_messages": (Source(names.INPUT_MESSAGES, MESSAGES),),
    "output_messages": (Source(names.OUTPUT_MESSAGES, MESSAGES, role="assistant"),),
    "system": (Source(names.SYSTEM_INSTRUCTIONS, SYSTEM, role="system"), Source(names.INPUT_MESSAGES, SYSTEM)),
    "tool_name": (Source(names.TOOL_NAME),),
    "tool_call_id": (Source(names.TOOL_CALL_ID),),
    "tool_arguments": (Source(names.TOOL_ARGUMENTS, DATA),),
    "tool_result": (Source(names.TOOL_RESULT, DATA),),
    "documents": (Source(names.RETRIEVAL_DOCUMENTS, DOCUMENTS),),
    "query": (Source(names.RETRIEVAL_QUERY),),
    "data_source": (Source(names.DATA_SOURCE_ID),),
    "top_k": (Source(names.RETRIEVAL_TOP_K, NUMBER),),
    "guardrail": (Source(names.GUARDRAIL_NAME),),
    "agent": (Source(names.AGENT_NAME),),
    "workflow": (Source(names.WORKFLOW_NAME),),
    "prompt_name": (Source(names.PROMPT_NAME),),
    "prompt_version": (Source(names.PROMPT_VERSION),),
    "conversation": (Source(names.CONVERSATION_ID),),
    "session": (Source(names.SESSION_ID),),
    "user": (Source(names.USER_ID),),
}
"""The first source of each field is the conventions' own name (or ours)."""

_GENAI_SCOPES: Final = (
    "opentelemetry.instrumentation.genai.", "opentelemetry.util.genai.", "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.instrumentation.google_genai",
)  # fmt: skip

_STOPS: Final = (Source("anthropic.message.stop_reason", FINISHES),)
_ANTHROPIC_ERRORS: Final = {
    "rate_limit_error": "RateLimitError", "overloaded_error": "OverloadedError", "api_error": "InternalServerError",
    "authentication_error": "AuthenticationError", "permission_error": "PermissionDeniedError", "not_found_error": "NotFoundError",
    "invalid_request_error": "BadRequestError", "request_too_large": "RequestTooLargeError", "timeout_error": "DeadlineExceededError",
    "client_timeout_error": "APITimeoutError", "client_connection_error": "APIConnectionError",
}  # fmt: skip
"""The API's own word to the class that the SDK raises for it."""

_KIND: Final = "traceloop.span.kind"
_INPUT, _OUTPUT = "traceloop.entity.input", "traceloop.entity.output"
_PROPERTY: Final = "traceloop.association.properties."
_TOOL: Final = (_KIND, ("tool",))
_RETRIEVES: Final = (names.OPERATION_NAME, ("vector_db_retrieve",))
_OPENLLMETRY_OPERATIONS: Final = {
    **{name: name for name in (*names.LLM_OPERATIONS, names.RETRIEVAL_OPERATION, names.TOOL_OPERATION, names.AGENT_OPERATION)},
    "completion": "text_completion", "rerank": "rerank", "vector_db_retrieve": names.RETRIEVAL_OPERATION, "create_agent": "create_agent",
    names.WORKFLOW_OPERATION: names.WORKFLOW_OPERATION,
}  # fmt: skip
_OPENLLMETRY: Final[Mapping[str, tuple[Source, ...]]] = {
    **GENAI,
    # A LangChain sequence is called `invoke_agent` although its kind says workflow; a task is no operation of the conventions.
    "operation": (
        Source(_KIND, values={"workflow": names.WORKFLOW_OPERATION, "agent": names.AGENT_OPERATION, "tool": names.TOOL_OPERATION}),
        Source(names.OPERATION_NAME, values=_OPENLLMETRY_OPERATIONS),
    ),
    "provider": (Source(names.PROVIDER_NAME, values=PROVIDERS, rest=True), Source("gen_ai.system", values=PROVIDERS, rest=True)),
    "fingerprint": (Source("gen_ai.openai.response.system_fingerprint"), Source(names.SYSTEM_FINGERPRINT)),
    "cache_read_tokens": (Source(names.CACHE_READ_TOKENS, NUMBER), Source("gen_ai.usage.cache_read_input_tokens", NUMBER)),
    "cache_write_tokens": (
        Source("gen_ai.usage.cache_creation.input_tokens", NUMBER), Source("gen_ai.usage.cache_creation_input_tokens", NUMBER),
        Source(names.CACHE_WRITE_TOKENS, NUMBER),
    ),
    "reasoning_tokens": (Source("gen_ai.usage.reasoning_tokens", NUMBER), Source(names.REASONING_TOKENS, NUMBER)),
    "time_to_first_chunk": (
        Source("gen_ai.content.completion.chunk", NUMBER, kind=EVENT), Source("llm.content.completion.chunk", NUMBER, kind=EVENT),
        Source(names.TIME_TO_FIRST_CHUNK, NUMBER),
    ),
    "error_type": (
        Source(names.ERROR_TYPE, ERROR), Source("exception", ERROR, kind=EVENT_ATTRIBUTE, path=("exception.type",)),
    ),
    "tool_name": (Source(names.TOOL_NAME), Source("traceloop.entity.name", when=_TOOL)),
    "tool_call_id": (
        Source(names.TOOL_CALL_ID), Source(names.TOOL_ARGUMENTS, path=("kwargs", "tool_call_id")),
        Source(names.TOOL_RESULT, path=("output", "kwargs", "tool_call_id")),
    ),
    "tool_arguments": (
        Source(names.TOOL_ARGUMENTS, DATA, path=("inputs",)), Source(names.TOOL_ARGUMENTS, DATA, path=("input_str",)),
        Source(names.TOOL_ARGUMENTS, DATA), Source(_INPUT, DATA, path=("kwargs",), when=_TOOL),
    ),
    "tool_result": (
        Source(names.TOOL_RESULT, DATA, path=("output", "kwargs", "content")), Source(names.TOOL_RESULT, DATA, path=("output",)),
        Source(names.TOOL_RESULT, DATA), Source(_OUTPUT, UNQUOTED, when=_TOOL),
    ),
    "documents": (Source(_OUTPUT, DOCUMENTS, path=("documents",), when=_RETRIEVES),),
    "query": (Source(_INPUT, path=("query",), when=_RETRIEVES),),
    "data_source": (Source("traceloop.entity.name", when=_RETRIEVES), Source(names.DATA_SOURCE_ID)),
    "agent": (Source(names.AGENT_NAME), Source(_PROPERTY + "lc_agent_name")),
    "workflow": (Source("traceloop.workflow.name"), Source(names.WORKFLOW_NAME)),
    "prompt_name": (Source("traceloop.prompt.key"), Source(names.PROMPT_NAME)),
    "prompt_version": (Source("traceloop.prompt.version"), Source(names.PROMPT_VERSION)),
    "prompt_template": (Source("traceloop.prompt.version_hash"),),
    "conversation": (Source(names.CONVERSATION_ID), Source(_PROPERTY + "thread_id")),
    "session": (Source(_PROPERTY + "session_id"), Source(names.SESSION_ID)),
    "user": (Source(_PROPERTY + "user_id"), Source("gen_ai.user"), Source(names.USER_ID)),
}  # fmt: skip

_PREFIX: Final = "opentelemetry.instrumentation."
_OPENLLMETRY_SCOPES: Final = (
    "traceloop.",
    *(_PREFIX + name for name in (
        "openai.", "anthropic", "langchain", "google_generativeai", "vertexai", "bedrock", "cohere", "mistralai", "groq", "ollama", "together",
        "replicate", "watsonx", "sagemaker", "alephalpha", "transformers", "litellm", "llamaindex", "llama_index", "haystack", "crewai", "agno", "mcp",
        "openai_agents", "writer", "voyageai", "chromadb", "pinecone", "qdrant", "weaviate", "milvus", "marqo", "lancedb",
    )),
)  # fmt: skip

DIALECTS: Final = (
    Dialect("genai", _GENAI_SCOPES, (names.OPERATION_NAME,), GENAI, canonical=True),
    Dialect(
        "anthropic", ("com.anthropic.sdk.",), (names.OPERATION_NAME,),
        {**GENAI, "finish_reasons": _STOPS, "error_type": (Source(names.ERROR_TYPE, ERROR, values=_ANTHROPIC_ERRORS, rest=True),)},
    ),
    Dialect("openllmetry", _OPENLLMETRY_SCOPES, (names.OPERATION_NAME, _KIND), _OPENLLMETRY, anywhere=(_KIND,)),
)  # fmt: skip

MANUAL: Final = Dialect("manual", (), (names.OPERATION_NAME,), GENAI, canonical=True)
