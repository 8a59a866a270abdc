"""`truegreen doctor`: each mistake planted, and named with its fix; a real collector and a real Prometheus beside a server with a contract."""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from runbook_shop import Impatient, Langfuse, serving

from truegreen.core.clients import engines
from truegreen.runbook.commands import common
from truegreen.runbook.doctor import model

Found = Mapping[str, Mapping[str, str]]


@pytest.fixture
def examined(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Found]:
    """`examined(…)` runs the doctor; the findings by name."""
    monkeypatch.setattr(common, "Desk", Impatient)

    def made(*words: str) -> Found:
        ended = run("doctor", "--json", *words)
        assert "Traceback" not in ended.err
        found = {one["name"]: one for one in json.loads(ended.out.splitlines()[0])["findings"]}
        assert ended.code == (0 if all(one["state"] != "wrong" for one in found.values()) else 1)
        assert all(one["fix"] for one in found.values() if one["state"] == "wrong"), "what is wrong has a fix"
        return found

    return made


def _states(found: Found) -> dict[str, str]:
    return {name: one["state"] for name, one in found.items()}


def test_without_a_prometheus_it_says_so_once_and_looks_at_the_rest(examined: Callable[..., Found]) -> None:
    """What cannot be asked is unknown, not wrong."""
    states = _states(found := examined())
    assert (states["prometheus"], states["port"]) == ("wrong", "wrong")
    silent = [name for name, one in found.items() if one["says"] == "Prometheus does not answer"]
    assert silent == ["spans", "passages", "baseline", "clock", "scrape", "labels", "retention", "rules"]
    assert states["log"] == states["evidence"] == "ok"


@contextmanager
def _prometheus(answers: Mapping[str, Any], now: float, kept: str = "400d", targets: Any = ()) -> Iterator[str]:
    """A server of the documented contract; `answers`: a part of a query to its samples, each (labels, value)."""

    def answer(_: str, path: str, _body: Any, _auth: str) -> tuple[int, Any]:
        where, _, words = path.partition("?")
        asked = urllib.parse.parse_qs(words).get("query", [""])[0]
        data: Any = {"resultType": "vector", "result": []}
        if where == "/api/v1/query":
            if asked == "time()":
                data = {"resultType": "scalar", "result": [now, str(now)]}
            found = next((samples for part, samples in answers.items() if part in asked), ())
            if found:
                data["result"] = [{"metric": labels, "value": [now, str(value)]} for labels, value in found]
        elif where == "/api/v1/targets":
            data = {"activeTargets": list(targets)}
        elif where == "/api/v1/status/runtimeinfo":
            data = {"storageRetention": kept}
        elif where == "/api/v1/status/buildinfo":
            data = {"version": "2.42.0"}
        elif where == "/api/v1/rules":
            data = {"groups": []}
        return 200, {"status": "success", "data": data}

    with serving(answer) as url:
        yield url


def test_what_prometheus_shows_of_a_mistake_is_named(examined: Callable[..., Found]) -> None:
    """Five mistakes at once: each is told apart from the others."""
    answers = {
        'exported_service!=""': [({}, 4)], 'reason="no_context"': [({"service": "faq"}, 90)], 'reason="no_baseline"': [({"service": "bot"}, 5)],
        "truegreen_evaluations_total[1h]": [({"service": "faq"}, 100), ({"service": "bot"}, 100)], "sum(truegreen_collector_accepted": [({}, 0)],
    }  # fmt: skip
    down = {"labels": {"job": "truegreen", "instance": "c:9465"}, "scrapeUrl": "http://c:9465/metrics", "health": "down",
            "lastError": "connection refused", "scrapeInterval": "30s"}  # fmt: skip
    with _prometheus(answers, time.time() + 90, "5d", [down]) as url:
        found = examined("--prometheus-url", url)
    wrong = {name for name, state in _states(found).items() if state == "wrong"}
    assert wrong >= {"spans", "passages", "baseline", "clock", "scrape", "labels", "retention", "rules"}
    assert "faq" in found["passages"]["says"] and "bot" not in found["passages"]["says"]
    assert "--service bot" in found["baseline"]["fix"]
    assert "ahead of" in found["clock"]["says"] and "connection refused" in found["scrape"]["says"]
    assert "honor_labels" in found["labels"]["fix"] and "retention.time" in found["retention"]["fix"]


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "speaks HTTP"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "speaks gRPC"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:many"}, "no host and port"),
    ],
)
def test_a_protocol_that_is_sent_to_the_other_port_is_named(
    examined: Callable[..., Found], monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], part: str
) -> None:
    """Nothing needs to listen for that."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = examined()
    assert (found["port"]["state"], part in found["port"]["says"]) == ("wrong", True), found["port"]


def test_an_instrumentor_that_is_switched_off_is_named(examined: Callable[..., Found], monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are programs that are not there."""
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "truegreen")
    monkeypatch.setattr(engines, "find", lambda name, *_: None if name == "amtool" else Path("/usr/bin") / name)
    found = examined()
    assert (found["instrumentor"]["state"], found["programs"]["state"]) == ("wrong", "wrong")
    assert "amtool" in found["programs"]["says"] and "promtool" not in found["programs"]["says"]


