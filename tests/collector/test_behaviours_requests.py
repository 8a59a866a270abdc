"""What a request is and what is answered: behaviours 1, 2, 4, 11 and 15 of an honest OTLP citizen."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from collector_process import Running, accepted, count, until
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from otlp_requests import HOLD, START, Clock, events, judged, llm, shown, span, total, traces
from receivers import LOGS, TRACES, both

from truegreen.collector.otlp_json import from_json
from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
Start = Callable[..., Running]
EVENT = {"gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.label": "pass", "truegreen.evaluation.sampled": "base"}
"""An evaluation event of the base sample."""


def as_json(message: Any) -> bytes:
    """OTLP/JSON: protobuf's own mapping, but ids in hex."""

    def hexed(value: Any, given: Any) -> Any:
        if isinstance(value, list):
            return [hexed(one, other) for one, other in zip(value, given, strict=True)]
        if not isinstance(value, dict):
            return value
        by_name = {field.json_name: getattr(given, field.name) for field in given.DESCRIPTOR.fields}
        return {
            key: by_name[key].hex() if key in ("traceId", "spanId", "parentSpanId") else hexed(one, by_name[key])
            for key, one in value.items()
        }

    return json.dumps(hexed(json_format.MessageToDict(message), message)).encode()


def test_behaviour_01_both_signals_by_every_way_are_answered_in_kind(start: Start) -> None:
    """Protobuf and JSON by HTTP, gRPC: each request is counted once, and the answer has the type of the request."""
    collector = start("--scrape-interval", "10ms")
    spans, records = (
        ExportTraceServiceRequest.FromString(traces([span(llm())])),
        ExportLogsServiceRequest.FromString(events([EVENT])),
    )
    for path, message in (("/v1/traces", spans), ("/v1/logs", records)):
        status, answer, headers = collector.post(message.SerializeToString(), path)
        assert (status, answer, headers["Content-Type"]) == (200, b"", PROTOBUF)
        status, answer, headers = collector.post(as_json(message), path, Content_Type=JSON)
        assert (status, answer, headers["Content-Type"].split(";")[0]) == (200, b"{}", JSON)
    with grpc.insecure_channel(collector.grpc) as channel:
        for method, message in ((TRACES, spans), (LOGS, records)):
            assert channel.unary_unary(method, lambda b: b, lambda b: b)(message.SerializeToString(), timeout=10) == b""
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", lambda b: b, lambda b: b)(
                b"", timeout=10
            )
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
    accepted(collector, 3)
    until(lambda: count(collector, "truegreen_evaluated_answers_total") == 3, "three events are counted")
    assert [
        collector.post(b"", "/v1/metrics")[0],
        collector.post(b"", method="PUT")[0],
        collector.post(b"x", Content_Type="text/plain")[0],
    ] == [404, 405, 415]


