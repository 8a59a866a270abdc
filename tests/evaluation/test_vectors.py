"""Where drift vectors live: local files, a real Weaviate, the real client of Pinecone against a server of its documented contract."""

from __future__ import annotations

import json
import math
import os
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.vectors.model import MOST, Group, Row
from truegreen.evaluation.vectors.places import KEY, opened

GROUP = Group("bot", "production", "support@3", "answer", "lexical-64@1")
OTHER = Group("bot", "production", "support@4", "answer", "lexical-64@1")
ROWS = [Row(100.0 + at, tuple(float(x) for x in (1.0, at / 10, 0.0, -1.0))) for at in range(8)]


def keeps_what_the_protocol_says(place):
    """Every place is held to the same."""
    assert (place.count(GROUP), place.centroid(GROUP), place.nearest(GROUP, ROWS[0].vector, 3)) == (0, (), [])
    place.put(GROUP, ROWS[:5])
    place.put(GROUP, ROWS)  # a retry: what is there already is not kept twice
    place.put(OTHER, [Row(1.0, (0.0, 0.0, 1.0, 0.0))])
    assert (place.count(GROUP), place.count(OTHER)) == (8, 1)
    assert place.centroid(GROUP) == pytest.approx((1.0, 0.35, 0.0, -1.0), abs=1e-5)
    found = place.nearest(GROUP, ROWS[7].vector, 3)
    assert [one.row.time for one in found] == [107.0, 106.0, 105.0]
    assert found[0].alike == pytest.approx(1.0, abs=1e-5)
    cosine = (
        sum(a * b for a, b in zip(ROWS[6].vector, ROWS[7].vector, strict=True))
        / math.dist(ROWS[6].vector, (0,) * 4)
        / math.dist(ROWS[7].vector, (0,) * 4)
    )
    assert found[1].alike == pytest.approx(cosine, abs=1e-5)
    assert found[0].row.vector == pytest.approx(ROWS[7].vector, abs=1e-5)
    place.close()


# --- local files ---


def test_a_folder_keeps_them(tmp_path):
    keeps_what_the_protocol_says(opened(str(tmp_path / "vectors")))


def test_a_folder_keeps_the_newest_and_survives_a_row_that_was_cut_short(tmp_path):
    place = opened(str(tmp_path))
    many = [Row(float(at), (float(at), 1.0)) for at in range(2 * MOST)]
    place.put(GROUP, many[:-10])
    path = tmp_path / f"{GROUP.key}.f32"
    path.write_bytes(path.read_bytes()[:-3])
    assert opened(str(tmp_path)).count(GROUP) == 2 * MOST - 11
    place.put(GROUP, many[-11:])
    assert place.count(GROUP) == 2 * MOST
    place.put(GROUP, [Row(1e6, (0.0, 1.0))])
    assert place.count(GROUP) == MOST
    assert place.centroid(GROUP)[0] == pytest.approx(sum(range(MOST + 1, 2 * MOST)) / MOST)
    assert "support@3" in (tmp_path / f"{GROUP.key}.json").read_text()


def test_a_broken_folder_is_named_and_kept(tmp_path):
    place = opened(str(tmp_path))
    place.put(GROUP, ROWS)
    with pytest.raises(BadInput, match="vectors of 2 numbers, and those that are there have 4"):
        place.put(GROUP, [Row(1.0, (0.0, 1.0))])
    about = tmp_path / f"{GROUP.key}.json"
    about.write_text("{")
    with pytest.raises(BadInput, match="both files are kept"):
        place.count(GROUP)
    assert about.read_text() == "{"


# --- addresses ---


@pytest.mark.parametrize(("address", "says"), [
    ("qdrant://host", "found qdrant://…; write a folder"),
    ("weaviate://", "write weaviate://127.0.0.1:8080"),
    ("weaviate://host:x", "write weaviate://127.0.0.1:8080"),
    ("weaviate://host?speed=9", "option 'speed' is not known; write grpc, tls"),
    ("pinecone://", "write pinecone://INDEX"),
    ("pinecone://host", f"{KEY} is not set"),
])  # fmt: skip
def test_an_address_that_is_none_says_what_to_write(monkeypatch, address, says):
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(BadInput) as found:
        opened(address)
    assert says in str(found.value)


# --- Pinecone: the real client, a server of the documented contract ---


