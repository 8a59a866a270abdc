"""Secrets and certificates from files, read again when a file changes."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from truegreen.collector.renewed import Renewed
from truegreen.core.config.forward import Destination
from truegreen.core.errors import BadInput

Say = Callable[[str], None]
Pem = tuple[bytes | None, bytes | None, bytes | None]
_ONE_LINE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def headers(destination: Destination, say: Say) -> Renewed[Mapping[str, str]]:
    """The headers of a destination, those of files as the files say now.

    Raises:
        BadInput: a file cannot be read, is empty or holds more than one line.
    """
    files = destination.header_files
    where = f"collector.forward {destination.name}: headers"
    return Renewed(
        tuple(files.values()),
        lambda: {**destination.headers, **{name: _secret(path, f"{where}.{name}") for name, path in files.items()}},
        say,
    )


def tls(destination: Destination, say: Say) -> Renewed[ssl.SSLContext]:
    """The TLS context of a destination: the system's certificates or its own, and its client certificate.

    Raises:
        BadInput: a file cannot be read or is no PEM.
    """
    return Renewed(_pem_files(destination), lambda: _context(destination), say)


def pem(destination: Destination, say: Say) -> Renewed[Pem]:
    """The bytes of ca, key and certificate, where there are such: what gRPC wants.

    Raises:
        BadInput: a file cannot be read or is no PEM.
    """

    def load() -> Pem:
        _context(destination)  # says what is wrong with the files before gRPC meets them
        ca, key, cert = (path.read_bytes() if path else None for path in (destination.ca, destination.key, destination.cert))
        return ca, key, cert

    return Renewed(_pem_files(destination), load, say)


def _pem_files(destination: Destination) -> tuple[Path, ...]:
    return tuple(path for path in (destination.ca, destination.cert, destination.key) if path)


def _context(destination: Destination) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=destination.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if destination.cert:
            context.load_cert_chain(destination.cert, destination.key, password=lambda: "")
    except (OSError, ValueError) as error:
        named = ", ".join(map(str, _pem_files(destination)))
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it is no PEM"
        where = f"collector.forward {destination.name}: tls"
        raise BadInput(f"{where}: cannot load {named}: {reason}; name files in PEM, the key without a password") from None
    return context


def _secret(path: Path, where: str) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(f"{where}: cannot read {path}: {reason}; name a file that has the value alone") from None
    if not text:
        raise BadInput(f"{where}: {path} is empty; write the value into it")
    if not _ONE_LINE.fullmatch(text):
        raise BadInput(f"{where}: {path} holds more than one line of ASCII text; write the value alone")
    return text
