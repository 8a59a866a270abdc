"""Spans of libraries with names of their own get the conventions' names beside them: every backend reads one vocabulary."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import SpanLimits

from truegreen.core.words import attributes as names
from truegreen.core.words import dialects
from truegreen.core.words.dialects import CANONICAL, CONTENT_FIELDS
from truegreen.core.words.normalise import View, record, select
from truegreen.core.words.not_carried import DRIVERS
from truegreen.instrumentation import failures, normalised
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

sys.path.append(str(Path(__file__).parents[1] / "dialects"))

from replay import RECORDED, recorded, replay  # noqa: E402


@pytest.mark.parametrize("driver", sorted(path.stem for path in RECORDED.glob("*.json") if path.stem in DRIVERS))
def test_every_library_has_the_conventions_names_and_keeps_its_own(driver):
    """What its record says is there under the conventions' names, where the span lacked them; nothing is overwritten, no text is copied."""
    looked_at = 0
    for case, spans in recorded(driver).items():
        with captured(Settings()) as seen:
            replay(spans, seen.provider)
            for made in seen.spans:
                (source,) = [
                    s["attributes"] for s in spans if s["name"] == made.name and s["attributes"].items() <= _plain(made).items()
                ][:1]
                added = {k: v for k, v in made.attributes.items() if k not in source and not k.startswith("truegreen.")}
                dialect = select(made.instrumentation_scope.name, source)
                events = [(event.name, event.timestamp, event.attributes) for event in made.events]
                found = record(dialect, View(source, made.name, events, made.start_time)) if dialect else {}
                if dialect is None or dialect.canonical or found.get("operation") not in normalised.FIELDS:
                    assert not added, (case, made.name, added)
                    continue
                looked_at += 1
                wanted = {CANONICAL[field]: found[field] for field in normalised.FIELDS[found["operation"]] if field in found}
                for name, value in wanted.items():
                    assert _plain(made)[name] == source.get(name, list(value) if isinstance(value, tuple) else value), (
                        case,
                        name,
                    )
                content = {CANONICAL[field] for field in CONTENT_FIELDS}
                assert not content & set(added), (case, added)
    assert failures.counted() == {}
    canonical = {one.name for one in dialects.DIALECTS if one.canonical}
    assert looked_at or DRIVERS[driver].dialect in canonical


@pytest.mark.parametrize("kind", ["CHAIN", "PROMPT", "EVALUATOR", "GUARDRAIL", "RERANKER", "UNKNOWN"])
def test_a_span_that_is_no_operation_of_the_conventions_gets_none_of_their_names(kind):
    """Langfuse exports every span with a gen_ai attribute, and a stock collector would count it."""
    with captured(Settings()) as seen:
        span = seen.provider.get_tracer("openinference.instrumentation.langchain").start_span("x")
        span.set_attributes({"openinference.span.kind": kind, "llm.model_name": "m", "llm.system": "openai"})
        span.end()
        assert not [name for name in seen.attributes("x") if name.startswith("gen_ai.")]


@pytest.mark.parametrize("messages", [30, 64])
def test_a_full_span_gets_what_tells_the_call_and_no_more(messages):
    """Each attribute past the limit pushes out the oldest: the counts that the library wrote are worth more than their second name."""
    with captured(Settings(), limits=SpanLimits(max_span_attributes=128)) as seen:
        span = seen.provider.get_tracer("openinference.instrumentation.openai").start_span("x")
        for at in range(messages):
            span.set_attributes(
                {f"llm.input_messages.{at}.message.role": "user", f"llm.input_messages.{at}.message.content": "hi"}
            )
        span.set_attributes({"llm.invocation_parameters": '{"model": "m"}', "llm.system": "openai", "llm.token_count.prompt": 7})
        span.set_attribute("openinference.span.kind", "LLM")
        span.end()
        made = seen.attributes("x")
        assert (made[names.OPERATION_NAME], made[names.PROVIDER_NAME], made[names.REQUEST_MODEL]) == ("chat", "openai", "m")
        assert (names.INPUT_TOKENS in made) == (messages == 30)
        assert made["llm.token_count.prompt"] == 7
        assert made[names.SNAPSHOT_ID]


def test_half_a_character_in_a_librarys_json_can_be_exported():
    """Text that no exporter could encode is mended."""
    with captured(Settings()) as seen:
        span = seen.provider.get_tracer("openinference.instrumentation.openai").start_span("x")
        span.set_attributes({"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "a\\ud800", "b": 1}'})
        span.set_attribute("llm.input_messages.0.message.content", "a question")
        span.end()
        assert seen.attributes("x")[names.REQUEST_MODEL] == "a?"
        seen.exports_no_text("another question")


def _plain(span):
    return {name: list(value) if isinstance(value, tuple) else value for name, value in span.attributes.items()}
