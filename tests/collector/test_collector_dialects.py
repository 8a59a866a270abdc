"""A dialect is added once, in the table: the instrumentation and the collector both read it from there."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from collector_process import Running, until
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import HOLD, INTERVAL, Clock, judged, scoped, shown, span, total
from otlp_requests import value as value_of
from recorded_spans import as_otlp, moved

from truegreen.collector import aliases
from truegreen.collector.explain import explained
from truegreen.collector.processor import Processor
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, dialects, normalise
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.dialects import CANONICAL, FINISHES, NUMBER, Dialect, Source
from truegreen.core.words.not_carried import DRIVERS
from truegreen.instrumentation import answer, evaluate
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator, captured

sys.path.append(str(Path(__file__).parents[1] / "dialects"))

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import collector_recorded  # noqa: E402
import expected  # noqa: E402
import test_records  # noqa: E402

ACME = Dialect(
    "acme",
    ("acme.sdk",),
    ("acme.kind",),
    {
        "operation": (Source("acme.kind"),),
        "request_model": (Source("acme.model"), Source("acme.model.old")),
        "input_tokens": (Source("acme.tokens.in", NUMBER),),
        "finish_reasons": (Source("acme.stop", FINISHES),),
        "user": (Source("acme.user"),),
        "provider": (Source("acme.vendor", values={"OAI": "openai"}),),
        "output_tokens": (Source("acme.usage", NUMBER, path=("out",)),),
        "agent": (Source("acme.agent.*.name"), Source("", kind=dialects.SPAN_NAME)),
        "response_id": (Source("acme.id", dialects.UNQUOTED),),
    },
)
CALL = {
    "acme.kind": "chat",
    "acme.model": "acme-large",
    "acme.tokens.in": 7,
    "acme.stop": "stop",
    "acme.user": "u1",
    "acme.vendor": "OAI",
    "acme.usage": json.dumps({"out": 3}),
}


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has one dialect more."""
    monkeypatch.setattr(dialects, "DIALECTS", (*dialects.DIALECTS, ACME))
    monkeypatch.setitem(normalise.COMPILED, "acme", normalise.compile_(ACME))  # type: ignore[arg-type]  # a dict


