"""The readers on the real clients: Qdrant in this process, Pinecone and Weaviate against local servers that speak their contracts.

The clients are not among the locked packages: `nox -s stores` runs this file with them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from truegreen.instrumentation import indexes, stores

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))
from local_server import Reply, local  # noqa: E402


def test_qdrant_alias_target_and_labels():
    """A swap of the alias in one call, as a rollback does it."""
    qdrant = pytest.importorskip("qdrant_client")
    models = qdrant.models
    client = qdrant.QdrantClient(":memory:")
    for name, labels in (
        ("kb_v1", {"index_version": "1", "rebuilt": "2026-11-01T00:00:00Z", "embedding_model": "e-small"}),
        ("kb_v2", None),
    ):
        client.create_collection(
            name, vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE), metadata=labels
        )

    def point(target):
        moves = (
            [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="kb"))]
            if client.get_aliases().aliases
            else []
        )
        made = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=target, alias_name="kb"))
        client.update_collection_aliases([*moves, made])

    reader = stores.Qdrant(client, "kb")
    point("kb_v1")
    assert reader.read() == indexes.Index("kb_v1", "kb", "1", 1_793_491_200.0, "e-small")
    assert str(reader.read()) == "kb@kb_v1#1"
    point("kb_v2")
    assert reader.read() == indexes.Index("kb_v2", "kb")
    assert stores.Qdrant(client, "kb_v1").read().alias == ""
    with pytest.raises(ValueError, match="gone"):
        stores.Qdrant(client, "gone").read()


PINECONE = {
    "name": "kb", "host": "kb.svc.pinecone.io", "deletion_protection": "disabled", "status": {"ready": True, "state": "Ready"},
    "schema": {"fields": {"_values": {"type": "dense_vector", "dimension": 2, "metric": "cosine"}}},
    "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"tags": {"version": "7", "rebuilt": "1700000000", "embedding_model": "e"}}, indexes.Index("kb", "", "7", 1.7e9, "e")),
        ({"source_backup_id": "b-1"}, indexes.Index("kb", "", "b-1")),
        ({"source_backup_id": "b-1", "tags": {"index_version": "7"}}, indexes.Index("kb", "", "7")),
        ({}, indexes.Index("kb")),
    ],
)
def test_pinecone_tags_and_sources(more, expected):
    """`describe_index` of the real client."""
    pinecone = pytest.importorskip("pinecone")
    with local(lambda call: Reply({**PINECONE, **more} if call.path == "/indexes/kb" else {}, 200)) as (url, calls):
        reader = stores.Pinecone(pinecone.Pinecone(api_key="k", host=url), "kb")
        assert reader.read() == expected
        assert [call.path for call in calls] == ["/indexes/kb"]


def weaviate_collection(name, description, **more):
    return {
        "class": name, "description": description, "properties": [], "vectorizer": "none", "vectorIndexType": "hnsw",
        "invertedIndexConfig": {"bm25": {"b": 0.75, "k1": 1.2}, "cleanupIntervalSeconds": 60, "stopwords": {"additions": None, "preset": "en", "removals": None}},
        "multiTenancyConfig": {"enabled": False, "autoTenantCreation": False, "autoTenantActivation": False},
        "replicationConfig": {"factor": 1, "asyncEnabled": False, "deletionStrategy": "NoAutomatedResolution"},
        "shardingConfig": {"virtualPerPhysical": 128, "desiredCount": 1, "actualCount": 1, "desiredVirtualCount": 128, "actualVirtualCount": 128, "key": "_id", "strategy": "hash", "function": "murmur3"},
        "vectorIndexConfig": {
            "skip": False, "cleanupIntervalSeconds": 300, "maxConnections": 32, "efConstruction": 128, "ef": -1, "dynamicEfMin": 100, "dynamicEfMax": 500,
            "dynamicEfFactor": 8, "vectorCacheMaxObjects": 1000000000000, "flatSearchCutoff": 40000, "distance": "cosine", "filterStrategy": "sweeping",
        },
        **more,
    }  # fmt: skip


def test_weaviate_alias_description_and_vectorizer():
    """The alias's target, labels in the description, the model of a collection that embeds by itself; a description for people is no label."""
    weaviate = pytest.importorskip("weaviate")
    labels = json.dumps({"index_version": "7", "rebuilt": "2023-11-14T22:13:20Z"})
    openai = {
        "vectorizer": "text2vec-openai",
        "moduleConfig": {"text2vec-openai": {"model": "text-embedding-3-small", "vectorizeClassName": True}},
    }
    known = {
        "Kb_v1": weaviate_collection("Kb_v1", labels, **openai),
        "Kb_v2": weaviate_collection("Kb_v2", "The newest articles"),
    }
    target = {"name": "Kb_v1"}

    def answer(call):
        if call.path == "/v1/aliases/Kb":
            return Reply({"alias": "Kb", "class": target["name"]})
        if call.path.startswith("/v1/schema/"):
            return Reply(known[call.path.rpartition("/")[2]])
        return Reply(
            {"version": "1.35.2", "modules": {}} if call.path == "/v1/meta" else {}, 200 if call.path == "/v1/meta" else 404
        )

    with local(answer) as (url, _):
        host, _, port = url.removeprefix("http://").partition(":")
        client = weaviate.WeaviateClient(
            weaviate.connect.ConnectionParams.from_params(host, int(port), False, host, 1, False), skip_init_checks=True
        )
        client.connect()
        try:
            reader = stores.Weaviate(client, "Kb")
            assert reader.read() == indexes.Index("Kb_v1", "Kb", "7", 1.7e9, "text-embedding-3-small")
            target["name"] = "Kb_v2"
            assert reader.read() == indexes.Index("Kb_v2", "Kb")
            assert stores.Weaviate(client, "Kb_v1").read().alias == ""
        finally:
            client.close()