@contextmanager
def pinecone_server():
    """Upsert, query, list, fetch and describe_index_stats, as https://docs.pinecone.io/reference/api/2025-04/data-plane has them."""
    spaces: dict[str, dict[str, dict]] = {}
    seen = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, body, status=200):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            seen.append((self.path, self.headers.get("Api-Key")))
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            space = spaces.setdefault(asked.get("namespace", ""), {}) if self.path != "/describe_index_stats" else {}
            if self.path == "/vectors/upsert":
                assert len(asked["vectors"]) <= 1000
                space.update({one["id"]: one for one in asked["vectors"]})
                self.answer({"upsertedCount": len(asked["vectors"])})
            elif self.path == "/query":

                def alike(one):
                    dot = sum(a * b for a, b in zip(one["values"], asked["vector"], strict=True))
                    return dot / math.hypot(*one["values"]) / math.hypot(*asked["vector"])

                best = sorted(space.values(), key=alike, reverse=True)[: asked["topK"]]
                self.answer(
                    {
                        "matches": [{**one, "score": alike(one)} for one in best],
                        "namespace": asked["namespace"],
                        "usage": {"readUnits": 1},
                    }
                )
            else:
                stats = {name: {"vectorCount": len(rows)} for name, rows in spaces.items() if rows}
                self.answer(
                    {"namespaces": stats, "dimension": 4, "indexFullness": 0, "totalVectorCount": sum(map(len, spaces.values()))}
                )

        def do_GET(self):
            parts = urlsplit(self.path)
            asked = parse_qs(parts.query)
            space = spaces.get(asked["namespace"][0], {})
            if parts.path == "/vectors/list":
                ids, start = sorted(space), int(asked.get("paginationToken", ["0"])[0])
                more = {"pagination": {"next": str(start + 5)}} if start + 5 < len(ids) else {}
                self.answer(
                    {
                        "vectors": [{"id": one} for one in ids[start : start + 5]],
                        "namespace": asked["namespace"][0],
                        "usage": {"readUnits": 1},
                        **more,
                    }
                )
            else:
                self.answer(
                    {
                        "vectors": {one: space[one] for one in asked["ids"]},
                        "namespace": asked["namespace"][0],
                        "usage": {"readUnits": 1},
                    }
                )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def test_the_real_client_of_pinecone_keeps_them(monkeypatch, tmp_path):
    pytest.importorskip("pinecone")
    (tmp_path / "key").write_text("secret-key\n")
    monkeypatch.setenv(f"{KEY}_FILE", str(tmp_path / "key"))
    with pinecone_server() as (where, seen):
        keeps_what_the_protocol_says(opened(f"pinecone://{where}?tls=false"))
    assert {key for _, key in seen} == {"secret-key"}


@pytest.mark.full
def test_a_pinecone_that_is_not_there_is_an_answer_in_one_line(monkeypatch):
    pytest.importorskip("pinecone")
    monkeypatch.setenv(KEY, "secret-key")
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        place = opened(f"pinecone://127.0.0.1:{one.getsockname()[1]}?tls=false")
        with pytest.raises(Failed, match="cannot be asked") as found:
            place.count(GROUP)
    assert "secret-key" not in str(found.value)


# --- a real Weaviate ---


def free():
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.full
def test_a_real_weaviate_keeps_them(engine, tmp_path):
    http, grpc, cluster = free(), free(), [free() for _ in range(4)]
    environ = {
        **os.environ, "PERSISTENCE_DATA_PATH": str(tmp_path), "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true", "DEFAULT_VECTORIZER_MODULE": "none",
        "CLUSTER_HOSTNAME": "node1", "CLUSTER_ADVERTISE_ADDR": "127.0.0.1", "RAFT_BOOTSTRAP_EXPECT": "1", "DISABLE_TELEMETRY": "true",
        "GRPC_PORT": str(grpc), "CLUSTER_GOSSIP_BIND_PORT": str(cluster[0]), "CLUSTER_DATA_BIND_PORT": str(cluster[0] + 1), "RAFT_PORT": str(cluster[2]),
        "RAFT_INTERNAL_RPC_PORT": str(cluster[3]), "PROMETHEUS_MONITORING_ENABLED": "false", "LOG_LEVEL": "error", "GOMAXPROCS": "2",
    }  # fmt: skip
    command = [str(engine("weaviate-server")), "--host", "127.0.0.1", "--port", str(http), "--scheme", "http"]
    log = (tmp_path.parent / "weaviate.log").open("w")
    process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{http}/v1/.well-known/ready", timeout=2)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path.parent / "weaviate.log").read_text()[
                    -2000:
                ]
                time.sleep(0.2)
        keeps_what_the_protocol_says(opened(f"weaviate://127.0.0.1:{http}?grpc={grpc}"))
    finally:
        process.terminate()
        process.wait(30)
        log.close()
    with pytest.raises(Failed, match="weaviate 127.0.0.1 cannot be asked"):
        opened(f"weaviate://127.0.0.1:{http}?grpc={grpc}")
