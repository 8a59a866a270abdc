"""What becomes of what the sampling endpoint took: judged, sent, kept while nobody takes it, and never lost without a word."""

import json
import signal
import subprocess
import sys
import threading

import httpx
import pytest
from endpoint_server import BAD, PASSAGE, SAMPLE, WHO, Sink, serving, until

from truegreen.core.errors import Failed
from truegreen.core.words.shapes import Result
from truegreen.evaluation.baselines.baseline import freeze
from truegreen.evaluation.files import write_calibration
from truegreen.evaluation.server import running
from truegreen.instrumentation import evaluate

WORDS = (b"Opened", b"zebra", b"unicorns", b"go back", b"message-1")
LABEL = "truegreen.evaluation.groundedness.label"


@pytest.fixture
def sink():
    """Takes spans."""
    found = Sink()
    yield found
    found.stop()


@pytest.fixture
def environ(tmp_path):
    """The settings of a process with a calibration whose floor lies between the good and the bad answer."""
    scores = [0.3 + i / 2000 for i in range(1000)]
    for service in ("support-agent", "other"):
        who = {"service": service, "environment": "production", "signal": "groundedness", "evaluator": "context-support"}
        write_calibration(tmp_path / "calibration", freeze(scores, **who, taken="2026-01-01T00:00:00+00:00"))
    return {"TRUEGREEN_CALIBRATION": str(tmp_path / "calibration")}


def chats(sink):
    """The spans of answers."""
    return [found for found in sink.spans() if found[1].name.startswith("chat ")]


def test_samples_are_judged_and_leave_as_spans_of_their_service_without_a_word_of_their_texts(sink, environ, capfd):
    """Two services at once; pass and fail; duration, session, version and retrieval as they were told; no text in bytes, page or log."""
    told = {
        "id": "message-1", "latency_seconds": 2.5, "session_id": "s1", "cohort": "gold", "input_tokens": 7,
        "retrieval": {"data_source": "kb", "latency_seconds": 0.25, "scores": [0.9]}, "versions": {"prompt": "refund@7"},
    }  # fmt: skip
    with serving(sink.address, environ) as server:
        answer = server.post("/v1/samples", {**WHO, "samples": [{**SAMPLE, **told}, BAD]})
        server.post("/v1/samples", {**WHO, "service": "other", "samples": [SAMPLE]})
        until(lambda: server.count("delivered_total") == 3, "three samples delivered")
        page = server.client.get("/metrics").text.encode()
    found = {(who["service.name"], at[LABEL]): (span, at) for who, span, at in chats(sink)}
    assert set(found) == {("support-agent", "pass"), ("support-agent", "fail"), ("other", "pass")}
    span, at = found["support-agent", "pass"]
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_500_000_000
    assert (at["session.id"], at["truegreen.cohort"], at["gen_ai.usage.input_tokens"]) == ("s1", "gold", 7)
    assert at["truegreen.version.prompt"] == "refund@7"
    assert answer.json()["traceparents"][0] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    retrievals = [(span, at) for _, span, at in sink.spans() if span.name == "retrieval kb"]
    assert len(retrievals) == 1 and retrievals[0][1]["truegreen.retrieval.relevance.max"] == 0.9
    assert retrievals[0][0].trace_id == span.trace_id
    assert retrievals[0][0].end_time_unix_nano - retrievals[0][0].start_time_unix_nano == 250_000_000
    assert all(who["deployment.environment.name"] == "production" for who, _, _ in sink.spans())
    everything = b"".join([body for _, body in sink.bodies] + [page, *map(str.encode, capfd.readouterr())])
    assert not [word for word in WORDS if word in everything]


def test_without_passages_it_is_said_why_nothing_was_judged(sink, environ, caplog):
    """As in an application: `no_context`; and no version of the folder in which the endpoint runs stands for a prompt."""
    with serving(sink.address, environ) as server:
        server.post("/v1/samples", {**WHO, "samples": [{**SAMPLE, "context": []}, {**SAMPLE, "answer": ""}]})
    first, empty = (at for _, _, at in chats(sink))
    told = [record.getMessage() for record in caplog.records if "no_context" in record.getMessage()]
    assert len(told) == 1 and "send them as `context`" in told[0]
    assert first["truegreen.evaluation.groundedness.skipped"] == "no_context"
    assert empty["truegreen.answer.markers"] == ["empty"]
    assert "truegreen.version.prompt" not in first


