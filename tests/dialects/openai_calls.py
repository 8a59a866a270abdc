"""The conversation in calls of the OpenAI SDK, for every library that watches it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import scenario
from recorder import must_raise

TIMEOUT = 0.3
"""Seconds that the client waits for a server that does not answer."""
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": scenario.SYSTEM},
    {"role": "user", "content": scenario.QUESTION},
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": scenario.TOOL,
            "description": "Where an order is.",
            "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        },
    },
]
STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def asked(**more: Any) -> dict[str, Any]:
    """The arguments of one chat completion."""
    return {"model": scenario.MODEL_ASKED, "messages": MESSAGES, "temperature": 0.5, "max_tokens": 100} | more


def client(make: Callable[..., Any], url: str) -> Any:
    """A client that asks once, and does not wait where the server hangs."""
    return make(api_key="key", base_url=url, max_retries=0, timeout=TIMEOUT if "/hang/" in url else 30)


def cases(
    url: str,
    sync: Callable[..., Any] = openai.OpenAI,
    unsync: Callable[..., Any] = openai.AsyncOpenAI,
) -> dict[str, Callable[[], object]]:
    """The cases that the API has; `sync` and `unsync` make clients from the SDK's own arguments."""

    def chat(path: str = "/v1", **more: Any) -> Any:
        return client(sync, url + path).chat.completions.create(**asked(**more))

    async def chat_async(**more: Any) -> Any:
        async with client(unsync, url + "/v1") as made:
            reply = await made.chat.completions.create(**asked(**more))
            return [part async for part in reply] if more else reply

    def tools() -> None:
        call = chat(tools=TOOLS).choices[0].message
        assert json.loads(call.tool_calls[0].function.arguments) == scenario.TOOL_ARGUMENTS
        result = {"role": "tool", "tool_call_id": scenario.TOOL_CALL_ID, "content": scenario.TOOL_RESULT}
        chat(tools=TOOLS, messages=[*MESSAGES, call.model_dump(exclude_none=True), result])

    return {
        "chat": chat,
        "chat_truncated": lambda: chat(max_tokens=scenario.CUT_AT),
        "chat_stream": lambda: list(chat(**STREAMED)),
        "chat_async": lambda: asyncio.run(chat_async()),
        "chat_stream_async": lambda: asyncio.run(chat_async(**STREAMED)),
        "tools": tools,
        "embeddings": lambda: client(sync, url + "/v1").embeddings.create(
            model=scenario.EMBEDDING_MODEL, input=scenario.QUESTION, encoding_format="float"
        ),
        "error_429": lambda: must_raise(openai.RateLimitError, lambda: chat("/error_429/v1")),
        "error_500": lambda: must_raise(openai.InternalServerError, lambda: chat("/error_500/v1")),
        "timeout": lambda: must_raise(openai.APITimeoutError, lambda: chat("/hang/v1")),
        "chat_no_content": chat,
    }


def search(url: str, make: Callable[..., Any] = openai.OpenAI) -> Any:
    """Search a vector store: the retrieval that the API has."""
    stores = client(make, url + "/v1").vector_stores
    return stores.search(scenario.DATA_SOURCE, query=scenario.QUESTION, max_num_results=len(scenario.DOCUMENTS))


def responses(url: str, make: Callable[..., Any] = openai.OpenAI) -> dict[str, Callable[[], object]]:
    """The cases of the Responses API, which not every library watches."""

    def respond(**more: Any) -> Any:
        asks = {"model": scenario.MODEL_ASKED, "instructions": scenario.SYSTEM, "input": scenario.QUESTION, "temperature": 0.5}
        return client(make, url + "/v1").responses.create(**asks, **more)

    return {"responses": respond, "responses_stream": lambda: list(respond(stream=True))}
