"""A local server that speaks the OpenAI chat-completions contract, for the real SDK."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVED = "support-large-0613"
ANSWER = "Returns are accepted within 30 days, unopened only. ZEBRA-ANSWER"
TOOLS = [{"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}]


class Handler(BaseHTTPRequestHandler):
    """The model's name decides what comes back: `error-429`, `error-500`, `tools`, `length`, `empty`, anything else an answer."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Silence."""

    def do_POST(self):  # noqa: N802
        """One chat completion."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = body["model"]
        if model in self.server.failing:
            return self._send(500, b"{}")
        if model.startswith("error-"):
            return self._send(int(model.removeprefix("error-")), json.dumps({"error": {"message": "no", "type": "x"}}).encode())
        self.server.calls += 1
        served = self.server.served.get(model, SERVED)
        message = {"role": "assistant", "content": ANSWER}
        finish = "stop"
        if model == "tools":
            message, finish = {"role": "assistant", "content": None, "tool_calls": TOOLS}, "tool_calls"
        elif model == "length":
            finish = "length"
        elif model == "empty":
            message["content"] = ""
        base = {"id": f"chatcmpl-{self.server.calls}", "created": 1, "model": served, "system_fingerprint": "fp_1"}
        if body.get("stream"):
            return self._stream(base, message["content"], finish)
        usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return self._send(200, json.dumps({**base, "object": "chat.completion", "choices": [choice], "usage": usage}).encode())

    def _stream(self, base, text, finish):
        parts = [{"content": text[i : i + 20]} for i in range(0, len(text), 20)]
        chunks = [{"index": 0, "delta": part, "finish_reason": None} for part in parts] + [
            {"index": 0, "delta": {}, "finish_reason": finish}
        ]
        lines = [f"data: {json.dumps({**base, 'object': 'chat.completion.chunk', 'choices': [chunk]})}\n\n" for chunk in chunks]
        self._send(200, ("".join(lines) + "data: [DONE]\n\n").encode(), "text/event-stream")

    def _send(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def chat_server() -> Iterator[ThreadingHTTPServer]:
    """Serve on a free port of 127.0.0.1; `served` maps a requested model to the one that answers, `failing` holds those that do not."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.served = {}
    server.failing = set()
    server.calls = 0
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
