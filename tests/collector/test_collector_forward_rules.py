"""The rules of forwarding that need no network: what an answer means, how long to wait, what redaction leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from otlp_requests import llm, span, traces, value

from truegreen.collector import forward_verdict as verdicts
from truegreen.collector.redaction import DEFAULTS, Allowed, redacted_logs, redacted_traces
from truegreen.core.words import attribute_table

SECRET = "the prompt of a customer"
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"), (202, "delivered"), (429, "retry"), (502, "retry"), (503, "retry"), (504, "retry"), (400, "rejected"),
        (404, "rejected"), (408, "rejected"), (413, "rejected"), (415, "rejected"), (500, "rejected"), (501, "rejected"), (301, "rejected"),
        (307, "rejected"), (401, "unauthorized"), (403, "unauthorized"),
    ],
)  # fmt: skip
def test_the_list_of_otlp_says_which_http_status_is_tried_again(status: int, outcome: str) -> None:
    """429, 502, 503 and 504, and no other."""
    assert verdicts.of_http(status, {}, b"", NOW).outcome == outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("CANCELLED", "retry"), ("DEADLINE_EXCEEDED", "retry"), ("ABORTED", "retry"), ("OUT_OF_RANGE", "retry"), ("UNAVAILABLE", "retry"),
        ("DATA_LOSS", "retry"), ("UNKNOWN", "rejected"), ("INVALID_ARGUMENT", "rejected"), ("NOT_FOUND", "rejected"),
        ("ALREADY_EXISTS", "rejected"), ("FAILED_PRECONDITION", "rejected"), ("UNIMPLEMENTED", "rejected"), ("INTERNAL", "rejected"),
        ("UNAUTHENTICATED", "unauthorized"), ("PERMISSION_DENIED", "unauthorized"), ("RESOURCE_EXHAUSTED", "rejected"),
    ],
)  # fmt: skip
def test_the_list_of_otlp_says_which_grpc_code_is_tried_again(code: str, outcome: str) -> None:
    """RESOURCE_EXHAUSTED only with a RetryInfo."""
    assert verdicts.of_grpc(code, b"").outcome == outcome
    assert verdicts.of_grpc("RESOURCE_EXHAUSTED", _retry_info(3)).outcome == "retry"
    assert verdicts.of_grpc("UNAVAILABLE", _retry_info(3)).wait == 3
    assert verdicts.of_grpc("UNAVAILABLE", b"\xff\xff").wait is None


def _retry_info(seconds: int) -> bytes:
    status = Status(code=8)
    status.details.add().Pack(RetryInfo(retry_delay={"seconds": seconds}))
    return status.SerializeToString()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3), (" 120 ", 120), ("0", 0), ("9" * 40, 999_999_999_999), ("Fri, 15 Jan 2027 08:00:10 GMT", 10),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("³", None), ("Fri, 99 Jan 2027", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    """Anything else is no word about time."""
    assert verdicts.retry_after(text, NOW) == seconds


@given(st.text(max_size=40), st.integers(100, 599), st.binary(max_size=60), st.sampled_from(["application/json", "x", ""]))
def test_any_answer_has_a_verdict(text: str, status: int, body: bytes, kind: str) -> None:
    """No header and no body of a destination can raise, and none gives a negative wait or count."""
    made = verdicts.of_http(status, {"Retry-After": text, "Content-Type": kind}, body, NOW)
    assert (made.wait is None or made.wait >= 0) and made.rejected >= 0
    verdicts.of_grpc("UNAVAILABLE", body)


def test_a_partial_success_says_how_many_were_left_out() -> None:
    """By protobuf and JSON, of spans and log records."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 7
    assert verdicts.of_http(200, {}, answer.SerializeToString(), NOW).rejected == 7
    for key in ("rejectedSpans", "rejectedLogRecords"):
        body = json.dumps({"partialSuccess": {key: "7", "errorMessage": SECRET}}).encode()
        made = verdicts.of_http(200, {"Content-Type": "application/json; charset=utf-8"}, body, NOW)
        assert made.rejected == 7 and SECRET not in made.said


