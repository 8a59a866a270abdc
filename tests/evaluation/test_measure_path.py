"""From labels to a page: a measured evaluator's scores in the application, the collector and the rules of an SLO with a level."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from test_measure import WHO, record, said

from truegreen.core.cli import root
from truegreen.core.clients.engines import free_port
from truegreen.core.words.calibration import from_text
from truegreen.core.words.shapes import Sample
from truegreen.evaluation.commands import replay
from truegreen.evaluation.evaluators.groundedness import make

SLOS = "slos: [{name: grounding_absolute, mode: live, environments: [production]}]\n"
FIRING = 'group by (sev) (ALERTS{alertstate="firing",slo="grounding_absolute",service="bot",sev="1"})'


@pytest.fixture
def collector(tmp_path) -> Iterator[tuple[str, str]]:
    """A running collector: its address for OTLP and that of its metrics."""
    (tmp_path / "calibration").mkdir()
    http, grpc, metrics = (f"127.0.0.1:{free_port()}" for _ in range(3))
    ends = [
        "--http-endpoint",
        http,
        "--grpc-endpoint",
        grpc,
        "--metrics-endpoint",
        metrics,
        "--calibration",
        str(tmp_path / "calibration"),
    ]
    command = [sys.executable, "-m", "truegreen.core", "collect", *ends, "--scrape-interval", "10ms"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        for line in process.stderr or ():
            if metrics in line:
                break
        yield f"http://{http}", f"http://{metrics}/metrics"
    finally:
        process.kill()
        process.communicate()


def shown(metrics: str, answers: int) -> tuple[dict[str, float], str]:
    """The calibrated scores that a collector shows once so many were counted, and the whole page."""
    end = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(metrics, timeout=10) as answer:
            text = answer.read().decode()
        scores = r'^(truegreen_evaluation_score_(?:bucket|count)\{[^}\n]*scale="calibrated"[^}\n]*\}) (\S+)'
        found = {name: float(value) for name, value in re.findall(scores, text, re.MULTILINE)}
        if sum(value for name, value in found.items() if "_count{" in name) == answers:
            return found, text
        assert time.monotonic() < end, found
        time.sleep(0.02)


def test_an_application_judges_by_50_labelled_answers_as_by_500_others(tmp_path, monkeypatch):
    """A score is the probability that the answer is right, and its scale says so."""
    monkeypatch.chdir(tmp_path)
    found = said(record(tmp_path / "labelled.jsonl", 60, flipped=12), *WHO, "--out", tmp_path)
    frozen = from_text(Path(found["file"]).read_text(), found["file"])
    rows = [json.loads(line) for line in (tmp_path / "labelled.jsonl").open()]
    judge = make({}, frozen)
    results = [judge(Sample("what?", answer, tuple(rows[0]["context"]))) for answer in (rows[0]["context"][0], rows[0]["answer"])]
    assert [(one.scale, one.calibration, one.label) for one in results] == [
        ("calibrated", frozen.digest, label) for label in ("pass", "fail")
    ]
    assert results[0].score == frozen.curve[-1][1] > results[1].score


@pytest.mark.full
def test_labels_make_a_level_that_pages_when_too_many_answers_fall_under_it(tmp_path, monkeypatch, collector, engine):
    """Measured with the floor 0.85: a service with few wrong answers stays silent, one with half of them wrong pages.

    On the way the collector shows the evaluator's error rates.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUEGREEN_CALIBRATION", str(tmp_path / "calibration"))
    (tmp_path / "truegreen.yaml").write_text(SLOS)
    measured = said(record(tmp_path / "labelled.jsonl", 200), *WHO, "--out", tmp_path / "calibration", "--floor", "0.85")
    endpoint, metrics = collector
    tests, before, text = [], {}, ""
    for every, fires in ((50, False), (2, True)):
        calls = record(tmp_path / "calls.jsonl", 100, every=every)
        done = CliRunner().invoke(replay, [str(calls), *WHO, "--endpoint", endpoint], catch_exceptions=False)
        assert "100 calls" in done.output, done.output
        now, text = shown(metrics, 200 if fires else 100)
        grown = [
            {"series": name, "values": f"0+{value - before.get(name, 0):g}x60"}
            for name, value in now.items()
            if "count" in name or "0.85" in name
        ]
        assert any('le="0.85"' in one["series"] for one in grown)
        check = {"expr": FIRING, "eval_time": "60m", "exp_samples": [{"labels": '{sev="1"}', "value": 1}] if fires else []}
        tests.append({"interval": "1m", "input_series": grown, "promql_expr_test": [check]})
        before = now
    who = 'service="bot",environment="production",evaluator="context-support",error="false_positive"'
    assert f"truegreen_evaluator_error_rate{{{who}}} {measured['false_positive_rate']:g}" in text
    made = CliRunner().invoke(root, ["generate", "rules", "--out", str(tmp_path)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["truegreen.rules.yml"], "evaluation_interval": "1m", "tests": tests})
    )
    told = subprocess.run(
        [engine("promtool"), "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_new_baseline_keeps_the_probabilities_and_not_the_error_rates(tmp_path, monkeypatch):
    """Labels are dear: `baseline take` leaves the curve in the file; the rates were measured at another floor."""
    monkeypatch.chdir(tmp_path)
    found = said(record(tmp_path / "labelled.jsonl", 60, flipped=12), *WHO, "--out", tmp_path)
    source = ["--from", str(tmp_path / "labelled.jsonl"), "--answers", "600", "--out", str(tmp_path)]
    done = CliRunner().invoke(root, ["baseline", "take", *WHO, *source, "--json"], catch_exceptions=False)
    made = from_text(Path(found["file"]).read_text(), found["file"])
    assert (made.answers, made.scale, made.error_rates) == (600, "calibrated", None) and made.curve
    assert "measure them again with `truegreen evaluator measure`" in done.output and "absolute level unknown" not in done.output
