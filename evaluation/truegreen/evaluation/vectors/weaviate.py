"""Vectors in Weaviate: one collection for each size of vector, one property that says whose, no vectorizer. Server 1.25 or newer."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.vectors.model import MOST, Group, Near, Row, mean, row_id
from truegreen.evaluation.vectors.places import KEY, options

COLLECTION: Final = "TruegreenDrift"
GRPC: Final = 50051
PAGE: Final = 1_000
EXAMPLE: Final = "weaviate://127.0.0.1:8080?grpc=50051"


def connected(address: str) -> Weaviate:
    """A client of the server at `weaviate://HOST:PORT?grpc=PORT&tls=true`; its key is in TRUEGREEN_VECTORS_KEY, or in the file of TRUEGREEN_VECTORS_KEY_FILE.

    Raises:
        BadInput: the address is no such thing, or the package is missing.
        Failed: nothing answers there.
    """
    try:
        import weaviate
        from weaviate.classes.init import AdditionalConfig, Auth, Timeout
    except ModuleNotFoundError:
        raise BadInput("vectors: no module 'weaviate' is installed; write: pip install 'weaviate-client>=4.9'") from None
    asked = options(address, "grpc", "tls")
    try:
        parts = urlsplit(address)
        host, port, grpc = parts.hostname or "", parts.port or 8080, int(asked.get("grpc", GRPC))
    except ValueError:
        host = ""
    if not host:
        raise BadInput(f"vectors: found no host and ports in the address; write {EXAMPLE}")
    from truegreen.core.clients.http import secret

    secure = asked.get("tls") == "true"
    key = secret(KEY, os.environ)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with _said(host):
        client = weaviate.connect_to_custom(
            host, port, secure, host, grpc, secure, auth_credentials=Auth.api_key(key) if key else None,
            additional_config=AdditionalConfig(timeout=Timeout(init=5, query=30, insert=60)),
        )  # fmt: skip
    return Weaviate(client, host)


class Weaviate:
    """A server.

    Args:
        client: of weaviate-client 4, connected.
        name: what errors call it.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def put(self, group: Group, rows: Sequence[Row]) -> None:
        """Keep rows; the id of each is made from it, so that a second time changes nothing."""
        from weaviate.classes.data import DataObject

        if not rows:
            return
        with _said(self._name):
            made = [
                DataObject(properties={"group": group.key, "time": row.time}, uuid=row_id(group, row), vector=list(row.vector))
                for row in rows
            ]
            answer = self._collection(len(rows[0].vector)).data.insert_many(made)
        wrong = [str(error.message) for error in answer.errors.values() if "already exists" not in str(error.message)]
        if wrong:
            raise Failed(f"vectors: weaviate {self._name} did not keep {len(wrong)} of {len(rows)} rows: {wrong[0][:120]}")

    def nearest(self, group: Group, vector: Sequence[float], many: int) -> list[Near]:
        """The nearest rows by cosine."""
        from weaviate.classes.query import MetadataQuery

        with _said(self._name):
            found = self._collection(len(vector)).query.near_vector(
                list(vector), limit=many, filters=_of(group), include_vector=True, return_metadata=MetadataQuery(distance=True)
            )
        return [Near(_row(one), 1 - float(one.metadata.distance)) for one in found.objects]

    def centroid(self, group: Group) -> tuple[float, ...]:
        """The mean of the newest rows, which are read page by page: the server has no mean."""
        from weaviate.classes.query import Sort

        rows: list[tuple[float, ...]] = []
        with _said(self._name):
            for collection in self._collections():
                for start in range(0, MOST, PAGE):
                    page = collection.query.fetch_objects(
                        limit=PAGE,
                        offset=start,
                        filters=_of(group),
                        include_vector=True,
                        sort=Sort.by_property("time", ascending=False),
                    )
                    rows += [_row(one).vector for one in page.objects]
                    if len(page.objects) < PAGE:
                        break
        return mean(rows)

    def count(self, group: Group) -> int:
        """How many rows there are."""
        with _said(self._name):
            return sum(
                int(one.aggregate.over_all(filters=_of(group), total_count=True).total_count or 0) for one in self._collections()
            )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _collections(self) -> list[Any]:
        names = sorted(name for name in self._client.collections.list_all() if name.startswith(COLLECTION))
        return [self._client.collections.get(name) for name in names]

    def _collection(self, size: int) -> Any:
        from weaviate.classes.config import Configure, DataType, Property, Tokenization

        name = f"{COLLECTION}{size}"
        if not self._client.collections.exists(name):
            self._client.collections.create(
                name, vectorizer_config=Configure.Vectorizer.none(), properties=[
                    Property(name="group", data_type=DataType.TEXT, tokenization=Tokenization.FIELD),
                    Property(name="time", data_type=DataType.NUMBER),
                ],
            )  # fmt: skip
        return self._client.collections.get(name)


def _of(group: Group) -> Any:
    from weaviate.classes.query import Filter

    return Filter.by_property("group").equal(group.key)


def _row(found: Any) -> Row:
    vector = found.vector["default"] if isinstance(found.vector, dict) else found.vector
    return Row(float(found.properties["time"]), tuple(map(float, vector)))


@contextmanager
def _said(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # what the client raises has many roots
        said = str(error).splitlines() or [type(error).__name__]
        raise Failed(f"vectors: weaviate {name} cannot be asked: {said[0][:160]}") from None
