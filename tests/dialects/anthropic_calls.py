"""The cases that the Anthropic SDK can play; what records them is the driver's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import recorder
import scenario
from opentelemetry import trace

OTHER_QUESTION = "Where is order 43?"
TOOLS: list[dict[str, Any]] = [
    {
        "name": scenario.TOOL,
        "description": "Looks up an order.",
        "input_schema": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
]


def request(question: str = scenario.QUESTION) -> dict[str, Any]:
    return {
        "model": scenario.MODEL_ASKED,
        "max_tokens": 64,
        "system": scenario.SYSTEM,
        "messages": [{"role": "user", "content": question}],
    }


def options(url: str, **more: Any) -> dict[str, Any]:
    return {"base_url": url, "api_key": "none", "max_retries": 0, **more}


def cases(url: str) -> dict[str, Callable[[], object]]:
    client = anthropic.Anthropic(**options(url))

    def fails(prefix: str, error: type[Exception], **more: Any) -> Callable[[], object]:
        broken = anthropic.Anthropic(**options(f"{url}/{prefix}", **more))
        return lambda: recorder.must_raise(error, lambda: broken.messages.create(**request()))

    def stream() -> None:
        for _ in client.messages.create(**request(), stream=True):
            pass

    def stream_helper() -> None:
        with client.messages.stream(**request()) as events:
            events.get_final_message()

    def tools() -> None:
        asked = request()
        first = client.messages.create(**asked, tools=TOOLS)
        result = {"type": "tool_result", "tool_use_id": scenario.TOOL_CALL_ID, "content": scenario.TOOL_RESULT}
        asked["messages"] += [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
            {"role": "user", "content": [result]},
        ]
        client.messages.create(**asked, tools=TOOLS)

    return {
        "chat": lambda: client.messages.create(**request()),
        "chat_truncated": lambda: client.messages.create(**request() | {"max_tokens": scenario.CUT_AT}),
        "chat_in_request": lambda: in_request(client),
        "chat_no_content": lambda: client.messages.create(**request()),
        "chat_stream": stream,
        "chat_stream_helper": stream_helper,
        "chat_async": lambda: asyncio.run(chat_async(url)),
        "chat_stream_async": lambda: asyncio.run(stream_async(url)),
        "tools": tools,
        "concurrent": lambda: asyncio.run(concurrent(url)),
        "error_429": fails("error_429", anthropic.RateLimitError),
        "error_500": fails("error_500", anthropic.InternalServerError),
        "error_529": fails("error_529", anthropic.APIStatusError),
        "timeout": fails("hang", anthropic.APITimeoutError, timeout=0.5),
    }


def in_request(client: anthropic.Anthropic) -> None:
    """Inside a span of the application's own: no LLM span is a root."""
    with trace.get_tracer("app").start_as_current_span("POST /ask", kind=trace.SpanKind.SERVER):
        client.messages.create(**request())


async def chat_async(url: str) -> None:
    async with anthropic.AsyncAnthropic(**options(url)) as client:
        await client.messages.create(**request())


async def stream_async(url: str) -> None:
    async with anthropic.AsyncAnthropic(**options(url)) as client:
        async for _ in await client.messages.create(**request(), stream=True):
            pass


async def concurrent(url: str) -> None:
    """Two calls under way at once; the one that starts first ends last."""
    second_ended = asyncio.Event()

    async def hold_first(response: Any) -> None:
        if scenario.QUESTION in (await response.request.aread()).decode():
            await second_ended.wait()

    http = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [hold_first]})
    async with anthropic.AsyncAnthropic(**options(url, http_client=http)) as client:

        async def second() -> None:
            await client.messages.create(**request(OTHER_QUESTION))
            second_ended.set()

        await asyncio.gather(client.messages.create(**request()), second())
