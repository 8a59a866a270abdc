"""Forwarding to a destination that takes, refuses, breaks off, hangs: real senders, a real server on the loopback, a clock that a test moves."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from otlp_requests import Clock, events, llm, span, traces
from sink import HALF, HANG, LOST, OK, RESET, SLOW, Sink

from truegreen.collector import renewed
from truegreen.collector.forward import Forward, forwarding
from truegreen.collector.forward_exporter import OVERHEAD, Exporter, Timing
from truegreen.collector.forward_grpc import GrpcSender
from truegreen.collector.forward_http import HttpSender
from truegreen.collector.forward_payload import JSON, PROTOBUF, Original
from truegreen.collector.forward_verdict import DELIVERED, Verdict
from truegreen.collector.refusals import Refused
from truegreen.collector.state import Store
from truegreen.core.clients.engines import free_port
from truegreen.core.config.forward import Destination, Redact
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue

SECRET = "the prompt of a customer"
BODY = traces([span(llm())])


class Time:
    """A clock that a pause moves on at once, and no chance."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def pause(self, seconds: float, _stopping: asyncio.Event) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def timing(self) -> Timing:
        return Timing(lambda: self.now, self.pause, lambda: 0.0)


class Line:
    """One exporter, its destination and its numbers."""

    def __init__(self, sink: Sink, protocol: str = "http", **given_: Any) -> None:
        self.sink, self.time, self.store, self.said = sink, Time(), Store(Clock(), 30.0), list[str]()
        address = sink.http if protocol == "http" else sink.grpc
        base = {"timeout": 5.0, "in_flight": 1} | given_
        self.destination = Destination("d", address + base.pop("path", ""), protocol, **base)
        sender = (HttpSender if protocol == "http" else GrpcSender)(self.destination, self.said.append)
        self.exporter = Exporter(self.destination, sender, self.store, self.time.timing())

    def number(self, metric: Any, *labels: str) -> float:
        return self.store.families[metric.prometheus].cells[("d", *labels)][0]

    @property
    def delivered(self) -> float:
        return self.number(catalogue.COLLECTOR_FORWARD_DELIVERED)

    @property
    def dropped(self) -> dict[str, float]:
        """The reasons that are not 0."""
        cells = self.store.families[catalogue.COLLECTOR_FORWARD_DROPPED.prometheus].cells
        return {reason: cell[0] for (_, reason), cell in cells.items() if cell[0]}

    async def settled(self) -> None:
        async with asyncio.timeout(20):
            await self.exporter._queue.join()


def run(body: Callable[[Sink], Awaitable[None]], **given_: Any) -> Sink:
    """Run a test against a sink."""

    async def whole() -> Sink:
        sink = Sink(**given_)
        end = await sink.serve()
        try:
            await body(sink)
        finally:
            await end()
        return sink

    return asyncio.run(whole())


def sent(
    *originals: Original,
    protocol: str = "http",
    script: list[str] | None = None,
    sink: dict[str, Any] | None = None,
    **given_: Any,
) -> Line:
    """What becomes of these requests."""
    lines: list[Line] = []

    async def body(made: Sink) -> None:
        line = Line(made, protocol, **given_)
        lines.append(line)
        line.exporter.start()
        for one in originals:
            line.exporter.offer(one)
        await line.settled()
        await line.exporter.close(1)

    run(body, script=script or [], **(sink or {}))
    return lines[0]


