"""What `incident serve` exposes: the catalogue's metrics and no other, measured from the log, and the job that scrapes them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parsed

from truegreen.core.cli import root
from truegreen.core.clients import engines, prometheus
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue
from truegreen.runbook import log as store
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.serve import metrics

NOW = 1_767_322_800.0
WHO = {"service": "shop", "environment": "production"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with a log of its own."""
    return Desk(
        parse_text(f"incidents: {{store: 'sqlite:///{tmp_path / 'i.db'}'}}", "t", {}, None), False, None, clock=lambda: NOW
    )


def _samples(desk: Desk, failures: int = 0) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    made: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in parsed(metrics.expose(desk, desk.log(), failures).decode()):
        for one in family.samples:
            made.setdefault(one.name, {})[tuple(sorted(one.labels.items()))] = one.value
    return made


def _of(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({**WHO, **labels}.items()))


def _target(service: str = "shop") -> store.Target:
    return store.Target(service, "production", "grounding")


def test_no_observation_is_taken_back(desk: Desk) -> None:
    """A second triage, a new severity, an end: no counter falls at any event, for rate() would take that for a restart."""
    log = desk.log()
    one = store.open_incident(log, _target(), "2", NOW, "", {})
    before: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for kind, data in (
        ("triaged", {"start": {"time": NOW - 120, "low": 0, "high": 0}}), ("verified by spans", {}), ("sev changed", {"sev": "1"}),
        ("triaged", {"start": {"time": NOW - 7_000, "low": 0, "high": 0}}), ("verified by spans", {}), ("incident closed", {}), ("sev changed", {"sev": "3"}),
    ):  # fmt: skip
        if kind == "incident closed":
            store.close_incident(log, one.id, NOW + 600, "", {})
        else:
            store.append(log, one.id, NOW + 60, "triage", kind, "", data)
        now = {(n, k): v for n, s in _samples(desk).items() if "_time_to_" in n for k, v in s.items()}
        assert {k: now.get(k) for k, v in before.items() if now.get(k, -1) < v} == {}, kind
        before = now
    sums = [
        before[f"truegreen_incident_time_to_{name}_seconds_sum", _of(sev=sev)]
        for name, sev in (("detect", "2"), ("contain", "2"), ("resolve", "1"))
    ]
    assert sums == [120, 60, 600]


def test_endpoint_and_catalogue_say_the_same(desk: Desk) -> None:
    """Names, kinds, labels, closed values, words and buckets: boards and rules are written from the catalogue."""
    log = desk.log()
    one = store.open_incident(log, _target(), "2", NOW, "", {"drill": "drift"})
    store.append(log, one.id, NOW, "triage", "triaged", "", {"start": {"time": NOW - 60, "low": 0, "high": 0}})
    store.append(log, one.id, NOW, "review", "action item", "", {})
    store.append(log, one.id, NOW, "contain", "verified by spans", "", {})
    store.close_incident(log, one.id, NOW, "", {})
    found = {family.name: family for family in parsed(metrics.expose(desk, log, 3).decode())}
    wanted = {m.prometheus.removesuffix("_total"): m for m in catalogue.ALL if m.source in metrics.SOURCES}
    assert found.keys() == wanted.keys() and len(wanted) == 7
    for name, metric in wanted.items():
        family = found[name]
        assert (family.type, family.documentation) == (metric.kind, metric.description)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample
            assert all(value in metric.label(key).values for key, value in sample.labels.items() if key in ("sev", "state"))
        if metric.kind == "histogram":
            assert {float(s.labels["le"]) for s in family.samples if "le" in s.labels} == {*metric.buckets, float("inf")}


def test_a_series_of_durations_is_born_at_0_with_its_incident(desk: Desk) -> None:
    """So that `increase` sees the first one; nothing is observed before it has happened."""
    log = desk.log()
    one = store.open_incident(log, _target(), "1", NOW, "", {})
    counts = {
        name: _samples(desk)[f"truegreen_incident_time_to_{name}_seconds_count"] for name in ("detect", "contain", "resolve")
    }
    assert counts == {name: {_of(sev="1"): 0} for name in counts}
    store.close_incident(log, one.id, NOW + 301, "", {})
    after = _samples(desk)
    assert after["truegreen_incident_time_to_resolve_seconds_sum"] == {_of(sev="1"): 301}
    buckets = after["truegreen_incident_time_to_resolve_seconds_bucket"]
    assert (buckets[_of(sev="1", le="300.0")], buckets[_of(sev="1", le="600.0")], buckets[_of(sev="1", le="+Inf")]) == (0, 1, 1)
    assert after["truegreen_incident_open"] == {_of(sev="1"): 0}