def test_a_span_of_a_dialect_of_the_table_is_enriched_and_counted(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the application through OTLP to the series, without a line of code for it."""
    monkeypatch.setattr(evaluate, "find", FakeEvaluator().find)
    processor = Processor(clock, INTERVAL)
    with captured(Settings()) as seen:
        with seen.provider.get_tracer("acme.sdk.client").start_as_current_span("call", attributes=CALL):
            answer(query="q", answer="a")
        assert seen.attributes("call")["truegreen.dialect"] == "acme"
        assert seen.attributes("call")["gen_ai.request.model"] == "acme-large"
        processor.traces(encode_spans(seen.spans).SerializeToString())
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_TOKENS, type="input") == {("acme-large", "input"): [7]}
    assert total(processor, catalogue.LLM_REQUESTS, operation="chat", model="acme-large", outcome="ok") == 1
    assert total(processor, catalogue.LLM_FINISHES, model="acme-large", reason="stop") == 1
    assert total(processor, catalogue.ANSWERS, model="acme-large") == 1
    assert total(processor, catalogue.EVALUATIONS, model="acme-large", reason="no_context") == 1


def test_evidence_is_read_by_the_names_of_the_dialect_too(clock: Clock) -> None:
    """Not the labels alone: affected users of a failing answer."""
    processor = Processor(clock, INTERVAL)
    judged = {names.evaluation("tone", "label"): "fail", names.EVALUATION_SAMPLED: "base"}
    processor.traces(scoped("acme.sdk", [span(CALL | judged), span(CALL | judged | {"acme.user": "u2"})]))
    assert shown(processor, catalogue.AFFECTED_USERS)["tone",][0] == 2


def test_the_scope_decides_and_a_span_of_another_scope_is_left_alone(clock: Clock) -> None:
    """The names of a dialect mean nothing on the span of another library."""
    processor = Processor(clock, INTERVAL)
    processor.traces(scoped("opentelemetry.instrumentation.requests", [span(CALL)]))
    processor.traces(scoped("opentelemetry.instrumentation.genai.openai", [span(CALL)]))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS) == 0


def test_a_name_of_an_older_version_becomes_an_alias_of_the_conventions_name() -> None:
    """Of dialects that write the conventions' names, and only what a look-up by name can express."""
    found = aliases.of(dialects.DIALECTS)
    assert found[names.PROVIDER_NAME] == ("gen_ai.system",)
    assert found[names.INPUT_TOKENS] == ("gen_ai.usage.prompt_tokens",)
    assert aliases.of([ACME]) == {}
    assert aliases.of([replace(ACME, canonical=True)]) == {
        names.OPERATION_NAME: ("acme.kind",),
        names.REQUEST_MODEL: ("acme.model", "acme.model.old"),
        names.INPUT_TOKENS: ("acme.tokens.in",),
        names.USER_ID: ("acme.user",),
    }


def test_explain_source_shows_the_look_ups_of_the_table() -> None:
    """What a running collector does, with the same aliases."""
    assert "'gen_ai.provider.name' or 'gen_ai.system'" in explained("source", Catalogue(), False)


COUNTED = (
    catalogue.LLM_REQUESTS, catalogue.LLM_TOKENS, catalogue.LLM_FINISHES, catalogue.LLM_DURATION, catalogue.LLM_TIME_TO_FIRST_CHUNK,
    catalogue.RETRIEVALS, catalogue.TOOL_CALLS, catalogue.AGENT_RUNS, catalogue.MODEL_SERVED,
)  # fmt: skip
RECORDS = sorted(set(test_records.DRIVEN) - set(test_records.ALONE))


def canonical(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record in the conventions' names."""
    return {CANONICAL[f]: value for f, value in record.items() if f not in dialects.CONTENT_FIELDS and value is not None}


@pytest.mark.parametrize("driver", RECORDS)
def test_spans_of_every_library_give_the_series_that_the_conventions_names_give(driver: str, clock: Clock) -> None:
    """From applications that never met our instrumentation; what a library does not carry is left out on both sides."""
    raw, conventional = Processor(clock, INTERVAL), Processor(clock, INTERVAL)
    for case, spans in test_records.with_spans(driver).items():
        ordered = sorted(spans, key=lambda one: one["start"])
        records = [(one, test_records.read(one)[1]) for one in ordered]
        records = [(one, record) for one, record in records if record.get("operation")]
        wanted = expected.expectations(test_records.api_of(driver), case, [record for _, record in records])
        for one in ordered:
            raw.traces(scoped(one["scope"]["name"], [as_otlp(one, moved(one))]))
        for (one, found), want in zip(records, wanted, strict=True):
            own = DRIVERS[driver].left
            differs = set(test_records.differences(case, found, want))
            declared = {f for f in differs if any(test_records.covers(left, case, f, found) for left in own)}
            around = {f: found[f] for f in expected.AROUND if f in found}
            agreed = {f: value for f, value in want.items() if f not in declared} | around | {f: found.get(f) for f in declared}
            conventional.traces(
                scoped("opentelemetry.instrumentation.genai.x", [as_otlp(one | {"events": []}, canonical(agreed))])
            )
    clock.advance(HOLD)
    for metric in COUNTED:
        assert shown(raw, metric) == shown(conventional, metric), metric.prometheus
    assert total(raw, catalogue.LLM_REQUESTS) > 0


def test_libraries_agree_on_one_conversation(clock: Clock) -> None:
    """The case that all of them play, counted: the same requests, tokens and finishes."""
    counted = {}
    for driver in ("genai_openai", "traceloop_openai", "openinference_openai", "langsmith_openai"):
        processor = Processor(clock, INTERVAL)
        cases = test_records.load(driver)["cases"]
        for case in ("chat", "chat_truncated", "chat_async", "tools", "error_429", "error_500", "timeout", "embeddings"):
            for one in cases[case]:
                processor.traces(scoped(one["scope"]["name"], [as_otlp(one, one["attributes"])]))
        clock.advance(HOLD)
        tokens = {k: v for k, v in shown(processor, catalogue.LLM_TOKENS).items() if v != [0]}
        counted[driver] = [shown(processor, catalogue.LLM_REQUESTS), shown(processor, catalogue.LLM_FINISHES), tokens]
    assert all(one == counted["genai_openai"] for one in counted.values()), counted
    requests = counted["genai_openai"][0]
    assert requests["chat", "openai", "support-large", "throttled"] == [1]
    assert requests["chat", "openai", "support-large", "timeout"] == [1]
    assert counted["genai_openai"][1]["support-large", "tool_calls"] == [1]
    assert counted["genai_openai"][1]["support-large", "length"] == [1]


def test_a_span_that_stands_for_the_same_call_is_not_counted(clock: Clock) -> None:
    """Whatever dialect it is in."""
    processor = Processor(clock, INTERVAL)
    (one,) = test_records.load("openinference_openai")["cases"]["chat"]
    processor.traces(scoped(one["scope"]["name"], [as_otlp(one, one["attributes"] | {names.DUPLICATE: True})]))
    assert total(processor, catalogue.LLM_REQUESTS) == 0


def test_a_vocabulary_is_read_in_a_scope_that_no_dialect_names(clock: Clock) -> None:
    """OpenInference's own tracer in an application has the application's scope; beside it, spans that are nobody's."""
    processor = Processor(clock, INTERVAL)
    (one,) = test_records.load("openinference_openai")["cases"]["chat"]
    processor.traces(scoped("my.app", [as_otlp(one, one["attributes"]), span({"http.request.method": "GET"})]))
    processor.traces(scoped("", [as_otlp(one, one["attributes"])]))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS, model="support-large", outcome="ok") == 2


BOTH = {
    "openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "inferred"}', "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "conventional",
}  # fmt: skip
LANGFUSE = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "fused"}


