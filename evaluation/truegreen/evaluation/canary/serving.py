"""The canary's counter for Prometheus, on a small page of its own."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import catalogue

CAUGHT, MISSED = "caught", "missed"
RESULTS: Final = (CAUGHT, MISSED)
TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def page(service: str, environment: str, counts: Counter[str]) -> str:
    """The text of /metrics: both results from the start, for `increase()` does not see a series that is born at 1."""
    metric = catalogue.CANARY_PROBES
    name, where = metric.prometheus, f'service="{_escaped(service)}",environment="{_escaped(environment)}"'
    lines = [f'{name}{{{where},result="{result}"}} {counts[result]}' for result in RESULTS]
    return "\n".join([f"# HELP {name} {metric.description}", f"# TYPE {name} counter", *lines, ""])


@contextmanager
def served(listen: str, service: str, environment: str, counts: Counter[str]) -> Iterator[str]:
    """Serve /metrics and /healthz at HOST:PORT until the block is left; gives the address.

    Raises:
        BadInput: it is no HOST:PORT.
        Failed: it cannot be listened on.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise BadInput(f"--listen: found {listen!r}; write HOST:PORT such as 127.0.0.1:9467")

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            pages = {"/metrics": page(service, environment, counts), "/healthz": "ok\n"}
            text = pages.get(self.path.partition("?")[0])
            content = (text if text is not None else "write /metrics or /healthz\n").encode()
            self.send_response(200 if text is not None else 404)
            self.send_header("Content-Type", TYPE)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged of a scrape."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, *_: Any) -> None:
            """A scraper that hung up is nobody's error."""

    try:
        server = Quiet((host.strip("[]"), int(port)), Handler)
    except OSError as error:
        raise Failed(f"--listen: {listen} cannot be listened on: {error.strerror or error}") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
