"""The incident log on a full disk, under many writers, and where two open one incident at once."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from truegreen.runbook import log as store
from truegreen.runbook.model import Target

SAME = ("--service", "shop", "--environment", "production", "--slo", "grounding")
WRITER = """
import sys
from truegreen.runbook import log as store
from truegreen.runbook.model import Target
log = store.open_log(sys.argv[1])
one = store.open_incident(log, Target("shop", "production", sys.argv[2]), "1", 1.0, "", {})
for number in range(int(sys.argv[3])):
    store.append(log, one.id, float(number), "triage", "note", "x" * 200, {"number": number})
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB of its own."""
    where = tmp_path / "small"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(where)]
    made = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if made is None or made.returncode:
        pytest.skip(f"a file system of its own needs root and mount ({made.stderr.strip() if made else 'not root'})")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)


def _fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as full:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while full.write(b"x" * size):
                    pass


def test_a_full_disk_loses_nothing_that_was_good(run: Callable[..., Any], small: Path) -> None:
    """One line, exit 1, while it is full; what was noted is there, the chain holds, and the next note follows it."""
    address = ("--store", f"sqlite:///{small / 'i.db'}")
    assert run("incident", "open", *SAME, *address).code == 0
    noted = 0
    while (ended := run("incident", "note", f"{noted} " + "x" * 3_900, *address)).code == 0:
        noted += 1
        if noted == 10:
            _fill(small / "full")
    assert (ended.code, ended.err.count("\n"), "Traceback" in ended.err) == (1, 1, False)
    assert "full" in ended.err and "i.db" in ended.err
    assert noted >= 10
    (small / "full").unlink()
    kept = [e["text"].split()[0] for e in run("incident", "log", *address, "--json").facts["events"][1:]]
    assert kept == [str(number) for number in range(noted)]
    assert run("incident", "log", "--verify", *address, "--json").facts["events"] == noted + 1
    assert run("incident", "note", "after", *address).code == 0
    assert run("incident", "log", "--verify", *address).code == 0


@pytest.mark.full
def test_eight_processes_write_while_somebody_verifies(tmp_path: Path) -> None:
    """Nothing is lost, and whoever verifies meanwhile is told of no alteration: count, head and chain are of one state."""
    address, each = f"sqlite:///{tmp_path / 'i.db'}", 40
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, address, f"slo{number}", str(each)], stderr=subprocess.PIPE)
        for number in range(8)
    ]
    log, looked = store.open_log(address), set[int]()
    while any(writer.poll() is None for writer in writers):
        found = store.verified(log)
        assert found.wrong == ""
        after = {e.hash: e.seq for e in store.events(log)}
        assert after.get(found.head, 0) == found.events
        looked.add(found.events)
    assert [(writer.wait(), writer.communicate()[1]) for writer in writers] == [(0, b"")] * 8
    assert len(looked) > 2, "it was looked at while they wrote"
    assert store.verified(log).events == 8 * (each + 1)
    numbers = [[e.data["number"] for e in store.events(log, one.id) if e.kind == "note"] for one in store.incidents(log)]
    assert numbers == [list(range(each))] * 8


@pytest.mark.full
def test_of_those_who_open_the_same_incident_at_once_one_opens_and_the_others_join(tmp_path: Path) -> None:
    """By the command line, in processes of their own."""
    command = [sys.executable, "-m", "truegreen.core", "incident", "open", *SAME, "--json"]
    place = {**os.environ, "TRUEGREEN_STORE": f"sqlite:///{tmp_path / 'i.db'}"}
    opening = [subprocess.Popen(command, cwd=tmp_path, env=place, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [json.loads(one.communicate(timeout=60)[0]) for one in opening]
    assert [one.returncode for one in opening] == [0, 0, 0]
    assert {one["incident"] for one in said} == {1} and sorted(one.get("again", False) for one in said) == [False, True, True]
    log = store.open_log(place["TRUEGREEN_STORE"])
    assert [e.kind for e in store.events(log)] == ["incident opened", "alerted again", "alerted again"]
    assert (store.verify(log), [i.target for i in store.incidents(log)]) == ("", [Target("shop", "production", "grounding")])