def test_a_response_that_would_fail_tonight_is_named(
    examined: Callable[..., Found], langfuse: Langfuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that Langfuse refuses, a way back that does not work, a flag file that is none; the keys stand nowhere."""
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"incidents": {"prompt": "support", "rollback": {
        "guardrail": {"type": "command", "apply": ["true", "{to}"], "current": ["echo", "g1"], "dry_run": ["false"]}}}}))  # fmt: skip
    assert (_states(found := examined())["langfuse"], found["rollback"]["state"]) == ("ok", "wrong")
    assert "guardrail" in found["rollback"]["says"]
    langfuse.get_fault = 401
    (tmp_path / "flags.json").write_text("{")
    found = examined()
    assert found["langfuse"]["state"] == "wrong" and os.environ["LANGFUSE_SECRET_KEY"] not in json.dumps(found)
    assert "flagd" in found["flags"]["says"]


def test_an_address_of_langfuse_in_the_way_back_is_the_one_that_is_asked(
    examined: Callable[..., Found], run: Callable[..., Any], langfuse: Langfuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the doctor and for the evidence, as by the rollback itself."""
    way = {"type": "langfuse", "name": "support", "url": os.environ["LANGFUSE_BASE_URL"]}
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"incidents": {"rollback": {"prompt": way}}}))
    monkeypatch.setenv("LANGFUSE_BASE_URL", "http://127.0.0.1:9")
    assert _states(found := examined())["langfuse"] == "ok", found["langfuse"]
    assert "support" in found["langfuse"]["says"]
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    ended = run("contain", "strict-guardrail", "--verify-count", "0", "--json").facts
    assert "prompt.json" in ended["evidence"]["files"], ended["evidence"]


