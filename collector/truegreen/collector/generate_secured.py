"""How an OpenTelemetry Collector sends to collectors that ask for TLS or a token, and asks for them itself: by what the environment names, or the files of a Secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.config.receiver import Receiver

AUTHORITY: Final = "ca.crt"
"""Certificates of who issued the collectors' own."""
CERT: Final = "tls.crt"
KEY: Final = "tls.key"
CLIENTS: Final = "client-ca.crt"
TOKENS: Final = "tokens"
NAMES: Final = (AUTHORITY, CERT, KEY, CLIENTS, TOKENS)
ENVIRONMENT: Final = {
    AUTHORITY: "${env:TRUEGREEN_CA_FILE}",
    CERT: "${env:TRUEGREEN_CERT_FILE}",
    KEY: "${env:TRUEGREEN_KEY_FILE}",
}
TOKEN: Final = "TRUEGREEN_TOKEN"
_ASKS: Final = "bearertokenauth/truegreen"


def client(asked: Receiver, files: Mapping[str, str] = ENVIRONMENT, server_name: str = "") -> dict[str, Any]:
    """`tls` and `headers` of an exporter that sends to these receivers.

    Args:
        files: where `AUTHORITY`, `CERT` and `KEY` are; an empty authority stands for the system's.
        server_name: the name that the collectors' certificate has, where they are found by their addresses; empty for the one that is connected to.
    """
    made: dict[str, Any] = {"tls": {"insecure": True}}
    if asked.tls:
        own = {"cert_file": files[CERT], "key_file": files[KEY]} if asked.tls.client_ca else {}
        named = {"server_name_override": server_name} if server_name else {}
        made["tls"] = {"ca_file": files[AUTHORITY], **own, **named}
    if asked.token_file:
        made["headers"] = {"Authorization": f"Bearer ${{env:{TOKEN}}}"}
    return made


def server(asked: Receiver, protocols: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Extensions, and the protocols of an OTLP receiver that asks for the same as the collectors behind it.

    Args:
        protocols: what the receiver says without that.
        files: where `CERT`, `KEY`, `CLIENTS` and `TOKENS` are.
    """
    extensions: dict[str, Any] = {}
    more: dict[str, Any] = {}
    if asked.tls:
        clients = {"client_ca_file": files[CLIENTS]} if asked.tls.client_ca else {}
        more["tls"] = {"cert_file": files[CERT], "key_file": files[KEY], **clients}
    if asked.token_file:
        extensions[_ASKS] = {"scheme": "Bearer", "filename": files[TOKENS]}
        more["auth"] = {"authenticator": _ASKS}
    return extensions, {name: {**settings, **more} for name, settings in protocols.items()}


def variables(asked: Receiver) -> str:
    """A line on the variables that `client` reads by default, empty where it reads none."""
    read = {
        "TRUEGREEN_TOKEN (one of the tokens)": asked.token_file,
        "TRUEGREEN_CA_FILE (who issued the certificate of truegreen's collector; empty for the system's authorities)": asked.tls,
        "TRUEGREEN_CERT_FILE and TRUEGREEN_KEY_FILE (a certificate that it lets in)": asked.tls and asked.tls.client_ca,
    }
    named = [what for what, there in read.items() if there]
    return f"\nIt reads from the environment {', '.join(named)}." if named else ""
