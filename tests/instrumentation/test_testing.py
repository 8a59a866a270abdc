"""What `truegreen.instrumentation.testing` says of spans: true sentences pass, false ones say what was expected, what was found and what came near."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status, StatusCode

from truegreen.core.words.calibration import Calibration, file_name, to_text
from truegreen.instrumentation import answer, retrieval, snapshot, traffic
from truegreen.instrumentation.seen import Seen
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import Captured, FakeEvaluator, captured

SECRET = "The secret é of the ZEBRA"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.response.model": "gpt-x-0613"}
RECORDED = Path(__file__).parents[1] / "dialects" / "recorded"
QUANTILES = tuple(i / 100 for i in range(101))


def ask(seen, name="chat", **attributes):
    """One answer of an application, with all that it says."""
    with (
        seen.provider.get_tracer("my.app").start_as_current_span("request"),
        traffic(cohort="gold"),
        snapshot.use(prompt="support@3"),
    ):
        retrieval(documents=["a passage"], data_source="kb")
        with seen.provider.get_tracer("my.app").start_as_current_span(name, attributes={**CALL, **attributes}):
            answer(query="q", answer=SECRET)


def says(sentence, *parts):
    """The sentence is false, and what it says has these parts."""
    with pytest.raises(AssertionError) as raised:
        sentence()
    for part in parts:
        assert part in str(raised.value)
    assert "ZEBRA" not in str(raised.value).partition("found")[2]


@pytest.fixture
def folder(tmp_path):
    """Calibrations for groundedness."""
    made = Calibration(
        "app", "unknown", "groundedness", "fake", "relative", 0.5, QUANTILES, 0.05, 1.0, 600, "2026-01-01T00:00:00Z"
    )
    (tmp_path / file_name("app", "unknown", "groundedness")).write_text(to_text(made))
    return tmp_path


def test_true_sentences_follow_each_other(folder):
    """As the example at the top of the module has them."""
    with captured(Settings(calibration=folder), evaluator=FakeEvaluator()) as seen:
        ask(seen)
    seen.counts_one_call().exports_no_text("ZEBRA", SECRET)
    found = seen.answer().was_asked_of("gpt-x").was_served_by("gpt-x-0613").passed("groundedness").has_cohort("gold")
    found.in_snapshot(prompt="support@3", model="gpt-x-0613").has("truegreen.dialect", "manual").has_no(
        "truegreen.duplicate"
    ).was_marked()
    assert found.field("request_model") == "gpt-x"
    assert isinstance(seen, Captured)


def test_false_sentences_say_what_was_found_and_what_came_near(folder):
    """Each of them."""
    with captured(Settings(calibration=folder), evaluator=FakeEvaluator(raw=0.1)) as seen:
        ask(seen)
    found = seen.answer()
    says(lambda: found.was_served_by("gpt-y"), "'chat'", "'gpt-y'", "asked of 'gpt-x', served by 'gpt-x-0613'")
    says(lambda: found.was_asked_of("gpt-y"), "request to 'gpt-y'", "asked of 'gpt-x'")
    says(lambda: found.passed("groundedness"), "groundedness label 'pass'", "'label': 'fail'", "'raw': 0.1")
    says(lambda: found.passed("tone"), "tone label 'pass'", "nothing of it", "groundedness")
    says(lambda: found.was_skipped("no_context"), "skipped 'no_context'", "'label': 'fail'")
    says(lambda: found.has_cohort("free"), "truegreen.cohort = 'free'", "'gold'")
    says(lambda: found.has("truegreen.cohrot", "gold"), "no such attribute; nearest", "truegreen.cohort = 'gold'")
    says(lambda: found.has_no("truegreen.cohort"), "no attribute truegreen.cohort*", "'gold'")
    says(lambda: found.in_snapshot(prompt="support@4"), "'prompt': 'support@4'", "'truegreen.version.prompt': 'support@3'")
    says(lambda: found.was_marked("refusal"), "('refusal',)", "()")
    says(found.was_not_judged, "no evaluation", "truegreen.evaluation.groundedness.raw")
    says(
        lambda: seen.counts_calls(2),
        "expected 2 counted calls, found 1",
        "'chat' of my.app (counted)",
        "'request' of my.app (no GenAI span)",
    )
    found.failed("groundedness")


def test_a_call_that_is_not_there_is_said_with_what_is():
    """A duplicate, a failure and a retrieval are there, and none of them answered."""
    with captured() as seen:
        tracer = seen.provider.get_tracer("my.app")
        retrieval(documents=["p"], data_source="kb")
        with tracer.start_as_current_span("outer", attributes=CALL) as outer:
            tracer.start_span("inner", attributes=CALL).end()
            outer.set_status(Status(StatusCode.ERROR))
        says(
            seen.answer,
            "expected an answer",
            "'inner' of my.app (duplicate)",
            "'outer' of my.app (counted)",
            "(operation retrieval)",
        )
        says(lambda: seen.llm_span("other"), "a counted call of a model named other*", "'inner' of my.app (duplicate)")
        with pytest.raises(LookupError, match=re.escape("no span 'x' among ['retrieval kb', 'inner', 'outer']")):
            seen.span("x")
        seen.llm_span("outer").was_not_judged()


def test_an_empty_capture_proves_nothing():
    """A test that exported no span did not show that no text is exported."""
    with captured() as seen:
        says(lambda: seen.exports_no_text("x"), "no span at all")
        says(seen.llm_span, "no span at all")


@pytest.mark.parametrize("where", ["attribute", "json", "event", "name"])
def test_a_text_that_is_exported_is_found_wherever_it_is(where):
    """The failure names the place and shows no more of the text."""
    with captured() as seen, seen.provider.get_tracer("x").start_as_current_span(SECRET if where == "name" else "chat") as span:
        if where == "attribute":
            span.set_attribute("app.note", f"--{SECRET}--")
        elif where == "json":
            span.set_attribute("app.note", '{"a": "The secret \\u00e9 of the ZEBRA"}')
        elif where == "event":
            span.add_event("said", {"app.note": SECRET})
    place = {"attribute": "app.note of span 'chat'", "event": "app.note of event 'said' of span 'chat'"}.get(where, "a name")
    with pytest.raises(AssertionError, match=re.escape(place)):
        seen.exports_no_text(SECRET)
    seen.exports_no_text("another text")


def test_a_verdict_that_comes_later_as_an_event_is_one_of_the_span(folder):
    """Evaluators in the background are waited for, and the event's text is searched as the spans' is."""
    settings = Settings(calibration=folder, rate=1.0, evaluations={"groundedness": {"background": True}})
    with captured(settings, evaluator=FakeEvaluator()) as seen:
        ask(seen)
        ask(seen, "chat again")
        [first, second] = seen.events
        found = seen.answer("chat again").passed("groundedness")
        says(lambda: found.failed("groundedness"), "'label': 'pass'")
        seen.exports_no_text("ZEBRA")
    assert (first.name, second.name) == ("gen_ai.evaluation.result",) * 2
    assert first.span_id != second.span_id == found.span.context.span_id
    assert not any(name.endswith(".label") for name in found.attributes)


def test_nothing_of_the_capture_stays(folder):
    """Neither the evaluator nor the processor, nor one capture in the next."""
    fake = FakeEvaluator()
    with captured(Settings(calibration=folder), evaluator=fake) as first:
        ask(first)
    with captured(Settings(calibration=folder)) as second:
        ask(second)
        second.counts_one_call()
    first.counts_one_call()
    assert len(fake.samples) == 1
    ask(first)
    assert len(fake.samples) == 1


@pytest.mark.parametrize("driver", ["genai_openai", "langfuse_openai", "openinference_openai", "traceloop_openai"])
def test_a_field_is_read_from_events_and_times_too(driver):
    """A stream of each dialect as it was recorded: the first piece came after a quarter of a second, wherever that is noted."""
    (span,) = json.loads((RECORDED / f"{driver}.json").read_text())["cases"]["chat_stream"]
    seen = Seen(
        ReadableSpan(
            span["name"],
            attributes=span["attributes"],
            events=[Event(event["name"], event["attributes"], event["time"]) for event in span["events"]],
            start_time=span["start"],
            instrumentation_scope=InstrumentationScope(span["scope"]["name"]),
        )
    )
    assert seen.field("time_to_first_chunk") == 0.25