def test_waits_double_to_half_a_minute_with_jitter_and_never_undercut_what_is_asked() -> None:
    """Half of each wait is random; what a destination asks is the least, and up to a tenth more."""
    assert [verdicts.wait_before(n, None, 1.0) for n in (1, 2, 3, 4, 5, 6, 7, 1000)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [verdicts.wait_before(n, None, 0.0) for n in (1, 2, 6)] == [0.5, 1, 15]
    assert verdicts.wait_before(9, 3.0, 0.0) == 3.0
    assert verdicts.wait_before(9, 3.0, 1.0) == pytest.approx(3.3)
    assert verdicts.wait_before(1, 0.0, 0.0) == 0.5


def _everywhere() -> ExportTraceServiceRequest:
    """A request with an allowed and a secret attribute, and another field with each, in every place that has one."""
    made = ExportTraceServiceRequest.FromString(traces([span(llm())]))
    resource = made.resource_spans[0]
    scope = resource.scope_spans[0]
    resource.schema_url = scope.schema_url = "https://schema"
    scope.scope.name, scope.scope.version = "library", "1"
    one = scope.spans[0]
    one.flags, one.trace_state, one.parent_span_id, one.kind, one.dropped_attributes_count = 257, "a=b", b"\x05" * 8, 3, 4
    one.status.code, one.status.message = 2, SECRET
    event, link = (
        one.events.add(name="exception", time_unix_nano=5),
        one.links.add(trace_id=b"\x07" * 16, span_id=b"\x08" * 8, flags=1),
    )
    for place in (resource.resource.attributes, scope.scope.attributes, one.attributes, event.attributes, link.attributes):
        place.add(key="gen_ai.input.messages").value.string_value = SECRET
        place.add(key="gen_ai.usage.input_tokens").value.int_value = 12
        place.add(key="exception.message").value.string_value = SECRET
    return made


def test_what_is_not_allowed_is_gone_everywhere_and_the_rest_is_as_it_was() -> None:
    """Resources, scopes, spans, events and links; status messages too; ids, times, counts, flags, scopes and schemas stay."""
    given_ = _everywhere()
    made = redacted_traces(given_.SerializeToString(), Allowed(DEFAULTS))
    assert SECRET.encode() not in made
    expected = _everywhere()
    resource = expected.resource_spans[0]
    scope = resource.scope_spans[0]
    one = scope.spans[0]
    one.status.message = ""
    for place in (
        resource.resource.attributes,
        scope.scope.attributes,
        one.attributes,
        one.events[0].attributes,
        one.links[0].attributes,
    ):
        kept = [pair for pair in place if pair.key not in ("gen_ai.input.messages", "exception.message")]
        del place[:]
        place.extend(kept)
    assert ExportTraceServiceRequest.FromString(made) == expected


def test_what_is_listed_is_kept_whole_by_key_or_beginning() -> None:
    """`*` stands for any end; without the defaults nothing else stays."""
    everything = redacted_traces(_everywhere().SerializeToString(), Allowed(["*"]))
    assert ExportTraceServiceRequest.FromString(everything).resource_spans[0].scope_spans[0].spans[0].attributes == (
        _everywhere().resource_spans[0].scope_spans[0].spans[0].attributes
    )
    made = ExportTraceServiceRequest.FromString(
        redacted_traces(_everywhere().SerializeToString(), Allowed(["exception.*", "gen_ai.input.messages"]))
    )
    keys = [pair.key for pair in made.resource_spans[0].scope_spans[0].spans[0].attributes]
    assert keys == ["gen_ai.input.messages", "exception.message"]
    assert not made.resource_spans[0].resource.attributes[:-2]


KEYS = st.sampled_from(
    [
        "service.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage",
        "gen_ai.prompt",
        "truegreen.",
        "x",
        "",
        "ü",
        "k" * 127,
        "k" * 300,
    ]
)
VALUES = st.one_of(
    st.text(max_size=300),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False),
    st.just("x" * 20_000),
    st.just([1, 2]),
    st.none(),
)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=5)


@settings(deadline=None)
@given(st.lists(st.tuples(PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, st.text(max_size=20)), max_size=3))
def test_redaction_is_what_the_official_classes_would_do(drawn: list[tuple[list[tuple[str, object]], ...]]) -> None:
    """Any keys and values in any place: the same as reading each attribute's key and leaving out those that no list names."""
    made = ExportTraceServiceRequest()
    for *places, message in drawn:
        resource = made.resource_spans.add()
        scope = resource.scope_spans.add()
        resource.resource.SetInParent()
        scope.scope.SetInParent()
        one = scope.spans.add(span_id=b"\x01" * 8, name="chat")
        one.status.message = message
        homes = (
            resource.resource.attributes,
            scope.scope.attributes,
            one.attributes,
            one.events.add().attributes,
            one.links.add().attributes,
        )
        for home, pairs in zip(homes, places, strict=True):
            for key, given_ in pairs:
                pair = home.add(key=key)
                if given_ is not None:
                    pair.value.CopyFrom(value(given_))
    cut = ExportTraceServiceRequest.FromString(
        redacted_traces(made.SerializeToString(), Allowed(["service.*", "gen_ai.usage.*", "truegreen.*", "ü", "k" * 300]))
    )
    kept = ("service.name", "gen_ai.usage.input_tokens", "truegreen.", "ü", "k" * 300)
    for resource in made.resource_spans:
        (scope,) = resource.scope_spans
        (one,) = scope.spans
        one.status.message = ""
        for home in (
            resource.resource.attributes,
            scope.scope.attributes,
            one.attributes,
            one.events[0].attributes,
            one.links[0].attributes,
        ):
            left = [pair for pair in home if pair.key in kept]
            del home[:]
            home.extend(left)
    assert cut == made


