"""The incident log: append-only, chained, and whole after a crash."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import alert, chain, clean, database
from truegreen.runbook import log as store
from truegreen.runbook.model import Event, Target

SAME = Target("support-agent", "production", "grounding")


@pytest.fixture
def told(run: Callable[..., Any]) -> Callable[..., Any]:
    """An open incident with two notes; gives back `run`."""
    assert run("incident", "open", "--service", "support-agent", "--environment", "production", "--slo", "grounding").code == 0
    assert run("incident", "note", "one").code == 0
    assert run("incident", "note", "two").code == 0
    return run


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET text = 'nothing' WHERE seq = 2",
        "UPDATE events SET time = time + 1 WHERE seq = 1",
        "UPDATE events SET data = '{}' WHERE seq = 1",
        "UPDATE events SET data = 'no JSON' WHERE seq = 1",
        "UPDATE events SET kind = 'validated' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events WHERE seq = 1",
        "UPDATE incidents SET sev = '3'",
        "UPDATE incidents SET closed = 1.0",
        "DELETE FROM incidents",
    ],
)
def test_any_change_of_what_was_written_is_found(told: Callable[..., Any], tmp_path: Path, change: str) -> None:
    """Exit 1, one line."""
    assert told("incident", "log", "--verify").code == 0
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        connection.execute(change)
    ended = told("incident", "log", "--verify")
    assert (ended.code, "altered" in ended.err, ended.err.count("\n")) == (1, True, 1)


def test_cut_off_events_are_found_with_a_head_that_was_noted(told: Callable[..., Any], tmp_path: Path) -> None:
    """The chain of what is left holds: only the noted head tells."""
    head = told("incident", "log", "--verify", "--json").facts["head"]
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        connection.execute("DELETE FROM events WHERE seq = 3")
    assert told("incident", "log", "--verify").code == 0
    ended = told("incident", "log", "--verify", "--head", head)
    assert (ended.code, "cut off" in ended.err) == (1, True)


def test_a_copy_of_the_one_file_has_all_that_was_noted_also_while_others_have_it_open(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """As `incident serve` has; and a file that was made in another journal mode becomes one file again."""
    with sqlite3.connect(tmp_path / "incidents.db") as before:
        before.execute("PRAGMA journal_mode=WAL")
    before.close()
    serving = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    with serving.engine.connect():
        assert told("incident", "note", "the last one").code == 0
        (tmp_path / "copy.db").write_bytes((tmp_path / "incidents.db").read_bytes())
    copy = store.open_log(f"sqlite:///{tmp_path / 'copy.db'}")
    assert store.events(copy) == store.events(serving)
    assert store.events(copy)[-1].text == "the last one"
    assert not list(tmp_path.glob("incidents.db-*"))


def test_nothing_is_verified_where_there_is_no_log(run: Callable[..., Any], tmp_path: Path) -> None:
    """Neither a file of another folder, which is not made, nor one that holds nothing."""
    ended = run("incident", "log", "--verify", "--store", f"sqlite:///{tmp_path / 'elsewhere' / 'i.db'}")
    assert (ended.code, "there is no incident log" in ended.err) == (1, True)
    assert not (tmp_path / "elsewhere").exists()
    assert run("incident", "list").code == 0
    ended = run("incident", "log", "--verify")
    assert (ended.code, "nothing was verified" in ended.err) == (1, True)


def test_a_log_that_was_written_anew_is_found_with_a_head_and_it_says_so(told: Callable[..., Any], tmp_path: Path) -> None:
    """Every hash after the edit is right again: only the noted head tells, and the command says that it cannot see this alone."""
    head = told("incident", "log", "--verify", "--json").facts["head"]
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    previous = chain.GENESIS
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        for each in store.events(log):
            text = "forged" if each.seq == 2 else each.text
            made = chain.digest(previous, each.seq, each.incident, each.time, each.phase, each.kind, text, each.data)
            row = (text, previous, made, each.seq)
            connection.execute("UPDATE events SET text = ?, previous = ?, hash = ? WHERE seq = ?", row)
            previous = made
    ended = told("incident", "log", "--verify")
    assert (ended.code, "rewritten or cut off" in ended.out) == (0, True)
    assert told("incident", "log", "--verify", "--head", head).code == 1


def test_a_forger_who_recomputes_one_hash_breaks_the_next_link(told: Callable[..., Any], tmp_path: Path) -> None:
    """Replacing an event means replacing all after it."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    two = store.events(log)[1]
    forged = chain.digest(two.previous, two.seq, two.incident, two.time, two.phase, two.kind, "forged", two.data)
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        connection.execute("UPDATE events SET text = 'forged', hash = ? WHERE seq = 2", (forged,))
    assert "does not follow" in store.verify(log)


