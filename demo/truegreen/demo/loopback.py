"""A small HTTP server on a free port of loopback, in a thread, for as long as a context lasts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Quiet(BaseHTTPRequestHandler):
    """A handler that writes no access log: a path or a body could be in it."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Write nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    ending = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that is gone, nor of a request that the end caught: processes that are stopped leave in the middle of one."""
        if not self.ending and not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(handler: type[Quiet]) -> Iterator[str]:
    """Serve until the context ends; yields the address."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.ending = True  # what a handler uses may close while it still answers
        server.shutdown()
        server.server_close()
        thread.join()