def test_bodies_of_logs_are_cut() -> None:
    """Body and what no list names; severity, event name, ids and times stay."""
    made = ExportLogsServiceRequest()
    record = made.resource_logs.add().scope_logs.add().log_records.add(
        time_unix_nano=1, observed_time_unix_nano=2, severity_number=9, severity_text="INFO", event_name="gen_ai.evaluation.result",
        trace_id=b"\x01" * 16, span_id=b"\x02" * 8, flags=1,
    )  # fmt: skip
    record.body.string_value = SECRET
    record.attributes.add(key="gen_ai.evaluation.name").value.string_value = "judge"
    record.attributes.add(key="gen_ai.evaluation.explanation").value.string_value = SECRET
    cut = redacted_logs(made.SerializeToString(), Allowed(DEFAULTS))
    record.ClearField("body")
    del record.attributes[1]
    assert ExportLogsServiceRequest.FromString(cut) == made


def _field(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((number << 3 | 2, len(body))) + body


@pytest.mark.parametrize(
    "pair",
    [
        _field(1, b"service.name") + _field(1, b"content") + _field(2, _field(1, SECRET.encode())),  # the second key wins
        _field(2, _field(1, SECRET.encode())) + _field(1, b"content"),  # value, then key
        _field(2, _field(1, SECRET.encode())),  # no key
        _field(1, b"service.name") + _field(2, _field(1, b"bot")) + _field(9, SECRET.encode()),  # a field that nobody knows
        _field(1, b"service.name") + _field(1, b"service.name") + _field(9, SECRET.encode()) + _field(2, _field(1, b"x")),
        _field(1, b"c" * 100 + b"ontent") + _field(2, _field(1, SECRET.encode())),
        b"",
    ],
)
def test_a_pair_that_is_written_in_another_way_hides_nothing(pair: bytes) -> None:
    """What a parser would read as a key that is not allowed is gone, however it is written."""
    one = (
        _field(1, b"\x01" * 16) + _field(9, pair)
        if len(pair) < 110
        else b"\x4a" + bytes((len(pair) & 127 | 128, len(pair) >> 7)) + pair
    )
    size = bytes((len(one) & 127 | 128, len(one) >> 7))
    spans = b"\x12" + size + one
    scopes = b"\x12" + bytes((len(spans) & 127 | 128, len(spans) >> 7)) + spans
    request = b"\x0a" + bytes((len(scopes) & 127 | 128, len(scopes) >> 7)) + scopes
    assert SECRET.encode() not in redacted_traces(request, Allowed(DEFAULTS))
    assert SECRET.encode() in request or not pair


def test_a_field_that_otlp_does_not_have_yet_is_cut() -> None:
    """Nobody can say that it holds no text."""
    given_ = _everywhere().SerializeToString() + _field(9, SECRET.encode())
    assert SECRET.encode() not in redacted_traces(given_, Allowed(DEFAULTS))


def test_the_answers_that_are_remembered_are_bounded() -> None:
    """A million keys are decided, and few are kept."""
    allowed = Allowed(["a.*"])
    for n in range(20_000):
        key = f"a.{n}".encode()
        assert allowed[b"\x0a" + bytes((len(key),)) + key]
    assert len(allowed) <= 4096


def test_the_defaults_allow_our_names_and_no_content() -> None:
    """What truegreen writes itself is words and numbers; what the conventions call messages, instructions, arguments, results is not there."""
    allowed = Allowed(DEFAULTS)
    assert all(allowed.key(one.name.replace("<name>", "groundedness").encode()) for one in attribute_table.TABLE)
    content = (
        "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
        "gen_ai.tool.definitions", "gen_ai.tool.description", "gen_ai.agent.description", "gen_ai.retrieval.documents",
        "gen_ai.retrieval.query.text", "gen_ai.evaluation.explanation", "gen_ai.prompt", "gen_ai.completion", "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content", "input.value", "output.value", "llm.input_messages.0.message.content", "llm.prompts",
        "traceloop.entity.input", "traceloop.entity.output", "langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input",
        "retrieval.documents.0.document.content", "exception.message", "exception.stacktrace", "db.query.text", "db.statement", "url.full",
        "user.id", "session.id", "gen_ai.conversation.id", "enduser.id", "process.command_line", "process.command_args", "http.request.header.authorization",
    )  # fmt: skip
    assert [key for key in content if allowed.key(key.encode())] == []


def test_the_page_names_every_reason_and_every_beginning() -> None:
    """docs/forwarding.md has a row for each reason of a loss."""
    page = (Path(__file__).parents[2] / "docs" / "forwarding.md").read_text()
    assert [reason for reason in verdicts.LOSSES if f"`{reason}`" not in page] == []
    code = {*verdicts.GRPC_RETRIED, *map(str, verdicts.HTTP_RETRIED)}
    assert [word for word in code if word not in page] == []
