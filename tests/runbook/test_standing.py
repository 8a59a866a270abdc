"""Changes that were cut off, changes of a closed incident, and changes on top of each other: each can be seen and undone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import App, Langfuse

from truegreen.core.clients import langfuse as client
from truegreen.core.errors import Failed
from truegreen.runbook import flags, standing
from truegreen.runbook import log as store
from truegreen.runbook.model import Event

KILLED = """
import os, sys
from truegreen.runbook import flags
real = flags.save
def save(path, data):
    if "before" not in sys.argv[1]:
        real(path, data)
    os.kill(os.getpid(), 9)
flags.save = save
from truegreen.core.cli import main
main(sys.argv[2:])
"""
FORCED = ("--verify-count", "0", "--override", "ann", "--reason", "drill")


@pytest.fixture
def incident(run: Callable[..., Any]) -> Callable[..., Any]:
    """An open incident; gives back `run`."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    return run


def _killed(when: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, when, *words], env=dict(os.environ), capture_output=True, check=False)
    assert done.returncode == -9, done.stderr


def _file(folder: Path) -> str:
    return flags.state(flags.load(folder / "flags.json"), "pinned_model").value


def _pin(run: Callable[..., Any], model: str) -> int:
    made: int = run("contain", "pin-model", model, "--verify-count", "0", "--json").facts["event"]
    return made


def _numbers(run: Callable[..., Any]) -> list[int]:
    return [s["number"] for s in run("contain", "list", "--json").facts["switches"]]


@pytest.mark.full
@pytest.mark.parametrize("when", ["before the file", "after the file"])
def test_a_pin_killed_half_way_is_listed_and_can_be_undone(incident: Callable[..., Any], tmp_path: Path, when: str) -> None:
    """On whichever side of the write it died."""
    _pin(incident, "m-good")
    _killed(when, "contain", "pin-model", "m-bad", "--verify-count", "0")
    assert _file(tmp_path) == ("m-good" if "before" in when else "m-bad")
    shown = incident("contain", "list")
    assert "pinned_model = m-bad" in shown.out
    assert "NOT FINISHED" in shown.out
    number = _numbers(incident)[-1]
    undone = incident("contain", "undo", str(number))
    assert undone.code == 0, undone.err
    assert _file(tmp_path) == "m-good"
    assert _numbers(incident) == [4]


@pytest.mark.full
@pytest.mark.parametrize("when", ["before the file", "after the file"])
def test_a_pin_that_is_given_again_completes_the_one_that_was_killed(
    incident: Callable[..., Any], tmp_path: Path, when: str
) -> None:
    """Its undo leads to what was before the first of them, however often it was killed."""
    _pin(incident, "m-good")
    _killed(when, "contain", "pin-model", "m-bad", "--verify-count", "0")
    _killed("after the file", "contain", "pin-model", "m-bad", "--verify-count", "0")
    assert len(_numbers(incident)) == 2
    number = _pin(incident, "m-bad")
    assert _numbers(incident) == [4, number]
    assert incident("contain", "undo", str(number)).code == 0
    assert _file(tmp_path) == "m-good"
    assert _numbers(incident) == [4]


@pytest.mark.full
def test_an_undo_killed_half_way_is_finished_by_a_second_one(incident: Callable[..., Any], tmp_path: Path) -> None:
    """The file is back already; the log catches up."""
    number = _pin(incident, "m-1")
    _killed("after the file", "contain", "undo", str(number))
    assert (_file(tmp_path), _numbers(incident)) == ("", [number])
    assert incident("contain", "undo", str(number)).code == 0
    assert _numbers(incident) == []


