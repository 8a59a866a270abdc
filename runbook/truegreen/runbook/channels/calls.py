"""One request to a vendor: what went wrong in words, and whether it may have arrived all the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.runbook.channels.model import Undelivered
from truegreen.runbook.clean import clean

TIMEOUT: Final = 5.0
"""Seconds for one request."""
MOST: Final = 8 << 20
"""Bytes read of an answer: a hundred issues with long bodies."""
MOST_SECRET: Final = 10_000
SERVER_ERROR: Final = 500


def secret(file: Path | None, what: str) -> str:
    """The secret that a file holds, alone.

    Raises:
        BadInput: it cannot be read, is empty, is more than one word or has characters that no header takes.
    """
    if file is None:
        raise BadInput(f"{what}: no file is named; name one")
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_SECRET).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(f"{what}: {file} cannot be read: {reason}; name a file that has the secret alone") from None
    if not text or len(text.split()) > 1:
        raise BadInput(f"{what}: {file} holds {'nothing' if not text else 'more than one word'}; write the secret alone into it")
    if not text.isascii() or not text.isprintable():
        raise BadInput(f"{what}: {file} holds a character that no secret has; write the secret alone into it, as it was given")
    return text


def call(
    server: Server, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None,
    headers: Mapping[str, str] | None = None, said: str = "",
) -> httpx.Response:  # fmt: skip
    """The answer to one request, of whatever status below 500 but 429.

    Args:
        path: below the server's address; empty asks the address itself, with its query.
        said: how to speak of the address where it is a secret.

    Raises:
        Undelivered: nobody answered, or the server cannot now.
    """
    where = f"{server.name} at {said or http.bare(server.url)}"
    url = http.address(server, path) if path else server.url
    end, content = time.monotonic() + 2 * server.timeout, bytearray()
    try:
        with (
            http.client(server) as client,
            client.stream(method, url, params=params, json=body, headers=headers) as answer,
        ):
            for part in answer.iter_bytes():
                content += part
                if len(content) > MOST or time.monotonic() > end:
                    raise Undelivered(f"{where} does not come to the end of its answer", unsure=True)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        raise Undelivered(f"{where} does not answer") from None
    except httpx.TimeoutException:
        raise Undelivered(f"{where} did not answer within {server.timeout:g} s", unsure=True) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The text of an error may hold the address, and the address may be the secret.
        raise Undelivered(f"the connection to {where} broke ({type(error).__name__})", unsure=True) from None
    whole = httpx.Response(answer.status_code, headers=_plain(answer.headers), content=bytes(content), request=answer.request)
    wait = http.retry_after(whole) or 0.0
    if whole.status_code == http.TOO_MANY:
        raise Undelivered(f"{where} is asked too often, it wants {wait:.0f} s of rest", wait)
    if whole.status_code >= SERVER_ERROR:
        raise Undelivered(f"{where} answers {whole.status_code}", wait, unsure=True)
    return whole


def told(answer: httpx.Response) -> Any:
    """The JSON of an answer, None when it is none."""
    try:
        return answer.json()
    except ValueError:
        return None


def shown(value: object) -> str:
    """A vendor's own words, for a message."""
    return clean(value, 200)


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in ("content-encoding", "content-length")]