def test_behaviour_01_json_is_the_same_message(processor: Processor) -> None:
    """Hex ids in any case, int64 as text or number, bytes in base64, enums by name or number, unknown fields ignored: the official bytes."""
    message = ExportTraceServiceRequest.FromString(traces([span(llm(tags=["a", "b"], n=2**60, x=0.5, yes=True), error=True)]))
    one = message.resource_spans[0].scope_spans[0].spans[0]
    one.attributes.add(key="raw").value.bytes_value = b"\x00\xff"
    one.attributes.add(key="map").value.kvlist_value.values.add(key="k").value.int_value = -(2**63)
    one.parent_span_id, one.kind = b"\xab" * 8, 3
    one.links.add(trace_id=b"\xcd" * 16, span_id=b"\xef" * 8)
    one.events.add(name="e", time_unix_nano=START)
    given = json.loads(as_json(message))
    assert ExportTraceServiceRequest.FromString(from_json("traces", json.dumps(given).encode())) == message
    only = given["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    only |= {"traceId": only["traceId"].upper(), "kind": "SPAN_KIND_CLIENT", "startTimeUnixNano": START, "new": [{"traceId": 5}]}
    assert ExportTraceServiceRequest.FromString(from_json("traces", json.dumps(given).encode())) == message


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00"])
def test_behaviour_01_json_that_was_cut_within_a_character_costs_that_character(half: str) -> None:
    """As bad UTF-8 does in protobuf; a whole pair is the character that it is, and a bare NaN or Infinity is that number."""
    attributes = [
        f'{{"key":"k","value":{{"stringValue":"a{half}"}}}}',
        '{"key":"k","value":{"stringValue":"\\ud83d\\ude00"}}',
    ] + [f'{{"key":"k","value":{{"doubleValue":{number}}}}}' for number in ("NaN", "Infinity", "-Infinity")]
    given = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{",".join(attributes)}]}}]}}]}}]}}'
    read = ExportTraceServiceRequest.FromString(from_json("traces", given.encode()))
    values = [one.value for one in read.resource_spans[0].scope_spans[0].spans[0].attributes]
    assert [one.string_value for one in values[:2]] == ["a\ufffd", "\U0001f600"]
    assert [str(one.double_value) for one in values[2:]] == ["nan", "inf", "-inf"]


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_behaviour_01_events_of_the_real_sdk_are_counted_with_their_own_labels(start: Start, kind: str) -> None:
    """What the event itself says of model and cohort is in its labels; one that mirrors a span's attributes is not counted again."""
    collector = start("--scrape-interval", "10ms")
    exporter = (
        GrpcLogs(endpoint=collector.grpc, insecure=True)
        if kind == "grpc"
        else HttpLogs(endpoint=f"http://{collector.http}/v1/logs")
    )
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    labels = {"gen_ai.request.model": "large", "truegreen.cohort": "vip", "gen_ai.evaluation.score.value": 0.5}
    for more in ({}, {"truegreen.evaluation.mirrored": True}):
        provider.get_logger("app").emit(event_name="gen_ai.evaluation.result", attributes=EVENT | labels | more)
    provider.shutdown()
    lines = [line for line in collector.get("/metrics")[1].splitlines() if line.startswith("truegreen_evaluation_score_count{")]
    assert len(lines) == 1 and 'model="large"' in lines[0] and 'cohort="vip"' in lines[0], lines
    until(lambda: count(collector, "truegreen_evaluation_score_count") == 1, "one of the two is counted")


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_behaviour_02_an_empty_request_is_taken(collector: Running, path: str) -> None:
    """No bytes, an empty object, an empty list: 200, and no partial success."""
    assert collector.post(b"", path)[:2] == (200, b"")
    for body in (b"", b"{}", b'{"resourceSpans":[]}', b'{"resourceLogs":[]}'):
        assert collector.post(body, path, Content_Type=JSON)[:2] == (200, b"{}")
    with grpc.insecure_channel(collector.grpc) as channel:
        method = TRACES if path == "/v1/traces" else LOGS
        assert channel.unary_unary(method, lambda b: b, lambda b: b)(b"", timeout=10) == b""


MIXED = traces(
    [span(llm()), span({"http.route": "/"}), span(judged(score=math.nan)), span(llm(), seconds=-1.0), span(judged(score=7.0))]
)
"""Spans of which every one is counted, three of them but for a number; one is not ours, which is no fault of it."""


def test_behaviour_04_what_was_left_out_is_said_and_a_foreign_span_is_no_loss() -> None:
    """200 with a partial success that rejects nothing and warns (OTLP, partial success), by every way; a request without faults says nothing."""

    async def run() -> None:
        async with both() as receivers:
            status, answer, _ = await receivers.post(MIXED)
            said = ExportTraceServiceResponse.FromString(answer).partial_success
            assert (status, said.rejected_spans) == (200, 0)
            assert (
                said.error_message
                == "1 values were left out of metrics: not_a_number; 2 values were left out of metrics: out_of_range"
            )
            code, answer, _ = await receivers.call(MIXED)
            assert code is grpc.StatusCode.OK and ExportTraceServiceResponse.FromString(answer).partial_success == said
            body = as_json(ExportTraceServiceRequest.FromString(MIXED))
            status, answer, _ = await receivers.post(body, Content_Type=JSON)
            assert (status, json.loads(answer)) == (200, {"partialSuccess": {"errorMessage": said.error_message}})
            assert receivers.spans == 15
            assert (await receivers.post(traces([span({"http.route": "/"}), span(llm())])))[1] == b""

    asyncio.run(run())


