"""The HTTP clients against real engines and against small local servers that speak the contract, faults included."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_server import DEADLINE, Reply, in_turn, local

from truegreen.core.clients import alertmanager, engines, http, prometheus
from truegreen.core.errors import BadInput, Failed

Named = Callable[[str], Path]


def asking(url: str, pauses: list[float] | None = None, **more: Any) -> http.Server:
    """A Prometheus at `url` whose pauses are recorded, not slept."""
    return replace(prometheus.connect(url, environ={}), sleep=(pauses if pauses is not None else []).append, **more)


def vector(*values: float) -> Reply:
    """An instant vector as Prometheus sends it."""
    result = [{"metric": {"n": str(n)}, "value": [1000.5, str(value)]} for n, value in enumerate(values)]
    return Reply({"status": "success", "data": {"resultType": "vector", "result": result}})


# Prometheus and Alertmanager, real


def test_a_real_prometheus_tells_samples_series_rules_alerts_targets_and_retention(tmp_path: Path, engine: Named) -> None:
    """Every reading function against the engine itself."""
    engine("prometheus")
    port = engines.free_port()
    rule = "- {alert: Always, expr: 'vector(7) > 1', labels: {sev: '1'}, annotations: {summary: hot}}\n  - {record: one, expr: 'vector(1)'}"
    (tmp_path / "r.yml").write_text(f"groups:\n- name: g\n  interval: 1s\n  rules:\n  {rule}\n")
    config = tmp_path / "p.yml"
    jobs = f"- {{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}"
    config.write_text(f"global: {{scrape_interval: 1s}}\nrule_files: [r.yml]\nscrape_configs:\n{jobs}\n")
    with engines.prometheus(config, tmp_path / "data", port=port, args=["--storage.tsdb.retention.time=3d"]) as running:
        server = prometheus.connect(running.url, environ={})
        up = until(lambda: [s for s in prometheus.query(server, 'up{job="self"}') if s.value == 1])
        assert up[0].labels["__name__"] == "up"
        alert = until(lambda: prometheus.alerts(server))[0]
        assert (alert.state, alert.labels["sev"], alert.annotations["summary"], alert.value) == ("firing", "1", "hot", 7.0)
        assert abs(alert.since - time.time()) < DEADLINE + 60
        assert {(r.name, r.kind, r.group, r.health) for r in until(lambda: healthy(server))} == {
            ("Always", "alerting", "g", "ok"),
            ("one", "recording", "g", "ok"),
        }
        (target,) = until(lambda: [t for t in prometheus.targets(server) if t.health == "up"])
        assert (target.job, target.interval, target.error) == ("self", 1.0, "")
        now = up[0].time
        (series,) = prometheus.query_range(server, 'up{job="self"}', now, now + 1, 1)
        assert series.points[0] == pytest.approx((now, 1.0), abs=0.001)
        assert prometheus.query(server, "scalar(vector(3))")[0].value == 3
        assert prometheus.query(server, 'up{job="self"}[1m]', time=now)[0].labels["job"] == "self"
        assert prometheus.query(server, "vector(1)", time=now)[0].time == pytest.approx(now, abs=0.001)
        assert prometheus.retention(server) == 3 * 86400
        assert prometheus.flags(server)["storage.tsdb.retention.time"] == "3d"
        assert prometheus.buildinfo(server)["version"]
        with pytest.raises(http.HttpFailed, match="parse error") as refused:
            prometheus.query(server, "sum(")
        assert refused.value.status == 400


def healthy(server: http.Server) -> list[prometheus.Rule]:
    """All rules, once every one has been evaluated."""
    rules = prometheus.rules(server)
    return rules if all(rule.health == "ok" for rule in rules) else []


def until(found: Callable[[], list[Any]]) -> list[Any]:
    """The first answer that is not empty."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError("nothing came within the deadline")


