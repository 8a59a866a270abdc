"""`truegreen doctor`: each mistake planted, and named with its fix; a real collector and a real Prometheus beside a server with a contract."""

from __future__ import annotations

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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from runbook_shop import Impatient, Langfuse, serving

from truegreen.core.clients import engines
from truegreen.runbook.commands import common

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
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:many"}, "no port"),
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
