"""What arrives at a destination: the bytes as they came, its signals, its headers, what redaction leaves; real senders, a real server on the loopback."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from forward_line import BODY, SECRET, Line, run, sent
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import Clock, events, llm, span, traces
from sink import Sink

from truegreen.collector import renewed
from truegreen.collector.forward import forwarding
from truegreen.collector.forward_http import HttpSender
from truegreen.collector.forward_payload import JSON, PROTOBUF, Original
from truegreen.collector.state import Store
from truegreen.core.config.forward import Destination, Redact
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue


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
