"""An application without any library: it asks the server itself and writes spans with the names of the GenAI conventions."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import recorder
import scenario
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from servers import openai

CHAT = "/v1/chat/completions"
TIMEOUT = 0.3
"""Seconds that the application waits for a server that does not answer."""


SAID = [{"role": "system", "content": scenario.SYSTEM}, {"role": "user", "content": scenario.QUESTION}]
TOOLS = [{"type": "function", "function": {"name": scenario.TOOL, "parameters": {"type": "object", "properties": {}}}}]


def told(message: dict[str, Any]) -> dict[str, Any]:
    """A message of the API in the words of the conventions."""
    if message["role"] == "tool":
        part = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
    elif message.get("tool_calls"):
        (call,) = message["tool_calls"]
        made = call["function"]
        part = {"type": "tool_call", "id": call["id"], "name": made["name"], "arguments": json.loads(made["arguments"])}
    else:
        part = {"type": "text", "content": message["content"]}
    return {"role": message["role"], "parts": [part]}


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The reply that was streamed in these parts, the last of which counts."""
    choices = [choice for part in parts for choice in part["choices"]]
    message = {"role": "assistant", "content": "".join(choice["delta"].get("content", "") for choice in choices)}
    return {**parts[-1], "choices": [{"message": message, "finish_reason": choices[-1]["finish_reason"]}]}


def cases(url: str) -> dict[str, Callable[[], object]]:
    tracer = trace.get_tracer("support_app", "1.0")

    def started(name: str, attributes: dict[str, Any], kind: SpanKind = SpanKind.CLIENT) -> AbstractContextManager[Span]:
        return tracer.start_as_current_span(name, kind=kind, attributes=attributes)

    def ask(path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT if "hang" in path else 30) as reply:
            return json.load(reply)

    def stream(span: Span, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a stream; the first part's arrival is noted."""
        options = {"stream": True, "stream_options": {"include_usage": True}}
        request = urllib.request.Request(url + CHAT, json.dumps(body | options).encode(), {"Content-Type": "application/json"})
        asked, parts = time.monotonic(), []
        with urllib.request.urlopen(request, timeout=30) as reply:
            for line in reply:
                if not line.startswith(b"data: {"):
                    continue
                parts.append(json.loads(line.removeprefix(b"data: ")))
                if len(parts) == 1:
                    span.set_attribute("gen_ai.response.time_to_first_chunk", time.monotonic() - asked)
        return joined(parts)

    def chat(
        path: str = "", *, content: bool = True, streamed: bool = False, said: Any = SAID, offered: Any = (), **more: Any
    ) -> dict[str, Any]:
        asked = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": scenario.MODEL_ASKED,
            **more,
        }
        with started(f"chat {scenario.MODEL_ASKED}", asked) as span:
            try:
                sent = {"model": scenario.MODEL_ASKED, "messages": said} | ({"tools": offered} if offered else {})
                reply = stream(span, sent) if streamed else ask(path + CHAT, sent)
            except OSError as error:
                span.set_attribute("error.type", str(getattr(error, "code", type(error).__name__)))
                raise
            (choice,), used = reply["choices"], reply["usage"]
            span.set_attributes(
                {
                    "gen_ai.response.id": reply["id"],
                    "gen_ai.response.model": reply["model"],
                    "gen_ai.response.finish_reasons": [choice["finish_reason"]],
                    "gen_ai.usage.input_tokens": used["prompt_tokens"],
                    "gen_ai.usage.output_tokens": used["completion_tokens"],
                }
            )
            if content:
                output = told(choice["message"]) | {"finish_reason": choice["finish_reason"]}
                span.set_attributes(
                    {
                        "gen_ai.system_instructions": json.dumps(told(said[0])["parts"]),
                        "gen_ai.input.messages": json.dumps([told(message) for message in said[1:]]),
                        "gen_ai.output.messages": json.dumps([output]),
                    }
                )
            message: dict[str, Any] = choice["message"]
            return message

    def tools() -> None:
        call = chat(offered=TOOLS)
        result = {"role": "tool", "tool_call_id": scenario.TOOL_CALL_ID, "content": scenario.TOOL_RESULT}
        chat(said=[*SAID, call, result], offered=TOOLS)

    def embeddings() -> None:
        asked = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": scenario.EMBEDDING_MODEL,
        }
        with started(f"embeddings {scenario.EMBEDDING_MODEL}", asked) as span:
            reply = ask("/v1/embeddings", {"model": scenario.EMBEDDING_MODEL, "input": scenario.QUESTION})
            span.set_attribute("gen_ai.response.model", reply["model"])
            span.set_attribute("gen_ai.usage.input_tokens", reply["usage"]["prompt_tokens"])

    def retrieval() -> None:
        asked = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": scenario.DATA_SOURCE,
            "gen_ai.retrieval.query.text": scenario.QUESTION,
            "gen_ai.retrieval.top_k": len(scenario.DOCUMENTS),
        }
        with started(f"retrieval {scenario.DATA_SOURCE}", asked) as span:
            span.set_attribute("gen_ai.retrieval.documents", json.dumps(scenario.DOCUMENTS))

    def tool() -> None:
        asked = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": scenario.TOOL,
            "gen_ai.tool.call.id": scenario.TOOL_CALL_ID,
            "gen_ai.tool.call.arguments": json.dumps(scenario.TOOL_ARGUMENTS),
        }
        with started(f"execute_tool {scenario.TOOL}", asked, SpanKind.INTERNAL) as span:
            span.set_attribute("gen_ai.tool.call.result", scenario.TOOL_RESULT)

    def agent() -> None:
        asked = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
        with started("invoke_agent support", asked, SpanKind.INTERNAL):
            retrieval()
            tool()
            chat()

    def prompt() -> None:
        chat(**{"gen_ai.prompt.name": scenario.PROMPT_NAME, "gen_ai.prompt.version": str(scenario.PROMPT_VERSION)})

    def session() -> None:
        chat(**{"gen_ai.conversation.id": scenario.SESSION, "session.id": scenario.SESSION, "user.id": scenario.USER})

    return {
        "chat": chat,
        "chat_stream": lambda: chat(streamed=True),
        "chat_async": lambda: asyncio.run(asyncio.to_thread(chat)),
        "chat_stream_async": lambda: asyncio.run(asyncio.to_thread(chat, streamed=True)),
        "tools": tools,
        "chat_no_content": lambda: chat(content=False),
        "embeddings": embeddings,
        "error_429": lambda: recorder.must_raise(urllib.error.HTTPError, lambda: chat("/error_429")),
        "error_500": lambda: recorder.must_raise(urllib.error.HTTPError, lambda: chat("/error_500")),
        "timeout": lambda: recorder.must_raise(TimeoutError, lambda: chat("/hang")),
        "retrieval": retrieval,
        "tool": tool,
        "agent": agent,
        "prompt": prompt,
        "session": session,
    }


if __name__ == "__main__":
    recorder.main("manual", [], openai.serve, cases)
