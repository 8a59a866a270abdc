"""`truegreen incident` where somebody or something else is at the same log: an alert joins a close, two close at once, work after the end."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import serving

from truegreen.runbook import alert
from truegreen.runbook import log as store
from truegreen.runbook.channels import plan
from truegreen.runbook.serve import hearing

SHOP = ("--service", "shop", "--environment", "production", "--slo", "grounding")


@pytest.fixture
def healed(run: Callable[..., Any], tmp_path: Path) -> store.Log:
    """An open incident with a green validation of now."""
    assert run("incident", "open", *SHOP).code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.append(log, 1, time.time(), "validate", "validated", "6/6", {"ok": True, "time_scale": 1})
    return log


@pytest.mark.parametrize("more", [(), ("--override", "ann", "--reason", "it is late")])
def test_an_alert_that_joins_while_the_close_asks_keeps_the_incident_open(
    run: Callable[..., Any], healed: store.Log, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """Closed over it, every repeat of a sev 1 would be known, and nobody called. Whoever closes then knows of it."""
    joined: list[str] = []

    def asked(*_: Any) -> tuple[int, Any]:
        if not joined:
            joined.append("")
            store.append(healed, 1, time.time(), "detect", "alerted again", "it burns", {})
        return 200, []

    with serving(asked) as url:
        monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", url)
        ended = run("incident", "close", *more)
        assert (ended.code, "event 3 (alerted again) came while" in ended.err) == (1, True), ended.err
        assert store.incidents(healed)[0].closed is None
        store.append(healed, 1, time.time(), "validate", "validated", "6/6", {"ok": True, "time_scale": 1})
        assert run("incident", "close", *more).code == 0


def test_of_two_who_close_at_once_one_closes(run: Callable[..., Any], healed: store.Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other is told so, and the log has one end."""

    def asked(*_: Any) -> tuple[int, Any]:
        if store.incidents(healed)[0].closed is None:
            store.close_incident(healed, 1, time.time(), "closed by the other", {})
        return 200, []

    with serving(asked) as url:
        monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", url)
        ended = run("incident", "close")
    assert (ended.code, "is not open" in ended.err) == (1, True)
    assert [e.text for e in store.events(healed, 1) if e.kind == "incident closed"] == ["closed by the other"]
    assert store.verify(healed) == ""


def test_what_is_to_be_done_can_be_noted_after_the_end(run: Callable[..., Any], healed: store.Log) -> None:
    """By the line that the postmortem prints: it names the incident. A plain note wants an open one."""
    assert run("incident", "close", "--override", "ann", "--reason", "over").code == 0
    assert run("postmortem", "--out", "p.md").code == 0
    assert "truegreen incident note --action TEXT --incident 1" in Path("p.md").read_text()
    assert run("incident", "note", "--action", "pin the index", "--incident", "1", "--owner", "ann").code == 0
    assert [item["text"] for item in run("incident", "actions", "--json").facts["actions"]] == ["pin the index"]
    assert (run("incident", "note", "later", "--incident", "1").code, run("incident", "note", "--action", "x").code) == (2, 2)
    assert store.verify(healed) == ""


def _alert(sev: str, key: str = "{}:{}", **more: Any) -> bytes:
    labels = {"alertname": "TruegreenBudgetBurn", "service": "shop", "environment": "production", "slo": "grounding", "sev": sev}
    given = {"status": "firing", "labels": labels, "startsAt": "2026-01-02T03:00:00Z", "fingerprint": f"fp-{sev}", **more}
    return json.dumps({"groupKey": key, "alerts": [given]}).encode()


def test_a_graver_alert_raises_what_was_opened_by_hand(run: Callable[..., Any], tmp_path: Path) -> None:
    """And a lesser one lowers nothing; without --sev or an alert nothing was asked."""
    assert run("incident", "open", "--alert", "-", stdin=_alert("3")).code == 0
    assert run("incident", "open", *SHOP, "--json").facts["sev"] == "3"
    assert run("incident", "open", "--alert", "-", "--json", stdin=_alert("1")).facts["sev"] == "1"
    assert run("incident", "open", *SHOP, "--sev", "2", "--json").facts["sev"] == "1"
    kinds = [e["kind"] for e in run("incident", "log", "--json").facts["events"]]
    assert kinds == ["incident opened", "alerted again", "alerted again", "sev changed", "alerted again"]
    assert run("incident", "list", "--json").facts["incidents"][0]["sev"] == "1"


@pytest.mark.parametrize("key", ['{}:{service="shop"}', "{}:{a  b}" + "x" * 3_000])
def test_an_incident_of_a_file_is_that_of_the_webhook(run: Callable[..., Any], tmp_path: Path, key: str) -> None:
    """`serve` knows the alert again, and the ticket has the name that Alertmanager's own receivers give it, however long its key is."""
    assert run("incident", "open", "--alert", "-", stdin=_alert("1", key)).code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    group, heard = alert.every(_alert("1", key), "x")
    assert hearing.hear(log, heard, group, time.time()) == [("known", 1)]
    assert plan.group_key(store.events(log, 1)) == hashlib.sha256(key.encode()).hexdigest()


def test_an_alert_of_the_end_of_time_makes_no_traceback(run: Callable[..., Any]) -> None:
    """It is in the calendar of its own zone, and in the year 10000 of ours."""
    assert run("incident", "open", "--alert", "-", stdin=_alert("1", startsAt="9999-12-31T23:59:59-12:00")).code == 0
    assert run("incident", "log", "--json").facts["events"][0]["data"]["fired"] is None
    # A log of before may hold it.
    log = store.open_log("sqlite:///incidents.db")
    two = store.open_incident(
        log, store.Target("shop", "production", "latency"), "1", time.time(), "", {"fired": 253_402_343_999.0}
    )
    start = {"time": 1e9, "low": 1e9, "high": 1e9, "before": 0.01, "after": 0.4}
    store.append(log, two.id, time.time(), "triage", "triaged", "", {"start": start})
    assert run("postmortem", "2", "--out", "p.md").code == 0
    assert "the alert fired no time (2.53402e+11)" in Path("p.md").read_text()
    store.append(log, two.id, 1e18, "triage", "note", "of a broken clock", {})
    assert all(run("incident", what, "2").code == 0 for what in ("log", "show"))


def test_data_as_deep_as_no_parser_goes_is_an_alteration(run: Callable[..., Any], healed: store.Log) -> None:
    """One line, and the rest can be read."""
    with sqlite3.connect("incidents.db") as connection:
        connection.execute("UPDATE events SET data = ? WHERE seq = 2", ("[" * 100_000,))
    ended = run("incident", "log", "--verify")
    assert (ended.code, ended.err.count("\n"), "event 2 was altered" in ended.err) == (1, 1, True)
    assert run("incident", "show").code == 0
