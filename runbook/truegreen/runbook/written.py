"""Put a document where one may be already: what a person changed since is not lost."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import freeze

_MOST: Final = 64 * 1024 * 1024
"""Bytes of a file that is looked at; a larger one is nobody's document of ours."""
_SEAL: Final = b"<!-- as it was written, the SHA-256 of what is above: %s -->\n"


def text(out: Path, words: str, *, force: bool) -> bytes:
    """Write a Markdown or HTML document with a last line by which it is known whether somebody changed it; returns what was written.

    Args:
        force: whatever is there is lost.

    Raises:
        BadInput: there is a file that is not as it was written.
        Failed: it cannot be written.
    """
    content = words.encode("utf-8", "replace")
    content += _seal(content)
    _put(out, content, force=force, known=())
    return content


def data(out: Path, content: bytes, *, force: bool, known: Collection[str]) -> None:
    """Write a file of bytes.

    Args:
        known: SHA-256 in hex of what was written before and may be written anew.

    Raises:
        BadInput, Failed: as `text`.
    """
    _put(out, content, force=force, known=known)


def _put(out: Path, content: bytes, *, force: bool, known: Collection[str]) -> None:
    try:
        if not force and not _ours(out, known):
            raise BadInput(
                f"--out: {out} is there, and is not as it was written: somebody changed it, or it is another file; "
                "write another name, or add --force to lose what is in it"
            )
        freeze.replace(out, content)
    except OSError as error:
        raise Failed(f"{out}: cannot be written: {error.strerror or error}") from None


def _ours(out: Path, known: Collection[str]) -> bool:
    if not out.exists():
        return True
    if out.stat().st_size > _MOST:
        return False
    found = out.read_bytes()
    above = found[: -len(_SEAL % b"") - 64]
    return not found or found == above + _seal(above) or hashlib.sha256(found).hexdigest() in known


def _seal(above: bytes) -> bytes:
    return _SEAL % hashlib.sha256(above).hexdigest().encode()
