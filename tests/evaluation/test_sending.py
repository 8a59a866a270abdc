"""`truegreen replay` against a real OTLP/HTTP receiver: what arrives, what never leaves, what is said."""

import gzip
import json
import os
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.shapes import ReplayRecord
from truegreen.evaluation import sending
from truegreen.evaluation.baselines.baseline import freeze
from truegreen.evaluation.commands import replay
from truegreen.evaluation.files import write_calibration

PASSAGE = "Opened items can be returned within 30 days of delivery when the box is undamaged, says clause zebra."
GOOD = {"query": "May opened items go back?", "context": [PASSAGE], "answer": PASSAGE, "model": "good-model", "session": "s1"}
BAD = {
    **GOOD,
    "answer": "Certainly! Zenith couriers collect every parcel in Belgium for ninety years, unicorns included.",
    "model": "bad-model",
}


class Receiver:
    """Takes OTLP over HTTP on a free port; `status` is what it answers."""

    def __init__(self):
        self.bodies: list[bytes] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
                receiver.bodies.append(gzip.decompress(body) if packed else body)
                self.send_response(receiver.status if self.path == "/v1/traces" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def spans(self):
        """All spans, as (resource attributes, name, attributes)."""
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                who = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        yield who, span.name, {a.key: a.value for a in span.attributes}

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver(tmp_path, monkeypatch):
    """A receiver, and an environment of its own with a calibration whose floor lies between the good and the bad answer."""
    for name in ("TRUEGREEN_CONFIG", "TRUEGREEN_SAMPLING", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUEGREEN_CALIBRATION", str(tmp_path / "calibration"))
    scores = [0.3 + i / 2000 for i in range(1000)]
    who = {"service": "recorded-answers", "environment": "production", "signal": "groundedness", "evaluator": "context-support"}
    write_calibration(tmp_path / "calibration", freeze(scores, **who, taken="2026-01-01T00:00:00+00:00"))
    found = Receiver()
    yield found
    found.stop()


def written(tmp_path, *lines):
    """A replay file."""
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def run(receiver, path, *arguments):
    """Call the command; what it raises is raised here."""
    return CliRunner().invoke(replay, [str(path), "--endpoint", receiver.address, *arguments], catch_exceptions=False)


def test_recorded_calls_arrive_as_judged_spans(tmp_path, receiver):
    """A request, a retrieval and a chat span each, under the service's name; the chat carries label, model and session."""
    said = json.loads(run(receiver, written(tmp_path, GOOD, BAD, GOOD), "--json").stdout)
    spans = list(receiver.spans())
    assert Counter(name for _, name, _ in spans) == {
        "replay": 3,
        "retrieval replay": 3,
        "chat good-model": 2,
        "chat bad-model": 1,
    }
    assert all(
        (who["service.name"], who["deployment.environment.name"]) == ("recorded-answers", "production") for who, _, _ in spans
    )
    labels = {
        name: found["truegreen.evaluation.groundedness.label"].string_value for _, name, found in spans if name.startswith("chat")
    }
    assert labels == {"chat good-model": "pass", "chat bad-model": "fail"}
    assert all(found["session.id"].string_value == "s1" for _, name, found in spans if name.startswith("chat"))
    assert (said["calls"], said["spans_delivered"], said["outcomes"]) == (3, 9, {"fail": 1, "pass": 2})


def test_no_text_of_a_prompt_a_passage_or_an_answer_leaves_the_process(tmp_path, receiver):
    """Not one of their words is in what was posted; with --content they are."""
    path = written(tmp_path, GOOD, BAD)
    run(receiver, path)
    posted = b"".join(receiver.bodies)
    assert posted and not any(word in posted for word in (b"Opened", b"zebra", b"unicorns", b"go back"))
    run(receiver, path, "--content")
    posted = b"".join(receiver.bodies)
    assert b"unicorns" in posted and b"go back" in posted


def test_without_a_baseline_and_without_passages_it_says_why_nothing_was_judged(tmp_path, receiver):
    """The skips are counted by reason."""
    done = run(receiver, written(tmp_path, GOOD, GOOD, {**GOOD, "context": []}), "--service", "unknown")
    assert "judged    0 pass, 0 fail; skipped: 2 no_baseline, 1 no_context" in done.stdout
    assert "\x1b" not in done.output


def test_a_broken_line_is_named_and_the_rest_is_sent(tmp_path, receiver):
    """File, line, key; five are named, all are counted."""
    path = written(tmp_path, GOOD, '{"query": 1}', *["{"] * 6, BAD)
    done = run(receiver, path)
    assert "sent      2 calls, 6 spans delivered" in done.stdout
    assert f"broken    {path}:2: context: found nothing" in done.stdout and "7 broken lines in all" in done.stdout


def test_models_and_limit_choose_and_a_seed_draws(tmp_path, receiver):
    """In order without a seed; with one, more calls than were recorded, and the seed is printed."""
    path = written(tmp_path, GOOD, BAD, GOOD)
    assert "sent      1 calls" in run(receiver, path, "--model", "bad-model").stdout
    assert "sent      2 calls" in run(receiver, path, "--limit", "2").stdout
    assert "sent      20 calls, 60 spans delivered, seed 4" in run(receiver, path, "--seed", "4", "--limit", "20").stdout


def test_more_calls_than_a_batch_all_arrive(tmp_path, receiver):
    """Nothing is dropped between batches."""
    run(receiver, written(tmp_path, GOOD, BAD), "--seed", "1", "--limit", "700")
    assert len(receiver.bodies) > 1
    assert sum(1 for _ in receiver.spans()) == 2100


def test_an_endpoint_that_does_not_take_spans_fails_in_one_line(tmp_path, receiver):
    """What was sent until then is said; exit code 1."""
    receiver.status = 400
    with pytest.raises(Failed, match=r"http://127.0.0.1:\d+: .* did not take a batch of spans \(0 were delivered\)"):
        run(receiver, written(tmp_path, GOOD))


@pytest.mark.parametrize("wrong", ["127.0.0.1:4318", "ftp://x", "http://", "http://[", "http://h:99999"])
def test_an_endpoint_that_is_no_address_is_refused(tmp_path, receiver, wrong):
    """It shows how one looks."""
    with pytest.raises(BadInput, match="--endpoint: found"):
        CliRunner().invoke(replay, [str(written(tmp_path, GOOD)), "--endpoint", wrong], catch_exceptions=False)


@pytest.mark.parametrize("more", [["--model", "nobody"], ["--model", "nobody", "--seed", "1"]])
def test_a_model_that_nobody_recorded_is_bad_input(tmp_path, receiver, more):
    """Nothing to send is not a success."""
    with pytest.raises(BadInput, match="nobody"):
        run(receiver, written(tmp_path, GOOD), *more)


@pytest.mark.parametrize("rate", ["0", "fast", "-1/s", "inf", "nan"])
def test_a_rate_that_is_no_rate_is_a_usage_error(tmp_path, receiver, rate):
    """Exit code 2."""
    done = run(receiver, written(tmp_path, GOOD), "--rate", rate)
    assert done.exit_code == 2 and "such as 50/s" in done.output


def test_a_rate_paces_the_calls_by_the_clock_it_is_given(receiver):
    """Call k waits until k / rate seconds after the start."""
    now, waited = [0.0], []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    record = ReplayRecord("q", (PASSAGE,), PASSAGE, "m")
    tally = sending.Tally()
    sending.send(
        [record] * 4, service="recorded-answers", environment="production", exporter=sending.exporter_to(receiver.address),
        tally=tally, environ=os.environ, rate=2.0, clock=lambda: now[0], sleep=sleep,
    )  # fmt: skip
    assert waited == [0.0, 0.5, 0.5, 0.5]
    assert len(receiver.bodies) == 4 - 1 and tally.delivered == 12  # delivered as they wait, not at the end


def test_the_configuration_file_rules_the_judging(tmp_path, receiver):
    """A limit of five words makes every answer too large; a mistake in the file is told with its line and nothing is sent."""
    (tmp_path / "truegreen.yaml").write_text("evaluations:\n  groundedness: {words: 5}\n")
    assert "skipped: 1 too_large" in run(receiver, written(tmp_path, GOOD)).stdout
    receiver.bodies.clear()
    (tmp_path / "other.yaml").write_text("evaluations:\n  groundedness: {words: 0}\n")
    with pytest.raises(BadInput, match=r"other.yaml:2: .*words"):
        run(receiver, written(tmp_path, GOOD), "--config", str(tmp_path / "other.yaml"))
    assert not receiver.bodies


def test_a_file_that_cannot_be_read_is_one_error_and_no_summary(tmp_path, receiver, capsys):
    """Nothing was sent, so nothing is said of sending."""
    with pytest.raises(BadInput, match="cannot be read"):
        run(receiver, tmp_path / "nowhere")
    assert not receiver.bodies


@pytest.mark.parametrize(
    ("given", "is_"),
    [
        ({"groundedness.label": "pass", "tone.label": "fail"}, "fail"),
        ({"groundedness.skipped": "no_baseline", "tone.label": "pass"}, "pass"),
        ({"tone.skipped": "no_baseline", "tone.raw": 0.5}, "no_baseline"),
        ({"sampled": "none"}, "not judged in line"),
    ],
)
def test_an_answer_is_tallied_whichever_evaluation_judged_it(given, is_):
    """A fail goes before a pass, a pass before a skip."""
    assert sending.outcome({f"truegreen.evaluation.{name}": value for name, value in given.items()}) == is_
