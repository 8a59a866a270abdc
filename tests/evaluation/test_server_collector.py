"""The sampling endpoint and a collector as processes: what is posted moves the metrics that rules and boards read."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from endpoint_server import BAD, SAMPLE, WHO, until

from truegreen.core.clients.engines import free_port
from truegreen.evaluation.baselines.baseline import freeze
from truegreen.evaluation.files import write_calibration


@contextmanager
def process(arguments, environ, **more):
    """A command of truegreen as a process."""
    with subprocess.Popen([sys.executable, "-m", "truegreen.core", *arguments], env=environ, text=True, **more) as running:
        try:
            yield running
        finally:
            running.kill()


def fetched(url, body=None):
    """The text at an address; empty while nobody answers there."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()
    except OSError:
        return ""


@pytest.fixture
def environ(tmp_path):
    """The environment of a process with a calibration."""
    scores = [0.3 + i / 2000 for i in range(1000)]
    who = {**WHO, "signal": "groundedness", "evaluator": "context-support"}
    write_calibration(tmp_path / "calibration", freeze(scores, **who, taken="2026-01-01T00:00:00+00:00"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRUEGREEN_", "OTEL_"))}
    return {**kept, "TRUEGREEN_CALIBRATION": str(tmp_path / "calibration")}


def test_each_kind_of_item_moves_the_metric_that_the_catalogue_has_for_it(environ, tmp_path):
    """A pass and a fail, one word of each other kind; SIGTERM delivers what was just taken, and the summary says that nothing is lost."""
    otlp, grpc, metrics = (f"127.0.0.1:{free_port()}" for _ in range(3))
    collect = [
        "collect",
        "--http-endpoint",
        otlp,
        "--grpc-endpoint",
        grpc,
        "--metrics-endpoint",
        metrics,
        "--scrape-interval",
        "10ms",
    ]
    serve = ["evaluator", "serve", "--listen", "127.0.0.1:0", "--endpoint", f"http://{otlp}", "--json"]
    with (
        process(collect, environ, cwd=tmp_path, stderr=subprocess.DEVNULL),
        process(serve, environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server,
    ):
        url = json.loads(server.stdout.readline())["listening"]
        until(lambda: fetched(f"http://{metrics}/readyz") != "", "the collector is ready")
        retrieval = {"data_source": "kb", "latency_seconds": 0.1}
        told = {"id": "m1", "retrieval": retrieval, "user_id": "u1"}
        for path, body in (
            ("samples", {"samples": [{**SAMPLE, **told}, {**BAD, "retrieval": retrieval}]}),
            ("feedback", {"feedback": [{"score": -1, "task": "refund", "sample_id": "m1"}, {"score": 1}, {"score": 0}]}),
            ("escalations", {"escalations": [{"reason": "no_answer", "task": "refund"}]}),
            ("downstream", {"records": [{"valid": False, "task": "refund"}, {"valid": True}]}),
            ("guardrail-reviews", {"reviews": [{"guardrail": "pii", "verdict": "false_positive"}]}),
        ):
            assert '"accepted":' in fetched(f"{url}/v1/{path}", {**WHO, **body})
        server.send_signal(signal.SIGTERM)
        said, errors = server.communicate(timeout=30)
        assert server.returncode == 0, errors
        assert json.loads(said) == {"accepted": 9, "delivered": 9, "dropped": {}}

        page = ""

        def counted(pattern):
            labels = r'\{(?=[^}]*service="support-agent")(?=[^}]*environment="production")'
            name, _, wanted = pattern.partition("{")
            more = "".join(f"(?=[^}}]*{one})" for one in wanted.rstrip("}").split(",") if one)
            return sum(map(float, re.findall(rf"^{name}{labels}{more}[^}}]*\}} (\S+)$", page, re.MULTILINE)))

        expected = {
            'truegreen_evaluated_answers_total{evaluation="groundedness",result="pass"}': 1,
            'truegreen_evaluated_answers_total{evaluation="groundedness",result="fail"}': 1,
            'truegreen_llm_requests_total{model="good-model",outcome="ok"}': 2,
            "truegreen_llm_duration_seconds_sum": 4,
            'truegreen_retrievals_total{data_source="kb",outcome="ok"}': 2,
            'truegreen_feedback_total{sentiment="negative",task="refund"}': 1,
            'truegreen_feedback_total{sentiment="positive"}': 1,
            'truegreen_feedback_total{sentiment="neutral"}': 1,
            'truegreen_escalations_total{reason="no_answer",task="refund"}': 1,
            'truegreen_downstream_records_total{outcome="invalid",task="refund"}': 1,
            'truegreen_downstream_records_total{outcome="valid"}': 1,
            'truegreen_guardrail_reviews_total{guardrail="pii",verdict="false_positive"}': 1,
        }

        def all_counted():
            nonlocal page
            page = fetched(f"http://{metrics}/metrics")
            return {pattern: counted(pattern) for pattern in expected} == expected

        until(all_counted, f"{expected}")
        assert not re.search(r"truegreen_guardrail_decisions_total\{[^}]*pii", page)  # a review is no decision


@pytest.mark.full
def test_an_end_that_loses_something_is_a_failure(environ, tmp_path):
    """Nobody takes the spans: exit code 1, how many, and why; the texts are nowhere."""
    serve = ["evaluator", "serve", "--listen", "127.0.0.1:0", "--endpoint", f"http://127.0.0.1:{free_port()}", "--drain", "0"]
    with process(serve, environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        url = server.stdout.readline().split()[2].rstrip(",")
        assert fetched(f"{url}/v1/samples", {**WHO, "samples": [SAMPLE]})
        server.send_signal(signal.SIGINT)
        said, errors = server.communicate(timeout=30)
    assert server.returncode == 1 and "lost: 1 sample stopped" in errors and "Traceback" not in errors
    assert "zebra" not in said + errors
