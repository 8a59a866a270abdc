"""The normalised record that every library's spans must have, from the one conversation of `scenario.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import scenario as s

OTHER_QUESTION = "Where is order 43?"
AGENT, GUARDRAIL = "support", "pii"
TOOL_FAILED = "the warehouse does not answer"
LLM = ("chat", "generate_content", "text_completion", "embeddings")
OPENAI, ANTHROPIC, GEMINI = "openai", "anthropic", "gemini"

Record = Mapping[str, Any]


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [text(content)]}


CALL = {"type": "tool_call", "id": s.TOOL_CALL_ID, "name": s.TOOL, "arguments": s.TOOL_ARGUMENTS}
CALLED = {"role": "assistant", "parts": [CALL]}
RESULT: Mapping[str, Any] = {
    "role": "tool",
    "parts": [{"type": "tool_call_response", "id": s.TOOL_CALL_ID, "response": s.TOOL_RESULT}],
}
ASKED, ANSWERED = said("user", s.QUESTION), said("assistant", s.ANSWER)

PROVIDERS = {OPENAI: "openai", ANTHROPIC: "anthropic", GEMINI: "gcp.gen_ai"}
ERRORS: Mapping[str, Mapping[str, str]] = {
    OPENAI: {"error_429": "RateLimitError", "error_500": "InternalServerError", "timeout": "APITimeoutError"},
    ANTHROPIC: {
        "error_429": "RateLimitError", "error_500": "InternalServerError", "error_529": "OverloadedError", "timeout": "APITimeoutError",
    },
    GEMINI: {"error_429": "ClientError", "error_429_stream": "ClientError", "error_500": "ServerError", "timeout": "ReadTimeout"},
}  # fmt: skip
"""The class that the SDK raises."""


def asked(api: str, question: str = s.QUESTION) -> dict[str, Any]:
    """What is known of a call before it is answered."""
    return {
        "operation": "chat", "provider": PROVIDERS[api], "request_model": s.MODEL_ASKED, "input_messages": [said("user", question)],
        "system": [text(s.SYSTEM)],
    }  # fmt: skip


def answered(api: str, **more: Any) -> dict[str, Any]:
    """A call and its answer, with what the API reports."""
    counted: dict[str, Any] = {
        "input_tokens": s.INPUT_TOKENS, "output_tokens": s.OUTPUT_TOKENS, "cache_read_tokens": s.CACHE_READ_TOKENS,
    }  # fmt: skip
    if api == OPENAI:
        counted["fingerprint"] = s.FINGERPRINT
    if api == ANTHROPIC:
        counted["cache_write_tokens"] = s.CACHE_WRITE_TOKENS
    else:
        counted["reasoning_tokens"] = s.REASONING_TOKENS
    return {
        **asked(api), **counted, "response_model": s.MODEL_SERVED, "response_id": s.RESPONSE_ID, "finish_reasons": ("stop",),
        "output_messages": [ANSWERED], **more,
    }  # fmt: skip


def failed(api: str, case: str) -> Record:
    return {**asked(api), "error_type": ERRORS[api][case]}


def embedded(api: str) -> Record:
    return {
        "operation": "embeddings", "provider": PROVIDERS[api], "request_model": s.EMBEDDING_MODEL, "response_model": s.EMBEDDING_MODEL,
        "input_tokens": s.EMBEDDING_INPUT_TOKENS,
    }  # fmt: skip


def tools(api: str) -> list[Record]:
    result = {**RESULT["parts"][0], **({"response": json.dumps({"result": s.TOOL_RESULT})} if api == GEMINI else {})}
    return [
        answered(
            api, response_id="resp-tool", finish_reasons=("stop" if api == GEMINI else "tool_calls",), output_messages=[CALLED]
        ),
        answered(api, response_id="resp-2", input_messages=[ASKED, CALLED, {**RESULT, "parts": [result]}]),
    ]


def in_chain(api: str, **more: Any) -> Record:
    """A chain puts what it retrieved into its system message, and the tool's result is a word of it."""
    context = "\n".join(document["text"] for document in s.DOCUMENTS)
    return answered(api, response_id="resp-2", system=[text(f"{s.SYSTEM} {context}")], **more)


def without(record: Record, *fields: str) -> Record:
    return {field: value for field, value in record.items() if field not in fields}


def first_chunk(api: str) -> Record:
    return answered(api, time_to_first_chunk=0.25)


RETRIEVAL: Record = {
    "operation": "retrieval", "query": s.QUESTION, "data_source": s.DATA_SOURCE, "top_k": len(s.DOCUMENTS),
    "documents": [dict(d) for d in s.DOCUMENTS],
}  # fmt: skip
TOOL: Record = {
    "operation": "execute_tool", "tool_name": s.TOOL, "tool_arguments": s.TOOL_ARGUMENTS, "tool_result": s.TOOL_RESULT,
    "tool_call_id": s.TOOL_CALL_ID,
}  # fmt: skip
TEXT_FIELDS = ("input_messages", "output_messages", "system")

