"""The incident log on a real PostgreSQL: many writers at once, a reader beside them, and writers that are killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pgserver
import pytest
import sqlalchemy

from truegreen.core.errors import Failed
from truegreen.runbook import database
from truegreen.runbook import log as store
from truegreen.runbook.model import Target

WRITERS, NOTES = 6, 15
WRITE = """
import sys, itertools
from truegreen.runbook import log as store
log = store.open_log(sys.argv[1])
for n in range(int(sys.argv[2])) if sys.argv[2] != "0" else itertools.count():
    store.append(log, 1, 1e9 + n, "triage", "note", f"{sys.argv[3]} {n}", {})
    print(n, flush=True)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own."""
    running = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield running.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        running.cleanup()


@pytest.fixture
def address(server: str, request: pytest.FixtureRequest) -> str:
    """A database of this test's own."""
    name = f"t{abs(hash(request.node.name))}"
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return sqlalchemy.make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.mark.full
def test_six_processes_write_at_once_and_nothing_is_lost(address: str) -> None:
    """Six also make the tables at once; the chain holds, and whoever verifies meanwhile is never told of an alteration."""
    with ThreadPoolExecutor(WRITERS) as pool:
        logs = list(pool.map(lambda _: store.open_log(address), range(WRITERS)))
    log = logs[0]
    store.open_incident(log, Target("s", "e", "grounding"), "1", 1e9, "opened", {})
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, address, str(NOTES), str(n)], stdout=subprocess.DEVNULL)
        for n in range(WRITERS)
    ]
    while any(writer.poll() is None for writer in writers):
        found = store.verified(log)
        assert found.wrong == "" and store.events(log)[found.events - 1].hash == found.head
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    told = store.events(log)
    assert len(told) == 1 + WRITERS * NOTES and store.verify(log) == ""
    assert sorted(e.text for e in told[1:]) == sorted(f"{w} {n}" for w in range(WRITERS) for n in range(NOTES))


def test_two_that_open_at_once_get_two_numbers(address: str) -> None:
    """And both are in the chain."""
    log = store.open_log(address)
    with ThreadPoolExecutor(WRITERS) as pool:
        made = list(pool.map(lambda n: store.open_incident(log, Target("s", "e", f"slo{n}"), "1", 1e9, "", {}), range(WRITERS)))
    assert sorted(one.id for one in made) == list(range(1, WRITERS + 1)) and store.verify(log) == ""


@pytest.mark.full
def test_a_lock_that_is_held_and_a_server_that_is_silent_end_in_a_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither holds a command for ever; what is said names where to look."""
    monkeypatch.setattr(database, "PATIENCE", 2)
    log = store.open_log(address)
    store.open_incident(log, Target("s", "e", "grounding"), "1", 1e9, "opened", {})
    with log.engine.connect() as other, other.begin():
        database.alone(other)
        with pytest.raises(Failed, match=r"lock timeout.*pg_stat_activity"):
            store.append(log, 1, 1e9, "triage", "note", "waits", {})
        assert len(store.events(log)) == 1, "who reads waits for nobody"
    store.append(log, 1, 1e9, "triage", "note", "goes on", {})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Failed, match="cannot be used"):
            store.open_log(f"postgresql+psycopg://user@127.0.0.1:{port}/truegreen")


def test_a_writer_that_is_killed_leaves_whole_events_and_no_lock(address: str) -> None:
    """What it said it wrote is there; the next one goes on."""
    log = store.open_log(address)
    store.open_incident(log, Target("s", "e", "grounding"), "1", 1e9, "opened", {})
    for number in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITE, address, "0", str(number)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(3 + 4 * number)]
        os.kill(writer.pid, signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.wait()
        kept = [e.text for e in store.events(log) if e.text.startswith(f"{number} ")]
        assert len(kept) >= len([line for line in said if line.endswith("\n")])
        store.append(log, 1, 1e9, "triage", "note", "on", {})
        assert store.verify(log) == ""
