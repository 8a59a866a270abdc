"""Google's Gemini API: generateContent, its stream, embeddings, function calls, refusing (429, 500) and hanging."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import scenario
from servers import loopback

ERRORS = {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}


def serve() -> AbstractContextManager[str]:
    """Yields the base URL that `HttpOptions(base_url=…)` takes."""
    return loopback.serve(answer, refuse)


def refuse(status: int) -> loopback.Reply:
    return loopback.as_json({"error": {"code": status, "message": f"asked to answer {status}", "status": ERRORS[status]}}, status)


def answer(path: str, body: dict[str, Any]) -> loopback.Reply:
    """`path` is `/VERSION/models/MODEL:METHOD`, with a query or without."""
    method = path.partition("?")[0].rpartition(":")[2]
    if method == "generateContent":
        return loopback.as_json(reply_to(body))
    if method == "streamGenerateContent":
        return loopback.as_events([f"data: {json.dumps(chunk)}" for chunk in chunks(reply_to(body))])
    if method == "embedContent":
        return loopback.as_json({"embedding": {"values": [0.25, 0.5]}})
    if method == "batchEmbedContents":
        return loopback.as_json({"embeddings": [{"values": [0.25, 0.5]} for _ in body["requests"]]})
    return loopback.as_json({"error": {"code": 404, "message": path, "status": "NOT_FOUND"}}, 404)


def reply_to(body: dict[str, Any]) -> dict[str, Any]:
    """The function's call where functions are offered and none has answered yet, else the answer."""
    said = json.dumps(body["contents"])
    asks = bool(body.get("tools")) and "functionResponse" not in said
    part: dict[str, Any] = {"text": scenario.ANSWER}
    if asks:
        part = {"functionCall": {"id": scenario.TOOL_CALL_ID, "name": scenario.TOOL, "args": scenario.TOOL_ARGUMENTS}}
    cut = body.get("generationConfig", {}).get("maxOutputTokens") == scenario.CUT_AT
    answered = scenario.OUTPUT_TOKENS - scenario.REASONING_TOKENS
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [part]}, "finishReason": "MAX_TOKENS" if cut else "STOP", "index": 0}
        ],
        "modelVersion": scenario.MODEL_SERVED,
        "responseId": scenario.response_id(said, asks_for_tool=asks),
        "usageMetadata": {
            "promptTokenCount": scenario.INPUT_TOKENS,
            "cachedContentTokenCount": scenario.CACHE_READ_TOKENS,
            "candidatesTokenCount": answered,
            "thoughtsTokenCount": scenario.REASONING_TOKENS,
            "totalTokenCount": scenario.INPUT_TOKENS + scenario.OUTPUT_TOKENS,
        },
    }


def chunks(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """`reply` in two parts: why it ended and what it cost come with the last one."""
    (candidate,) = reply["candidates"]
    (part,) = candidate["content"]["parts"]
    if "text" not in part:
        return [reply]

    def chunk(text: str, **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": text}]}
        shared = {key: reply[key] for key in ("modelVersion", "responseId")}
        return {"candidates": [{"content": content, "index": 0, **more}], **shared}

    first, last = part["text"][:10], part["text"][10:]
    return [chunk(first), {**chunk(last, finishReason="STOP"), "usageMetadata": reply["usageMetadata"]}]
