"""The canary of the whole path: real collectors, the real command, and an evaluator that says "pass" to everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from truegreen.core.cli import root
from truegreen.core.clients import engines, processes, prometheus
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.calibration import QUANTILES, Calibration, to_text
from truegreen.evaluation.canary import far_end, plants, probe, serving

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "collector"))

from collector_process import Running, ended, running, until  # noqa: E402

AGREEABLE = '''
from truegreen.core.words.shapes import Result

def make(settings, calibration):
    """Says pass to everything."""
    digest = calibration.digest if calibration else ""
    return lambda sample: Result("groundedness", "context-support", 0.9, 0.9, "pass", "relative", digest)

def slow(settings, calibration):
    """Runs in the background."""
slow.background = True
'''


def calibration(floor: float = 0.4, signal: str = "groundedness", environment: str = "production") -> Calibration:
    return Calibration(
        "support-agent",
        environment,
        signal,
        "context-support",
        "relative",
        floor,
        QUANTILES,
        0.03,
        1.0,
        600,
        "2026-11-01T12:00:00+00:00",
    )


def agreeable(folder: Path) -> Path:
    """A package that is installed there, whose evaluator of groundedness agrees with everything."""
    about = folder / "agreeable-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "agreeable.py").write_text(AGREEABLE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: agreeable\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[truegreen_evaluator]\ngroundedness = agreeable:make\nslow = agreeable:slow\n")
    return folder


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = running(["--scrape-interval", "100ms"], tmp_path_factory.mktemp("collector"))
    yield made
    ended(made)


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collector: Running) -> Callable[..., Result]:
    """`canary(*options)`: one round against a real collector, in an environment of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)
    (tmp_path / "c.json").write_text(to_text(calibration(environment=tmp_path.name)))
    where = ("--endpoint", f"http://{collector.http}", "--metrics", f"http://{collector.metrics}")
    return lambda *words: CliRunner().invoke(root, ["canary", "--calibration", "c.json", *where, "--once", "--json", *words])


def probes(done: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["probes"]
    return found


def test_both_planted_answers_come_out_as_they_should(canary, collector, tmp_path) -> None:
    """Twice: the second round looks at what grew, not at what is there. No text reaches the collector's pages."""
    for _ in range(2):
        done = canary("--wait", "20s")
        assert done.exit_code == 0, done.output
        assert [one["caught"] for one in probes(done)] == [True, True]
    assert "Zambezi" not in collector.get("/metrics")[1]


def test_an_evaluator_that_says_pass_to_everything_has_missed_the_wrong_answer(canary, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(agreeable(tmp_path / "site")))
    done = canary("--wait", "20s")
    right, wrong = probes(done)
    assert done.exit_code == 1 and right["caught"], done.output
    assert not wrong["caught"] and wrong["why"] == "it came out as pass, not as fail (judged here: 2 pass)"


@pytest.mark.full
def test_a_floor_that_nothing_lies_under_has_missed_it_too(canary, tmp_path) -> None:
    """The evaluator is well, the calibration is not: no real failure would be seen."""
    (tmp_path / "c.json").write_text(to_text(calibration(floor=-1.0, environment=tmp_path.name)))
    done = canary("--wait", "20s")
    assert done.exit_code == 1 and [one["caught"] for one in probes(done)] == [True, False]


@pytest.mark.full
def test_answers_that_are_skipped_or_not_taken_are_missed(canary, tmp_path) -> None:
    """A baseline of too few answers judges nothing; an endpoint or a far end that is gone proves nothing."""
    few = Calibration(
        **{**{name: getattr(calibration(), name) for name in Calibration.__slots__}, "answers": 100, "environment": tmp_path.name}
    )
    (tmp_path / "c.json").write_text(to_text(few))
    done = canary("--wait", "20s")
    assert done.exit_code == 1 and "came out as skipped, not as fail (judged here: 2 no_baseline)" in probes(done)[1]["why"]
    for words, said in (
        (("--endpoint", "http://127.0.0.1:9"), "did not take a batch"),
        (("--metrics", "http://127.0.0.1:9"), "no collector or Prometheus answers"),
    ):
        done = canary(*words)
        assert done.exit_code == 1 and all(not one["caught"] and said in one["why"] for one in probes(done)), done.output


def test_what_it_cannot_prove_is_said(canary, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(agreeable(tmp_path / "site")))
    (tmp_path / "plants.jsonl").write_text('{"query": "q", "context": ["p"], "answer": "a", "model": "m", "y": 0}\n')
    for text, words, said in (
        (to_text(calibration(signal="nobodys")), (), "no installed package has an evaluator of nobodys"),
        (to_text(calibration(signal="slow")), (), "slow judges in the background"),
        ("{", (), "c.json:1: not JSON"),
        (to_text(calibration()), ("--planted", "plants.jsonl"), "has no wrong answer (y 1)"),
        (to_text(calibration()), ("--endpoint", "nowhere"), "--endpoint: found 'nowhere'"),
    ):
        (tmp_path / "c.json").write_text(text)
        done = canary(*words)
        assert isinstance(done.exception, BadInput) and said in str(done.exception), (said, done.exception, done.output)


class World:
    """A far end that counts what the test says, on a clock of its own."""

    def __init__(self, *pages: dict[tuple[str, str, str], float] | Exception) -> None:
        self.pages, self.now = list(pages), 0.0

    def read(self) -> far_end.Counts:
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, Exception):
            raise page
        return page

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def round(self, wait: float = 30.0) -> list[probe.Probe]:
        path = probe.Watched(calibration(), {}, InMemorySpanExporter, self.read, wait, lambda: self.now, self.sleep)
        return list(probe.round_(path, plants.built_in()))