def test_later_words_are_linked_to_the_span_they_are_about(sink):
    """Feedback by the sample's name, an escalation by its traceparent, a downstream record about nothing in particular, a review."""
    with serving(sink.address, {}) as server:
        named = server.post("/v1/samples", {**WHO, "samples": [{**SAMPLE, "id": "message-1"}]}).json()["traceparents"][0]
        server.post("/v1/feedback", {**WHO, "feedback": [{"score": -1, "task": "refund", "sample_id": "message-1"}]})
        server.post("/v1/escalations", {**WHO, "escalations": [{"reason": "no_answer", "traceparent": named}]})
        server.post("/v1/downstream", {**WHO, "records": [{"valid": False}]})
        server.post("/v1/guardrail-reviews", {**WHO, "reviews": [{"guardrail": "pii", "verdict": "false_positive"}]})
    found = {span.name: (span, at) for _, span, at in sink.spans()}
    links = {name: [f"00-{one.trace_id.hex()}-{one.span_id.hex()}-01" for one in span.links] for name, (span, _) in found.items()}
    assert links["feedback"] == links["escalation"] == [named] and links["downstream"] == []
    assert found["feedback"][1] | {"truegreen.feedback.score": -1.0, "truegreen.task.name": "refund"} == found["feedback"][1]
    assert found["escalation"][1]["truegreen.escalation.reason"] == "no_answer"
    assert found["downstream"][1]["truegreen.downstream.outcome"] == "invalid"
    assert found["guardrail review"][1]["truegreen.guardrail.verdict"] == "false_positive"


def test_the_verdict_of_a_judge_in_the_background_leaves_under_the_service_whose_answer_it_judged(sink, monkeypatch, tmp_path):
    """As an event of the answer's span; two services, each with its own."""

    def make(_settings, _calibration):
        return lambda sample: Result("tone", "fake", raw=1.0 if "zebra" in sample.answer else 0.0)

    make.background = True
    monkeypatch.setattr(evaluate, "find", lambda name: make if name == "tone" else None)
    (tmp_path / "c.json").write_text('{"evaluations": {"tone": {"background": true}}, "sampling": {"tone": "100%"}}')
    with serving(sink.address, {"TRUEGREEN_CONFIG": str(tmp_path / "c.json")}) as server:
        bodies = [{**WHO, "service": name, "samples": [sample]} for name, sample in (("one", SAMPLE), ("two", BAD))]
        spans = [server.post("/v1/samples", body).json()["traceparents"][0].split("-")[1] for body in bodies]
        until(lambda: server.count("verdicts_total") == 2, "two verdicts")
    told = {
        who["service.name"]: (record.trace_id.hex(), at["truegreen.evaluation.tone.raw"]) for who, record, at in sink.records()
    }
    assert told == {"one": (spans[0], 1.0), "two": (spans[1], 0.0)}


def test_as_much_waits_as_may_and_then_the_sender_is_told_when_to_come_again(sink):
    """The endpoint is away: 202 until the queue is full, 503 with Retry-After, all or nothing; when it is back everything arrives once."""
    away = [503]
    sink.answer = lambda _path, _body: away[0]
    with serving(sink.address, {}, items=10) as server:
        assert server.feedback(*[1] * 8).status_code == 202
        assert server.feedback(*[1] * 11).status_code == 413
        full = server.feedback(1, 1, 1)
        assert full.status_code == 503 and 1 <= int(full.headers["Retry-After"]) <= 60
        assert server.feedback(1, 1, Idempotency_Key="k").status_code == 202
        assert server.client.get("/readyz").status_code == 503 and server.client.get("/healthz").status_code == 200
        until(lambda: server.count("failing") == 1, "the page says that the endpoint is away")
        assert server.count("waiting") == 10 and server.count("delivered_total") == 0
        away[0] = 200
        until(lambda: server.count("delivered_total") == 10, "all are delivered")
        assert server.count("waiting") == server.count("waiting_bytes") == server.count("failing") == 0
        assert server.client.get("/readyz").status_code == 200
        assert server.feedback(1, 1, Idempotency_Key="k").headers["Idempotency-Replayed"] == "true"
    assert len(sink.spans()) == 10 == len({span.span_id for _, span, _ in sink.spans()})
    assert [line.partition(":")[0].split(" after ")[0] for line in server.said] == [
        "the endpoint does not take spans", "the endpoint takes spans again",
    ]  # fmt: skip