def test_a_writer_that_is_killed_leaves_a_log_that_verifies(tmp_path: Path) -> None:
    """kill -9 while it writes: what was acknowledged is there, and the chain holds."""
    address = f"sqlite:///{tmp_path / 'incidents.db'}"
    program = (
        "import sys\nfrom truegreen.runbook import log as s\nfrom truegreen.runbook.model import Target\n"
        f"log = s.open_log({address!r})\ni = s.open_incident(log, Target('s', 'e', 'o'), '1', 1.0, 'x', {{}})\n"
        "while True:\n    e = s.append(log, i.id, 2.0, 'triage', 'note', 'y' * 500, {})\n    print(e.seq, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(25)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait()
    log = store.open_log(address)
    assert store.verify(log) == ""
    assert len(store.events(log)) >= acknowledged[-1]
    assert store.append(log, 1, 3.0, "triage", "note", "after", {}).previous == store.events(log)[-2].hash


def test_writers_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    """No event is lost and none follows the same one as another."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, SAME, "1", 1.0, "x", {})
    wrong: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(10):
                store.append(log, 1, float(number), "triage", "note", name, {})
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (len(store.events(log)), store.verify(log)) == (41, "")


@given(st.lists(st.tuples(st.text(max_size=30), st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3)), min_size=1, max_size=6),
       st.integers(0, 5), st.sampled_from(["text", "kind", "time", "incident", "data"]))  # fmt: skip
def test_a_chain_holds_until_any_field_of_any_event_changes(rows: list[tuple[str, dict[str, Any]]], at: int, part: str) -> None:
    """Pure: hashing and checking agree, and a change is named by its number."""
    events: list[Event] = []
    previous = chain.GENESIS
    for seq, (text, data) in enumerate(rows, start=1):
        made = chain.digest(previous, seq, 1, float(seq), "triage", "note", text, data)
        events.append(Event(seq, 1, float(seq), "triage", "note", text, data, previous, made))
        previous = made
    assert chain.fault(events) == ""
    at %= len(events)
    e = events[at]
    changed = {"text": e.text + "x", "kind": "other", "time": e.time + 1, "incident": 2, "data": {**e.data, "__": 1}}
    events[at] = Event(**{**{k: getattr(e, k) for k in Event.__dataclass_fields__}, part: changed[part]})
    assert f"event {at + 1} was altered" in chain.fault(events)


def test_a_full_disk_is_one_line(told: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says that the disk is full when it may not grow."""
    real = database._careful

    def small(engine: Any) -> None:
        real(engine)
        database.sql.event.listens_for(engine, "connect")(lambda connection, _: connection.execute("PRAGMA max_page_count=1"))

    monkeypatch.setattr(database, "_careful", small)
    ended = told("incident", "note", "x" * 3_900)
    for _ in range(9):
        ended = told("incident", "note", "x" * 3_900) if ended.code == 0 else ended
    assert (ended.code, "disk is full" in ended.err, ended.err.count("\n")) == (1, True, 1)


def test_a_file_that_is_no_log_is_named(run: Callable[..., Any], tmp_path: Path) -> None:
    """It is somebody else's file."""
    (tmp_path / "incidents.db").write_text("not a database, but long enough to be looked at" * 100)
    ended = run("incident", "list")
    assert (ended.code, "it is another file" in ended.err) == (1, True)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:s3cret@localhost/x", "postgresql://localhost/x?user=u&password=s3cret", "postgresql://u:s3cret@h:port/x",
        "u:s3cret@h/x", "nonsense://u:s3cret@h/x", "postgresql://u:a@s3cret@h:p/x",
    ],
)  # fmt: skip
def test_an_address_is_printed_without_its_password(run: Callable[..., Any], address: str) -> None:
    """Whatever is wrong with it; terminals are shared and recorded."""
    ended = run("incident", "list", "--store", address)
    assert ended.code in (1, 2)
    assert "s3cret" not in ended.out + ended.err
    assert "***" in ended.err or "password=hidden" in ended.err
    assert ended.err.count("\n") == 1


def test_the_address_of_an_open_log_has_no_secret() -> None:
    """Messages name it."""
    assert (
        store.shown("postgresql+psycopg://u:s3cret@h:5/x?sslmode=require") == "postgresql+psycopg://u:***@h:5/x?sslmode=require"
    )
    assert store.shown("sqlite:///incidents.db") == "sqlite:///incidents.db"


def test_an_address_that_is_none_is_bad_input(run: Callable[..., Any]) -> None:
    """Exit 2, with what to write."""
    assert run("incident", "list", "--store", "nonsense").code == 2
    assert run("incident", "list", "--store", "nosuch://x/y").code == 2


