"""Anthropic's Messages API: plain, streamed, with tools, refusing (429, 500, 529) and hanging."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import scenario
from servers import loopback

ERRORS = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}


def serve() -> AbstractContextManager[str]:
    """Yields the base URL that `Anthropic(base_url=…)` takes."""
    return loopback.serve(answer, refuse)


def refuse(status: int) -> loopback.Reply:
    error = {"type": "error", "error": {"type": ERRORS[status], "message": f"asked to answer {status}"}, "request_id": "req-1"}
    return loopback.as_json(error, status, request_id="req-1")


def answer(path: str, body: dict[str, Any]) -> loopback.Reply:
    if not path.startswith("/v1/messages"):
        return loopback.as_json({"type": "error", "error": {"type": "not_found_error", "message": path}}, 404)
    message = reply_to(body)
    if body.get("stream"):
        return loopback.as_events([f"event: {event['type']}\ndata: {json.dumps(event)}" for event in events(message)])
    return loopback.as_json(message, request_id="req-1")


def reply_to(body: dict[str, Any]) -> dict[str, Any]:
    """The tool's call where tools are offered and none has answered yet, else the answer."""
    said = json.dumps(body["messages"])
    asks = bool(body.get("tools")) and "tool_result" not in said
    content: dict[str, Any] = {"type": "text", "text": scenario.ANSWER}
    if asks:
        content = {"type": "tool_use", "id": scenario.TOOL_CALL_ID, "name": scenario.TOOL, "input": scenario.TOOL_ARGUMENTS}
    return {
        "id": scenario.response_id(said, asks_for_tool=asks),
        "type": "message",
        "role": "assistant",
        "model": scenario.MODEL_SERVED,
        "content": [content],
        "stop_reason": "tool_use" if asks else "max_tokens" if body["max_tokens"] == scenario.CUT_AT else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": scenario.INPUT_TOKENS - scenario.CACHE_READ_TOKENS - scenario.CACHE_WRITE_TOKENS,
            "cache_read_input_tokens": scenario.CACHE_READ_TOKENS,
            "cache_creation_input_tokens": scenario.CACHE_WRITE_TOKENS,
            "output_tokens": scenario.OUTPUT_TOKENS,
        },
    }


def events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    (content,) = message["content"]
    text = content["type"] == "text"
    begun = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    whole = content["text"] if text else json.dumps(content["input"])
    deltas = [
        {"type": "text_delta", "text": part} if text else {"type": "input_json_delta", "partial_json": part}
        for part in (whole[:10], whole[10:])
    ]
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {**content, **({"text": ""} if text else {"input": {}})}}
    yield from ({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas)
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": message["usage"]["output_tokens"]},
    }
    yield {"type": "message_stop"}
