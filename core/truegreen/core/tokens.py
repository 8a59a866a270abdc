"""Bearer tokens of a file: who takes requests keeps their digests and compares those."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput

SCHEME: Final = "bearer "
Stamp = tuple[int, int, int]


def digests(path: Path) -> tuple[bytes, ...]:
    """SHA-256 of each token of a file, one a line.

    Raises:
        BadInput: the file cannot be read, or has no token.
    """
    try:
        tokens = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--token-file {path}: cannot be read ({type(error).__name__}); write one token a line") from None
    made = tuple(hashlib.sha256(token.encode()).digest() for token in tokens if token)
    if not made:
        raise BadInput(f"--token-file {path}: there is no token in it; write one a line")
    return made


def known(header: str, among: Iterable[bytes]) -> str:
    """The digest, in hex, of the token in an Authorization header; empty where it is missing or not among those."""
    scheme, given = header[: len(SCHEME)], header[len(SCHEME) :]
    digest = hashlib.sha256(given.strip().encode("utf-8", "replace")).digest()
    # All are compared, each in constant time, as digests: neither which one nor how much of it was right shows in the time.
    same = [hmac.compare_digest(digest, one) for one in among]
    return digest.hex() if scheme.lower() == SCHEME and any(same) else ""


def stamp(path: Path) -> Stamp:
    """What differs once a file is another; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
