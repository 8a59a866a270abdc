"""A running collector that forwards: real exporters at the front, its metrics, its stop, its death."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_process import Running, count, until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_requests import events, llm, span, traces
from sink import HALF, OK, RESET, SLOW, Sink, threaded
from test_collector_server import exporter

from truegreen.collector.forward_verdict import LOSSES

Start = Callable[..., Running]
SECRET = "the prompt of a customer"
OVERHEAD = 512


def configured(folder: Path, *entries: dict[str, object], flush: str = "10s") -> None:
    """truegreen.yaml with these destinations (JSON is YAML)."""
    (folder / "truegreen.yaml").write_text(json.dumps({"collector": {"forward": list(entries), "flush": flush}}))


def number(collector: Running, name: str, **labels: str) -> float:
    inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = re.search(rf"^truegreen_collector_{name}{{{inner}}} (\S+)$", collector.get("/metrics")[1], re.MULTILINE)
    assert found, f"{name}{{{inner}}} is not shown"
    return float(found[1])


def left_over(page: str, destination: str) -> float:
    """Accepted requests of traces that are, in one scrape, neither delivered nor dropped nor in the queue."""
    own = rf'destination="{destination}"'
    parts = (
        rf"forward_delivered_total{{{own}}}",
        rf"forward_dropped_total{{{own},reason=\"\w+\"}}",
        rf"forward_queue_requests{{{own}}}",
    )
    accepted, *ends = (
        [float(text) for text in re.findall(rf"^truegreen_collector_{part} (\S+)$", page, re.MULTILINE)]
        for part in ('accepted_requests_total{signal="traces"}', *parts)
    )
    assert [len(accepted), *map(len, ends)] == [1, 1, len(LOSSES), 1]
    return accepted[0] - sum(map(sum, ends))


def body(n: int, padding: int = 0) -> bytes:
    """A request that is known by its trace id."""
    return traces([span(llm(gen_ai__input__messages=SECRET + "x" * padding), trace_id=n.to_bytes(16, "big"))])


def ids(sink: Sink) -> list[int]:
    return sorted(
        int.from_bytes(ExportTraceServiceRequest.FromString(one.body).resource_spans[0].scope_spans[0].spans[0].trace_id, "big")
        for one in sink.taken
    )


@pytest.mark.parametrize("kind", ["http", "gzip", "grpc"])
def test_what_the_sdk_sends_arrives_at_every_destination(start: Start, tmp_path: Path, kind: str) -> None:
    """Counted once, delivered to one destination by HTTP and one by gRPC."""
    with threaded(Sink()) as first, threaded(Sink()) as second:
        configured(tmp_path, {"name": "a", "endpoint": first.http}, {"name": "b", "endpoint": second.grpc, "protocol": "grpc"})
        collector = start()
        provider = TracerProvider(resource=Resource.create({"service.name": "bot"}))
        provider.add_span_processor(BatchSpanProcessor(exporter(kind, collector)))
        for n in range(50):
            provider.get_tracer("t").start_span(f"chat {n}", attributes=llm()).end()
        provider.shutdown()
        until(lambda: len(first.taken) == len(second.taken) >= 1, "both have it")
        for sink in (first, second):
            bodies = [
                gzip.decompress(one.body) if one.headers.get("Content-Encoding") == "gzip" else one.body for one in sink.taken
            ]
            spans = [
                one
                for each in bodies
                for resource in ExportTraceServiceRequest.FromString(each).resource_spans
                for scope in resource.scope_spans
                for one in scope.spans
            ]
            assert sorted(one.name for one in spans) == sorted(f"chat {n}" for n in range(50))
        assert (first.taken[0].headers.get("Content-Encoding") == "gzip") == (kind == "gzip")
        assert count(collector, "truegreen_collector_accepted_spans_total") == 50
        until(lambda: number(collector, "forward_delivered_total", destination="a") == 1, "the counter says so")


def test_behaviour_10_the_bytes_are_those_that_were_sent(start: Start, tmp_path: Path) -> None:
    """Of traces and logs, plain, gzip and JSON; a request that is refused is not forwarded, and an empty one neither."""
    as_json = b'{"resourceSpans": [ ] }'
    with threaded(Sink()) as sink:
        configured(tmp_path, {"name": "a", "endpoint": f"{sink.http}/otel", "in_flight": 1})
        collector = start()
        sent = [
            ("/v1/traces", body(1), {}),
            ("/v1/traces", gzip.compress(body(2), 1), {"Content_Encoding": "gzip"}),
            ("/v1/logs", events([{}]), {}),
            ("/v1/traces", as_json, {"Content_Type": "application/json"}),
        ]
        for path, data, headers in sent:
            assert collector.post(data, path, **headers)[0] == 200
        assert collector.post(b"\xff\xff\xff")[0] == 400
        assert collector.post(b"")[0] == 200
        assert collector.post(body(3))[0] == 200
        until(lambda: len(sink.taken) == 5, "all are there")
        assert [(one.path, one.body) for one in sink.taken[:4]] == [(f"/otel{path}", data) for path, data, _ in sent]
        assert ids(Sink(taken=sink.taken[4:])) == [3]


def test_behaviour_10_the_sums_on_the_page_are_exact_whatever_a_destination_does(start: Start, tmp_path: Path) -> None:
    """Faults of every kind by HTTP and gRPC: accepted is delivered, or dropped for a reason; what is delivered is there."""
    http = ["503", "500", RESET, "429:1", "400", HALF, OK, "401", SLOW, "503"] * 3
    rpc = ["UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED:1", "RESOURCE_EXHAUSTED", OK, "UNAUTHENTICATED"] * 3
    with threaded(Sink(script=http)) as first, threaded(Sink(script=rpc)) as second:
        configured(
            tmp_path,
            {"name": "a", "endpoint": first.http, "signals": ["traces"]},
            {"name": "b", "endpoint": second.grpc, "protocol": "grpc", "signals": ["traces"]},
        )
        collector = start()
        for n in range(80):
            assert collector.post(body(n))[0] == 200
            if n % 8 == 0:
                assert collector.post(b"")[0] == collector.post(events([{}]), "/v1/logs")[0] == 200
                assert [left_over(collector.get("/metrics")[1], name) for name in "ab"] == [0, 0]
        for name, sink, lost in (
            ("a", first, {"rejected": 6, "unauthorized": 3}),
            ("b", second, {"rejected": 6, "unauthorized": 3}),
        ):
            until(lambda name=name: number(collector, "forward_queue_bytes", destination=name) == 0, "the queue is empty")  # type: ignore[misc]
            dropped = {reason: number(collector, "forward_dropped_total", destination=name, reason=reason) for reason in LOSSES}
            assert {reason: count for reason, count in dropped.items() if count} == lost
            assert (
                number(collector, "forward_delivered_total", destination=name)
                == 80 - sum(lost.values())
                == len(set(ids(sink)))
                == len(ids(sink))
            )
            assert left_over(collector.get("/metrics")[1], name) == 0
        assert number(collector, "accepted_requests_total", signal="logs") == 10


def test_a_slow_destination_does_not_stop_the_counting(start: Start, tmp_path: Path) -> None:
    """Its queue fills and drops, counted; all spans are counted; the other destination has all."""
    size = len(body(0)) + OVERHEAD
    with threaded(Sink(gate=True)) as slow, threaded(Sink()) as quick:
        configured(
            tmp_path,
            {"name": "slow", "endpoint": slow.http, "queue": f"{10 * size // 1024}KiB"},
            {"name": "quick", "endpoint": quick.http},
        )
        collector = start()
        for n in range(40):
            assert collector.post(body(n))[0] == 200
        assert count(collector, "truegreen_collector_accepted_spans_total") == 40
        until(lambda: ids(quick) == list(range(40)), "the quick one has all")
        dropped = number(collector, "forward_dropped_total", destination="slow", reason="queue_full")
        held = number(collector, "forward_queue_bytes", destination="slow")
        assert held == (40 - dropped) * size <= number(collector, "forward_queue_limit_bytes", destination="slow")
        assert dropped > 25
        slow.gate = False
        until(lambda: len(slow.taken) == 40 - dropped, "what was queued arrives")
        until(lambda: number(collector, "forward_queue_bytes", destination="slow") == 0, "the queue is empty")
        assert number(collector, "forward_dropped_total", destination="quick", reason="queue_full") == 0
    collector.process.terminate()
    _, said = collector.process.communicate(timeout=20)
    assert "forwarding to slow: 1 requests dropped so far: queue_full" in said and SECRET not in said


def test_when_full_refuse_asks_the_sender_to_come_back_before_it_counts(start: Start, tmp_path: Path) -> None:
    """503 with Retry-After and its own reason; what was refused is sent again and counted once."""
    with threaded(Sink(gate=True)) as sink:
        configured(tmp_path, {"name": "a", "endpoint": sink.http, "queue": "2KiB", "when_full": "refuse"})
        collector = start()
        statuses = [collector.post(body(n))[0] for n in range(4)]
        accepted = statuses.count(200)
        assert set(statuses) == {200, 503} and statuses == sorted(statuses)
        assert collector.post(body(9))[2]["Retry-After"] == "1"
        assert count(collector, "truegreen_collector_accepted_spans_total") == accepted
        assert number(collector, "refused_requests_total", reason="forward_full") == 5 - accepted
        sink.gate = False
        until(lambda: collector.post(body(9))[0] == 200, "there is room again")
        until(lambda: ids(sink) == [*range(accepted), 9], "all that was accepted arrives, once")
        assert count(collector, "truegreen_collector_accepted_spans_total") == accepted + 1


def test_behaviour_09_and_13_a_stop_sends_what_was_acknowledged(start: Start, tmp_path: Path) -> None:
    """SIGTERM while nothing is delivered yet: not ready, pages up, everything arrives, exit 0."""
    with threaded(Sink(gate=True)) as sink:
        configured(tmp_path, {"name": "a", "endpoint": sink.http})
        collector = start()
        for n in range(30):
            assert collector.post(body(n))[0] == 200
        collector.process.send_signal(signal.SIGTERM)
        until(lambda: collector.get("/readyz")[0] == 503, "it is stopping")
        assert number(collector, "forward_queue_bytes", destination="a") == sum(len(body(n)) + OVERHEAD for n in range(30))
        sink.gate = False
        _, said = collector.process.communicate(timeout=20)
        assert collector.process.returncode == 0, said
        assert ids(sink) == list(range(30))
        assert "not delivered" not in said


def test_behaviour_13_what_a_stop_could_not_send_is_said(start: Start, tmp_path: Path) -> None:
    """A destination that never answers: the stop ends at its deadline and says how much is lost where."""
    with threaded(Sink(gate=True)) as sink:
        configured(tmp_path, {"name": "a", "endpoint": sink.http}, flush="1s")
        collector = start()
        for n in range(20):
            assert collector.post(body(n))[0] == 200
        collector.process.send_signal(signal.SIGTERM)
        _, said = collector.process.communicate(timeout=20)
        assert collector.process.returncode == 0
        lost = sum(len(body(n)) + OVERHEAD for n in range(20))
        assert f"20 requests for a were not delivered within 1 s ({lost} bytes): they are lost there" in said
        assert SECRET not in said


def test_behaviour_09_a_crash_loses_what_is_in_the_queue_and_nothing_else(
    start: Start, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """kill -9: of what was acknowledged, at most the bytes that the queue held a moment before are not there."""
    with threaded(Sink()) as sink:
        configured(tmp_path, {"name": "a", "endpoint": sink.http, "in_flight": 4})
        collector = start()
        acknowledged = {}
        for n in range(60):
            sink.gate = n >= 30
            acknowledged[n] = len(body(n, padding=100 * n)) + OVERHEAD
            assert collector.post(body(n, padding=100 * n))[0] == 200
            if n == 29:
                until(lambda: number(collector, "forward_queue_bytes", destination="a") == 0, "the first half is delivered")
        held = number(collector, "forward_queue_bytes", destination="a")
        collector.process.kill()
        collector.process.wait()
        sink.gate = False
        until(lambda: len(sink.taken) == 34, "the four that were on their way are there")
        lost = set(acknowledged) - set(ids(sink))
        assert lost and min(lost) >= 30
        assert sum(acknowledged[n] for n in lost) <= held == sum(acknowledged[n] for n in range(30, 60))
        record_property("acknowledged, lost, in the queue (bytes)", (len(acknowledged), len(lost), held))


def test_a_crash_with_an_empty_queue_loses_nothing(start: Start, tmp_path: Path) -> None:
    """What was delivered before is there."""
    with threaded(Sink()) as sink:
        configured(tmp_path, {"name": "a", "endpoint": sink.http})
        collector = start()
        for n in range(50):
            assert collector.post(body(n))[0] == 200
        until(lambda: number(collector, "forward_queue_bytes", destination="a") == 0, "the queue is empty")
        collector.process.kill()
        collector.process.wait()
        assert ids(sink) == list(range(50))


def test_behaviour_16_redaction_and_secrets_from_end_to_end(start: Start, tmp_path: Path) -> None:
    """The destination that is redacted gets no prompt, the other one does; the header arrives, and is in no line of the log and no metric."""
    (tmp_path / "key").write_text("Basic c2VjcmV0\n")
    with threaded(Sink()) as whole, threaded(Sink(script=["401"])) as cut:
        header = {"Authorization": {"file": "key"}}
        configured(
            tmp_path,
            {"name": "whole", "endpoint": whole.http, "headers": header},
            {"name": "cut", "endpoint": cut.http, "headers": header, "redact": {}, "in_flight": 1},
        )
        collector = start()
        for n in range(2):
            assert collector.post(body(n))[0] == 200
        until(lambda: len(whole.taken) == 2 and len(cut.taken) == 1, "they have it")
        assert SECRET.encode() in whole.taken[0].body and SECRET.encode() not in b"".join(one.body for one in cut.got)
        assert {one.headers["Authorization"] for one in [*whole.got, *cut.got]} == {"Basic c2VjcmV0"}
        until(
            lambda: number(collector, "forward_dropped_total", destination="cut", reason="unauthorized") == 1,
            "the loss is counted",
        )
        page = collector.get("/metrics")[1]
    collector.process.terminate()
    _, said = collector.process.communicate(timeout=20)
    assert "unauthorized: HTTP 401" in said
    assert "c2VjcmV0" not in said + page and SECRET not in said + page


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"endpoint": "http://127.0.0.1:1", "headers": {"x-api-key": {"file": "none"}}},
            "collector.forward a: headers.x-api-key: cannot read none",
        ),
        ({"endpoint": "https://127.0.0.1:1", "tls": {"ca": "none"}}, "collector.forward a: tls: cannot load none"),
        ({"endpoint": "http://localhost:4318"}, "is this collector itself"),
    ],
)
def test_a_destination_that_cannot_work_ends_the_start(tmp_path: Path, entry: dict[str, object], says: str) -> None:
    """One line, exit 2, no traceback."""
    configured(tmp_path, {"name": "a", **entry})
    done = subprocess.run(
        [sys.executable, "-m", "truegreen.core", "collect"], capture_output=True, text=True, timeout=30, cwd=tmp_path
    )
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