def test_one_open_incident_is_meant_and_two_must_be_told_apart(told: Callable[..., Any]) -> None:
    """--incident says which."""
    assert told("incident", "open", "--service", "b", "--environment", "e", "--slo", "latency", "--sev", "2").code == 0
    ended = told("incident", "note", "x")
    assert (ended.code, "say which: --incident ID" in ended.err) == (2, True)
    assert told("incident", "note", "x", "--incident", "2").code == 0
    assert told("incident", "note", "x", "--incident", "7").code == 2


WEBHOOK = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {"status": "firing", "labels": {"alertname": "Other", "sev": "2", "service": "a", "environment": "e", "slo": "latency"}},
        {"status": "firing", "startsAt": "2026-01-02T03:04:05.123456789Z", "annotations": {"summary": "41 of 90 \x1b[31mungrounded\n\u202e"},
         "labels": {"alertname": "TruegreenBudgetBurn", "sev": "1", "service": "a", "environment": "e", "slo": "grounding", "prompt": "SECRET"}},
    ],
}  # fmt: skip


def test_an_incident_opens_from_the_gravest_alert_and_its_text_is_made_safe(run: Callable[..., Any]) -> None:
    """No terminal escape, no direction override, no label that is not ours."""
    opened = run("incident", "open", "--alert", "-", "--json", stdin=json.dumps(WEBHOOK).encode()).facts
    assert (opened["service"], opened["slo"], opened["sev"], opened["text"]) == ("a", "grounding", "1", "41 of 90 [31mungrounded")
    event = run("incident", "log", "--json").facts["events"][0]
    assert "prompt" not in event["data"]["labels"]
    assert event["data"]["fired"] == pytest.approx(1767323045.123, abs=0.001)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"alerts": []}', b'{"alerts": 7}', b'{"alerts": [null, 3, {"labels": []}]}', b"[" * 100_000, b"\xff\xfe",
     b'{"alerts": [{"labels": {"service": 3}}]}', b" " * (alert.MOST_BYTES + 1)],
)  # fmt: skip
def test_a_hostile_notification_is_bad_input_in_one_line(run: Callable[..., Any], content: bytes) -> None:
    """Exit 2, no traceback, nothing written."""
    ended = run("incident", "open", "--alert", "-", stdin=content)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert run("incident", "list", "--json").facts["incidents"] == []


@given(st.recursive(st.none() | st.integers() | st.text(max_size=20), lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.sampled_from(["alerts", "labels", "annotations", "status", "startsAt", "service", "sev", "summary"]), x, max_size=4), max_leaves=20))  # fmt: skip
def test_no_json_at_all_makes_the_parser_stumble(data: Any) -> None:
    """An alert or bad input, nothing else."""
    try:
        found = alert.parse(json.dumps(data).encode(), "x")
    except BadInput:
        return
    assert all(v == clean.clean(v, 200) for v in found.labels.values())


@given(st.text(), st.integers(1, 50))
def test_cleaned_text_is_one_bounded_line_without_controls(text: str, most: int) -> None:
    """Whatever comes in."""
    made = clean.clean(text, most)
    assert len(made) <= most
    assert not [c for c in made if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def test_closing_is_refused_until_it_is_over_and_an_override_is_logged(told: Callable[..., Any]) -> None:
    """Nobody closes an incident that is not over without saying who and why."""
    ended = told("incident", "close")
    assert (ended.code, "cannot close an incident that is not over: truegreen validate was never run" in ended.err) == (1, True)
    assert told("incident", "close", "--override", "ann").code == 2
    assert told("incident", "close", "--override", "ann", "--reason", "the service is gone").code == 0
    shown = told("incident", "show", "1", "--json").facts
    assert shown["events"][-1]["data"]["override"] == "ann"
    assert told("incident", "log", "--verify").code == 0
    assert told("incident", "close", "1").code == 2


def test_two_logs_do_not_share_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder that is a file."""
    (tmp_path / "x").write_text("")
    with pytest.raises(Failed):
        store.open_log(f"sqlite:///{tmp_path / 'x' / 'incidents.db'}")


def test_an_alert_that_comes_again_is_noted_in_the_open_incident(run: Callable[..., Any]) -> None:
    """A receiver that opens an incident for every notification makes one incident."""
    content = json.dumps(WEBHOOK).encode()
    assert [run("incident", "open", "--alert", "-", "--json", stdin=content).facts["incident"] for _ in range(2)] == [1, 1]
    assert [e["kind"] for e in run("incident", "log", "--json").facts["events"]] == ["incident opened", "alerted again"]
