"""Truncated and changed requests: behaviour 3 of an honest OTLP citizen, on a corpus made from seeds."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import grpc
import pytest
from collector_process import Running, count
from fuzzing import SPANS, WHOLE, case
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import HOLD, Clock, total
from receivers import LOGS, TRACES

from truegreen.collector.inflate import inflated
from truegreen.collector.intake import Intake
from truegreen.collector.otlp_json import from_json
from truegreen.collector.processor import Processor
from truegreen.collector.refusals import Refused
from truegreen.core.words import catalogue

FAST, ALL = 4_000, 100_000
BY_WIRE, ALL_BY_WIRE = 300, 10_000


def official(signal: str, body: bytes) -> int | None:
    """How many spans or records the official classes find; None where they refuse."""
    try:
        if signal == "traces":
            return sum(len(s.spans) for r in ExportTraceServiceRequest.FromString(body).resource_spans for s in r.scope_spans)
        return sum(len(s.log_records) for r in ExportLogsServiceRequest.FromString(body).resource_logs for s in r.scope_logs)
    except DecodeError:
        return None


def fuzzed(numbers: range) -> Counter[str]:
    """Give these cases to the intake, and hold each of them to what may happen."""
    clock = Clock()
    gate = Intake(Processor(clock, 30.0), 1 << 30)
    store = gate.processor.store
    outcomes: Counter[str] = Counter()
    for number in numbers:
        signal, encoding, body = case(number)
        before = store.accepted[0]
        try:
            if encoding == "gzip":
                body = inflated(body)
            elif encoding == "json":
                body = from_json(signal, body)
            gate.take(signal, body)
        except Refused as refused:
            assert (refused.status, refused.reason) in {(400, "undecodable"), (413, "too_large")}, number
            assert store.accepted[0] == before, f"case {number} was refused and counted"
            assert encoding != "identity" or official(signal, body) is None, f"case {number} is a message"
            outcomes["refused"] += 1
        else:
            expected = official(signal, body)
            assert signal == "logs" or expected is None or store.accepted[0] - before == expected, f"case {number}"
            outcomes["taken"] += 1
    assert total(gate.processor, catalogue.COLLECTOR_DROPPED_SPANS, reason="internal") == 0
    assert store.series <= catalogue.SERIES_LIMIT
    # After all of it a good request is counted as ever.
    clock.advance(HOLD)
    requests = total(gate.processor, catalogue.LLM_REQUESTS)
    gate.take("traces", SPANS)
    clock.advance(HOLD)
    assert total(gate.processor, catalogue.LLM_REQUESTS) == requests + 2
    return outcomes


def test_behaviour_03_the_corpus_is_the_same_everywhere_and_bad() -> None:
    """The same case for the same seed; some are refused, and some are still messages."""
    assert [case(number) for number in range(50)] == [case(number) for number in range(50)]
    assert {encoding for _, encoding, _ in map(case, range(200))} == {"identity", "gzip", "json"}
    assert all(official(signal, body) for signal, body in WHOLE)


def test_behaviour_03_a_bad_request_is_refused_whole_or_counted_like_the_official_classes_do() -> None:
    """4,000 cases: no other exception, nothing counted of what is refused, nothing refused that is a message, the same number of spans."""
    outcomes = fuzzed(range(FAST))
    assert min(outcomes["refused"], outcomes["taken"]) > FAST / 20, outcomes


@pytest.mark.full
def test_behaviour_03_a_hundred_thousand_bad_requests() -> None:
    """The whole corpus."""
    assert fuzzed(range(ALL)).total() == ALL


def by_wire(collector: Running, numbers: range) -> None:
    """Send these cases to a process by HTTP, and by gRPC those that it can carry: each has a status, and refusals add up."""
    before = count(collector, "truegreen_collector_refused_requests_total")
    refused = 0
    with grpc.insecure_channel(collector.grpc) as channel:
        calls = {"traces": TRACES, "logs": LOGS}
        for number in numbers:
            signal, encoding, body = case(number)
            headers = (
                {"Content_Encoding": "gzip"}
                if encoding == "gzip"
                else {"Content_Type": "application/json"}
                if encoding == "json"
                else {}
            )
            status = collector.post(body, f"/v1/{signal}", **headers)[0]
            assert status in (200, 400), number
            refused += status != 200
            if encoding == "identity":
                code = grpc.StatusCode.OK
                try:
                    channel.unary_unary(calls[signal], lambda b: b, lambda b: b)(body, timeout=20)
                except grpc.RpcError as error:
                    code = error.code()  # type: ignore[attr-defined]
                assert code is (grpc.StatusCode.OK if status == 200 else grpc.StatusCode.INVALID_ARGUMENT), number
                refused += status != 200
    assert count(collector, "truegreen_collector_refused_requests_total") == before + refused
    spans = count(collector, "truegreen_collector_accepted_spans_total")
    assert collector.post(SPANS)[0] == 200
    assert count(collector, "truegreen_collector_accepted_spans_total") == spans + 4
    assert count(collector, 'truegreen_collector_dropped_spans_total{reason="internal"}') == 0
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{collector.process.pid}/status").read_text())[1])  # type: ignore[index]
    assert peak < 220_000, "kB"


def test_behaviour_03_the_running_collector_survives_the_corpus(collector: Running) -> None:
    """300 cases by both protocols."""
    by_wire(collector, range(BY_WIRE))


@pytest.mark.full
def test_behaviour_03_the_running_collector_survives_much_of_the_corpus(collector: Running) -> None:
    """10,000 cases by both protocols."""
    by_wire(collector, range(ALL_BY_WIRE))
