"""Readers of vector stores, on the client that the application already has: alias, target, version, last rebuild, embedding model.

No store keeps the time of a rebuild or the name of the embedding model by itself, so both are read from the labels that a team's indexing job leaves
there: `index_version` (or `version`), `rebuilt` (unix seconds or ISO 8601; or `rebuilt_at`, `last_rebuild`), `embedding_model`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from truegreen.instrumentation.indexes import Index, unix

VERSION_KEYS = ("index_version", "version")
REBUILT_KEYS = ("rebuilt", "rebuilt_at", "last_rebuild")
MODEL_KEYS = ("embedding_model",)


@dataclass(frozen=True, slots=True)
class Qdrant:
    """A collection or alias of Qdrant; labels are the collection's metadata, `update_collection(name, metadata={…})` (Qdrant 1.16 or newer).

    Args:
        client: a `QdrantClient`.
        collection: the name that the application searches.
    """

    client: Any
    collection: str

    def read(self) -> Index:
        """Two requests: the aliases, and the collection."""
        aliases = {one.alias_name: one.collection_name for one in self.client.get_aliases().aliases}
        name = aliases.get(self.collection, self.collection)
        labels = getattr(self.client.get_collection(name).config, "metadata", None)
        return _index(name, self.collection, labels)


@dataclass(frozen=True, slots=True)
class Pinecone:
    """An index of Pinecone, which has no aliases; labels are its tags, `configure_index(name, tags={…})`.

    Without a version tag the backup or collection that it was made from stands for one. The control plane is asked: give `snapshot.index` a `period` of a
    minute where many processes ask.

    Args:
        client: a `Pinecone` client.
        name: the index.
    """

    client: Any
    name: str

    def read(self) -> Index:
        """One request."""
        found = self.client.describe_index(self.name)
        labels = dict(_mapping(_get(found, "tags")))
        source = _get(found, "source_backup_id") or _get(found, "source_collection")
        if source and not any(labels.get(key) for key in VERSION_KEYS):
            labels["version"] = source
        if model := _get(_get(found, "embed"), "model"):  # an index that embeds by itself
            labels.setdefault("embedding_model", model)
        return _index(self.name, self.name, labels)


@dataclass(frozen=True, slots=True)
class Weaviate:
    """A collection or alias of Weaviate (aliases: server 1.32 or newer); labels are a JSON object as the collection's description.

    Args:
        client: a `WeaviateClient`.
        collection: the name that the application searches.
    """

    client: Any
    collection: str

    def read(self) -> Index:
        """Two requests: the alias, and the collection's configuration."""
        target = _get(self.client.alias.get(alias_name=self.collection), "collection") if hasattr(self.client, "alias") else None
        name = target or self.collection
        config = self.client.collections.get(name).config.get()
        try:
            labels = dict(_mapping(json.loads(_get(config, "description") or "{}")))
        except ValueError:  # a description for people
            labels = {}
        if model := _vectorizer(config):
            labels.setdefault("embedding_model", model)
        return _index(name, self.collection, labels)


def _index(name: str, asked: str, labels: Any) -> Index:
    told = _mapping(labels)

    def first(keys: tuple[str, ...]) -> Any:
        return next((told[key] for key in keys if told.get(key) not in (None, "")), None)

    return Index(
        name=name,
        alias=asked if asked != name else "",
        version=str(first(VERSION_KEYS) or ""),
        rebuilt=unix(first(REBUILT_KEYS)),
        embedding_model=str(first(MODEL_KEYS) or ""),
    )


def _vectorizer(config: Any) -> str:
    """The model of a collection that embeds by itself: of its one vectorizer, or of all its named vectors."""
    named = _mapping(_get(config, "vector_config")).values()
    found = [_get(config, "vectorizer_config"), *(_get(one, "vectorizer") for one in named)]
    models = {_mapping(_get(one, "model")).get("model") for one in found if one is not None}
    return ",".join(sorted(str(model) for model in models if model))


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    to_dict = getattr(value, "to_dict", None)
    found = to_dict() if callable(to_dict) else None
    return found if isinstance(found, Mapping) else {}


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
