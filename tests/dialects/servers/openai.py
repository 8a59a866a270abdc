"""OpenAI's API: chat completions and responses, plain and streamed, tools, embeddings, a search in a vector store, refusing (429, 500) and hanging."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import scenario
from servers import loopback

ERRORS = {429: ("rate_limit_exceeded", {"Retry-After": "1"}), 500: ("server_error", {})}
TOTAL = scenario.INPUT_TOKENS + scenario.OUTPUT_TOKENS


def serve() -> AbstractContextManager[str]:
    """Yields the URL of which `OpenAI(base_url=f"{url}/v1")` is a client; `{url}/error_429/v1` and `{url}/hang/v1` as `loopback` says."""
    return loopback.serve(answer, refuse)


def refuse(status: int) -> loopback.Reply:
    code, headers = ERRORS[status]
    return loopback.as_json({"error": {"message": f"asked to answer {status}", "type": code, "code": code}}, status, **headers)


def answer(path: str, body: dict[str, Any]) -> loopback.Reply:
    if path == "/v1/chat/completions":
        reply = completion(body)
        return _events(chunks(reply, body)) if body.get("stream") else loopback.as_json(reply)
    if path == "/v1/responses":
        return loopback.as_events(response_events(response(body))) if body.get("stream") else loopback.as_json(response(body))
    if path == "/v1/embeddings":
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vectors = [{"object": "embedding", "index": at, "embedding": [0.25, 0.5]} for at in range(len(texts))]
        usage = {"prompt_tokens": scenario.EMBEDDING_INPUT_TOKENS, "total_tokens": scenario.EMBEDDING_INPUT_TOKENS}
        return loopback.as_json({"object": "list", "model": scenario.EMBEDDING_MODEL, "data": vectors, "usage": usage})
    if path == f"/v1/vector_stores/{scenario.DATA_SOURCE}/search":
        return loopback.as_json(found(body))
    return loopback.as_json({"error": {"message": path, "type": "invalid_request_error"}}, 404)


def found(body: dict[str, Any]) -> dict[str, Any]:
    """What a search in a vector store answers."""
    results = [
        {
            "file_id": one["id"],
            "filename": f"{one['id']}.txt",
            "score": one["score"],
            "attributes": {},
            "content": [{"type": "text", "text": one["text"]}],
        }
        for one in scenario.DOCUMENTS
    ]
    page = {"object": "vector_store.search_results.page", "search_query": [body["query"]]}
    return {**page, "data": results, "has_more": False, "next_page": None}


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """The tool's call where tools are offered and none has answered yet, else the answer."""
    answered = any(message["role"] == "tool" for message in body["messages"])
    asks = bool(body.get("tools")) and not answered
    call = {"name": scenario.TOOL, "arguments": json.dumps(scenario.TOOL_ARGUMENTS)}
    message: dict[str, Any] = {"role": "assistant", "content": scenario.ANSWER}
    if asks:
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": scenario.TOOL_CALL_ID, "type": "function", "function": call}],
        }
    return {
        "id": scenario.response_id(json.dumps(body["messages"]), asks_for_tool=asks),
        "object": "chat.completion",
        "created": 1,
        "model": scenario.MODEL_SERVED,
        "system_fingerprint": scenario.FINGERPRINT,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if asks else _ended(body)}],
        "usage": {
            "prompt_tokens": scenario.INPUT_TOKENS,
            "completion_tokens": scenario.OUTPUT_TOKENS,
            "total_tokens": TOTAL,
            "prompt_tokens_details": {"cached_tokens": scenario.CACHE_READ_TOKENS},
            "completion_tokens_details": {"reasoning_tokens": scenario.REASONING_TOKENS},
        },
    }


def _ended(body: dict[str, Any]) -> str:
    return "length" if body.get("max_tokens") == scenario.CUT_AT else "stop"


def chunks(reply: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    """`reply` in parts; what it cost comes last, in a chunk without choices, when the request asks for it."""
    (choice,) = reply["choices"]
    shared = {key: reply[key] for key in ("id", "created", "model", "system_fingerprint")} | {"object": "chat.completion.chunk"}
    text = choice["message"]["content"]
    deltas = [{"role": "assistant", "content": text[:10]}, {"content": text[10:]}]
    parts = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    parts.append({"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]})
    counted = (body.get("stream_options") or {}).get("include_usage")
    return [{**shared, "choices": [part]} for part in parts] + (
        [{**shared, "choices": [], "usage": reply["usage"]}] if counted else []
    )


def _events(parts: list[dict[str, Any]]) -> loopback.Reply:
    return loopback.as_events([*(f"data: {json.dumps(part)}" for part in parts), "data: [DONE]"])


def response(body: dict[str, Any]) -> dict[str, Any]:
    """What the Responses API answers."""
    text = {"type": "output_text", "text": scenario.ANSWER, "annotations": []}
    return {
        "id": scenario.response_id(json.dumps(body["input"]), asks_for_tool=False),
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": scenario.MODEL_SERVED,
        "output": [{"type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": [text]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": scenario.INPUT_TOKENS,
            "input_tokens_details": {"cached_tokens": scenario.CACHE_READ_TOKENS},
            "output_tokens": scenario.OUTPUT_TOKENS,
            "output_tokens_details": {"reasoning_tokens": scenario.REASONING_TOKENS},
            "total_tokens": TOTAL,
        },
    }


def response_events(whole: dict[str, Any]) -> list[str]:
    """`whole` as the events of a stream."""
    (item,) = whole["output"]
    (part,) = item["content"]
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *(
            {"type": "response.output_text.delta", **place, "delta": delta, "logprobs": []}
            for delta in (part["text"][:10], part["text"][10:])
        ),
        {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': n})}" for n, event in enumerate(events)]