def test_behaviour_04_events_that_name_no_evaluation_are_rejected_by_number() -> None:
    """The others of the request are counted, and a log record that is no evaluation is no loss."""
    body = events([EVENT, {"gen_ai.evaluation.score.label": "pass"}, {}, EVENT])

    async def run() -> None:
        async with both() as receivers:
            status, answer, _ = await receivers.post(body, "/v1/logs")
            said = ExportLogsServiceResponse.FromString(answer).partial_success
            assert (status, said.rejected_log_records) == (200, 2) and "lack gen_ai.evaluation.name" in said.error_message
            assert (await receivers.call(body, LOGS))[1] == answer
            status, answer, _ = await receivers.post(
                as_json(ExportLogsServiceRequest.FromString(body)), "/v1/logs", Content_Type=JSON
            )
            assert (status, json.loads(answer)["partialSuccess"]["rejectedLogRecords"]) == (200, "2")
            assert (await receivers.post(events([EVENT], name="exception"), "/v1/logs"))[1] == b""
            receivers.intake.processor.store.clock.advance(HOLD)  # type: ignore[attr-defined]
            assert receivers.counted(catalogue.EVALUATED_ANSWERS) == 6

    asyncio.run(run())


def test_behaviour_04_a_fault_of_ours_is_owned_and_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the processor fails in the middle, a retry would count the first part twice: 200, all spans rejected at most, and a counter."""

    def broken(_self: Processor, _data: bytes) -> int:
        raise RuntimeError("SECRET ANSWER")

    async def run() -> None:
        async with both() as receivers:
            monkeypatch.setattr(Processor, "traces", broken)
            status, answer, _ = await receivers.post(MIXED)
            said = ExportTraceServiceResponse.FromString(answer).partial_success
            assert (status, said.rejected_spans) == (200, 5) and "up to 5 were not counted" in said.error_message
            assert receivers.counted(catalogue.COLLECTOR_DROPPED_SPANS, reason="internal") == 1

    asyncio.run(run())


def test_behaviour_11_a_retry_counts_again_and_no_counter_ever_falls() -> None:
    """A storm of one request sent a hundred times by both protocols, scraped in between: at least once, monotone, exact."""
    body = traces([span(judged("fail")), span(llm())])

    async def run() -> None:
        async with both() as receivers:
            seen: list[float] = []
            clock: Clock = receivers.intake.processor.store.clock  # type: ignore[assignment]
            await receivers.post(body)
            clock.advance(HOLD)

            async def scraped() -> None:
                for _ in range(50):
                    seen.append(receivers.counted(catalogue.LLM_REQUESTS))
                    await asyncio.sleep(0)

            storm = [receivers.post(body) for _ in range(50)] + [receivers.call(body) for _ in range(49)]
            answers = await asyncio.gather(*storm, scraped())
            assert {answer[0] for answer in answers if answer} == {200, grpc.StatusCode.OK}
            assert seen == sorted(seen)
            assert (receivers.spans, receivers.counted(catalogue.LLM_REQUESTS)) == (200, 200)

    asyncio.run(run())


ODD: dict[str, tuple[Callable[[], Any], str, int]] = {
    "late": (lambda: _at(judged(), 1), "", 0),
    "at the epoch": (lambda: _at(judged(), 0), "", 0),
    "future": (lambda: _at(judged(), 2**63), "", 0),
    "end of time": (lambda: _at(judged(), 2**64 - 2 * 10**9), "", 0),
    "ends before it begins": (lambda: span(llm(), seconds=-3), "out_of_range", 1),
    "no ids": (lambda: span(judged("fail"), trace_id=b""), "", 0),
    "zero ids": (lambda: span(judged("fail"), trace_id=b"\0" * 16), "", 0),
    "long ids": (lambda: span(judged("fail"), trace_id=b"\1" * 300), "", 0),
    "score is not a number": (lambda: span(judged(score=math.nan)), "not_a_number", 1),
    "score is infinite": (lambda: span(judged(score=math.inf)), "not_a_number", 1),
    "score is a text": (lambda: span(judged() | {"truegreen.evaluation.groundedness.score": "0.5"}), "not_a_number", 1),
    "score over 1": (lambda: span(judged(score=1.5)), "out_of_range", 1),
    "score under 0": (lambda: span(judged(score=-0.1)), "out_of_range", 1),
    "negative tokens": (lambda: span(llm(gen_ai__usage__input_tokens=-1)), "out_of_range", 1),
    "duplicate keys": (lambda: _twice(judged("pass"), "truegreen.evaluation.groundedness.label", "fail"), "", 0),
}


def _at(attributes: dict[str, Any], end: int) -> Any:
    made = span(attributes)
    made.start_time_unix_nano, made.end_time_unix_nano = max(0, end - 10**9), end
    return made


def _twice(attributes: dict[str, Any], key: str, again: str) -> Any:
    made = span(attributes)
    made.attributes.add(key=key).value.string_value = again
    return made


@pytest.mark.parametrize("name", ODD)
def test_behaviour_15_an_odd_span_is_counted_and_what_is_odd_about_it_too(processor: Processor, clock: Clock, name: str) -> None:
    """The request is taken, its neighbours are counted in full, the span itself is counted as a call, and what was left out has a reason."""
    make, reason, dropped = ODD[name]
    assert processor.traces(traces([span(llm()), make(), span(llm())])) == 3
    clock.advance(HOLD)
    assert (total(processor, catalogue.LLM_REQUESTS), total(processor, catalogue.COLLECTOR_ACCEPTED_SPANS)) == (3, 3)
    found = {key[0]: value[0] for key, value in shown(processor, catalogue.COLLECTOR_DROPPED_SPANS).items() if value[0]}
    assert found == ({reason: dropped} if reason else {})
    json.dumps([list(map(str, one.series.values())) for one in processor.copy()])


def test_behaviour_15_of_two_values_of_a_key_the_last_one_counts(processor: Processor, clock: Clock) -> None:
    """One answer, one result."""
    processor.traces(traces([ODD["duplicate keys"][0]()]))
    clock.advance(HOLD)
    counted = {key[2]: value[0] for key, value in shown(processor, catalogue.EVALUATED_ANSWERS).items()}
    assert counted == {"pass": 0, "fail": 1}


def test_behaviour_15_bad_utf8_costs_one_label_and_not_the_batch(start: Start) -> None:
    """The label shows a replacement character, and the page is UTF-8."""
    collector = start("--scrape-interval", "10ms")
    body = traces([span(llm(gen_ai__request__model="AAAA")), span(llm())]).replace(b"AAAA", b"A\xff\xfeA")
    assert collector.post(body)[0] == 200
    assert 'model="A\ufffd\ufffdA"' in collector.get("/metrics")[1]
    assert count(collector, "truegreen_collector_accepted_spans_total") == 2


def test_behaviour_03_undecodable_bytes_are_refused_in_the_request_s_own_type(collector: Running) -> None:
    """400 and INVALID_ARGUMENT with a google.rpc.Status; the next request is taken."""
    for path in ("/v1/traces", "/v1/logs"):
        status, answer, headers = collector.post(b"\x0a\xff", path)
        assert (status, headers["Content-Type"], Status.FromString(answer).code) == (400, PROTOBUF, 3)
        status, answer, headers = collector.post(b"{]", path, Content_Type=JSON)
        assert (status, headers["Content-Type"].split(";")[0], json.loads(answer)["code"]) == (400, JSON, 3)
    with grpc.insecure_channel(collector.grpc) as channel:
        call = channel.unary_unary(TRACES, lambda b: b, lambda b: b)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\x0a\xff", timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]
        details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]  # type: ignore[attr-defined]
        assert Status.FromString(details).code == 3
        assert call(traces([span(llm())]), timeout=10) == b""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 200_000, 400),
        (b'{"a":' * 200_000, 400),
        (b'{"resourceSpans":[' + b"[]," * 2_000_000 + b"[]]}", 413),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":' + b"9" * 100_000 + b"}]}]}]}", 400),
        (b'{"resourceSpans":[{"resource":{"attributes":[{"key":"\\ud800"}]}}]}', 200),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0 1"}]}]}]}', 400),
        (b'{"resourceSpans":null}', 200),
        (b"\xff\xfe{}", 400),
    ],
    ids=["nested lists", "nested objects", "many parts", "long number", "lone surrogate", "hex with a space", "null", "no utf-8"],
)
def test_behaviour_03_json_that_would_cost_much_or_means_nothing(collector: Running, body: bytes, status: int) -> None:
    """Depth, breadth and length are bounded before anything is made of them."""
    assert collector.post(body, Content_Type=JSON)[0] == status
    assert collector.post(b"{}", Content_Type=JSON)[0] == 200
