"""What stands before the application: who sends, how large it is, and nothing of a body in what is said of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import islice
from typing import Any, Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from truegreen.evaluation.server.access import Tokens, local_host
from truegreen.instrumentation import failures

BODY: Final = 8_000_000
"""Bytes of one request's body."""
KEYS: Final = 32
"""Keys of one object: of a body with a million of them the description of what is wrong would take seconds and a gigabyte."""
VALUES: Final = 200_000
"""Commas outside of texts, which a thousand samples with all that they may have do not come to: millions of numbers take seconds to read."""
_VALUE: Final = re.compile(rb'[^",]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)[^",]*+)*+(?:,|\Z)', re.DOTALL)
"""Up to the next of them; whatever is in a body, none of it is looked at twice."""
AT_ONCE: Final = 32
"""So many bodies are read at a time."""
BODY_SECONDS: Final = 30.0
OWN_BODY, OWN_SECONDS = 65_536, 10.0
"""The same of a path that looks after its own senders: anybody may send there until the body is read. It has as many places, of its own."""
OPEN: Final = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
"""Pages that hold nothing of anybody: no token is asked for."""


class Refused(Exception):
    """A request that is not taken.

    Args:
        reason: one of a few, for the counter.
        said: what is wrong and what to do instead.
    """

    def __init__(self, status: int, reason: str, said: str, retry_after: int = 0) -> None:
        super().__init__(said)
        self.status, self.reason, self.said, self.retry_after = status, reason, said, retry_after

    def answer(self, problems: list[str] | None = None) -> JSONResponse:
        """As the sender gets it."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse({"error": self.said, "problems": problems or []}, self.status, headers)


class Gate:
    """An ASGI application around another one.

    Args:
        tokens: None lets in everybody who names this machine in the Host header.
        refused: counts refusals by reason.
        body_bytes, body_seconds, at_once: the limits of a body.
        own: paths that look after their own senders, such as a signed webhook.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: Tokens | None,
        refused: Counter[str],
        *,
        body_bytes: int = BODY,
        body_seconds: float = BODY_SECONDS,
        at_once: int = AT_ONCE,
        own: frozenset[str] = frozenset(),
    ) -> None:
        self._app, self._tokens, self._refused, self._own = app, tokens, refused, own
        self._body_bytes, self._body_seconds, self._at_once = body_bytes, body_seconds, at_once
        self._reading: Counter[bool] = Counter()
        """Bodies that are being read, by whether the path looks after its own senders: who may send elsewhere is not held up by them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._guarded(scope, receive, sent)
        except Refused as refused:
            self._refused[refused.reason] += 1
            await refused.answer()(scope, receive, send)
        except Exception as error:  # its message may quote a body: only its type is said
            failures.count("sampling endpoint", error)
            self._refused["error"] += 1
            if not begun:
                await JSONResponse({"error": "this server failed; nothing was taken", "problems": []}, 500)(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        who = self._who(scope["path"], headers)
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        own = scope["path"] in self._own
        most = min(OWN_BODY, self._body_bytes) if own else self._body_bytes
        _check(headers, most)
        if self._reading[own] >= self._at_once:
            raise Refused(503, "busy", f"{self._at_once} requests are being read; send it again", 1)
        self._reading[own] += 1
        try:
            body = await self._read(receive, most, min(OWN_SECONDS, self._body_seconds) if own else self._body_seconds)
            if not own:
                _few_values(body)
            scope.setdefault("state", {}).update(_known(scope["path"], who, body))
            await self._app(scope, _again(body, receive), send)
        finally:
            self._reading[own] -= 1

    def _who(self, path: str, headers: MutableMapping[str, str]) -> str:
        if path in OPEN or path in self._own:
            return ""
        if self._tokens is not None:
            who = self._tokens.allow(headers.get("authorization", ""))
            if not who:
                raise Refused(
                    401, "unauthenticated", "the token is missing or unknown; send the header Authorization: Bearer TOKEN"
                )
            return who
        if not local_host(headers.get("host", "")):
            raise Refused(
                403, "host", "the Host header names another machine; address this one as 127.0.0.1, or give it a token file"
            )
        return ""

    async def _read(self, receive: Receive, most: int, seconds: float) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "incomplete", "the body ended before it was whole; send it again")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise _large(most)
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise Refused(408, "slow", f"the body did not come within {seconds:.0f} s; send it again") from None


def _check(headers: MutableMapping[str, str], most: int) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "content_type", "the body must be JSON: send the header Content-Type: application/json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "content_type", "the body must not be compressed; leave Content-Encoding out")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise _large(most)


def _few_values(body: bytes) -> None:
    if body.count(b",") > VALUES and next(islice(_VALUE.finditer(body), VALUES, None), None):
        raise Refused(422, "body", f"the body has over {VALUES} values; see /docs for those that an item has")
    try:
        json.loads(body, object_pairs_hook=_counted)
    except OverflowError:
        raise Refused(422, "body", f"an object in the body has over {KEYS} keys; see /docs for those there are") from None
    except (ValueError, RecursionError):  # said by whoever reads it
        return


def _counted(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > KEYS:
        raise OverflowError


def _large(most: int) -> Refused:
    return Refused(413, "too_large", f"the body is over {most} bytes; send fewer items at a time, or shorter texts")


def _known(path: str, who: str, body: bytes) -> dict[str, Any]:
    return {"who": who, "size": len(body), "digest": hashlib.sha256(path.encode() + b"\0" + body).digest()}


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
