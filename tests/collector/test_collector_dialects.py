"""A dialect is added once, in the table: the instrumentation and the collector both read it from there."""

from __future__ import annotations

import json

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from otlp_requests import HOLD, INTERVAL, Clock, events, shown, span, total, traces

from truegreen.collector import aliases
from truegreen.collector.commands import explained
from truegreen.collector.processor import Processor
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, dialects, normalise
from truegreen.core.words.dialects import NUMBER, TEXTS, Dialect, Source
from truegreen.instrumentation import answer, evaluate
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator, captured

ACME = Dialect(
    "acme",
    ("acme.sdk",),
    ("acme.kind",),
    {
        "operation": (Source("acme.kind"),),
        "request_model": (Source("acme.model"), Source("acme.model.old")),
        "input_tokens": (Source("acme.tokens.in", NUMBER),),
        "finish_reasons": (Source("acme.stop", TEXTS),),
        "user": (Source("acme.user"),),
        "provider": (Source("acme.vendor", values={"OAI": "openai"}),),
        "output_tokens": (Source("acme.usage", NUMBER, path=("out",)),),
        "agent": (Source("acme.agent.*.name", TEXTS), Source("", kind=dialects.SPAN_NAME)),
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
        assert not [name for name in seen.attributes("call") if name.startswith("gen_ai.")]
        processor.traces(encode_spans(seen.spans).SerializeToString())
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_TOKENS, type="input") == {("acme-large", "input"): [7]}
    assert total(processor, catalogue.LLM_REQUESTS, operation="chat", model="acme-large", outcome="ok") == 1
    assert total(processor, catalogue.LLM_FINISHES, model="acme-large", reason="stop") == 1
    assert total(processor, catalogue.ANSWERS, model="acme-large") == 1
    assert total(processor, catalogue.EVALUATIONS, model="acme-large", reason="no_context") == 1


def test_evidence_and_events_are_read_by_the_names_of_the_dialect_too(clock: Clock) -> None:
    """Not the compiled look-ups alone: affected users of a failing answer, and the model of an evaluation event."""
    processor = Processor(clock, INTERVAL)
    judged = {names.evaluation("tone", "label"): "fail", names.EVALUATION_SAMPLED: "base"}
    processor.traces(traces([span(CALL | judged), span(CALL | judged | {"acme.user": "u2"})]))
    assert shown(processor, catalogue.AFFECTED_USERS)["tone",][0] == 2
    processor.logs(events([{"gen_ai.evaluation.name": "later", "gen_ai.evaluation.score.label": "fail", "acme.model.old": "m"}]))
    clock.advance(HOLD)
    assert total(processor, catalogue.EVALUATIONS, evaluation="later", model="m") == 1


def test_the_conventional_name_wins_over_the_name_of_a_dialect(clock: Clock) -> None:
    """An alias is tried only where the attribute is missing."""
    processor = Processor(clock, INTERVAL)
    processor.traces(traces([span(CALL | {names.REQUEST_MODEL: "the-model"})]))
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_TOKENS, type="input") == {("the-model", "input"): [7]}


def test_only_a_source_that_is_a_name_for_a_name_becomes_an_alias() -> None:
    """Mapped values, JSON paths, indexes, span names and unquoted texts give none; several names stay in order."""
    assert aliases.of([ACME]) == {
        names.OPERATION_NAME: ("acme.kind",),
        names.REQUEST_MODEL: ("acme.model", "acme.model.old"),
        names.INPUT_TOKENS: ("acme.tokens.in",),
        names.FINISH_REASONS: ("acme.stop",),
        names.USER_ID: ("acme.user",),
    }


def test_explain_source_shows_the_look_ups_of_the_table() -> None:
    """What a running collector does, with the same aliases."""
    assert "g('gen_ai.request.model') or g('acme.model') or g('acme.model.old')" in explained("source", False)