@pytest.mark.parametrize(
    ("scope", "attributes", "dialect", "model"),
    [
        ("my.app", BOTH, "openinference", "inferred"),
        ("my.app", BOTH | LANGFUSE, "openinference", "inferred"),
        ("my.app", CALL | LANGFUSE | {"gen_ai.operation.name": "chat"}, "langfuse", "fused"),
        ("my.app", {k: v for k, v in BOTH.items() if k != "openinference.span.kind"}, "manual", "conventional"),
        ("opentelemetry.instrumentation.genai.openai", BOTH, "genai", "conventional"),
        ("langfuse-sdk", BOTH | LANGFUSE, "langfuse", "fused"),
        ("langfuse-sdk", BOTH, "manual", "conventional"),
        ("openinference.instrumentation.openai", LANGFUSE, None, None),
        ("my.app", {"http.request.method": "GET"}, None, None),
    ],
)
def test_a_span_of_two_vocabularies_is_read_alike_in_the_application_and_in_the_collector(
    scope: str, attributes: Mapping[str, Any], dialect: str | None, model: str | None, clock: Clock
) -> None:
    """The scope first, then the table's order: not which of the two happens to look."""
    processor = Processor(clock, INTERVAL)
    with captured(Settings()) as seen:
        with seen.provider.get_tracer(scope).start_as_current_span("call") as one:
            one.set_attributes(attributes)
        assert seen.attributes("call").get(names.DIALECT) == dialect
    processor.traces(scoped(scope, [span(attributes)]))
    clock.advance(HOLD)
    wanted = {("chat", "unknown", model, "ok"): [1]} if model else {}
    assert {k: v for k, v in shown(processor, catalogue.LLM_REQUESTS).items() if v != [0]} == wanted


def test_what_a_dialect_says_of_operation_and_provider_holds_against_the_conventions_names(clock: Clock) -> None:
    """LangSmith writes `langchain` as the system whoever answered, and a chain that carries its call's operation is no call."""
    processor = Processor(clock, INTERVAL)
    asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    for name in ("gen_ai.system", "gen_ai.provider.name"):
        processor.traces(scoped("langsmith", [span(asked | {"langsmith.span.kind": "llm", name: "langchain"})]))
    processor.traces(scoped("openinference.instrumentation.langchain", [span(asked | {"openinference.span.kind": "CHAIN"})]))
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_REQUESTS) == {("chat", "unknown", "m", "ok"): [2]}


def test_a_request_that_asks_no_model_is_no_call_of_one(clock: Clock) -> None:
    """OpenInference makes an `LLM` span of every request of the OpenAI SDK; a call that failed before its answer stays a call."""
    processor = Processor(clock, INTERVAL)
    cases = test_records.load("openinference_openai")["cases"]
    for case in ("vector_store_search", "error_429", "error_500", "timeout"):
        for one in cases[case]:
            processor.traces(scoped(one["scope"]["name"], [as_otlp(one, one["attributes"])]))
    deleted = {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.invocation_parameters": "{}",
        "output.value": '{"id": "f"}',
    }
    processor.traces(scoped("openinference.instrumentation.openai", [span(deleted)]))
    clock.advance(HOLD)
    outcomes = {labels[3]: number for labels, number in shown(processor, catalogue.LLM_REQUESTS).items()}
    assert outcomes == {"throttled": [1], "error": [1], "timeout": [1]}


