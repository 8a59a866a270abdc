"""A LangGraph agent whose model is a local server that speaks OpenAI's contract and answers from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from truegreen.collector.processor import Processor

TOKENS = {"prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 40}


def calls(*asked: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A turn of the model that asks for tools: (name, arguments)."""
    made = [
        {"id": f"call-{n}-{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(asked)
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def says(text: str) -> dict[str, Any]:
    """A turn of the model that answers."""
    return {"role": "assistant", "content": text}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Silence."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        turns = sum(message["role"] == "assistant" for message in body["messages"])
        script = self.server.script
        message = script[min(turns, len(script) - 1)]
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        self.server.answers += 1
        answer = {
            "id": f"chatcmpl-{self.server.answers}", "object": "chat.completion", "created": 1, "model": "support-large-0613",
            "choices": [choice], "usage": TOKENS,
        }  # fmt: skip
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def scripted() -> Iterator[Any]:
    """A server on a free port of 127.0.0.1; `script` is a list of turns, of which the last is repeated."""
    server: Any = _Server(("127.0.0.1", 0), _Handler)
    server.script, server.answers = [says("Done.")], 0
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def model(server: Any) -> ChatOpenAI:
    """The real client of the scripted model."""
    return ChatOpenAI(model="support-large", base_url=server.url, api_key="k", max_retries=0)


def made(server: Any, tools: Sequence[Any], **more: Any) -> Any:
    """A real LangGraph agent."""
    return create_agent(model(server), list(tools), name="support", **more)


QUESTION = {"messages": [("human", "Where is order 42? ZEBRA-QUESTION")]}


class Clock:
    """A clock that stands still until it is advanced."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def measured(spans: Sequence[Any]) -> dict[str, dict[tuple[str, ...], list[float]]]:
    """What the collector exposes after it got these spans: metric to label values (service and environment left out) to numbers."""
    clock = Clock()
    collector = Processor(clock, 30.0)
    collector.traces(encode_spans(spans).SerializeToString())
    clock.now += 61.0
    found = {}
    for one in collector.copy():
        own = len(one.metric.labels) - len(one.metric.label_set)
        found[one.metric.prometheus] = {key[own:]: list(numbers) for key, numbers in one.series.items()}
    return found
