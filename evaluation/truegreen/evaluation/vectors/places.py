"""An address to a place for vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from truegreen.core.errors import BadInput
from truegreen.evaluation.vectors.model import Vectors

KEY: Final = "TRUEGREEN_VECTORS_KEY"
"""The variable with the key of a Weaviate or a Pinecone; with `_FILE` behind it, of the file that has it."""


def opened(address: str) -> Vectors:
    """The place at an address: a local folder, `weaviate://HOST:PORT?grpc=PORT` or `pinecone://HOST`.

    Raises:
        BadInput: the address is none of these, or its package is missing.
        Failed: nothing answers there.
    """
    scheme = urlsplit(address).scheme
    if scheme in _REMOTE:
        return _REMOTE[scheme](address)
    if "://" in address:
        raise BadInput(f"vectors: found {scheme}://…; write a folder, weaviate://HOST:PORT?grpc=PORT or pinecone://HOST")
    from truegreen.evaluation.vectors.files import Files

    return Files(Path(address))


def options(address: str, *known: str) -> Mapping[str, str]:
    """The options behind the `?` of an address.

    Raises:
        BadInput: there is one that is not known.
    """
    found = {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}
    if unknown := sorted(set(found) - set(known)):
        raise BadInput(f"vectors: option {unknown[0][:40]!r} is not known; write {', '.join(known)}")
    return found


def _weaviate(address: str) -> Vectors:
    from truegreen.evaluation.vectors.weaviate import connected

    return connected(address)


def _pinecone(address: str) -> Vectors:
    from truegreen.evaluation.vectors.pinecone import connected

    return connected(address)


_REMOTE: Mapping[str, Callable[[str], Vectors]] = {"weaviate": _weaviate, "pinecone": _pinecone}
