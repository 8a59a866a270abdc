"""`truegreen incident serve`: notifications of a real Alertmanager, hostile ones, repeats, two replicas, clocks that run out, metrics."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runbook_shop import Impatient

from truegreen.core.clients import engines
from truegreen.core.config import load
from truegreen.core.config.response import Contact
from truegreen.runbook import closing
from truegreen.runbook import log as store
from truegreen.runbook.serve import app
from truegreen.runbook.serve.app import make_app
from truegreen.runbook.serve.hooks import HOOKS
from truegreen.runbook.serve.loop import Loop

NOW = 1_767_322_800.0
JSON = {"Content-Type": "application/json"}


def _alert(slo: str = "grounding", sev: str = "1", status: str = "firing", **more: Any) -> dict[str, Any]:
    labels = {"alertname": "TruegreenBudgetBurn", "service": "shop", "environment": "production", "slo": slo, "sev": sev}
    return {"status": status, "labels": labels, "annotations": {"summary": f"{slo} burns"}, "startsAt": "2026-01-02T03:00:00Z",
            "fingerprint": f"fp-{slo}-{sev}", **more}  # fmt: skip


def _body(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "groupKey": '{}:{service="shop"}', "status": "firing", "receiver": "r", "alerts": list(alerts)}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Impatient:
    """In an empty folder; servers are nobody, and it is 2026-01-02."""
    monkeypatch.chdir(tmp_path)
    nobody = {f"{name}_url": "http://127.0.0.1:9" for name in ("prometheus", "alertmanager", "collector")}
    config = load(None, {})
    return Impatient(replace(config, incidents=replace(config.incidents, **nobody)), False, None, lambda: NOW)  # type: ignore[arg-type]


@pytest.fixture
def client(desk: Impatient) -> TestClient:
    """The application, asked as 127.0.0.1."""
    return TestClient(make_app(desk), base_url="http://127.0.0.1", raise_server_exceptions=False)


def _was(client: TestClient, body: Any) -> list[str]:
    answer = client.post("/alertmanager", json=body)
    assert answer.status_code == 200, answer.text
    return [one["was"] for one in answer.json()["alerts"]]


def test_every_alert_of_a_notification_counts_once(client: TestClient, desk: Impatient) -> None:
    """Two SLOs are two incidents; a repeat is known; a graver one raises; the end is noted; a stale repeat after the close opens nothing."""
    body = _body(_alert(sev="2"), _alert("latency", "2"), {**_alert(), "labels": {"alertname": "Watchdog"}})
    assert sorted(_was(client, body)) == ["opened", "opened", "other"]
    assert sorted(_was(client, body)) == ["known", "known", "other"]
    assert _was(client, _body(_alert(sev="1"))) == ["joined"]
    log = desk.log()
    kinds = [e.kind for e in store.events(log, 1)]
    assert kinds == ["incident opened", "alerted again", "sev changed"] and store.events(log, 1)[-1].data["sev"] == "1"
    over = _alert(sev="1", status="resolved")
    assert (_was(client, _body(over)), _was(client, _body(over))) == (["over"], ["known"])
    store.close_incident(log, 1, NOW, "closed", {})
    assert _was(client, _body(_alert(sev="2"))) == ["known"], "Alertmanager repeats what it has not been told is over"
    assert _was(client, _body(_alert(sev="1", startsAt="2026-01-03T03:00:00Z"))) == ["opened"]
    assert len(store.incidents(log)) == 3 and store.verify(log) == ""


def test_an_alert_that_burns_on_after_its_end_is_told_once(desk: Impatient) -> None:
    """Each further repeat is known, so that a validation of after it stands; and its next end is an end again."""
    moment = [NOW]
    client = TestClient(make_app(replace(desk, clock=lambda: moment[0])), base_url="http://127.0.0.1")
    said = []
    for status in ("firing", "resolved", "firing", "firing", "firing", "resolved", "resolved"):
        said += _was(client, _body(_alert(status=status)))
        moment[0] += 60
    assert said == ["opened", "over", "joined", "known", "known", "over", "known"]


@pytest.mark.parametrize(("after", "was"), [(10, "known"), (3_600, "opened")])
def test_a_late_repeat_of_an_alert_that_is_over_opens_nothing(desk: Impatient, after: int, was: str) -> None:
    """Of a replica that had not heard of the end; what burns an hour later burns, though it says that it began before."""
    moment = [NOW]
    client = TestClient(make_app(replace(desk, clock=lambda: moment[0])), base_url="http://127.0.0.1")
    assert _was(client, _body(_alert())) == ["opened"]
    assert _was(client, _body(_alert(status="resolved"))) == ["over"]
    store.close_incident(desk.log(), 1, NOW + 5, "closed", {})
    moment[0] += after
    assert _was(client, _body(_alert())) == [was]


@pytest.mark.parametrize("scale", [1, 60])
def test_what_a_demonstration_opens_says_by_how_much_its_windows_are_divided(desk: Impatient, scale: int) -> None:
    """By the server, as by hand; an incident of production says nothing, and a scale is refused for it."""
    client = TestClient(make_app(desk, time_scale=scale), base_url="http://127.0.0.1")
    assert _was(client, _body(_alert())) == ["opened"]
    told = store.events(desk.log())
    assert (told[0].data.get("time_scale"), "time scale 60" in told[0].text) == ((60, True) if scale > 1 else (None, False))
    assert (closing.unfit(told, 60) == "") is (scale == 60)
    assert closing.unfit(told, 1) == ""


def test_two_replicas_at_once_open_one_incident(client: TestClient, desk: Impatient) -> None:
    """Eight that notify at once, also."""
    with ThreadPoolExecutor(8) as pool:
        was = [w for found in pool.map(lambda _: _was(client, _body(_alert())), range(8)) for w in found]
    assert sorted(was) == ["known"] * 7 + ["opened"]
    assert len(store.events(desk.log())) == 1


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.sampled_from(["alerts", "labels", "status", "annotations", "startsAt", "groupKey", "fingerprint", "service", "summary", "sev", "slo", "environment"]), x, max_size=5), max_leaves=12)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(_JSON, st.lists(_JSON, max_size=2).map(lambda alerts: {"alerts": alerts})))
def test_whatever_is_posted_is_no_error_of_ours(client: TestClient, body: Any) -> None:
    """Never a 5xx, never a traceback."""
    answer = client.post("/alertmanager", json=body)
    assert answer.status_code in (200, 400, 415) and "Traceback" not in answer.text


def test_what_is_too_long_or_no_json_is_refused(client: TestClient, desk: Impatient) -> None:
    """And nothing is written."""
    assert client.post("/alertmanager", content=b"x" * (2 << 20), headers=JSON).status_code == 413
    assert client.post("/alertmanager", content=b"{", headers=JSON).status_code == 400
    hostile = _alert(sev="1", annotations={"summary": "<script>\x1b[31m\u202e" + "y" * 100_000})
    assert _was(client, _body(hostile)) == ["opened"]
    text = store.events(desk.log())[0].text
    assert len(text) < 5_000 and "\x1b" not in text and "\u202e" not in text


def test_with_tokens_nobody_enters_without_one(desk: Impatient, tmp_path: Path) -> None:
    """Health is open: who asks it learns nothing."""
    (tmp_path / "tokens").write_text("sesame\n")
    served = replace(desk.config.incidents.serve, token_file=tmp_path / "tokens")
    desk = replace(desk, config=replace(desk.config, incidents=replace(desk.config.incidents, serve=served)))
    client = TestClient(make_app(desk), base_url="http://127.0.0.1")
    assert [client.post("/alertmanager", json=_body(_alert()), headers=h).status_code
            for h in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Bearer sesame"})] == [401, 401, 200]  # fmt: skip
    assert client.get("/-/healthy").status_code == 200
    assert client.get("/incidents/1.json").status_code == 401
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer sesame"}).status_code == 200


def test_a_file_of_tokens_that_is_gone_is_said_once_and_hears_again_when_it_is_back(desk: Impatient, tmp_path: Path) -> None:
    """Nobody gets in meanwhile; Alertmanager tries a 503 again."""
    file = tmp_path / "tokens"
    served = replace(desk.config.incidents.serve, token_file=file)
    desk = replace(desk, config=replace(desk.config, incidents=replace(desk.config.incidents, serve=served)))
    said: list[str] = []
    client = TestClient(make_app(desk, say=said.append), base_url="http://127.0.0.1", raise_server_exceptions=False)
    headers = {"Authorization": "Bearer sesame"}
    for _ in range(3):
        answer = client.post("/alertmanager", json=_body(_alert()), headers=headers)
        assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (503, True)
    assert len(said) == 1 and str(file) in said[0]
    file.write_text("sesame\n")
    assert client.post("/alertmanager", json=_body(_alert()), headers=headers).status_code == 200


def test_a_clock_that_runs_out_tells_the_next_one_once(desk: Impatient) -> None:
    """Acknowledge after five minutes, classify after fifteen: the first and the second of incidents.escalation."""
    moment = [NOW]
    people = {"lead": Contact("Ann"), "head": Contact("Bob")}
    asked = replace(desk.config.incidents, contacts=people, escalation=("lead", "head"))
    desk = replace(desk, config=replace(desk.config, incidents=asked), clock=lambda: moment[0])
    client = TestClient(make_app(desk), base_url="http://127.0.0.1")
    assert _was(client, _body(_alert())) == ["opened"]
    said: list[str] = []
    loop = Loop(desk, desk.log(), said.append)
    for minutes in (1, 6, 6, 16, 16, 61):
        moment[0] = NOW + minutes * 60
        loop.once()
    ran = [e for e in store.events(loop.log, 1) if e.kind == "clock ran out"]
    assert [(e.data["clock"], e.data["tell"]) for e in ran] == [
        ("acknowledge", ["lead"]),
        ("classify", ["head"]),
        ("resolve", ["head"]),
    ]
    assert said == []


def test_a_severity_that_comes_again_escalates_again(desk: Impatient) -> None:
    """Sev 1, then 3, then 1: its clocks are new."""
    moment = [NOW]
    desk = replace(desk, clock=lambda: moment[0])
    log = desk.log()
    store.open_incident(log, store.Target("s", "e", "x"), "1", NOW, "", {})
    loop = Loop(desk, log, print)
    for minutes, sev in ((90, "3"), (100, "1"), (200, "")):
        moment[0] = NOW + minutes * 60
        for _ in range(2):
            loop.once()
        if sev:
            store.append(log, 1, moment[0], "triage", "sev changed", "", {"sev": sev})
    ran = [e.data["clock"] for e in store.events(log, 1) if e.kind == "clock ran out"]
    assert ran == ["acknowledge", "classify", "resolve"] * 2


@pytest.mark.parametrize("what", ["clock ran out", "law reminder"])
def test_two_servers_at_one_log_tell_it_once(desk: Impatient, what: str) -> None:
    """Both have read the log before either wrote."""
    log = desk.log()
    one = store.open_incident(log, store.Target("s", "e", "x"), "1", NOW - 400_000, "", {})
    store.append(log, 1, NOW - 300_000, "review", "law awareness", "", {"aware": NOW - 300_000, "at": NOW - 300_000, "by": "ann"})
    read = store.events(log, 1)
    for _ in range(2):
        for name, hook in HOOKS:
            if name in ("escalation", "law"):
                hook(desk, log, one, read, NOW)
    told = [json.dumps(e.data, sort_keys=True) for e in store.events(log, 1) if e.kind == what]
    assert told and len(told) == len(set(told))


def test_a_hook_that_fails_is_said_once_and_stops_no_other(desk: Impatient) -> None:
    """Nor the loop."""
    store.open_incident(desk.log(), store.Target("s", "e", "x"), "1", NOW, "", {})
    ran: list[int] = []

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    said: list[str] = []
    loop = Loop(desk, desk.log(), said.append, (("broken", broken), ("good", lambda _d, _l, one, _e, _n: ran.append(one.id))))
    loop.once()
    loop.once()
    assert (ran, said, loop.failed) == ([1, 1], ["broken: ZeroDivisionError"], 2)


def test_how_long_it_took_is_scraped(client: TestClient, desk: Impatient) -> None:
    """From the true start, to the first change that was seen, to the close."""
    log = desk.log()
    one = store.open_incident(log, store.Target("shop", "production", "grounding"), "1", NOW, "", {"drill": "hallucination"})
    assert 'truegreen_incident_open{environment="production",service="shop",sev="1"} 1.0' in client.get("/metrics").text
    store.append(log, one.id, NOW + 60, "triage", "triaged", "", {"start": {"time": NOW - 420, "low": 0, "high": 0}})
    store.append(log, one.id, NOW + 300, "contain", "verified by spans", "", {})
    store.close_incident(log, one.id, NOW + 3_000, "", {})
    client = TestClient(make_app(replace(desk, clock=lambda: NOW + 4_000)), base_url="http://127.0.0.1")
    text = client.get("/metrics").text
    who = 'environment="production",service="shop",sev="1"'
    sums = {
        name: float(text.split(f"truegreen_incident_time_to_{name}_seconds_sum{{{who}}} ")[1].split()[0])
        for name in ("detect", "contain", "resolve")
    }
    assert sums == {"detect": 420, "contain": 300, "resolve": 3_000}
    held = text.split('truegreen_drill_completed_timestamp_seconds{environment="production",service="shop"} ')[1].split()[0]
    assert float(held) == NOW + 3_000


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_what_a_browser_sends_for_any_site_opens_nothing(client: TestClient, desk: Impatient, kind: str) -> None:
    """A page that somebody has open beside it could send these without asking."""
    answer = client.post("/alertmanager", content=json.dumps(_body(_alert())), headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert store.incidents(desk.log()) == ()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:9470", ""])
def test_a_name_of_somebody_elses_is_not_served(client: TestClient, desk: Impatient, host: str) -> None:
    """Without tokens: a site may let its own name point to this machine."""
    assert client.post("/alertmanager", json=_body(_alert()), headers={"Host": host}).status_code == 403
    assert client.get("/metrics", headers={"Host": host}).status_code == 403
    assert store.incidents(desk.log()) == ()


def test_a_body_that_does_not_end_is_given_up(desk: Impatient, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is written."""
    monkeypatch.setattr(app, "BODY_SECONDS", 0.05)

    async def asked() -> int:
        said: list[int] = []

        async def receive() -> dict[str, Any]:
            if not said:
                said.append(0)
                return {"type": "http.request", "body": b"{", "more_body": True}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            said.append(message.get("status", 0))

        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/alertmanager", "raw_path": b"/alertmanager",
                 "query_string": b"", "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "scheme": "http", "root_path": ""}  # fmt: skip
        await app.make_app(desk)(scope, receive, send)
        return max(said)

    assert asyncio.run(asyncio.wait_for(asked(), 20)) == 408
    assert store.events(desk.log()) == ()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.full