def test_odd_values_in_a_dialects_attributes_do_not_stop_a_request(clock: Clock) -> None:
    """Wrong types, broken JSON, half characters, numbers past all bounds, an event that is none."""
    processor = Processor(clock, INTERVAL)
    kind = {"openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "user"}
    odd = [
        {"llm.invocation_parameters": '{"model": "\\ud800"}', "llm.token_count.prompt": float("nan")},
        {"llm.invocation_parameters": "[" * 100_000, "llm.finish_reason": [1, 2.5], "llm.system": ["openai"]},
        {"llm.invocation_parameters": 7, "output.value": '{"generations"', "llm.token_count.prompt": "11", "session.id": True},
        {"llm.token_count.completion": 1e308, "metadata": "{'a': ", "llm.model_name": ""},
    ]
    sent = [span(kind | one, error=True) for one in odd]
    sent[0].events.append(Span.Event(name="exception", attributes=span({"exception.type": 3}).attributes))
    processor.traces(scoped("openinference.instrumentation.openai", sent))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS) == len(odd)


def test_a_running_collector_reads_a_recorded_span(start: Callable[..., Running]) -> None:
    """Through the receiver of the real process."""
    collector = start("--scrape-interval", "10ms")
    (one,) = test_records.load("openinference_openai")["cases"]["chat"]
    collector.post(scoped(one["scope"]["name"], [as_otlp(one, one["attributes"])]))
    series = 'truegreen_llm_tokens_total{service="bot",environment="production",model="support-large",type="cached"} 3\n'
    until(lambda: series in collector.get("/metrics")[1], "the cached tokens are shown")


def varied(recorded: Mapping[str, Any], r: random.Random) -> Span:
    """A recorded span with other values: of another type now and then, empty, not finite, absent."""
    made = as_otlp(recorded, moved(recorded))
    for pair in list(made.attributes):
        value = pair.value
        if r.random() < 0.1:
            choice = r.choice(
                [value_of(""), value_of(7), value_of(2.5), value_of(math.inf), value_of("other"), value_of(True), None]
            )
            if choice is None:
                made.attributes.remove(pair)
            else:
                value.CopyFrom(choice)
        elif value.HasField("int_value"):
            value.int_value = r.randrange(5000)
    return made


@pytest.mark.parametrize("dialect", [one.name for one in dialects.DIALECTS if not one.canonical])
def test_spans_that_are_read_by_place_give_what_readers_give(dialect: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded spans with values of all kinds, judged and not: every series is the same as without the short way."""
    r = random.Random(dialect)
    played = collector_recorded.recorded()[dialect]
    requests = []
    for _ in range(400):
        one = r.choice(played)
        spans = [varied(one, r) for _ in range(3)]
        for each in spans[:2]:
            for key, given in judged("fail", user__id="u", session__id=f"s{r.randrange(5)}").items():
                if key.startswith("truegreen.") or r.random() < 0.1:
                    each.attributes.add(key=key).value.CopyFrom(value_of(given))
        requests.append(scoped(r.choice([one["scope"]["name"], "by.hand"]), spans))
    by_place = Processor(clock, INTERVAL)
    monkeypatch.setattr("truegreen.collector.processor.WAYS", 0)
    whole = Processor(clock, INTERVAL)
    for request in requests:
        monkeypatch.setattr("truegreen.collector.processor.WAYS", 32)
        by_place.traces(request)
        monkeypatch.setattr("truegreen.collector.processor.WAYS", 0)
        whole.traces(request)
        clock.advance(1)
    clock.advance(HOLD)
    for left, right in zip(by_place.copy(), whole.copy(), strict=True):
        assert left.series == approx(right.series), left.metric.prometheus
    assert any(
        ways
        for context in by_place.contexts.by_identity.values()
        for kind in context.translated.values()
        for ways in kind.values()
    )


def approx(cells: Mapping[tuple[str, ...], Sequence[float]]) -> Any:
    """Sums may differ in their last digits."""
    return {labels: pytest.approx(numbers, rel=1e-9, nan_ok=True) for labels, numbers in cells.items()}
