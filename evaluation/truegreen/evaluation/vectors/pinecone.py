"""Vectors in Pinecone: one namespace of an index for each group. An index has one size of vector, which its owner sets, and the metric cosine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Final
from urllib.parse import urlsplit

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.vectors.model import MOST, Group, Near, Row, mean, row_id
from truegreen.evaluation.vectors.places import KEY, options

AT_ONCE: Final = 100
"""Rows of one request."""
EXAMPLE: Final = "pinecone://INDEX-PROJECT.svc.REGION.pinecone.io"


def connected(address: str) -> Pinecone:
    """A client of the index at `pinecone://HOST`, or `pinecone://HOST:PORT?tls=false`; its key is in TRUEGREEN_VECTORS_KEY, or in the file of
    TRUEGREEN_VECTORS_KEY_FILE.

    Raises:
        BadInput: the address is no such thing, the key is not there, or the package is missing.
    """  # noqa: D205
    try:
        import pinecone
    except ModuleNotFoundError:
        raise BadInput("vectors: no module 'pinecone' is installed; write: pip install 'pinecone>=7'") from None
    from truegreen.core.clients.http import secret

    asked = options(address, "tls")
    where = urlsplit(address).netloc
    if not where:
        raise BadInput(f"vectors: found no host in the address; write {EXAMPLE}")
    key = secret(KEY, os.environ)
    if not key:
        raise BadInput(f"vectors: {KEY} is not set; write the key of the Pinecone project into a file and name it in {KEY}_FILE")
    scheme = "http" if asked.get("tls") == "false" else "https"
    with _said(where):
        return Pinecone(pinecone.Pinecone(api_key=key).Index(host=f"{scheme}://{where}"), where)


class Pinecone:
    """An index.

    Args:
        index: of the package pinecone.
        name: what errors call it.
    """

    def __init__(self, index: Any, name: str) -> None:
        self._index, self._name = index, name

    def put(self, group: Group, rows: Sequence[Row]) -> None:
        """Keep rows; the id of each is made from it, so that a second time changes nothing. One without a direction has no place there."""
        made = [
            {"id": row_id(group, row), "values": list(row.vector), "metadata": {"time": row.time}}
            for row in rows
            if any(row.vector)
        ]
        with _said(self._name):
            for start in range(0, len(made), AT_ONCE):
                self._index.upsert(vectors=made[start : start + AT_ONCE], namespace=group.key)

    def nearest(self, group: Group, vector: Sequence[float], many: int) -> list[Near]:
        """The nearest rows by cosine."""
        with _said(self._name):
            found = self._index.query(
                vector=list(vector), top_k=many, namespace=group.key, include_values=True, include_metadata=True
            )
        return [Near(_row(one), float(one.score)) for one in found.matches]

    def centroid(self, group: Group) -> tuple[float, ...]:
        """The mean of at most 10,000 rows, which are read by their ids: the index has no mean and no order by time."""
        rows: list[tuple[float, ...]] = []
        with _said(self._name):
            pages = self._index.list(namespace=group.key)
            ids = list(islice(chain.from_iterable((item.id for item in page.vectors) for page in pages), MOST))
            for start in range(0, len(ids), AT_ONCE):
                found = self._index.fetch(ids=ids[start : start + AT_ONCE], namespace=group.key)
                rows += [_row(one).vector for one in found.vectors.values()]
        return mean(rows)

    def count(self, group: Group) -> int:
        """How many rows there are; Pinecone counts with a delay of seconds."""
        with _said(self._name):
            found = self._index.describe_index_stats().namespaces.get(group.key)
        return int(found.vector_count) if found else 0

    def close(self) -> None:
        """Close the connection."""
        self._index.close()


def _row(found: Any) -> Row:
    return Row(float((found.metadata or {}).get("time", 0.0)), tuple(map(float, found.values)))


@contextmanager
def _said(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # what the client raises has many roots
        said = str(error).splitlines() or [type(error).__name__]
        raise Failed(f"vectors: pinecone {name} cannot be asked: {said[0][:160]}") from None
