"""The preview's own server, on the loopback alone.

    GET /                    302 to the first board
    GET /d/UID               the page; it reads the rest itself
    GET /static/FILE         its scripts and styles
    GET /boards.json         what there is: see `site.about`
    GET /boards/UID.json     a board as Grafana's JSON
    GET /api/v1/…            live: passed on to Prometheus (see `proxy`)
    GET /recorded/UID.json   recorded: the answers to all that the board asks (see `recording`), gzip

A web page that you visit could otherwise read your Prometheus through it: only requests that name the loopback as their host are answered
(a foreign name may be made to point here), data is given to the preview's own pages alone, and no other page is allowed to read it.
"""

from __future__ import annotations

import gzip
import http.server
import ipaddress
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from truegreen.core.clients.http import Params
from truegreen.core.errors import Failed
from truegreen.dashboards.model import Json
from truegreen.dashboards.preview.proxy import Answer, Upstream, failed, of_json, pass_on

LOOPBACK: Final = "127.0.0.1"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded from anywhere else, and no script that stands in a label runs."""
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_KINDS: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_IDLE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Site:
    """All that the server gives.

    Args:
        about: `/boards.json`.
        boards: uid to the board's JSON, the first one shown first.
        upstream: the Prometheus that is asked; None when it is recorded.
        recorded: uid to the gzipped answers; empty when it is live.
    """

    about: Json
    boards: Mapping[str, Json]
    upstream: Upstream | None = None
    recorded: Mapping[str, bytes] | None = None


def static() -> Mapping[str, bytes]:
    """The page's files: path below `static/` to bytes."""
    found: dict[str, bytes] = {}

    def enter(folder: Any, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                enter(entry, f"{prefix}{entry.name}/")
            elif entry.name.rpartition(".")[2] in _KINDS:
                found[prefix + entry.name] = entry.read_bytes()

    enter(files(__package__).joinpath("static"), "")
    return found


def answer(site: Site, page: Mapping[str, bytes], path: str, params: Params) -> Answer:
    """What the server answers to GET `path`.

    Args:
        page: as `static` gives it.
        path: unquoted, without the query.
    """
    _, first, *rest = path.split("/")
    below = "/".join(rest)
    uid = below.removesuffix(".json")
    if path == "/":
        return Answer(302, "text/plain", b"", headers={"Location": f"/d/{next(iter(site.boards))}"})
    if path == "/favicon.ico":
        return Answer(204, "text/plain", b"")
    if path == "/boards.json":
        return of_json(site.about)
    if first == "d":
        known = bool(rest) and rest[0] in site.boards
        return _file(page, "index.html") if known else _lost(f"there is no board {rest[0] if rest else ''!r}", site)
    if first == "static":
        return _file(page, below)
    if first == "boards" and below.endswith(".json"):
        return of_json(site.boards[uid]) if uid in site.boards else failed(404, f"there is no board {uid!r}")
    if first == "api" and site.upstream is not None:
        return pass_on(site.upstream, path, params)
    if first == "recorded" and site.recorded is not None and uid in site.recorded:
        return Answer(200, "application/json", site.recorded[uid], packed=True)
    return _lost(f"there is no {path}", site)


def _file(page: Mapping[str, bytes], name: str) -> Answer:
    if name not in page:
        return Answer(404, "text/plain; charset=utf-8", f"there is no {name}\n".encode())
    return Answer(200, f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8", page[name])


def _lost(words: str, site: Site) -> Answer:
    there = "\n".join(f"  /d/{uid}" for uid in site.boards)
    return Answer(404, "text/plain; charset=utf-8", f"{words}; there is\n{there}\n".encode())


def refused(headers: Mapping[str, str | None], path: str) -> Answer | None:
    """Why a request is not answered, by its headers; None when it is.

    A browser writes `Host` and `Sec-Fetch-Site` itself: a page cannot change them.
    """
    host = headers.get("Host") or ""
    if not _loopback(host):
        return Answer(
            403, "text/plain; charset=utf-8", b"this is answered on the loopback alone: open it as 127.0.0.1 or localhost\n"
        )
    foreign = headers.get("Sec-Fetch-Site") not in (None, "same-origin", "none")
    if foreign and path != "/" and not path.startswith("/d/"):
        return Answer(403, "text/plain; charset=utf-8", b"another page may open a board, and read nothing\n")
    return None


def _loopback(host: str) -> bool:
    with suppress(ValueError):
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    return False


def serve(site: Site, port: int) -> http.server.ThreadingHTTPServer:
    """A server that listens on `port` of the loopback (0: a free one); `serve_forever` and `server_close` are the caller's.

    Raises:
        Failed: the port is taken; the message names the next one that is free.
    """
    page = static()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "truegreen", ""
        disable_nagle_algorithm = True  # else the body waits for the headers' receipt
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            found = refused({name: self.headers.get(name) for name in ("Host", "Sec-Fetch-Site")}, path)
            try:
                params = parse_qsl(urlsplit(self.path).query, keep_blank_values=True)
                found = found or answer(site, page, path, params)
            except Exception as error:  # one request fails; the page says so, and the others are served
                found = failed(500, f"the preview failed: {type(error).__name__}: {error}")
            self.give(found)

        def give(self, found: Answer) -> None:
            unpack = found.packed and "gzip" not in self.headers.get("Accept-Encoding", "")
            body = gzip.decompress(found.body) if unpack else found.body
            packed = {"Content-Encoding": "gzip"} if found.packed and not unpack else {}
            self.send_response(found.status)
            for name, value in {**_HEADERS, "Content-Type": found.kind, **packed, **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            # Also of other methods and of what is not HTTP: no page of http.server's own, and the connection ends.
            self.close_connection = True
            words = f"{message or http.HTTPStatus(code).phrase}: only GET is answered\n"
            self.send_response(code)
            for name, value in {**_HEADERS, "Content-Type": "text/plain; charset=utf-8", "Connection": "close"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(words.encode())

        def log_message(self, *args: Any) -> None:
            pass  # what is asked may be nobody's business

    class Listening(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exception(), OSError):  # who has closed a tab wants no answer
                super().handle_error(request, client_address)

    try:
        return Listening((LOOPBACK, port), Handler)
    except OSError as error:
        raise Failed(f"port {port} of {LOOPBACK}: {error.strerror}; write --port {_free(port)}") from None


def _free(port: int) -> int:
    for other in range(port + 1, min(port + 100, 65_536)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, other))
            return other
    return 0