def test_a_real_alertmanager_tells_its_alerts_by_matcher(tmp_path: Path, engine: Named) -> None:
    """An alert sent to it comes back with receiver and state."""
    engine("alertmanager")
    config = tmp_path / "a.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with engines.alertmanager(config, tmp_path / "data") as running:
        sent = {"labels": {"alertname": "A", "sev": "1"}, "annotations": {"s": "x"}, "startsAt": "2026-01-01T00:00:00.123456789Z"}
        httpx.post(f"{running.url}/api/v2/alerts", json=[sent], trust_env=False).raise_for_status()
        server = alertmanager.connect(running.url, environ={})
        (alert,) = until(lambda: [a for a in alertmanager.alerts(server, matchers=['sev="1"']) if a.state == "active"])
        assert (alert.labels["alertname"], alert.receivers, alert.silenced_by) == ("A", ("nobody",), ())
        assert alert.starts == pytest.approx(datetime(2026, 1, 1, tzinfo=UTC).timestamp() + 0.123456)
        assert alertmanager.alerts(server, matchers=['sev="2"']) == []
        assert alertmanager.alerts(server, active=False) == []
        assert isinstance(alertmanager.version(server), str)
        with pytest.raises(http.HttpFailed, match="Alertmanager at .* answered 400"):
            alertmanager.alerts(server, matchers=["{{"])


# Faults


def test_a_get_is_tried_again_on_429_after_the_pause_that_the_server_asks_for() -> None:
    """Retry-After in seconds, then our own pause when the server names none."""
    pauses: list[float] = []
    with local(in_turn(Reply({}, 429, headers={"Retry-After": "3"}), Reply({}, 503), vector(0.5))) as (url, calls):
        assert prometheus.query(asking(url, pauses), "x")[0] == prometheus.Sample({"n": "0"}, 0.5, 1000.5)
        assert len(calls) == 3
    assert pauses == [3.0, http.PAUSE * 2]


def test_retry_after_may_be_a_date() -> None:
    """RFC 9110 allows both; a date that has passed means at once."""
    pauses: list[float] = []
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    with local(in_turn(Reply({}, 503, headers={"Retry-After": past}), vector(1))) as (url, _calls):
        assert prometheus.query(asking(url, pauses), "x")
    assert pauses == [0.0]


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for() -> None:
    """The call fails at once and says how long."""
    with local(in_turn(Reply({}, 429, headers={"Retry-After": "3600"}))) as (url, calls):
        with pytest.raises(http.HttpFailed, match="asks to wait 3600 s"):
            prometheus.query(asking(url), "x")
        assert len(calls) == 1


def test_a_server_that_stays_away_is_given_up_after_three_tries() -> None:
    """503 three times is an error that names the address and the status."""
    with local(in_turn(Reply({}, 503))) as (url, calls):
        with pytest.raises(http.HttpFailed, match=rf"Prometheus at {url}/api/v1/query answered 503"):
            prometheus.query(asking(url), "x")
        assert len(calls) == 3


def test_an_inner_error_is_not_tried_again_and_passes_on_the_servers_words() -> None:
    """500 is not a matter of waiting."""
    with local(in_turn(Reply({"status": "error", "error": "disk on fire"}, 500))) as (url, calls):
        with pytest.raises(http.HttpFailed, match="500: disk on fire; it has trouble of its own"):
            prometheus.query(asking(url), "x")
        assert len(calls) == 1


def test_nobody_there_says_the_address_and_what_to_do() -> None:
    """The sentence that a user sees most often."""
    pauses: list[float] = []
    url = f"http://127.0.0.1:{engines.free_port()}"
    with pytest.raises(Failed, match=rf"no Prometheus answers at {url} .*start it or name another with --prometheus-url"):
        prometheus.query(asking(url, pauses), "x")
    assert len(pauses) == http.TRIES - 1


def test_a_slow_server_is_given_up_after_the_time_out() -> None:
    """Silence is told apart from absence."""
    never = threading.Event()
    with local(lambda _call: Reply({}, hold=never)) as (url, calls):
        with pytest.raises(Failed, match=r"did not answer within 0\.1 s"):
            prometheus.query(asking(url, timeout=0.1), "x")
        never.set()
        assert len(calls) == http.TRIES


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(text="<html>sign in</html>", headers={"Content-Type": "text/html"}), "text/html that is not JSON"),
        (Reply({"status": "success"}), "JSON, but not Prometheus's"),
        (
            Reply({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}),
            "JSON, but not Prometheus's",
        ),
        (Reply({"status": "success", "data": {"resultType": "vector", "result": 7}}), "JSON, but not Prometheus's"),
        (Reply([1, 2]), "JSON, but not Prometheus's"),
        (Reply(text=""), "JSON, but not Prometheus's"),
        (Reply({}, 302, headers={"Location": "http://login.example/x?token=secret"}), "sends on to http://login.example/x: name"),
    ],
)
def test_an_answer_of_another_kind_is_a_clear_error_and_its_text_is_left_out(reply: Reply, words: str) -> None:
    """Wrong address, a login page, a proxy."""
    with local(in_turn(reply)) as (url, _calls):
        with pytest.raises(Failed, match=words) as failed:
            prometheus.query(asking(url), "x")
        assert "sign in" not in str(failed.value)
        assert "secret" not in str(failed.value)


