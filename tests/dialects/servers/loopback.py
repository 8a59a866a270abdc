"""What the local servers have in common: an HTTP server on 127.0.0.1 whose answers are a function of the request.

A path may begin with a word that breaks the answer: `/error_429/…` and the like answer with that status, `/hang/…` does not answer
before the server is closed. So the request itself, and with it what a library records of it, stays the same.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_LIMIT = 60.0
"""Seconds after which a request that nobody ends is let go."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(body).encode(), headers={k.replace("_", "-"): v for k, v in headers.items()})


def as_events(blocks: list[str]) -> Reply:
    """A finished stream of server-sent events, each of `blocks` being the lines of one."""
    return Reply(200, "".join(f"{block}\n\n" for block in blocks).encode(), "text/event-stream")


@contextmanager
def serve(answer: Callable[[str, dict[str, Any]], Reply], refuse: Callable[[int], Reply]) -> Iterator[str]:
    """Serve `answer(path, body)` and, under `/error_STATUS`, `refuse(STATUS)`; yield the base URL without a slash."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if self.path.startswith("/hang/"):
                closing.wait(HANG_LIMIT)
                self.close_connection = True
                return
            error = re.match(r"/error_(\d+)/", self.path)
            reply = refuse(int(error[1])) if error else answer(self.path, body)
            self.send_response(reply.status)
            for name, value in {
                "Content-Type": reply.content_type,
                "Content-Length": str(len(reply.body)),
                **reply.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def version_string(self) -> str:
            return "loopback"

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "Thu, 01 Jan 2026 00:00:00 GMT"

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