@pytest.mark.parametrize(
    ("original", "path"),
    [
        (Original("traces", BODY), "/v1/traces"),
        (Original("traces", gzip.compress(BODY, 9), PROTOBUF, "gzip"), "/v1/traces"),
        (Original("traces", b"\x28\xb5\x2f\xfd" + BODY, PROTOBUF, "zstd"), "/v1/traces"),
        (Original("traces", b'{"resourceSpans": [ ]}', JSON), "/v1/traces"),
        (Original("logs", gzip.compress(events([{}])), PROTOBUF, "gzip"), "/v1/logs"),
        (Original("traces", traces([span(llm(big="x" * 3_000_000))])), "/v1/traces"),
    ],
    ids=["plain", "gzip", "zstd", "json", "logs", "large"],
)
def test_the_bytes_arrive_as_they_came(original: Original, path: str) -> None:
    """Body, content type and content encoding; the path of the signal is appended to that of the endpoint."""
    line = sent(original, path="/api/public/otel", headers={"X-Scope-OrgID": "one"})
    (got,) = line.sink.taken
    assert (got.path, got.body) == (f"/api/public/otel{path}", original.body)
    assert got.headers["Content-Type"] == original.content_type
    assert got.headers.get("Content-Encoding", "identity") == original.encoding
    assert got.headers["Accept-Encoding"] == "identity" and got.headers["X-Scope-OrgID"] == "one"
    assert (line.delivered, line.dropped, line.exporter.held) == (1, {}, 0)


