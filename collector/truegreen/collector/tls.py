"""TLS for both receivers, 1.2 or newer; a renewed certificate, key or client authority is used by the next connection, without a restart."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from truegreen.collector.renewed import Renewed
from truegreen.core.config.receiver import Tls
from truegreen.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Made:
    """The files as each library wants them."""

    context: ssl.SSLContext
    configuration: Any


def renewed(tls: Tls, say: Callable[[str], None]) -> Renewed[Made]:
    """The files as they are now.

    Raises:
        BadInput: one of them cannot be read, or key and certificate are not of one pair.
    """
    paths = [tls.cert, tls.key] + ([tls.client_ca] if tls.client_ca else [])
    return Renewed(paths, lambda: _made(tls), say)


def grpc_credentials(files: Renewed[Made], tls: Tls) -> grpc.ServerCredentials:
    """Credentials that ask the files again for each new connection."""
    used = [files()]

    def newer() -> Any:
        made = files()
        if made is used[0]:
            return None
        used[0] = made
        return made.configuration

    return grpc.dynamic_ssl_server_credentials(
        used[0].configuration, newer, require_client_authentication=tls.client_ca is not None
    )


def _made(tls: Tls) -> Made:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert, tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        where = f"--tls-cert {tls.cert}, --tls-key {tls.key}"
        raise BadInput(f"{where}: {_reason(error)}; write a PEM certificate chain and its key, without a password") from None
    if tls.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(tls.client_ca)
        except (OSError, ValueError) as error:
            raise BadInput(f"--tls-client-ca {tls.client_ca}: {_reason(error)}; write PEM certificates of authorities") from None
    pair = (tls.key.read_bytes(), tls.cert.read_bytes())
    root = tls.client_ca.read_bytes() if tls.client_ca else None
    return Made(context, grpc.ssl_server_certificate_configuration([pair], root_certificates=root))


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.lower().replace("_", " ") if error.reason else "there is nothing of the kind in it"
    return getattr(error, "strerror", None) or str(error)