def counted(right: dict[str, float], wrong: dict[str, float], judged: dict[str, float]) -> dict[tuple[str, str, str], float]:
    sliced = {
        (far_end.SLICED, plant, result): by
        for plant, of in ((plants.RIGHT, right), (plants.WRONG, wrong))
        for result, by in of.items()
    }
    return sliced | {(far_end.JUDGED, "", result): by for result, by in judged.items()}


def test_what_slos_read_must_have_grown_too_and_each_answer_by_its_own() -> None:
    """Swapped verdicts leave the totals as they should be; totals that do not grow leave the slices so."""
    start = counted({"pass": 3}, {"fail": 3}, {"pass": 3, "fail": 3})
    good = World(start, start, counted({"pass": 4}, {"fail": 4}, {"pass": 4, "fail": 4}))
    assert [one.caught for one in good.round()] == [True, True] and good.now == 1.0
    swapped = World(start, counted({"pass": 3, "fail": 1}, {"fail": 3, "pass": 1}, {"pass": 4, "fail": 4}))
    assert [one.why.partition(" (")[0] for one in swapped.round()] == [
        "it came out as fail, not as pass",
        "it came out as pass, not as fail",
    ]
    unread = World(start, counted({"pass": 4}, {"fail": 4}, {"pass": 4, "fail": 3}))
    assert [one.caught for one in unread.round()] == [True, False] and unread.now >= 30.0


def test_what_is_neither_is_not_called_a_prometheus() -> None:
    """A server that knows no such path, says so otherwise, or answers with a page of its own."""
    sys.path.append(str(Path(__file__).parents[1] / "core"))
    from local_server import Reply, local

    for reply, said in (
        (Reply({}, status=403), "collector or Prometheus at"),
        (Reply(text="<html>"), "is it the address of collector or Prometheus?"),
    ):
        with local(lambda _, reply=reply: reply) as server, pytest.raises(Failed) as told:
            far_end.read(far_end.Seen(server[0], "s", "e", "v"))
        assert said in str(told.value)


def test_a_collector_that_began_anew_is_no_miss_and_silence_is_one() -> None:
    start = counted({"pass": 30}, {"fail": 30}, {"pass": 30, "fail": 30})
    anew = World(start, Failed("gone for a moment"), counted({"pass": 1}, {"fail": 1}, {"pass": 1, "fail": 1}))
    assert all(one.caught for one in anew.round())
    silent = World(start)
    found = silent.round()
    assert not any(one.caught for one in found) and silent.now == 30.0
    assert found[0].why == "it did not come out (judged here: 1 fail, 1 pass)"
    lost = World(start, Failed("gone for good"))
    assert [one.why for one in lost.round()] == ["gone for good", "gone for good"]


def test_a_page_is_read_by_its_labels_whatever_is_in_them() -> None:
    seen = far_end.Seen("", "truegreen-canary", 'a"}b\\', "groundedness")
    mine = 'service="truegreen-canary",environment="a\\"}b\\\\",evaluation="groundedness",evaluator="x"'
    lines = [
        f"# TYPE {far_end.JUDGED} counter",
        f'{far_end.JUDGED}{{{mine},result="fail"}} 2',
        f'{far_end.JUDGED}{{{mine.replace("canary", "other")},result="fail"}} 70',
        f'{far_end.SLICED}{{{mine},result="fail",model="planted-wrong",snapshot="s1"}} 2',
        f'{far_end.SLICED}{{{mine},result="fail",model="planted-wrong",snapshot="s2"}} 1e0 # {{trace_id="x"}} 1',
        f'{far_end.SLICED}_created{{{mine},result="fail",model="planted-wrong"}} 9',
    ]
    assert far_end.of_page(lines, seen) == {(far_end.JUDGED, "", "fail"): 2.0, (far_end.SLICED, "planted-wrong", "fail"): 3.0}


