"""Certificates for tests, made with the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate and its key."""

    cert: Path
    key: Path


def authority(folder: Path, name: str) -> Pair:
    """A certificate authority."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl("req", "-x509", *_new(pair.key), "-subj", f"/CN={name}", "-days", "2", "-addext", "keyUsage=critical,keyCertSign",
             "-out", str(pair.cert))  # fmt: skip
    return pair


def issued(folder: Path, name: str, by: Pair, days: int = 2) -> Pair:
    """A certificate for 127.0.0.1 by this authority; with 0 days it is over."""
    pair, request, more = Pair(folder / f"{name}.crt", folder / f"{name}.key"), folder / f"{name}.csr", folder / f"{name}.ext"
    more.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
    _openssl("req", *_new(pair.key), "-subj", f"/CN={name}", "-out", str(request))
    _openssl("x509", "-req", "-in", str(request), "-CA", str(by.cert), "-CAkey", str(by.key), "-CAcreateserial", "-days", str(days),
             "-extfile", str(more), "-out", str(pair.cert))  # fmt: skip
    return pair


def _new(key: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key))


def _openssl(*arguments: str) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