CASES: Mapping[str, Callable[..., Sequence[Record] | None]] = {
    "chat": lambda api: [answered(api)],
    "chat_truncated": lambda api: [answered(api, finish_reasons=("length",))],
    "chat_async": lambda api: [answered(api)],
    "chat_in_request": lambda api: [answered(api)],
    "chat_stream": lambda api: [first_chunk(api)],
    "chat_stream_async": lambda api: [first_chunk(api)],
    "chat_stream_helper": lambda api: [first_chunk(api)],
    "chat_no_content": lambda api: [without(answered(api), *TEXT_FIELDS)],
    "responses": lambda api: [without(answered(api), "fingerprint")],
    "responses_stream": lambda api: [without(first_chunk(api), "fingerprint")],
    "concurrent": lambda api: [answered(api), answered(api, response_id="resp-3", input_messages=[said("user", OTHER_QUESTION)])],
    "tools": tools,
    "chat_with_gen_ai": lambda api: [answered(api)],
    "embeddings": lambda api: [embedded(api)],
    "embeddings_async": lambda api: [embedded(api)],
    "embeddings_documents": lambda api: [embedded(api)],
    **{case: (lambda api, case=case: [failed(api, case)]) for case in ("error_429", "error_429_stream", "error_500", "error_529", "timeout")},
    "retrieval": lambda _: [],
    "vector_store_search": lambda _: [RETRIEVAL],
    "tool": lambda _: [],
    "guardrail": lambda _: [],
    **dict.fromkeys(("agent", "agent_async", "session_agent"), lambda api: None),
    "chain": lambda api: [in_chain(api)],
    **dict.fromkeys(("tool_error", "tool_raises", "tool_error_in_node"), lambda _: []),
    "prompt": lambda api: [answered(api, prompt_name=s.PROMPT_NAME, prompt_version=str(s.PROMPT_VERSION))],
    "prompt_of_ones_own": lambda api: [answered(api, prompt_version=str(s.PROMPT_VERSION))],
    "conversation": lambda api: [answered(api, conversation=s.SESSION)],
    "prompt_propagated": lambda api: [answered(api, prompt_name=s.PROMPT_NAME, prompt_version=str(s.PROMPT_VERSION))],
    "session": lambda api: [answered(api, conversation=s.SESSION, session=s.SESSION, user=s.USER)],
}  # fmt: skip
"""The calls of a model that each case must give, in the order in which the spans start; what else there is, `STEPS` has."""

STEPS: Mapping[str, Record] = {
    "retrieval": RETRIEVAL, "execute_tool": TOOL, "guardrail": {"operation": "guardrail", "guardrail": GUARDRAIL},
}  # fmt: skip
"""What every span of these operations must be, in any case."""
TOOL_ERRORS: Mapping[str, Record] = {
    "tool_error": {**TOOL, "tool_result": TOOL_FAILED},
    "tool_raises": {**without(TOOL, "tool_result"), "error_type": "ToolException"},
    "tool_error_in_node": {**without(TOOL, "tool_result"), "error_type": "ToolException"},
}
WHOLE = {"invoke_agent": "agent", "create_agent": "agent", "invoke_workflow": "workflow"}
"""Operations whose spans enclose others, and the field that says who they are. What else is on them is compared where it is carried."""
AROUND: Mapping[str, Sequence[str]] = {
    "agent": (AGENT,), "workflow": (AGENT, "support_flow"), "conversation": (s.SESSION,), "session": (s.SESSION,), "user": (s.USER,),
    "prompt_template": ("h3",),
}  # fmt: skip
"""Where a span says which agent, workflow or person it belongs to, it is one of these."""


def whole(case: str, record: Record) -> Record:
    """Who a span is that encloses others, with what it says of them: the question and the answer of the whole."""
    asks, answers = [ASKED], [ANSWERED]
    if case == "prompt":
        asks = [said("user", json.dumps({"question": s.QUESTION}))]
    if case == "tool_error_in_node":  # a graph that has the call of the tool as its state
        asks = answers = [CALLED]
    may = {"request_model": s.MODEL_ASKED, "input_messages": asks, "output_messages": answers}
    operation = record["operation"]
    return {"operation": operation, WHOLE[operation]: AGENT, **{field: value for field, value in may.items() if field in record}}


def expectations(api: str, case: str, records: Sequence[Record]) -> list[Record]:
    """What the records of a case must be, one for each.

    Args:
        records: the records that are operations, in the order in which their spans start.

    Raises:
        KeyError: the case has no expectation.
    """
    calls = CASES[case](api)
    if calls is None:  # an agent that asks for its tool, or one that does not
        asks, answers = tools(api)
        calls = [asks, answers] if sum(r["operation"] in LLM for r in records) == 2 else [answered(api)]
    if case == "prompt" and any(r["operation"] == "retrieval" for r in records):
        calls = [in_chain(api, prompt_name=s.PROMPT_NAME, prompt_version=str(s.PROMPT_VERSION))]
    left = list(calls)
    found: list[Record] = []
    for record in records:
        operation = record["operation"]
        if operation in LLM:
            found.append(left.pop(0) if left else {})
        elif operation in WHOLE:
            found.append(whole(case, record))
        else:
            found.append(TOOL_ERRORS.get(case, STEPS[operation]))
    return found + left