@pytest.mark.full
def test_the_example_waits_while_there_is_no_room_and_may_be_run_again(sink, repo):
    """More answers than may wait, from a file: all of them arrive, once, in however many runs; what is refused is said."""
    lines = "".join(json.dumps({**SAMPLE, "id": f"m{number}"}) + "\n" for number in range(12))
    with serving(sink.address, {}, items=8) as server:
        url = f"{server.running.url}/v1/samples"
        command = [sys.executable, str(repo / "examples/sampling_endpoint/send.py"), "--url", url, "--batch", "6"]

        def sent(text):
            who = ["--service", "support-agent", "--environment", "production"]
            return subprocess.run([*command, *who], input=text, capture_output=True, text=True, check=False)

        assert (sent(lines).stdout, sent(lines).stdout) == (
            "12 accepted, 0 were there before\n",
            "0 accepted, 12 were there before\n",
        )
        wrong = sent('{"answer": "a"}\n')
        assert wrong.returncode == 1 and "samples[0].model" in wrong.stderr
        broken = sent('{"answer": "a"}\n\n{"answer": "a\n')
        assert broken.returncode == 1 and broken.stderr.startswith("line 3 is not JSON") and broken.stderr.count("\n") == 1
    gone = sent(lines)
    assert gone.returncode == 1 and "cannot be reached" in gone.stderr and gone.stderr.count("\n") == 1
    assert len(chats(sink)) == 12


def test_what_the_endpoint_refuses_as_it_is_costs_itself_alone(sink):
    """Of many in one batch one is refused whatever it comes with: it is dropped, counted and said at the end; the others arrive."""
    held = threading.Event()
    sink.answer = lambda _path, body: 503 if not held.is_set() else 400 if b"poison" in body else 200
    with serving(sink.address, {}) as server:
        for reason in ("a", "b", "poison", "c", "d"):
            server.post("/v1/escalations", {**WHO, "escalations": [{"reason": reason}]})
        held.set()
        until(lambda: server.count("waiting") == 0, "nothing waits")
        assert (server.count("delivered_total"), server.count("dropped_total")) == (4, 1)
    assert sorted(at["truegreen.escalation.reason"] for _, _, at in sink.spans()) == ["a", "b", "c", "d"]
    failed = running.lost(server.running)
    assert isinstance(failed, Failed) and str(failed) == "4 of 5 accepted items were delivered; lost: 1 escalation refused"


def test_the_end_delivers_what_was_taken_and_says_what_it_could_not(sink):
    """With an endpoint that takes it nothing is lost; with none, all of it is, in numbers, and within the time."""
    with serving(sink.address, {}) as server:
        for _ in range(3):
            server.post("/v1/samples", {**WHO, "samples": [SAMPLE] * 30})
    assert running.lost(server.running) is None and len(chats(sink)) == 90
    sink.answer = lambda _path, _body: 401
    with serving(sink.address, {}, drain=0.0) as server:
        server.feedback(1, 1)
    assert str(running.lost(server.running)) == "0 of 2 accepted items were delivered; lost: 2 feedback stopped"
    assert "it answers 401" in server.said[0]


def test_the_bytes_of_texts_are_bounded_and_not_the_items_alone(sink, monkeypatch):
    """Few items with long texts: the next one is told to come again, and is taken once the others are delivered."""
    monkeypatch.setattr(running, "BYTES", 60_000)
    status = [503]
    sink.answer = lambda _path, _body: status[0]
    long = {**WHO, "samples": [{**SAMPLE, "answer": "goes back " * 4_000}]}
    with serving(sink.address, {}) as server:
        assert [server.post("/v1/samples", long).status_code for _ in range(2)] == [202, 503]
        assert server.feedback(1).status_code == 202
        status[0] = 200
        until(lambda: server.count("waiting") == 0, "nothing waits")
        assert server.post("/v1/samples", long).status_code == 202