def test_a_switch_that_could_not_be_written_is_not_on(
    incident: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A change that failed in words is no change."""

    def full(*_: Any) -> None:
        raise Failed("no room")

    monkeypatch.setattr(flags, "save", full)
    assert incident("contain", "pin-model", "m-1", "--verify-count", "0").code == 1
    assert _numbers(incident) == []
    assert incident("incident", "log", "--json").facts["events"][-1]["kind"] == "contain failed"


def test_only_the_newest_change_of_a_switch_is_undone(incident: Callable[..., Any], tmp_path: Path) -> None:
    """By the log, and by what somebody else wrote into the file."""
    first, second = _pin(incident, "m-1"), _pin(incident, "m-2")
    refused = incident("contain", "undo", str(first))
    assert (refused.code, f"truegreen contain undo {second}" in refused.err, _file(tmp_path)) == (2, True, "m-2")
    flags.save(
        tmp_path / "flags.json", flags.turned(flags.load(tmp_path / "flags.json"), "pinned_model", flags.Switch("x", None))
    )
    refused = incident("contain", "undo", str(second))
    assert (refused.code, "undo the newer change first" in refused.err, _file(tmp_path)) == (2, True, "x")


@pytest.mark.full
def test_renewals_of_one_pin_are_undone_newest_first(incident: Callable[..., Any], tmp_path: Path) -> None:
    """The file says the same under both; the log tells them apart."""
    first, second = _pin(incident, "m-1"), _pin(incident, "m-1")
    assert incident("contain", "undo", str(first)).code == 2
    assert incident("contain", "undo", str(second)).code == 0
    assert _file(tmp_path) == "m-1"
    assert incident("contain", "undo", str(first)).code == 0
    assert _file(tmp_path) == ""


def test_a_switch_is_undone_after_its_incident_was_closed(incident: Callable[..., Any], tmp_path: Path) -> None:
    """As its postmortem says to; it is logged under the incident that turned it, and the next postmortem knows."""
    number = _pin(incident, "m-1")
    assert incident("incident", "close", "--override", "ann", "--reason", "drill").code == 0
    assert incident("incident", "open", "--service", "other", "--environment", "e", "--slo", "grounding").code == 0
    out = str(tmp_path / "p.md")
    assert incident("postmortem", "1", "--out", out).code == 0
    assert f"truegreen contain undo {number}" in Path(out).read_text()
    assert incident("contain", "undo", str(number), "--incident", "2").code == 2
    undone = incident("contain", "undo", str(number))
    assert (undone.code, _file(tmp_path)) == (0, ""), undone.err
    assert incident("incident", "log", "1", "--json").facts["events"][-1]["kind"] == "contain undone"
    assert incident("incident", "log", "--verify").code == 0
    assert incident("postmortem", "1", "--out", out).code == 0
    assert "stands and expires" not in Path(out).read_text()


def test_a_change_begun_after_the_validation_asks_for_another(incident: Callable[..., Any], tmp_path: Path) -> None:
    """Also one that was cut off."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    import time

    store.append(log, 1, time.time(), "validate", "validated", "6/6 ok", {"ok": True, "at": None, "time_scale": 1})
    assert "came after the last validation" not in incident("incident", "close").err
    _killed("after the file", "contain", "pin-model", "m-1", "--verify-count", "0")
    refused = incident("incident", "close")
    assert (refused.code, "(contain begun) came after the last validation" in refused.err) == (1, True), refused.err


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """`cut(True)`: the next move of a label reaches Langfuse and the command dies; `cut(False)` mends it."""
    real = client.set_labels

    def die(*given: Any) -> Any:
        real(*given)
        raise KeyboardInterrupt

    def turn(on: bool) -> None:
        monkeypatch.setattr(client, "set_labels", die if on else real)

    return turn


def test_a_rollback_killed_half_way_is_completed_by_the_same_words(
    run: Callable[..., Any], live: App, langfuse: Langfuse, cut: Callable[[bool], None]
) -> None:
    """The label is there already; the log and the proof are not. Its undo leads to where it was."""
    cut(True)
    assert run("rollback", "prompt", "--name", "support", "--to", "4", *FORCED).code != 0
    cut(False)
    assert langfuse.production() == 4
    again = run("rollback", "prompt", "--name", "support", "--to", "4", "--override", "ann", "--reason", "r", "--timeout", "30s")
    assert again.code == 0, again.err
    assert "verified by spans: 20 of 20 by support@4" in again.out
    applied = [e for e in run("incident", "log", "--json").facts["events"] if e["kind"] == "rollback applied"]
    assert [e["data"]["from"] for e in applied] == [5]
    assert run("rollback", "undo", str(applied[0]["seq"]), "--verify-count", "0").code == 0
    assert langfuse.production() == 5


@pytest.mark.full
def test_a_rollback_killed_half_way_is_undone_by_its_first_event_and_an_undo_killed_half_way_by_a_second(
    run: Callable[..., Any], live: App, langfuse: Langfuse, cut: Callable[[bool], None]
) -> None:
    """The event that announced it is enough."""
    cut(True)
    assert run("rollback", "prompt", "--name", "support", "--to", "4", *FORCED).code != 0
    assert run("rollback", "undo", "3", "--verify-count", "0").code != 0
    cut(False)
    assert langfuse.production() == 5
    ended = run("rollback", "undo", "3", "--verify-count", "0")
    assert (ended.code, langfuse.production()) == (0, 5), ended.err
    assert run("rollback", "undo", "3", "--verify-count", "0").code == 2


@pytest.mark.full
def test_a_rollback_is_undone_once_newest_first_verified_and_also_after_closing(
    run: Callable[..., Any], live: App, langfuse: Langfuse
) -> None:
    """The version that was bad does not come back without a look."""
    first = run("rollback", "prompt", "--name", "support", "--to", "4", *FORCED, "--json").facts["event"]
    second = run("rollback", "prompt", "--name", "support", "--to", "3", *FORCED, "--json").facts["event"]
    refused = run("rollback", "undo", str(first))
    assert (refused.code, f"truegreen rollback undo {second}" in refused.err, langfuse.production()) == (2, True, 3)
    assert run("incident", "close", "--override", "ann", "--reason", "drill").code == 0
    undone = run("rollback", "undo", str(second), "--timeout", "30s")
    assert (undone.code, langfuse.production()) == (0, 4), undone.err
    assert "verified by spans: 20 of 20 by support@4" in undone.out
    assert run("rollback", "undo", str(second)).code == 2
    langfuse.labels = {3: ["production"], 4: [], 5: []}
    refused = run("rollback", "undo", str(first))
    assert (refused.code, "somebody moved it since" in refused.err, langfuse.production()) == (2, True, 3)


def test_the_first_change_is_the_one_that_did_not_fail() -> None:
    """Triage looks at what came before it, however many follow."""
    moved = {"name": "p", "to": 4, "from": 5}
    pinned = {"flag": "pinned_model", "value": "m", "previous": "", "expires": 9.0}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("incident opened", {}), ("evidence frozen", {}), ("rollback begun", moved), ("rollback failed", moved), ("contain begun", pinned),
        ("contain applied", pinned), ("evidence frozen", {}), ("rollback begun", moved), ("rollback applied", moved),
    ]  # fmt: skip
    told = [Event(n, 1, float(n), "p", kind, "", data, "", "") for n, (kind, data) in enumerate(rows, start=1)]
    found = standing.first(told)
    assert found is not None
    assert found.seq == 5
    assert standing.first(told[:4]) is None
    assert json.loads(json.dumps([m.old for m in standing.moves(told)])) == [5]
