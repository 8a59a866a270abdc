"""Destinations that refuse, break off, hang or ask for time: what is sent again, when, and what is dropped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forward_line import BODY, SECRET, Line, run, sent
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from sink import HALF, HANG, LOST, OK, RESET, SLOW, Sink

from truegreen.collector.forward_payload import Original
from truegreen.core.words import catalogue


@pytest.mark.parametrize(
    ("protocol", "fault", "waits"),
    [
        ("http", "503", [0.5]), ("http", "503:7", [7]), ("http", "429:2", [2]), ("http", "502", [0.5]), ("http", "504", [0.5]),
        ("http", RESET, [0.5]), ("http", HANG, [0.5]), ("http", SLOW, []), ("http", HALF, []), ("grpc", "UNAVAILABLE", [0.5]),
        ("grpc", "UNAVAILABLE:7", [7]), ("grpc", "RESOURCE_EXHAUSTED:2", [2]), ("grpc", HANG, [0.5]),
    ],
)  # fmt: skip
def test_what_may_pass_is_tried_again_after_the_wait_that_was_asked(protocol: str, fault: str, waits: list[float]) -> None:
    """The request arrives once; the wait is what the destination asked, else half a second and doubled; an answer that breaks off was an answer."""
    line = sent(Original("traces", BODY), protocol=protocol, script=[fault], timeout=0.5)
    assert [one.body for one in line.sink.taken] == [BODY]
    assert line.time.pauses == waits
    assert (line.delivered, line.dropped) == (1, {})
    assert line.number(catalogue.COLLECTOR_FORWARD_RETRIES) == len(waits)


def test_behaviour_11_a_request_whose_answer_was_lost_is_sent_again() -> None:
    """Delivery is at least once, as the page says: the destination has it twice, and it is counted as delivered once."""
    line = sent(Original("traces", BODY), script=[LOST])
    assert [one.body for one in line.sink.taken] == [BODY, BODY]
    assert (line.delivered, line.dropped, line.number(catalogue.COLLECTOR_FORWARD_RETRIES)) == (1, {}, 1)


def test_a_destination_that_fails_now_and_then_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred failures and successes in turn are one line a minute."""
    line = sent(*[Original("traces", BODY)] * 100, script=["503", OK] * 100)
    assert line.delivered == 100 and 49 < line.time.now < 51
    assert caplog.text.count("forwarding to d fails: HTTP 503") == 1
    line = sent(*[Original("traces", BODY)] * 4, script=["503:50", OK] * 4)
    assert caplog.text.count("forwarding to d fails: HTTP 503") == 1 + 2


def test_waits_double_and_a_success_begins_anew() -> None:
    """0.5, 1, 2, 4 s with the least of chance; the next request's first wait is short again."""
    line = sent(Original("traces", BODY), Original("traces", BODY), script=["503"] * 4 + [OK, "503", OK])
    assert line.time.pauses == [0.5, 1, 2, 4, 0.5]


@pytest.mark.parametrize(
    ("protocol", "fault", "reason"),
    [
        ("http", "400", "rejected"), ("http", "413", "rejected"), ("http", "415", "rejected"), ("http", "500", "rejected"),
        ("http", "404", "rejected"), ("http", "302", "rejected"), ("http", "307", "rejected"), ("http", "401", "unauthorized"),
        ("http", "403", "unauthorized"), ("grpc", "INVALID_ARGUMENT", "rejected"), ("grpc", "INTERNAL", "rejected"),
        ("grpc", "RESOURCE_EXHAUSTED", "rejected"), ("grpc", "UNAUTHENTICATED", "unauthorized"), ("grpc", "PERMISSION_DENIED", "unauthorized"),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_dropped_at_once_and_counted(
    protocol: str, fault: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One attempt, no redirect followed, one line that names destination, status and reason, and neither headers nor what was said."""
    line = sent(Original("traces", BODY), protocol=protocol, script=[fault], headers={"X-Scope": "scope-1"})
    assert (len(line.sink.got), line.delivered, line.dropped) == (1, 0, {reason: 1})
    assert "forwarding to d" in caplog.text and fault in caplog.text and reason in caplog.text
    assert "prompt" not in caplog.text and "scope-1" not in caplog.text and "support" not in caplog.text


def test_a_request_that_is_too_old_is_dropped() -> None:
    """After five minutes of refusals, whatever wait the destination asks for."""
    line = sent(Original("traces", BODY), sink={"then": "503"})
    assert line.dropped == {"expired": 1} and line.time.now <= 300 and len(line.sink.got) > 10
    line = sent(Original("traces", BODY), Original("traces", BODY), sink={"then": "503:100000"})
    assert line.dropped == {"expired": 2} and (len(line.sink.got), line.time.now) == (5, 240)


@pytest.mark.parametrize(("max_age", "wait"), [(300.0, 60), (60.0, 12), (7200.0, 60)])
@pytest.mark.parametrize(("protocol", "fault"), [("http", "429:3600"), ("grpc", "UNAVAILABLE:3600")])
def test_a_destination_that_asks_for_an_hour_once_does_not_empty_the_queue(
    protocol: str, fault: str, max_age: float, wait: float
) -> None:
    """It is asked again after a minute, or a fifth of `max_age` where that is less, and gets everything."""
    line = sent(*[Original("traces", BODY)] * 20, protocol=protocol, script=[fault], max_age=max_age)
    assert (line.delivered, line.dropped, line.time.pauses) == (20, {}, [wait])


def test_a_wait_that_was_asked_is_kept_by_all() -> None:
    """Four at once: while one was told to wait, none of the others sends."""
    line = sent(*[Original("traces", BODY)] * 6, script=["429:5"], in_flight=4)
    assert line.delivered == 6 and max(line.time.pauses) >= 5


def test_a_partial_success_is_noted_and_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    """The request is delivered; the spans that were left out have a counter and one line without the destination's words."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans, answer.partial_success.error_message = 3, SECRET
    for protocol in ("http", "grpc"):
        line = sent(
            Original("traces", BODY), Original("traces", BODY), protocol=protocol, sink={"answer": answer.SerializeToString()}
        )
        assert (line.delivered, len(line.sink.got), line.number(catalogue.COLLECTOR_FORWARD_REJECTED)) == (2, 2, 6)
    assert caplog.text.count("without 3 of its spans") == 2 and SECRET not in caplog.text


def test_the_answer_of_a_destination_is_read_up_to_a_bound() -> None:
    """Ten MB of answer are not held."""
    line = sent(Original("traces", BODY), Original("traces", BODY), sink={"answer": b"\0" * 10_000_000})
    assert line.delivered == 2


def test_a_destination_that_is_not_there_is_waited_for() -> None:
    """Nobody listens, then somebody does."""

    async def body(sink: Sink) -> None:
        end = await sink.serve()
        address = sink.http
        await end()
        line = Line(replace(sink, http=address))
        line.exporter.start()
        line.exporter.offer(Original("traces", BODY))
        await line.settled()
        await line.exporter.close(1)
        assert line.dropped == {"expired": 1} and sum(line.time.pauses) <= 300

    run(body)