def test_by_grpc_the_message_arrives_whatever_it_came_in() -> None:
    """The protobuf bytes as they are, out of gzip, and the message of a JSON body; headers in lower case."""
    as_json = json_format.MessageToDict(ExportTraceServiceRequest.FromString(traces([span(llm())], service="json")))
    only = as_json["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    only |= {"traceId": "ab" * 16, "spanId": "cd" * 8}
    line = sent(
        Original("traces", BODY),
        Original("traces", gzip.compress(BODY), PROTOBUF, "gzip"),
        Original("traces", json.dumps(as_json).encode(), JSON),
        Original("logs", events([{}])),
        protocol="grpc",
        headers={"X-Scope-OrgID": "one"},
        compression="gzip",
    )
    taken = line.sink.taken
    assert [one.path for one in taken] == ["/v1/traces"] * 3 + ["/v1/logs"]
    assert taken[0].body == taken[1].body == BODY
    assert ExportTraceServiceRequest.FromString(taken[2].body).resource_spans[0].scope_spans[0].spans[0].trace_id == b"\xab" * 16
    assert taken[0].headers["x-scope-orgid"] == "one"


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_compression_may_be_asked_for(compression: str) -> None:
    """`gzip` compresses what came plain and leaves the rest; `none` inflates."""
    packed = gzip.compress(BODY)
    line = sent(Original("traces", BODY), Original("traces", packed, PROTOBUF, "gzip"), compression=compression)
    first, second = line.sink.taken
    if compression == "gzip":
        assert [one.headers["Content-Encoding"] for one in (first, second)] == ["gzip", "gzip"]
        assert gzip.decompress(first.body) == BODY and second.body == packed
    else:
        assert first.body == second.body == BODY and "Content-Encoding" not in second.headers


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


def test_a_full_queue_drops_what_is_new_and_counts_it(caplog: pytest.LogCaptureFixture) -> None:
    """The bound is in bytes, with what is on its way; each request counts 512 more than it has."""

    async def body(sink: Sink) -> None:
        line = Line(sink, queue=3 * (len(BODY) + OVERHEAD))
        line.exporter.start()
        for _ in range(5):
            line.exporter.offer(Original("traces", BODY))
        assert line.dropped == {"queue_full": 2}
        assert (
            line.exporter.held
            == line.number(catalogue.COLLECTOR_FORWARD_QUEUE)
            == line.number(catalogue.COLLECTOR_FORWARD_QUEUE_LIMIT)
        )
        sink.gate = False
        await line.settled()
        assert (line.delivered, line.number(catalogue.COLLECTOR_FORWARD_QUEUE)) == (3, 0)
        line.exporter.offer(Original("traces", BODY))
        await line.settled()
        assert line.delivered == 4
        assert await line.exporter.close(1) == (0, 0)

    run(body, gate=True)
    assert caplog.text.count("queue_full") == 1


def test_a_destination_may_have_senders_refused_when_it_is_full() -> None:
    """`when_full: refuse` answers before anything is counted; another destination's full queue refuses nobody."""

    async def body(sink: Sink) -> None:
        strict, loose = (Line(sink, queue=len(BODY) + OVERHEAD, when_full=word).exporter for word in ("refuse", "drop"))
        both = Forward([strict, loose])
        both.check("traces", len(BODY))
        both.offer(Original("traces", BODY))
        with pytest.raises(Refused, match="queue of d is full; send again") as caught:
            both.check("traces", len(BODY))
        assert (caught.value.status, caught.value.reason) == (503, "forward_full")
        Forward([loose]).check("traces", len(BODY))
        both.check("traces", len(BODY) + 1)  # it would never find room: refused, its sender would send it for ever
        await asyncio.gather(strict.close(0), loose.close(0))

    run(body)


def test_each_destination_gets_its_signals() -> None:
    """Traces and logs by default."""

    async def body(sink: Sink) -> None:
        store = Store(Clock(), 30.0)
        made = forwarding(
            [Destination("a", sink.http, signals=("traces",)), Destination("b", sink.grpc, "grpc", signals=("logs",)), Destination("c", sink.http)],
            store, print,
        )  # fmt: skip
        made.start()
        for signal, data in (("traces", BODY), ("logs", events([{}]))):
            made.check(signal, len(data))
            made.offer(Original(signal, data))
        await made.close(5, print)
        cells = store.families[catalogue.COLLECTOR_FORWARD_DELIVERED.prometheus].cells
        assert {labels[0]: cell[0] for labels, cell in cells.items()} == {"a": 1, "b": 1, "c": 2}

    run(body)


def test_a_stop_sends_what_waits_and_counts_what_is_left() -> None:
    """All is sent to a destination that takes it; to one that does not answer, what is left is counted and told."""

    async def body(sink: Sink) -> None:
        line = Line(sink)
        line.exporter.start()
        for _ in range(20):
            line.exporter.offer(Original("traces", BODY))
        assert await line.exporter.close(10) == (0, 0)
        assert (line.delivered, line.dropped) == (20, {})
        line.exporter.offer(Original("traces", BODY))
        assert line.dropped == {"shutdown": 1}

        stuck = Line(sink)
        stuck.exporter.start()
        sink.gate = True
        for _ in range(5):
            stuck.exporter.offer(Original("traces", BODY))
        said: list[str] = []
        await Forward([stuck.exporter]).close(0.3, said.append)
        assert (stuck.delivered, stuck.dropped, stuck.exporter.held) == (0, {"shutdown": 5}, 0)
        assert said == [
            f"5 requests for d were not delivered within 0.3 s ({5 * (len(BODY) + OVERHEAD)} bytes): they are lost there"
        ]

    run(body)


def test_a_stop_does_not_wait_for_what_cannot_come_in_time() -> None:
    """A destination that asked for a minute is not waited for: the stop ends at once, with a deadline of an hour."""

    async def body(sink: Sink) -> None:
        line = Line(sink)
        real = Exporter(line.destination, HttpSender(line.destination, line.said.append), line.store)
        real.start()
        for _ in range(3):
            real.offer(Original("traces", BODY))
        async with asyncio.timeout(10):
            while not sink.got:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert (await real.close(30))[0] == 3
        assert line.dropped == {"shutdown": 3} and len(sink.got) == 1

    run(body, then="503:60")


def test_a_header_of_a_file_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next request has the new value; a file that is gone or empty leaves the old one and one line without it."""
    monkeypatch.setattr(renewed, "CHECK_SECONDS", 0.0)
    secret = tmp_path / "secret"
    secret.write_text("Bearer one\n")

    async def body(sink: Sink) -> None:
        line = Line(sink, header_files={"Authorization": secret})
        line.exporter.start()
        for text in (None, "Bearer second\n", "", "Bearer third, and last\n"):
            if text is not None:
                secret.write_text(text)
            line.exporter.offer(Original("traces", BODY))
            await line.settled()
        secret.unlink()
        line.exporter.offer(Original("traces", BODY))
        await line.settled()
        await line.exporter.close(1)
        values = [one.headers["Authorization"] for one in sink.taken]
        assert values == ["Bearer one", "Bearer second", "Bearer second", "Bearer third, and last", "Bearer third, and last"]
        told = "\n".join(line.said)
        assert "is empty; write the value into it" in told and "cannot read" in told and "Bearer" not in told

    run(body)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read"),
        ("", "is empty"),
        ("a\nb", "more than one line"),
        ("ä", "more than one line of ASCII"),
        (b"\xff", "it is not text"),
    ],
)
def test_a_header_file_that_cannot_be_used_ends_the_start(tmp_path: Path, content: str | bytes | None, says: str) -> None:
    """One line with destination, header and file."""
    if content is not None:
        (tmp_path / "s").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=says) as caught:
        HttpSender(Destination("d", "http://127.0.0.1:1", header_files={"x-api-key": tmp_path / "s"}), print)
    assert "collector.forward d: headers.x-api-key" in str(caught.value) and str(tmp_path / "s") in str(caught.value)


def test_a_secret_that_would_go_in_the_clear_is_named_at_the_start(tmp_path: Path) -> None:
    """Over http:// to another machine; the loopback and https:// are fine."""
    (tmp_path / "s").write_text("abc")
    told: list[str] = []
    given_ = [Destination(f"d{n}", address, header_files={"x-api-key": tmp_path / "s"})
              for n, address in enumerate(("http://tempo:4318", "http://127.0.0.1:4318", "https://tempo:4318"))]  # fmt: skip
    forwarding(given_, Store(Clock(), 30.0), told.append)
    assert (
        len(told) == 1
        and "d0: x-api-key go to http://tempo:4318 in the clear; write https://" in told[0]
        and "abc" not in told[0]
    )


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("form", ["plain", "gzip", "json"])
def test_redaction_cuts_what_is_not_allowed_before_it_leaves(protocol: str, form: str) -> None:
    """No byte of a prompt arrives, whatever the request came in, and what is allowed does; logs lose their bodies."""
    body = traces([span(llm(gen_ai__input__messages=SECRET, my__own="kept"))])
    original = Original("traces", body)
    if form == "gzip":
        original = Original("traces", gzip.compress(body), PROTOBUF, "gzip")
    if form == "json":
        made = json_format.MessageToDict(ExportTraceServiceRequest.FromString(body))
        made["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= {"traceId": "ab" * 16, "spanId": "cd" * 8}
        original = Original("traces", json.dumps(made).encode(), JSON)
    line = sent(original, protocol=protocol, redact=Redact(("my.*",)), script=["503"] if protocol == "http" else [])
    assert all(SECRET.encode() not in one.body for one in line.sink.got)
    (got,) = line.sink.taken
    spans = ExportTraceServiceRequest.FromString(got.body).resource_spans[0].scope_spans[0].spans
    assert {pair.key for pair in spans[0].attributes} == {
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "my.own",
    }
    if protocol == "http":
        assert got.headers["Content-Type"] == PROTOBUF and "Content-Encoding" not in got.headers


def test_a_request_that_cannot_be_read_is_not_forwarded_where_redaction_is_asked() -> None:
    """It fails closed, and the worker lives on."""
    line = sent(
        Original("traces", BODY[:-3]), Original("traces", b"no gzip", PROTOBUF, "gzip"), Original("traces", b"[]", JSON), Original("traces", BODY),
        redact=Redact(),
    )  # fmt: skip
    assert (line.dropped, line.delivered, len(line.sink.got)) == ({"unredactable": 3}, 1, 1)


def test_a_defect_costs_one_request() -> None:
    """It is counted as internal; what comes after it is sent."""
    line = sent(Original("metrics", BODY), Original("traces", BODY))
    assert (line.dropped, line.delivered) == ({"internal": 1}, 1)


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


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_what_is_made_of_requests_is_not_kept_while_they_wait(protocol: str) -> None:
    """Twelve bodies of 4 MiB that came in 4 kB, and nobody takes them: none is held inflated, and at most one, and what the queue may hold, while it is sent."""
    big = traces([span(llm(big="x" * (4 << 20)))])
    packed = Original("traces", gzip.compress(big), PROTOBUF, "gzip")

    async def body(sink: Sink) -> None:
        nobody = replace(sink, grpc=f"http://127.0.0.1:{free_port()}")  # the library's server would hold them in this process
        line = Line(nobody, protocol, queue=1 << 20, in_flight=8, compression="none")
        waiting, gate = set[object](), asyncio.Event()

        async def pause(_seconds: float, _stopping: asyncio.Event) -> None:
            waiting.add(asyncio.current_task())
            await gate.wait()

        line.time.pause = pause  # type: ignore[method-assign]
        exporter = Exporter(line.destination, line.exporter._sender, line.store, line.time.timing())
        tracemalloc.start()
        try:
            exporter.start()
            for _ in range(12):
                exporter.offer(packed)
            async with asyncio.timeout(20):
                while len(waiting) < 8:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            sink.got.clear()
            assert tracemalloc.get_traced_memory()[0] < 4 << 20
        finally:
            tracemalloc.stop()
        line.time.now = 1e9
        gate.set()
        await exporter._queue.join()
        await exporter.close(1)

    run(body, then="503")


def test_what_is_made_of_requests_at_once_is_bounded_by_the_queue() -> None:
    """Eight on their way would be 8 MB: three fit into 3.5 MB, and a body that is larger than all of it goes alone."""
    packed, giant = (Original("traces", gzip.compress(bytes(size)), PROTOBUF, "gzip") for size in (1_000_000, 5_000_000))
    most: list[int] = []

    class Slow:
        """A sender that notes how much is on its way."""

        def __init__(self) -> None:
            self.now = 0

        async def send(self, request: Original) -> Verdict:
            self.now += len(request.body)
            most.append(self.now)
            await asyncio.sleep(0.01)
            self.now -= len(request.body)
            return Verdict(DELIVERED)

        async def close(self) -> None:
            """It has no connections."""

    async def body() -> None:
        destination = Destination("d", "http://127.0.0.1:9", compression="none", queue=3_500_000, in_flight=8)
        exporter = Exporter(destination, Slow(), Store(Clock(), 30.0))
        exporter.start()
        for one in (*[packed] * 12, giant, packed):
            exporter.offer(one)
        async with asyncio.timeout(20):
            await exporter._queue.join()
        await exporter.close(1)

    asyncio.run(body())
    assert (len(most), sorted(most)[-2:]) == (14, [3_000_000, 5_000_000])


FAULTS = st.sampled_from([OK, OK, OK, "503", "503:3", "429", "400", "500", "401", RESET, HALF])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(FAULTS, max_size=25),
    st.sampled_from([OK, "503", "400"]),
    st.lists(st.integers(1, 2000), min_size=1, max_size=20),
    st.integers(1, 5),
    st.integers(1, 30_000),
)
def test_behaviour_10_every_request_is_delivered_or_dropped_for_a_reason_or_still_there(
    script: list[str], then: str, sizes: list[int], in_flight: int, queue: int
) -> None:
    """At every moment the sums are exact, and in the end the destination has what is counted as delivered, each request once."""

    async def body(sink: Sink) -> None:
        line = Line(sink, queue=queue, in_flight=in_flight)
        line.exporter.start()
        for n, size in enumerate(sizes):
            line.exporter.offer(Original("traces", bytes((n,)) * size))
            assert line.exporter.held <= queue
            if n % 3 == 0:
                await asyncio.sleep(0)
            waiting = len(sizes[: n + 1]) - line.delivered - sum(line.dropped.values())
            assert waiting >= 0 and (waiting == 0) == (line.exporter.held == 0)
            assert line.number(catalogue.COLLECTOR_FORWARD_QUEUE_REQUESTS) == waiting
        await line.settled()
        await line.exporter.close(1)
        assert line.delivered + sum(line.dropped.values()) == len(sizes)
        assert sorted(one.body for one in sink.taken) == sorted({one.body for one in sink.taken})
        assert len(sink.taken) == line.delivered
        assert line.exporter.held == 0

    run(body, script=list(script), then=then)
