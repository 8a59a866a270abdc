"""Validation, closing and the postmortem of an incident that is over, against a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import functools
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from runbook_world import END, ONSET

from truegreen.core.clients import engines
from truegreen.runbook import log as store
from truegreen.runbook.commands import common

FIXED_AT = END - 937


@pytest.fixture(scope="module")
def pager(engine: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Alertmanager without alerts."""
    engine("alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with engines.alertmanager(folder / "alertmanager.yml", folder) as running:
        yield running.url


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the commands' clock says: the end of the world, until a test sets it."""
    moment = [END]
    monkeypatch.setattr(common, "Desk", functools.partial(common.Desk, clock=lambda: moment[0]))
    return moment


@pytest.fixture
def story(
    run: Callable[..., Any], now: list[float], filled: str, pager: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """An incident of the service `fixed`: opened two minutes after its onset, triaged, contained; gives back `run`."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", filled)
    monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", pager)
    (tmp_path / "truegreen.yaml").write_text("incidents:\n  smoke: [sh, -c, 'echo one; echo smoke 12/12']\n")
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(
        log,
        store.Target("fixed", "production", "grounding"),
        "1",
        ONSET + 120,
        "41 of 90 ungrounded",
        {"fired": ONSET + 110, "time_scale": 2},
    )
    assert run("triage", "--at", str(FIXED_AT - 10)).code == 0
    store.append(
        log,
        1,
        FIXED_AT - 5,
        "contain",
        "evidence frozen",
        "before contain",
        {"file": "x.tar.gz", "sha256": "ab", "log_head": "cd"},
    )
    store.append(log, 1, FIXED_AT, "contain", "contain applied", "pinned model support-large-0613",
                 {"flag": "pinned_model", "value": "support-large-0613", "previous": "", "expires": END + 3_600})  # fmt: skip
    store.append(
        log, 1, FIXED_AT + 3, "contain", "verified by spans", "verified by spans: 20 of 20 on the pinned model after 2.8 s", {}
    )
    return run


def test_a_healed_service_passes_all_six_and_closes_with_a_whole_postmortem(story: Callable[..., Any], tmp_path: Path) -> None:
    """The way from containment to the end."""
    checked = story("validate", "--json").facts
    assert {c["name"]: c["state"] for c in checked["checks"]} == dict.fromkeys(
        ("smoke", "bad ratio", "p99 latency", "guardrail", "retrieval relevance", "quiet"), "ok"
    ), checked
    assert checked["checks"][0]["says"] == "smoke 12/12"
    assert "smoke 12/12" not in json.dumps(story("incident", "log", "--json").facts)
    assert story("incident", "note", "--action", "pin model versions in production", "--owner", "ann").code == 0
    closed = story("incident", "close")
    assert closed.code == 0, closed.err
    made = story("postmortem", "1", "--out", str(tmp_path / "p.md"))
    assert "6 of 6 questions" in made.out, made.out
    text = (tmp_path / "p.md").read_text()
    for part in ("THEM: served model changed: support-large-0613 -> support-large-1106", "true start 2026-01-02T02:3",
                 "pin model versions in production (owner: ann, due: **open**)", "validation: 6/6 ok", "sessions affected", "| detected | ",
                 "other alerts that fired since the onset: 0 of 0", "| provider_changelog | unknown |", "ruled out: "):  # fmt: skip
        assert part in text, (part, text)


def test_during_the_incident_validation_is_exit_1_and_says_which(story: Callable[..., Any]) -> None:
    """Looked at a minute after containment: not quiet yet."""
    ended = story("validate", "--at", str(FIXED_AT + 60))
    assert ended.code == 1
    assert "not ok   quiet" in ended.out
    assert "since the last change" in ended.out
    assert story("incident", "close").code == 1


def test_what_is_still_wrong_is_not_ok(run: Callable[..., Any], filled: str, tmp_path: Path) -> None:
    """The service `them` was never contained."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, store.Target("them", "production", "grounding"), "1", ONSET + 120, "x", {})
    assert run("triage", "--at", str(END), "--prometheus-url", filled).code == 0
    ended = run("validate", "--at", str(END), "--prometheus-url", filled, "--json")
    states = {c["name"]: c["state"] for c in json.loads(ended.out)["checks"]}
    assert ended.code == 1
    assert (states["smoke"], states["bad ratio"], states["quiet"], states["p99 latency"]) == ("unknown", "not ok", "not ok", "ok")


def test_an_unknown_check_needs_a_name_and_a_reason_and_never_hides_a_red_one(story: Callable[..., Any], tmp_path: Path) -> None:
    """Overrides are for what nobody can know."""
    (tmp_path / "truegreen.yaml").unlink()
    assert story("validate", "--at", str(END)).code == 1
    assert story("validate", "--at", str(END), "--override", "ann").code == 2
    assert story("validate", "--at", str(END), "--override", "ann", "--reason", "no suite yet").code == 0
    assert story("validate", "--at", str(FIXED_AT + 60), "--override", "ann", "--reason", "hurry").code == 1


def test_an_active_sev_1_keeps_an_incident_open(story: Callable[..., Any], pager: str) -> None:
    """Green checks are not enough while the page is on; and a change after the checks asks for new ones."""
    assert story("validate").code == 0
    labels = {"alertname": "TruegreenBudgetBurn", "sev": "1", "service": "fixed", "environment": "production", "slo": "grounding"}
    _post(pager, labels, timedelta(minutes=5))
    ended = story("incident", "close")
    assert (ended.code, "sev 1 is still active: TruegreenBudgetBurn grounding" in ended.err) == (1, True)
    _post(pager, labels, timedelta(seconds=-1))
    deadline = time.monotonic() + 20
    while (ended := story("incident", "close")).code and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("words", "later", "close", "says"),
    [
        (("--at", str(END)), 0.0, (), "looked at another moment (--at)"),
        (("--time-scale", "2"), 0.0, (), "was made with --time-scale 2, this is --time-scale 1"),
        (("--time-scale", "2"), 1_900.0, ("--time-scale", "2"), "old, expected at most 30 min"),
        ((), 3_700.0, (), "old, expected at most 60 min"),
    ],
)
def test_a_validation_of_another_moment_scale_or_day_is_none(
    story: Callable[..., Any], now: list[float], words: tuple[str, ...], later: float, close: tuple[str, ...], says: str
) -> None:
    """Green is not enough: it must be green here and now."""
    assert story("validate", *words).code == 0
    now[0] += later
    ended = story("incident", "close", *close)
    assert (ended.code, says in ended.err) == (1, True), ended.err
    assert ended.err.count(";") == 0, ended.err


def test_a_scaled_incident_closes_with_its_own_scale(story: Callable[..., Any], now: list[float]) -> None:
    """As a demonstration does, a little later."""
    assert story("validate", "--time-scale", "2").code == 0
    now[0] += 900
    assert story("incident", "close", "--time-scale", "2").code == 0


def test_an_incident_of_production_is_not_hurried_by_a_time_scale(story: Callable[..., Any], tmp_path: Path) -> None:
    """Its fifteen quiet minutes are no fifteen seconds: only a name and a reason divide them, and the log says so."""
    assert story("validate", "--time-scale", "3").code == 2
    assert story("incident", "close", "--time-scale", "3").code == 1
    asked = ("--service", "tone", "--environment", "production", "--slo", "grounding")
    assert story("incident", "open", *asked).code == 0
    for words in (("validate",), ("contain", "lift"), ("incident", "close")):
        ended = story(*words, "--incident", "2", "--time-scale", "60")
        assert ended.code != 0
        assert "--time-scale 60 is for demonstrations and drills" in ended.err or "validate was never run" in ended.err, ended.err
    hurried = story("validate", "--time-scale", "3", "--incident", "1", "--override", "ann", "--reason", "a rehearsal")
    assert (hurried.code, "windows divided by 3 on the word of ann: a rehearsal" in hurried.out) == (0, True), hurried.out
    for words in (("contain", "lift"), ("incident", "close")):
        refused = story(*words, "--time-scale", "3", "--incident", "1")
        assert (refused.code, "--time-scale 3 is for demonstrations and drills" in refused.err) == (1, True), refused.err


def test_with_a_silent_prometheus_the_checks_are_unknown_and_an_override_is_logged(
    story: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is kept in an incident by a Prometheus that is down."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", "http://127.0.0.1:9")
    ended = story("validate")
    assert (ended.code, "--override NAME --reason TEXT" in ended.err) == (1, True), ended.err
    taken = story("validate", "--override", "ann", "--reason", "Prometheus burnt down", "--json").facts
    assert [c["state"] for c in taken["checks"]] == ["ok", *["unknown"] * 5]
    assert "unknown taken as good by ann: Prometheus burnt down" in taken["text"]
    told = story("incident", "show", "--json").facts["events"]
    assert [e["data"]["ok"] for e in told if e["kind"] == "validated"] == [True]


@pytest.mark.parametrize(("incident", "kind"), [(2, "contain applied"), (0, "rollout step")])
def test_a_change_that_is_told_elsewhere_outdates_a_validation(
    story: Callable[..., Any], tmp_path: Path, incident: int, kind: str
) -> None:
    """A switch of another incident of the service, a rollout's step; not what happens to another service."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    for service in ("fixed", "other"):
        store.open_incident(log, store.Target(service, "production", "tone"), "2", FIXED_AT, "x", {})
    started = [
        store.append(log, 0, FIXED_AT, "mitigate", "rollout started", "x", {"service": service, "environment": "production"})
        for service in ("fixed", "other")
    ]
    on = {"flag": "pinned_model", "value": "m", "previous": "", "expires": END + 3_600}
    words = ("--time-scale", "2", "--incident", "1")
    assert story("validate", *words).code == 0
    store.append(log, 3, END, "contain", "contain applied", "x", on)
    store.append(log, 0, END, "mitigate", "rollout step", "x", {"rollout": started[1].seq})
    store.append(log, 2, END, "contain", "contain applied", "x", {**on, "flag": "evaluation_boost"})
    assert "came after" not in story("contain", "lift", *words).err
    made = store.append(log, incident, END, "mitigate", kind, "x", {**on, "rollout": started[0].seq})
    for last in (("contain", "lift"), ("incident", "close")):
        refused = story(*last, *words)
        assert (refused.code, f"event {made.seq} ({kind}, of " in refused.err) == (1, True), refused.err
    again = story("validate", *words)
    assert (again.code, "only 0.0 s since the last change" in again.out) == (1, True), again.out


def test_a_deployment_that_is_noted_is_a_change(story: Callable[..., Any]) -> None:
    """What was changed without truegreen: the quiet minutes begin anew, and the validation of before is none."""
    assert story("validate").code == 0
    assert story("incident", "note", "--changed", "--action", "x").code == 2
    assert story("incident", "note", "--changed", "deployed 4.2 with the old retriever", "--by", "ann").code == 0
    refused = story("incident", "close")
    assert (refused.code, "(changed elsewhere) came after the last validation" in refused.err) == (1, True), refused.err
    assert "only 0.0 s since the last change" in story("validate").out


def test_a_second_change_does_not_move_what_triage_looks_at(story: Callable[..., Any], tmp_path: Path) -> None:
    """What was seen after the first change is no evidence of the cause."""
    once = story("triage", "--json").facts
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.append(log, 1, END - 2, "mitigate", "evidence frozen", "x", {"file": "y", "sha256": "a", "log_head": "c"})
    store.append(log, 1, END - 1, "mitigate", "rollback begun", "x", {"name": "support", "to": 4, "from": 5})
    twice = story("triage", "--json").facts
    assert once["whose"] == "them"
    for part in ("whose", "because", "start", "changes", "affected", "versions"):
        assert twice[part] == once[part], part


def test_an_alert_that_came_again_asks_for_another_validation(story: Callable[..., Any]) -> None:
    """What was green then is not green now."""
    assert story("validate").code == 0
    assert story("incident", "open", "--service", "fixed", "--environment", "production", "--slo", "grounding").code == 0
    ended = story("incident", "close")
    assert (ended.code, "(alerted again) came after the last validation" in ended.err) == (1, True), ended.err


@pytest.mark.parametrize(
    "kind", ["contain applied", "contain undone", "rollback applied", "contain begun", "rollback begun", "refresh applied"]
)
def test_a_change_after_the_validation_asks_for_another(story: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    """Nobody has looked at what serves now."""
    assert story("validate").code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    made = store.append(log, 1, END, "contain", kind, "x", {"undone": 99})
    ended = story("incident", "close")
    assert (ended.code, f"event {made.seq} ({kind}) came after the last validation" in ended.err) == (1, True), ended.err


@pytest.mark.parametrize(("sev", "slo", "stops"), [("2", "grounding", True), ("3", "grounding", False), ("2", "tone", False)])
def test_an_alert_of_its_own_as_grave_as_itself_keeps_an_incident_open(
    run: Callable[..., Any], pager: str, monkeypatch: pytest.MonkeyPatch, sev: str, slo: str, stops: bool
) -> None:
    """An incident of sev 2: its own alert of sev 2 counts, a graver one of any SLO too, a lesser one does not."""
    monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", pager)
    service = f"s-{sev}-{slo}"
    labels = {"alertname": "TruegreenBudgetBurn", "sev": sev, "service": service, "environment": "production", "slo": slo}
    _post(pager, labels, timedelta(minutes=5))
    words = ("--service", service, "--environment", "production", "--slo", "grounding", "--sev", "2")
    assert run("incident", "open", *words).code == 0
    ended = run("incident", "close")
    assert (ended.code, f"sev {sev} is still active: TruegreenBudgetBurn {slo}" in ended.err) == (1, stops), ended.err


def test_a_postmortem_says_what_is_unanswered_and_makes_nothing_up(run: Callable[..., Any], tmp_path: Path) -> None:
    """An incident about which nothing was found out."""
    run("incident", "open", "--service", "<script>|`x`[a](b)", "--environment", "e", "--slo", "grounding")
    made = run("postmortem", "--out", str(tmp_path / "p.md"), "--json").facts
    assert (made["answered"], made["questions"]) == (0, 6)
    text = (tmp_path / "p.md").read_text()
    assert text.count("**unanswered: ") == 6
    assert "<script>" not in text
    assert "`[a](b)" not in text.replace("\\`\\[a\\](b)", "")


def test_a_smoke_suite_that_hangs_or_fails_is_told(run: Callable[..., Any]) -> None:
    """No shell, a limit, its last line."""
    from truegreen.runbook.validate import smoke

    assert smoke(["sleep", "60"], timeout=0.2).state == "not ok"
    assert smoke(["sh", "-c", "echo 11/12; exit 3"]).number == "exit code 3"
    assert smoke(["no-such-command-here"]).state == "unknown"
    assert smoke([]).state == "unknown"


def test_an_interrupt_ends_the_smoke_suite_too(tmp_path: Path) -> None:
    """It runs in a session of its own, and hears no Ctrl-C of the terminal."""
    from truegreen.runbook.validate import smoke

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            smoke(["sh", "-c", f"echo $$ > {tmp_path / 'group'}; kill -INT $PPID; exec sleep 60"], timeout=30)
    finally:
        signal.signal(signal.SIGINT, before)
    with pytest.raises(ProcessLookupError):
        os.killpg(int((tmp_path / "group").read_text()), signal.SIGKILL)


def test_a_postmortem_of_an_altered_log_is_refused(story: Callable[..., Any], tmp_path: Path) -> None:
    """It would not be one."""
    import sqlite3

    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        connection.execute("UPDATE events SET text = 'x' WHERE seq = 2")
    assert story("postmortem", "--out", str(tmp_path / "p.md")).code == 1
    assert not (tmp_path / "p.md").exists()


def _post(url: str, labels: dict[str, str], ends: timedelta) -> None:
    now = datetime.now(UTC)
    body = [{"labels": labels, "startsAt": (now - timedelta(minutes=9)).isoformat(), "endsAt": (now + ends).isoformat()}]
    request = urllib.request.Request(f"{url}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=5).close()
