"""Triage beside servers that are down, silent or hostile: what is known is said, what could not be asked is named, and it ends in time."""

from __future__ import annotations

import json
import socket
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runbook_shop import serving
from runbook_world import END

from truegreen.core.errors import BadInput
from truegreen.runbook import firing, in_time
from truegreen.runbook.model import Target

BURN = {"alertname": "TruegreenBudgetBurn", "service": "them", "environment": "production", "slo": "grounding", "sev": "1",
        "failure_mode": "hallucination", "pillar": "none"}  # fmt: skip
OF_THEM = ("--service", "them", "--environment", "production", "--slo", "grounding")


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as taken:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def pager() -> Iterator[str]:
    """An Alertmanager in which one alert fires."""
    alert = {"labels": BURN, "annotations": {}, "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}, "receivers": [],
             "startsAt": "2026-01-02T03:00:00Z", "endsAt": "2026-01-02T04:00:00Z", "fingerprint": "f1"}  # fmt: skip
    with serving(lambda _m, path, _b, _a: (200, [alert]) if path.startswith("/api/v2/alerts") else (404, {})) as url:
        yield url


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds, a tenth as long: nobody waits for a server that never answers."""
    for name in ("WHOLE", "ALERT", "NEEDED", "REST", "EACH"):
        monkeypatch.setattr(in_time, name, getattr(in_time, name) / 10)


def test_the_parts_of_a_triage_end_within_its_ten_seconds() -> None:
    """Which alert is meant, then all about its target, then the slices."""
    assert in_time.EACH <= in_time.NEEDED < in_time.REST
    assert in_time.ALERT + in_time.REST < in_time.WHOLE < 10


def test_a_silent_alertmanager_costs_the_severity_and_nothing_else(run: Callable[..., Any], filled: str, silent: str) -> None:
    """The verdict is that of Prometheus."""
    where = ("--prometheus-url", filled, "--alertmanager-url", silent, "--at", str(END), "--json")
    facts = run("triage", *OF_THEM, *where).facts
    assert facts["whose"] == "them"
    assert any("Alertmanager" in line for line in facts["missing"])


def test_where_alertmanager_is_silent_the_alert_is_found_in_prometheus(run: Callable[..., Any], silent: str, hasty: None) -> None:
    """By its name, and as the gravest one; a fingerprint is nothing that Prometheus knows."""

    def answer(_method: str, path: str, _body: Any, _auth: str) -> tuple[int, Any]:
        found = (
            [{"metric": {"__name__": "ALERTS", "alertstate": "firing", **BURN}, "value": [END, "1"]}] if "ALERTS" in path else []
        )
        return (200, {"status": "success", "data": {"resultType": "vector", "result": found}}) if "/query?" in path else (503, "")

    with serving(answer) as url:
        where = ("--prometheus-url", url, "--alertmanager-url", silent, "--at", str(END))
        for words in (("TruegreenBudgetBurn",), ()):
            ended = run("triage", *words, *where)
            assert (ended.code, ended.out.splitlines()[0]) == (
                1,
                "them/production grounding: sev 1, page; classify within 15 min, resolve within 60 min",
            )
        ended = run("triage", "f1", *where)
        assert ended.code == 2 and "no fingerprints" in ended.err and "TruegreenBudgetBurn" in ended.err


@pytest.mark.parametrize("how", ["refuses", "fails", "hangs", "lies"])
def test_without_prometheus_the_alert_and_the_log_are_told_and_nothing_is_classified(
    run: Callable[..., Any], silent: str, pager: str, hasty: None, how: str
) -> None:
    """Down, 5xx, silent, or not JSON: exit 1, in words, and the log gets no triage."""
    assert run("incident", "open", *OF_THEM, "--sev", "1").code == 0
    with serving(lambda *_: (503, "busy") if how == "fails" else (200, "<html>")) as broken:
        url = {"refuses": "http://127.0.0.1:9", "hangs": silent}.get(how, broken)
        ended = run("triage", "--prometheus-url", url, "--alertmanager-url", pager)
        as_json = run("triage", "--prometheus-url", url, "--alertmanager-url", pager, "--json")
    assert (ended.code, as_json.code) == (1, 1)
    assert "Prometheus" in ended.err and "Traceback" not in ended.err and len(ended.err.splitlines()) == 1
    lines = ended.out.splitlines()
    assert lines[0].startswith("them/production grounding: sev 1")
    assert "alert fired 03:00:00 UTC" in ended.out and "incident opened" in ended.out
    assert any(line.startswith("not asked: counts: ") for line in lines) and any(
        "only Prometheus knows" in line for line in lines
    )
    assert any("not looked at" in line for line in lines) and any(line.startswith("next: ") for line in lines)
    facts = json.loads(as_json.out)
    assert (facts["whose"], facts["sev"], facts["start"], facts["changes"]) == ("not sure", "1", None, [])
    assert [e["kind"] for e in run("incident", "log", "--json").facts["events"]] == ["incident opened"]
    assert "Prometheus" in facts["error"] and as_json.err == ""


def test_nobody_to_ask_at_all_is_one_line(run: Callable[..., Any], silent: str, hasty: None) -> None:
    """Both are named."""
    ended = run("triage", "--prometheus-url", silent, "--alertmanager-url", silent)
    assert ended.code == 1 and len(ended.err.splitlines()) == 1
    assert "Alertmanager" in ended.err and "Prometheus" in ended.err


def test_a_triage_says_its_hypotheses_in_order_and_what_the_pillar_asked(run: Callable[..., Any], filled: str) -> None:
    """As the log keeps them, and as the postmortem shows them."""
    assert run("incident", "open", *OF_THEM).code == 0
    pillar = {**BURN, "pillar": "reasoning"}
    alert = {"labels": pillar, "annotations": {}, "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}, "receivers": [],
             "startsAt": "2026-01-02T03:00:00Z", "endsAt": "2026-01-02T04:00:00Z", "fingerprint": "f1"}  # fmt: skip
    with serving(lambda *_: (200, [alert])) as url:
        facts = run("triage", *OF_THEM, "--prometheus-url", filled, "--alertmanager-url", url, "--at", str(END), "--json").facts
    assert facts["hypotheses"] == [f["says"] for f in facts["findings"] if f["state"] != "ruled out"] != []
    assert facts["pillar"] == "reasoning" and facts["pillar_signs"]
    written = run("postmortem", "--out", "p.md", "--prometheus-url", filled)
    assert written.code == 0 and f"| {facts['pillar_signs'][0]['asks']} |" in Path("p.md").read_text()
    assert all(one["asks"].endswith("?") and one["after"] is not None for one in facts["pillar_signs"])


_TEXT = st.text(max_size=20)
_LABELS = st.dictionaries(st.sampled_from(["service", "environment", "slo", "sev", "alertname"]), _TEXT)


@settings(max_examples=50)
@given(alerts=st.lists(_LABELS, max_size=6), named=_TEXT)
def test_whatever_an_alertmanager_says_one_target_or_words_come_of_it(alerts: list[dict[str, str]], named: str) -> None:
    """Labels that are missing, empty or hostile."""
    body = [{"labels": labels, "annotations": {}, "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}, "receivers": [],
             "startsAt": "2026-01-02T03:00:00Z", "endsAt": "2026-01-02T04:00:00Z", "fingerprint": "f"} for labels in alerts]  # fmt: skip
    fires = [firing.Fires(one["labels"], 1.0, one["fingerprint"]) for one in body]
    try:
        found = firing.meant(fires, named)
    except BadInput as error:
        assert not any(unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") for letter in str(error))
    else:
        assert found is None or found in [
            Target(*(one.get(name, "") for name in ("service", "environment", "slo"))) for one in alerts
        ]