def test_a_user_in_the_address_is_sent_as_credentials_and_never_said() -> None:
    """Basic authentication from the address; the message has the host alone."""
    with local(in_turn(Reply({}, 401))) as (url, calls):
        server = asking(url.replace("http://", "http://me:secret@"))
        with pytest.raises(http.HttpFailed, match="answered 401.*credentials") as failed:
            prometheus.query(server, "x")
        assert calls[0].headers["Authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
        assert "secret" not in str(failed.value)


def test_a_token_comes_from_the_variable_or_its_file(tmp_path: Path) -> None:
    """Bearer authentication; the secret is not in the repr."""
    (tmp_path / "token").write_text("from-file\n")
    with local(in_turn(vector(1))) as (url, calls):
        for environ in ({"TRUEGREEN_PROMETHEUS_TOKEN": "plain"}, {"TRUEGREEN_PROMETHEUS_TOKEN_FILE": str(tmp_path / "token")}):
            server = prometheus.connect(url, environ=environ)
            prometheus.query(server, "x")
            assert "plain" not in repr(server)
        assert [call.headers["Authorization"] for call in calls] == ["Bearer plain", "Bearer from-file"]


def test_a_secrets_file_that_is_missing_or_empty_is_bad_input(tmp_path: Path) -> None:
    """The variable, the file and what is wrong."""
    (tmp_path / "empty").write_text("\n")
    for name, words in (("absent", "cannot be read: No such file"), ("empty", "which is empty")):
        with pytest.raises(BadInput, match=f"K_FILE names .*{name}.*{words}"):
            http.secret("K", {"K_FILE": str(tmp_path / name)})


@pytest.mark.parametrize("url", ["127.0.0.1:9090", "me:secret@host:9090", "ftp://host", "", "http://"])
def test_an_address_without_a_scheme_is_bad_input(url: str) -> None:
    """It says how an address is written, and no password."""
    with pytest.raises(BadInput, match=r"write it with its scheme, such as http://127\.0\.0\.1:9090") as bad:
        prometheus.query(asking(url), "x")
    assert "secret" not in str(bad.value)


def test_a_proxy_of_the_environment_is_not_asked_for_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell with http_proxy set still reaches a local Prometheus."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with local(in_turn(vector(2))) as (url, _calls):
        assert prometheus.query(asking(url), "x")[0].value == 2


def test_numbers_that_json_does_not_have_are_read() -> None:
    """Prometheus writes NaN and +Inf as text."""
    with local(in_turn(vector(float("inf"), float("nan")))) as (url, _calls):
        infinite, nothing = prometheus.query(asking(url), "x")
    assert infinite.value == float("inf")
    assert nothing.value != nothing.value  # noqa: PLR0124 - only NaN is not itself


def test_an_engine_that_does_not_tell_its_retention_gives_none() -> None:
    """Kept by size alone, or an engine without that call."""
    sized = Reply({"status": "success", "data": {"storageRetention": "10GiB"}})
    both = Reply({"status": "success", "data": {"storageRetention": "15d or 10GiB"}})
    with local(in_turn(sized, Reply({}, 404), both)) as (url, _calls):
        assert [prometheus.retention(asking(url)) for _ in range(3)] == [None, None, 15 * 86400]


@given(st.integers(0, 300), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    """The way Prometheus writes them."""
    assert prometheus.duration(f"{days}d{hours}h{minutes}m{seconds}s") == days * 86400 + hours * 3600 + minutes * 60 + seconds


@given(st.text(max_size=8))
def test_no_text_breaks_the_reader_of_durations(text: str) -> None:
    """A number or None."""
    read = prometheus.duration(text)
    assert read is None or read >= 0
