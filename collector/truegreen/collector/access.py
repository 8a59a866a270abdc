"""Who may send: bearer tokens of a file, and what is said at the start where anybody may."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from truegreen.collector.model import Settings
from truegreen.collector.refusals import UNAUTHENTICATED, Refused
from truegreen.collector.renewed import Renewed
from truegreen.core.errors import BadInput

SCHEME: Final = "bearer "
Allow = Callable[[str], None]
"""Takes the Authorization header, empty where there is none; raises `Refused`."""


def anybody(_header: str) -> None:
    """Refuses nobody."""


def by_token(path: Path, say: Callable[[str], None]) -> Allow:
    """Lets in who has one of the tokens in the file, one a line; the file is read anew when it changes.

    Raises:
        BadInput: the file cannot be read, or has no token.
    """
    known = Renewed([path], lambda: _digests(path), say)

    def allow(header: str) -> None:
        scheme, given = header[: len(SCHEME)], header[len(SCHEME) :]
        digest = hashlib.sha256(given.strip().encode("utf-8", "replace")).digest()
        # All are compared, each in constant time, as digests: neither which one nor how much of it was right shows in the time.
        same = [hmac.compare_digest(digest, one) for one in known()]
        if scheme.lower() != SCHEME or not any(same):
            raise Refused(
                "unauthenticated",
                401,
                UNAUTHENTICATED,
                "the token is missing or unknown; send the header Authorization: Bearer TOKEN",
            )

    return allow


def warnings(settings: Settings) -> Iterator[str]:
    """What to say of receivers and pages that others than this machine can reach."""
    asked = settings.receiver
    for option, endpoint in (("--http-endpoint", settings.http_endpoint), ("--grpc-endpoint", settings.grpc_endpoint)):
        if is_loopback(endpoint.rpartition(":")[0].strip("[]")):
            continue
        if asked.token_file is None and (asked.tls is None or asked.tls.client_ca is None):
            yield f"warning: {option} {endpoint} takes spans from whoever reaches it; give --token-file, or --tls-client-ca, or listen on 127.0.0.1"
        elif asked.tls is None:
            yield f"warning: {option} {endpoint} is plain text, so the token can be read on the way; give --tls-cert and --tls-key"
    if not is_loopback(settings.metrics_endpoint.rpartition(":")[0].strip("[]")):
        yield f"warning: --metrics-endpoint {settings.metrics_endpoint} shows scores and failing traces to whoever reaches it; keep it inside, or listen on 127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name other than localhost is taken for one that others reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _digests(path: Path) -> tuple[bytes, ...]:
    try:
        tokens = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--token-file {path}: cannot be read ({type(error).__name__}); write one token a line") from None
    made = tuple(hashlib.sha256(token.encode()).digest() for token in tokens if token)
    if not made:
        raise BadInput(f"--token-file {path}: there is no token in it; write one a line")
    return made
