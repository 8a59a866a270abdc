"""One local server that speaks the three providers' contracts: each answers with its name, and with a status where it is told to fail."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ("openai", "anthropic", "google")


class Handler(BaseHTTPRequestHandler):
    """`failing` maps a provider to the status of all its answers, `called` a model to the name it answers by; `asked` holds what came."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Silence."""

    def do_POST(self):  # noqa: N802
        """One answer."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        provider, reply = _reply(self.path, body)
        self.server.asked.append((provider, self.path, body))
        if "model" in reply:
            reply["model"] = self.server.called.get(reply["model"], reply["model"])
        status = self.server.failing.get(provider, 200)
        if status != 200:
            reply = {"error": {"code": status, "message": "no", "status": "UNWELL", "type": "x"}, "type": "error"}
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _reply(path, body):
    deployment = re.match(r"/openai/deployments/([^/]+)/chat/completions", path)
    if deployment or path == "/openai/v1/chat/completions":
        named = f"azure {deployment[1]}" if deployment else f"openai {body['model']}"
        message = {"role": "assistant", "content": named}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return "openai", {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }
    if path == "/anthropic/v1/messages":
        content = [{"type": "text", "text": f"anthropic {body['model']}"}]
        usage = {"input_tokens": 1, "output_tokens": 1}
        return "anthropic", {
            "id": "m", "type": "message", "role": "assistant", "model": body["model"], "content": content, "stop_reason": "end_turn",
            "stop_sequence": None, "usage": usage,
        }  # fmt: skip
    model = path.rpartition("/")[2].partition(":")[0]
    content = {"role": "model", "parts": [{"text": f"google {model}"}]}
    return "google", {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "modelVersion": model}


@contextmanager
def providers() -> Iterator[ThreadingHTTPServer]:
    """Serve on a free port of 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.failing, server.called, server.asked = {}, {}, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def clients(url: str, *, asynchronous: bool = False) -> dict:
    """The real SDKs' clients of this server, by provider, without retries."""
    import anthropic
    import openai
    from google import genai

    made = genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=f"{url}/google"))
    opened, asked = (openai.AsyncOpenAI, anthropic.AsyncAnthropic) if asynchronous else (openai.OpenAI, anthropic.Anthropic)
    return {
        "openai": opened(api_key="k", base_url=f"{url}/openai/v1", max_retries=0),
        "anthropic": asked(api_key="k", base_url=f"{url}/anthropic", max_retries=0),
        "google": made.aio if asynchronous else made,
    }