@contextmanager
def _listening() -> Iterator[str]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield f"127.0.0.1:{one.getsockname()[1]}"


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_the_port_is_looked_at_where_the_application_sends(
    examined: Callable[..., Found], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Not where the collector would listen by the configuration; a password in the address is shown to nobody."""
    closed = _free()
    with _listening() as here, _listening() as there:
        (tmp_path / "truegreen.yaml").write_text(json.dumps({"collector": {"http_endpoint": here}}))
        monkeypatch.setenv(variable, f"http://bob:geheim@{closed}")
        astray = examined()
        assert (astray["port"]["state"], f"nothing listens on {closed}" in astray["port"]["says"]) == ("wrong", True)
        monkeypatch.setenv(variable, f"bob:geheim@{there}")
        (tmp_path / "truegreen.yaml").write_text(json.dumps({"collector": {"http_endpoint": closed}}))
        right = examined()
        assert (right["port"]["state"], f"{variable}={there}" in right["port"]["says"]) == ("ok", True), right["port"]
        monkeypatch.setenv(variable, "http://bob:geheim@[::1")
        unreadable = examined()
    assert unreadable["port"]["state"] == "wrong"
    assert "geheim" not in json.dumps([astray, right, unreadable])


def test_a_counter_that_stands_still_is_no_proof_of_spans(examined: Callable[..., Found]) -> None:
    """It took some once, and none lately."""
    counted = {"sum(increase(truegreen_collector": [({}, 0)], "sum(truegreen_collector": [({}, 900)]}
    with _prometheus(counted, time.time()) as url:
        found = examined("--prometheus-url", url)
    assert (found["spans"]["state"], "900 since it started, 0 in the last" in found["spans"]["says"]) == ("unknown", True)


def test_a_long_way_to_the_question_is_no_skew(examined: Callable[..., Found], monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions before it took 20 seconds of this machine's clock."""
    early = iter((20.0,))
    monkeypatch.setattr(common, "Desk", functools.partial(Impatient, clock=lambda: time.time() - next(early, 0.0)))
    with _prometheus({}, time.time()) as url:
        assert examined("--prometheus-url", url)["clock"]["state"] == "ok"


def test_a_prometheus_that_is_silent_is_asked_once(examined: Callable[..., Found], monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts, and says nothing: the other questions to it are not put."""
    monkeypatch.setattr(model, "SECONDS", 0.1)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(50)
        found = examined("--prometheus-url", f"http://127.0.0.1:{mute.getsockname()[1]}")
        mute.settimeout(0.2)
        asked = 0
        with suppress(TimeoutError):
            while True:
                mute.accept()[0].close()
                asked += 1
    assert (asked, found["prometheus"]["state"], found["rules"]["says"]) == (1, "wrong", "Prometheus does not answer")


def test_a_log_that_the_second_responder_cannot_write_is_named(examined: Callable[..., Found], tmp_path: Path) -> None:
    """A new one is as open as the umask lets it be; one of somebody else's is no use tonight."""
    before = os.umask(0o002)
    try:
        assert examined()["log"]["state"] == "ok"
    finally:
        os.umask(before)
    file = tmp_path / "incidents.db"
    assert file.stat().st_mode & 0o777 == 0o664
    root = os.getuid() == 0
    if root:  # who may write everything is asked as somebody else
        os.setreuid(65_534, -1)
    file.chmod(0o444)
    try:
        found = examined()["log"]
    finally:
        if root:
            os.setreuid(0, -1)
    assert (found["state"], "incidents.db: cannot be written" in found["says"]) == ("wrong", True), found


def _free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.full
def test_a_set_up_by_the_book_is_well_until_somebody_edits_it(
    examined: Callable[..., Found], tmp_path: Path, engine: Callable[..., Any]
) -> None:
    """A real collector, and a real Prometheus with what `generate` wrote; then another objective, and the rules are stale."""
    engine("prometheus")
    places = {name: _free() for name in ("http_endpoint", "grpc_endpoint", "metrics_endpoint")}
    slos = [{"name": "grounding", "mode": "live", "objective": "95%"}]
    config = {"scrape_interval": "1s", "collector": places, "slos": slos}
    (tmp_path / "truegreen.yaml").write_text(json.dumps(config))
    tool = [sys.executable, "-m", "truegreen.core"]
    subprocess.run([*tool, "generate", "all", "--out", str(tmp_path / "made")], check=True, capture_output=True, cwd=tmp_path)
    scrape = yaml.safe_load((tmp_path / "made" / "collector" / "scrape.yml").read_text())
    shutil.copy(tmp_path / "made" / "rules" / "truegreen.rules.yml", tmp_path / "rules.yml")
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({**scrape, "rule_files": [str(tmp_path / "rules.yml")]}))
    collector = subprocess.Popen([*tool, "collect"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        keeps = ("--storage.tsdb.retention.time=400d",)
        with engines.prometheus(tmp_path / "prometheus.yml", tmp_path / "tsdb", args=keeps) as running:
            until = time.monotonic() + 30
            while time.monotonic() < until and not _up(running.url):
                time.sleep(0.2)
            states = _states(found := examined("--prometheus-url", running.url))
            good = {name for name, state in states.items() if state == "ok"}
            assert good >= {"port", "prometheus", "clock", "scrape", "retention", "rules", "programs", "log"}, found
            assert (states["spans"], states["labels"]) == ("wrong", "unknown"), "no application has sent anything yet"
            (tmp_path / "truegreen.yaml").write_text(json.dumps({**config, "slos": [{**slos[0], "objective": "90%"}]}))
            found = examined("--prometheus-url", running.url)
            assert (found["rules"]["state"], "differ" in found["rules"]["says"]) == ("wrong", True), found["rules"]
    finally:
        collector.terminate()
        collector.wait(20)


def _up(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/v1/query?query=up") as answer:
        return any(one["value"][1] == "1" for one in json.load(answer)["data"]["result"])
