"""How each server of the demo's world is started: one address, silent access log, an end at the first SIGTERM."""

from __future__ import annotations

import base64
import binascii
import json
import socket
from collections.abc import Mapping
from typing import Any

from aiohttp import web


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose.

    Raises:
        OSError: the address is in use or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def run(app: web.Application, name: str, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; prints one line with the address when ready, and nothing of what is asked or answered.

    Raises:
        SystemExit: the port cannot be opened (status 2, one line).
    """
    try:
        opened = listen(host, port)
    except OSError as error:
        raise SystemExit(f"{name}: cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
    address = opened.getsockname()
    print(f"{name} on http://{address[0]}:{address[1]}", flush=True)
    web.run_app(app, sock=opened, print=None, access_log=None, shutdown_timeout=0.2)


async def body(request: web.Request) -> Any:
    """The JSON of a request; None when it is not JSON."""
    try:
        return json.loads(await request.read())
    except ValueError:
        return None


def basic(headers: Mapping[str, str]) -> tuple[str, str]:
    """User and password of a Basic authorization header, both empty when there is none."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