def test_action_items_are_open_until_somebody_says_that_they_are_done(desk: Desk) -> None:
    """Their ratio is that of done to all; a service without any has zeros, not nothing."""
    log = desk.log()
    one, _ = (store.open_incident(log, _target(service), "1", NOW, "", {}) for service in ("shop", "bank"))
    first, _ = (store.append(log, one.id, NOW, "review", "action item", text, {}) for text in ("a", "b"))
    store.append(log, one.id, NOW, "review", "action item done", "", {"action": first.seq, "by": "ann"})
    items = _samples(desk)["truegreen_incident_action_items"]
    assert items[_of(state="open")] == items[_of(state="done")] == 1
    assert items[_of(service="bank", state="open")] == items[_of(service="bank", state="done")] == 0


def test_failed_hooks_are_counted_without_a_service(desk: Desk) -> None:
    """They belong to the process."""
    assert _samples(desk, 4)["truegreen_incident_hook_failures_total"] == {(): 4}


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_hostile_names_stay_values_of_labels(text: str) -> None:
    """Quotes, backslashes and line ends in the name of a service make no second sample."""
    config = parse_text("incidents: {store: 'sqlite://'}", "t", {}, None)
    desk = Desk(config, False, None, clock=lambda: NOW)
    log = desk.log()
    made = store.open_incident(log, store.Target(text, "production", "grounding"), "1", NOW, "", {})
    families = list(parsed(metrics.expose(desk, log, 0).decode()))
    (one,) = next(f for f in families if f.name == "truegreen_incident_open").samples
    assert one.labels["service"] == made.target.service and one.value == 1


def test_the_generated_scrape_configuration_has_a_job_for_it_where_its_endpoint_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the token that it asks for; none where nobody says where it listens: a target that is down explains nothing."""
    monkeypatch.chdir(tmp_path)
    secret = {"credentials_file": str(tmp_path / 'tok"en')}
    for said, targets, auth in (
        ("endpoint: 0.0.0.0:9470", ["127.0.0.1:9470"], None),
        ("endpoint: incidents:9470, token_file: 'tok\"en'", ["incidents:9470"], secret),
        ("url: http://x", [], None),
    ):
        Path("truegreen.yaml").write_text(f"incidents: {{serve: {{{said}}}}}\n")
        done = CliRunner().invoke(root, ["generate", "collector", "--out", "out"])
        assert done.exit_code == 0, done.exception
        jobs = yaml.safe_load(Path("out/scrape.yml").read_text())["scrape_configs"]
        found = [job for job in jobs if job["job_name"] == "truegreen-incidents"]
        assert [job["static_configs"][0]["targets"] for job in found] == ([targets] if targets else [])
        assert all(job["honor_labels"] and job.get("authorization") == auth for job in found)


@pytest.mark.full
def test_a_real_prometheus_scrapes_it_by_the_generated_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Callable[[str], Path]
) -> None:
    """As a process that wants a token: every series has the labels of the catalogue."""
    engine("prometheus")
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        where = f"127.0.0.1:{free.getsockname()[1]}"
    Path("token").write_text("sesame\n")
    Path("truegreen.yaml").write_text(f"scrape_interval: 1s\nincidents: {{serve: {{endpoint: '{where}', token_file: token}}}}\n")
    assert CliRunner().invoke(root, ["generate", "collector", "--out", "out"]).exit_code == 0
    one = store.open_incident(store.open_log("sqlite:///incidents.db"), _target('sh"op'), "2", time.time(), "", {})
    store.append(store.open_log("sqlite:///incidents.db"), one.id, time.time(), "review", "action item", "", {})
    Path("prometheus.yml").write_text(f"global: {{}}\n{Path('out/scrape.yml').read_text()}")
    serving = subprocess.Popen([sys.executable, "-m", "truegreen.core", "incident", "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None and where in serving.stdout.readline()
        with engines.prometheus(Path("prometheus.yml"), tmp_path / "data") as running:
            server, until = prometheus.connect(running.url), time.monotonic() + 60
            while not (found := prometheus.query(server, "truegreen_incident_open")) and time.monotonic() < until:
                time.sleep(0.2)
            assert [(dict(s.labels), s.value) for s in found] == [
                ({"__name__": "truegreen_incident_open", "service": 'sh"op', "environment": "production", "sev": "2", "instance": where,
                  "job": "truegreen-incidents"}, 1)]  # fmt: skip
            assert [s.value for s in prometheus.query(server, "sum by (state) (truegreen_incident_action_items) == 1")] == [1]
            assert [s.value for s in prometheus.query(server, "truegreen_incident_time_to_resolve_seconds_count")] == [0]
            assert [s.value for s in prometheus.query(server, 'up{job="truegreen-incidents"}')] == [1]
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(20)
