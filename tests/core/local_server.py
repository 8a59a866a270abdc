"""A small server on the loopback that says what a test tells it to say."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DEADLINE = 20.0


@dataclass
class Call:
    """One request that the local server got."""

    method: str
    path: str
    params: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: str
    raw: bytes = b""
    """The body as it was sent, unpacked."""


@dataclass
class Reply:
    """What the local server says; `text` goes out as it is, `json` as JSON, `hold` is waited for first."""

    json: Any = None
    status: int = 200
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


@contextmanager
def local(answer: Callable[[Call], Reply]) -> Iterator[tuple[str, list[Call]]]:
    """A server on the loopback: its address, and the calls that it got."""
    calls: list[Call] = []

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            raw = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
            call = Call(self.command, parts.path, parse_qs(parts.query), dict(self.headers), raw.decode(errors="replace"), raw)
            calls.append(call)
            reply = answer(call)
            if reply.hold:
                reply.hold.wait(DEADLINE)
            payload = (json.dumps(reply.json) if reply.text is None else reply.text).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(payload)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_PATCH = do_POST = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with closing(server.socket):
            yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        thread.join()


def in_turn(*replies: Reply) -> Callable[[Call], Reply]:
    """Each reply once, then the last one for ever."""
    left = list(replies)
    return lambda _call: left.pop(0) if len(left) > 1 else left[0]
