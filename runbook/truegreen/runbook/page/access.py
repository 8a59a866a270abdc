"""Who may look: a bearer token for machines, a signed session in a cookie for browsers; without tokens, this machine alone.

The cookie holds no token: it is a name and an end, signed with the digest of the token that opened the session. So it outlives a restart of
the server and dies with its token. SameSite=Strict keeps other sites from sending it; forms carry a second signature besides.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from truegreen.core import tokens
from truegreen.core.errors import BadInput
from truegreen.runbook.clean import clean

COOKIE: Final = "truegreen_session"
LASTS: Final = 43_200.0
"""Seconds of a session: a night on call."""
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]", "::1")
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may look.

    Args:
        name: what the log calls them; empty where they never said.
        form: the signature that their forms carry; empty for a machine, which needs none.
    """

    name: str
    form: str


@dataclass(frozen=True, slots=True)
class Door:
    """Whom the file of tokens lets in; without a file everybody who reaches the loopback and names it.

    Args:
        secret: random bytes that sign the forms where there is no token to do it.
    """

    file: Path | None
    secret: bytes = field(repr=False)

    def known(self) -> tuple[bytes, ...]:
        """The digests of the tokens of the file as it is now; none where it cannot be read: then nobody gets in."""
        if self.file is None:
            return ()
        try:
            return tokens.digests(self.file)
        except BadInput:
            return ()

    def visitor(self, host: str, authorization: str, cookie: str, now: float) -> Visitor | None:
        """Who asks, None when they may not.

        Args:
            host: the Host header. Without tokens only the loopback's names are good: a page of another site may point its own name here.
            now: unix seconds.
        """
        if self.file is None:
            return Visitor("", _form(self.secret, "")) if local(host) else None
        known = self.known()
        if authorization:
            return Visitor("", "") if tokens.known(authorization, known) else None
        return _session(cookie, known, now)

    def enter(self, token: str, name: str, nonce: str, now: float) -> str:
        """The cookie of a new session, empty when the token is not known."""
        digest = tokens.known(f"Bearer {token}", self.known())
        if not digest:
            return ""
        said = json.dumps({"name": clean(name, 100), "until": now + LASTS, "nonce": nonce}, sort_keys=True)
        body = base64.urlsafe_b64encode(said.encode()).decode()
        return f"{body}.{_sign(bytes.fromhex(digest), body)}"


def local(host: str) -> bool:
    """Whether a Host header names this machine's loopback: what a page of another site sends by a name of its own does not."""
    return _host(host) in _LOCAL


def genuine(visitor: Visitor, form: str) -> bool:
    """Whether a form was made for this visitor; a machine, which brings its token each time, needs no signature."""
    return not visitor.form or hmac.compare_digest(visitor.form.encode(), form.encode("utf-8", "replace"))


def headers(secure: bool) -> Mapping[str, str | bool]:
    """The attributes of the cookie."""
    return {"httponly": True, "samesite": "strict", "secure": secure, "path": "/"}


def _session(cookie: str, known: tuple[bytes, ...], now: float) -> Visitor | None:
    body, _, signature = cookie[:_MOST].rpartition(".")
    # All are compared, each in constant time.
    signing = [
        digest for digest in known if hmac.compare_digest(_sign(digest, body).encode(), signature.encode("utf-8", "replace"))
    ]
    if not signing:
        return None
    try:
        said = json.loads(base64.urlsafe_b64decode(body))
    except (ValueError, binascii.Error):
        return None
    return Visitor(clean(said["name"], 100), _form(signing[0], body)) if said["until"] > now else None


def _sign(key: bytes, body: str) -> str:
    return hmac.new(key, b"session " + body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _form(key: bytes, body: str) -> str:
    return hmac.new(key, b"form " + body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _host(header: str) -> str:
    host, _, port = header.rpartition(":")
    return (host if port.isdecimal() else header).lower()
