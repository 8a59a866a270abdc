"""`truegreen rollback index` on a real Weaviate."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from truegreen.core.clients.engines import free_port

STAND = ("--override", "ann", "--reason", "it served in May", "--verify-count", "0")


@pytest.fixture
def weaviate(engine: Callable[[str], Path], tmp_path: Path) -> Iterator[httpx.Client]:
    """A server with two collections and an alias on the newer one."""
    http, grpc, raft, rpc, gossip, data = (free_port() for _ in range(6))
    environ = {
        **os.environ, "PERSISTENCE_DATA_PATH": str(tmp_path / "weaviate"), "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        "DEFAULT_VECTORIZER_MODULE": "none", "CLUSTER_HOSTNAME": "node1", "CLUSTER_ADVERTISE_ADDR": "127.0.0.1", "RAFT_BOOTSTRAP_EXPECT": "1",
        "DISABLE_TELEMETRY": "true", "GRPC_PORT": str(grpc), "CLUSTER_GOSSIP_BIND_PORT": str(gossip), "CLUSTER_DATA_BIND_PORT": str(data),
        "RAFT_PORT": str(raft), "RAFT_INTERNAL_RPC_PORT": str(rpc), "PROMETHEUS_MONITORING_ENABLED": "false", "LOG_LEVEL": "error",
        "GOMAXPROCS": "2",
    }  # fmt: skip
    command = [str(engine("weaviate-server")), "--host", "127.0.0.1", "--port", str(http), "--scheme", "http"]
    said = tmp_path / "weaviate.log"
    with said.open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http}", trust_env=False, timeout=10) as client:
            deadline = time.monotonic() + 90
            while not _ready(client):
                assert process.poll() is None, said.read_text()[-2000:]
                assert time.monotonic() < deadline, said.read_text()[-2000:]
                time.sleep(0.2)
            for name in ("Kb_v1", "Kb_v2"):
                client.post("/v1/schema", json={"class": name, "vectorizer": "none"}).raise_for_status()
            client.post("/v1/aliases", json={"alias": "Kb", "class": "Kb_v2"}).raise_for_status()
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/.well-known/ready").is_success
    except httpx.TransportError:
        return False


@pytest.mark.full
def test_a_real_alias_moves_back_and_forth(run: Callable[..., Any], weaviate: httpx.Client, tmp_path: Path) -> None:
    """And nowhere else: not to a collection that is not there, and not for an alias that is none."""

    def at() -> str:
        return str(weaviate.get("/v1/aliases/Kb").raise_for_status().json()["class"])

    way = {"type": "weaviate", "url": str(weaviate.base_url), "name": "Kb"}
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"incidents": {"rollback": {"index": way}}}))
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    checked = run("rollback", "check")
    assert (checked.code, "alias Kb is on Kb_v2, of 2 collections" in checked.out) == (0, True), checked.err
    done = run("rollback", "index", "--to", "Kb_v1", *STAND, "--json")
    assert (done.code, at()) == (0, "Kb_v1"), done.err
    assert run("rollback", "undo", str(done.facts["event"]), "--verify-count", "0").code == 0
    assert at() == "Kb_v2"
    wrong = run("rollback", "index", "--to", "Kb_v9", *STAND)
    assert (wrong.code, "there are: Kb_v" in wrong.err, at()) == (2, True, "Kb_v2"), wrong.err
    assert "no alias 'Nobody'" in run("rollback", "index", "--to", "Kb_v1", "--name", "Nobody", *STAND).err