def test_a_real_alertmanager_opens_an_incident_and_ends_its_alert(tmp_path: Path, engine: Callable[..., Any]) -> None:
    """As a process; it ends on SIGTERM, and beyond loopback it does not begin without tokens."""
    engine("alertmanager")
    port = _free()
    tool = [sys.executable, "-m", "truegreen.core", "incident", "serve", "--listen"]
    refused = subprocess.run([*tool, f"0.0.0.0:{port}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (refused.returncode, "token_file" in refused.stderr) == (2, True)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    serving = subprocess.Popen([*tool, f"127.0.0.1:{port}"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environ)
    try:
        assert serving.stdout is not None and "notifications at" in serving.stdout.readline()
        (tmp_path / "alertmanager.yml").write_text(
            "route: {receiver: truegreen, group_by: [service], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: truegreen, webhook_configs: [{{url: 'http://127.0.0.1:{port}/alertmanager'}}]}}]\n"
        )
        with engines.alertmanager(tmp_path / "alertmanager.yml", tmp_path / "am") as running:
            labels = {**_alert()["labels"], "service": 'sh"op\n$(id)'}
            alert = {"labels": labels, "annotations": {"summary": "it burns"}, "startsAt": _utc(-60), "endsAt": _utc(3_600)}
            _post(f"{running.url}/api/v2/alerts", [alert])
            kinds = _until(port, lambda found: bool(found))
            assert kinds == ["incident opened"]
            _post(f"{running.url}/api/v2/alerts", [{**alert, "endsAt": _utc(-1)}])
            assert _until(port, lambda found: "alert resolved" in found) == ["incident opened", "alert resolved"]
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(20) == 0


def _utc(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _post(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


def _until(port: int, good: Callable[[list[str]], bool]) -> list[str]:
    """The kinds of the first incident's events, asked until they are as wanted or patience is over."""
    until, kinds = time.monotonic() + 30, list[str]()
    while time.monotonic() < until and not good(kinds):
        time.sleep(0.2)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/incidents/1.json") as answer:
                kinds = [e["kind"] for e in json.load(answer)["events"]][::-1]
        except (urllib.error.URLError, ConnectionError):
            continue
    return kinds
