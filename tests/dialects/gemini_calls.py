"""The conversation in calls of the Google GenAI SDK, for every library that watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import scenario
from google import genai
from google.genai import errors, types
from recorder import must_raise

TIMEOUT = 500
"""Milliseconds that the client waits for a server that does not answer."""
ORDER = types.FunctionDeclaration(
    name=scenario.TOOL,
    description="Where an order is.",
    parameters=types.Schema(
        type=types.Type.OBJECT, properties={"order_id": types.Schema(type=types.Type.STRING)}, required=["order_id"]
    ),
)
QUESTION = types.Content(role="user", parts=[types.Part(text=scenario.QUESTION)])


def client(url: str) -> genai.Client:
    """A client that asks once, and does not wait where the server hangs."""
    timeout = TIMEOUT if "/hang" in url else 30_000
    return genai.Client(api_key="key", http_options=types.HttpOptions(base_url=url, timeout=timeout))


def asked(max_output_tokens: int = 100, **more: Any) -> dict[str, Any]:
    """The arguments of one call."""
    config = types.GenerateContentConfig(
        system_instruction=scenario.SYSTEM, temperature=0.5, max_output_tokens=max_output_tokens, **more
    )
    return {"model": scenario.MODEL_ASKED, "contents": scenario.QUESTION, "config": config}


def cases(url: str) -> dict[str, Callable[[], object]]:
    """The cases that the API has."""

    made = {path: client(url + path) for path in ("", "/error_429", "/error_500", "/hang")}

    def chat(path: str = "") -> Any:
        return made[path].models.generate_content(**asked())

    async def chat_async() -> None:
        async with client(url).aio as aio:
            await aio.models.generate_content(**asked())

    async def chat_stream_async() -> None:
        async with client(url).aio as aio:
            async for _ in await aio.models.generate_content_stream(**asked()):
                pass

    async def embeddings_async() -> None:
        async with client(url).aio as aio:
            await aio.models.embed_content(model=scenario.EMBEDDING_MODEL, contents=scenario.QUESTION)

    def stream(path: str = "") -> Any:
        return list(made[path].models.generate_content_stream(**asked()))

    def tools() -> None:
        offered = asked(tools=[types.Tool(function_declarations=[ORDER])])
        models = made[""].models
        call = models.generate_content(**offered)
        assert call.function_calls is not None
        assert call.function_calls[0].args == scenario.TOOL_ARGUMENTS
        response = types.FunctionResponse(id=scenario.TOOL_CALL_ID, name=scenario.TOOL, response={"result": scenario.TOOL_RESULT})
        result = types.Content(role="user", parts=[types.Part(function_response=response)])
        models.generate_content(**offered | {"contents": [QUESTION, call.candidates[0].content, result]})

    return {
        "chat": chat,
        "chat_truncated": lambda: made[""].models.generate_content(**asked(scenario.CUT_AT)),
        "chat_stream": stream,
        "chat_async": lambda: asyncio.run(chat_async()),
        "chat_stream_async": lambda: asyncio.run(chat_stream_async()),
        "tools": tools,
        "embeddings": lambda: made[""].models.embed_content(model=scenario.EMBEDDING_MODEL, contents=scenario.QUESTION),
        "embeddings_async": lambda: asyncio.run(embeddings_async()),
        "error_429": lambda: must_raise(errors.ClientError, lambda: chat("/error_429")),
        "error_429_stream": lambda: must_raise(errors.ClientError, lambda: stream("/error_429")),
        "error_500": lambda: must_raise(errors.ServerError, lambda: chat("/error_500")),
        "timeout": lambda: must_raise(httpx2.TimeoutException, lambda: chat("/hang")),
        "chat_no_content": chat,
    }
