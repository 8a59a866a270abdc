"""Who may send: bearer tokens of a file, and what is said at the start where anybody may."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path

from truegreen.collector.model import Settings
from truegreen.collector.refusals import UNAUTHENTICATED, Refused
from truegreen.collector.renewed import Renewed
from truegreen.core import tokens

Allow = Callable[[str], None]
"""Takes the Authorization header, empty where there is none; raises `Refused`."""


def anybody(_header: str) -> None:
    """Refuses nobody."""


def by_token(path: Path, say: Callable[[str], None]) -> Allow:
    """Lets in who has one of the tokens in the file, one a line; the file is read anew when it changes.

    Raises:
        BadInput: the file cannot be read, or has no token.
    """
    known = Renewed([path], lambda: tokens.digests(path), say)

    def allow(header: str) -> None:
        if not tokens.known(header, known()):
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