@pytest.mark.full
def test_a_miss_fires_the_alert_in_a_real_prometheus(engine, tmp_path) -> None:
    """All by commands, as processes: collector, Prometheus by the generated scrape and rules, and a canary whose evaluator agrees with everything.

    First it is healthy: Prometheus itself is the far end, and no alert is even pending.
    """
    engine("prometheus")
    (tmp_path / "c.json").write_text(to_text(calibration()))
    http, grpc, pages, own = (f"127.0.0.1:{processes.free_port()}" for _ in range(4))
    (tmp_path / "truegreen.yaml").write_text(
        f"scrape_interval: 1s\ncollector: {{http_endpoint: '{http}', grpc_endpoint: '{grpc}', metrics_endpoint: '{pages}', canary_endpoint: '{own}'}}\n"
        "services: {support-agent: {}}\n"
    )
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TRUEGREEN_CONFIG")}

    def command(*words: str) -> list[str]:
        return [sys.executable, "-m", "truegreen.core", *words]

    for what in ("rules", "collector"):
        subprocess.run(
            command("generate", what, "--out", what, "--time-scale", "60"),
            cwd=tmp_path,
            env=environ,
            check=True,
            capture_output=True,
        )
    (tmp_path / "prometheus.yml").write_text(
        "global: {evaluation_interval: 1s}\nrule_files: [rules/truegreen.rules.yml]\n"
        + (tmp_path / "collector" / "scrape.yml").read_text()
    )
    with engines.prometheus(tmp_path / "prometheus.yml", tmp_path / "p") as running_:
        server = prometheus.connect(running_.url, {})
        receiving = subprocess.Popen(command("collect"), cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL)
        planting = None
        try:
            until(lambda: answers(f"http://{pages}/readyz"), "the collector is ready")
            far = ("canary", "--calibration", "c.json", "--endpoint", f"http://{http}", "--metrics", running_.url)
            healthy = subprocess.run(
                command(*far, "--once", "--wait", "60s"), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
            )
            assert healthy.returncode == 0, healthy.stdout + healthy.stderr
            assert not [one for one in prometheus.alerts(server) if one.labels["alertname"] == "TruegreenCanaryMissed"]
            broken = {**environ, "PYTHONPATH": str(agreeable(tmp_path / "site"))}
            planting = subprocess.Popen(
                command(*far, "--every", "5s"), cwd=tmp_path, env=broken, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            fired = wait_for(lambda: firing(server), 120)
            assert fired, page(own)
            assert 'truegreen_canary_probes_total{service="truegreen-canary",environment="production",result="caught"}' in page(
                own
            )
            planting.terminate()
            assert planting.wait(20) == 0
        finally:
            for process in (planting, receiving):
                if process is not None:
                    process.kill()
                    process.wait()


def firing(server: Any) -> bool:
    return any(one.labels["alertname"] == "TruegreenCanaryMissed" and one.state == "firing" for one in prometheus.alerts(server))


def wait_for(check: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.2)
    return False


def page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_counter_is_there_at_0_from_the_start() -> None:
    """`increase()` does not see the first miss of a series that is born at 1."""
    from collections import Counter

    counts: Counter[str] = Counter()
    with serving.served("127.0.0.1:0", "truegreen-canary", 'a"b', counts) as url:
        where = url.removeprefix("http://")
        name = 'truegreen_canary_probes_total{service="truegreen-canary",environment="a\\"b",result='
        assert f'{name}"caught"}} 0\n{name}"missed"}} 0\n' in page(where)
        counts["missed"] += 1
        assert f'{name}"missed"}} 1\n' in page(where)
        with pytest.raises(Failed, match="cannot be listened on"), serving.served(where, "s", "e", counts):
            pass
    with pytest.raises(BadInput, match="write HOST:PORT"), serving.served("9467", "s", "e", counts):
        pass


def test_the_generated_scrape_configuration_has_a_job_for_it_where_it_runs(tmp_path, monkeypatch) -> None:
    """A job of its own, with its labels as they are; none where no canary runs: a target that is down would be one more thing to explain."""
    import yaml

    monkeypatch.chdir(tmp_path)
    for said, wanted in (("canary_endpoint: 0.0.0.0:9467", [["127.0.0.1:9467"]]), ("http_endpoint: 127.0.0.1:4318", [])):
        Path("truegreen.yaml").write_text(f"collector: {{{said}}}\n")
        done = CliRunner().invoke(root, ["generate", "collector", "--out", "out"])
        assert done.exit_code == 0, done.exception
        jobs = yaml.safe_load(Path("out/scrape.yml").read_text())["scrape_configs"]
        found = [job for job in jobs if job["job_name"] == "truegreen-canary"]
        assert [job["static_configs"][0]["targets"] for job in found] == wanted and all(job["honor_labels"] for job in found)
    Path("truegreen.yaml").write_text("collector: {canary_endpoint: 9467}\n")
    assert "collector.canary_endpoint" in str(CliRunner().invoke(root, ["generate", "collector", "--out", "out"]).exception)