def test_the_end_takes_the_time_that_it_was_given_for_more_than_one_batch(sink):
    """The endpoint is slow to come back and takes everything only when the end has begun: several batches, none of them lost."""
    with serving(sink.address, {}) as server:
        sink.answer = lambda _path, _body: 200 if server.running.waiting.closed else 503
        server.feedback(*[1] * 600)
    assert running.lost(server.running) is None and len(sink.spans()) == 600
    assert [line for line in server.said if "600 items wait" in line]


@pytest.mark.full
def test_an_end_that_is_hurried_waits_for_nobody(sink):
    """Whatever time it was given."""
    sink.answer = lambda _path, _body: 503
    with serving(sink.address, {}, drain=600.0) as server:
        server.feedback(1)
        server.running.worker.hurry()
    assert "lost: 1 feedback stopped" in str(running.lost(server.running))


@pytest.mark.full
def test_a_second_interrupt_does_not_wait_for_what_cannot_be_delivered(sink, repo):
    """The first one says for how long it tries; after the second one the command ends, and says what is lost."""
    sink.answer = lambda _path, _body: 503
    command = [
        sys.executable,
        "-m",
        "truegreen.core",
        "evaluator",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--endpoint",
        sink.address,
    ]
    with subprocess.Popen(
        [*command, "--drain", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=repo
    ) as process:
        url = process.stdout.readline().split()[2].rstrip(",")
        assert httpx.post(f"{url}/v1/feedback", json={**WHO, "feedback": [{"score": 1}]}, trust_env=False).status_code == 202
        process.send_signal(signal.SIGINT)
        said = next(line for line in process.stderr if "Ctrl-C again" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1 and "for at most 600 s" in said
        assert "lost: 1 feedback stopped" in process.stderr.read()


def test_a_sample_that_was_refused_may_be_sent_again_under_its_name(sink):
    """It is lost, and counted as that: sent again it is a new one, and a third time it was there before."""
    status = [400]
    sink.answer = lambda _path, _body: status[0]
    body = {**WHO, "samples": [{**SAMPLE, "id": "message-1"}]}
    with serving(sink.address, {}) as server:
        server.post("/v1/samples", body)
        until(lambda: server.count("dropped_total") == 1, "it is refused")
        status[0] = 200
        assert [server.post("/v1/samples", body).json()["accepted"] for _ in range(2)] == [1, 0]
        until(lambda: server.count("delivered_total") == 1, "it is delivered")


def test_a_worker_that_ends_is_seen_and_what_waits_is_called_lost(sink, monkeypatch):
    """Whatever kills it: nothing more is taken, health says so, and the end does not pass over it."""
    monkeypatch.setattr("truegreen.evaluation.server.worker.Worker._deliver", lambda *_: 1 / 0)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with serving(sink.address, {}) as server:
        assert server.feedback(1).status_code == 202
        until(lambda: server.client.get("/healthz").status_code == 503, "health says that nobody works")
        refused = server.feedback(1)
        assert refused.status_code == 503 and "Retry-After" in refused.headers
    assert "lost: 1 that waited" in str(running.lost(server.running))


def test_an_item_that_cannot_be_made_into_spans_is_counted_and_the_next_is_sent(sink, monkeypatch):
    """A defect of ours costs one item."""
    from truegreen.evaluation.server.spans import Maker

    make = Maker.make

    def sometimes(self, item):
        if getattr(item.body, "score", 0) == 13:
            raise RuntimeError(PASSAGE)
        make(self, item)

    monkeypatch.setattr(Maker, "make", sometimes)
    with serving(sink.address, {}) as server:
        server.feedback(1, 13, 1)
        until(lambda: server.count("waiting") == 0, "nothing waits")
        assert (server.count("delivered_total"), server.count("dropped_total")) == (2, 1)
