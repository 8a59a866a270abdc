"""Guardrails, tasks, feedback, escalations and downstream records: as blocks, decorators and later words, and what the collector makes of them."""

from __future__ import annotations

import asyncio

import pytest
from agent_world import measured
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from truegreen.instrumentation import downstream, escalation, failures, feedback, guardrail, guardrail_review, task, traffic
from truegreen.instrumentation.testing import captured


@pytest.fixture
def seen():
    """What is seen."""
    with captured() as found:
        yield found


class Refused(Exception):
    """What a guardrail raises."""


# --- guardrail ---


@pytest.mark.parametrize(
    ("result", "action"),
    [(True, "allow"), (None, "allow"), (False, "block"), ("redact", "redact"), ("flag", "flag"), ("the cleaned text", "allow"), (0, "allow"), (Refused(), "block")],
)  # fmt: skip
def test_what_a_decorated_guardrail_returns_or_raises_decides(seen, result, action):
    """The application gets the same."""

    @guardrail("pii", stage="input")
    def check(text):
        if isinstance(result, Exception):
            raise result
        return result

    try:
        assert check("ZEBRA") is result
    except Refused as error:
        assert error is result
    assert measured(seen.spans)["truegreen_guardrail_decisions_total"] == {("pii", "input", action): [1]}
    assert "ZEBRA" not in "".join(span.to_json() for span in seen.spans)


def test_a_guardrail_with_a_result_of_its_own_form_says_how_to_read_it(seen):
    """`decide` gives whether it passes, or an action."""

    @guardrail("toxicity", decide=lambda verdict: verdict["score"] < 0.5)
    async def check(score):
        return {"score": score}

    asyncio.run(check(0.9))
    asyncio.run(check(0.1))
    assert measured(seen.spans)["truegreen_guardrail_decisions_total"] == {
        ("toxicity", "output", "block"): [1],
        ("toxicity", "output", "allow"): [1],
    }


def test_a_guardrail_as_block_and_as_call(seen, caplog):
    """The block times the check; the call records a decision that was made elsewhere."""
    with guardrail("pii") as check:
        check.action("redact")
    with guardrail("pii"):
        pass
    guardrail("pii", action="block")
    guardrail("pii", "output", "flag")
    guardrail("pii", action="maybe")
    assert measured(seen.spans)["truegreen_guardrail_decisions_total"] == {
        ("pii", "output", action): [1] for action in ("redact", "allow", "block", "flag", "other")
    }
    assert "'maybe' is not one of allow, block, redact, flag" in caplog.text


def test_a_review_comes_later_and_names_the_decision(seen, caplog):
    """It is counted as a review, not as a decision, and is linked."""
    with guardrail("pii") as check:
        check.action("block")
        decision = trace.get_current_span().get_span_context()
    guardrail_review("pii", "false_positive", of=decision)
    guardrail_review("pii", "perhaps")
    exposed = measured(seen.spans)
    assert exposed["truegreen_guardrail_decisions_total"] == {("pii", "output", "block"): [1]}
    assert exposed["truegreen_guardrail_reviews_total"] == {("pii", "false_positive"): [1], ("pii", "other"): [1]}
    assert [link.context.span_id for span in seen.spans for link in span.links] == [decision.span_id]
    assert "'perhaps' is not one of" in caplog.text


# --- tasks ---


def test_a_task_ends_as_its_block_does(seen):
    """Completed, failed, abandoned, escalated: one span for each, and an escalation for the last."""
    with task("refund"):
        pass
    with pytest.raises(KeyError), task("refund"):
        raise KeyError
    with pytest.raises(asyncio.CancelledError), task("refund"):
        raise asyncio.CancelledError
    with task("refund") as one:
        one.escalated("asked_for_a_person")
    with task("refund") as one:
        one.abandoned()
    with task("refund") as one:
        one.failed()
    exposed = measured(seen.spans)
    counted = {outcome: numbers for (_, outcome), numbers in exposed["truegreen_tasks_total"].items()}
    assert counted == {"completed": [1], "failed": [2], "abandoned": [2], "escalated": [1]}
    assert exposed["truegreen_escalations_total"] == {("refund", "asked_for_a_person"): [1]}


def test_what_is_said_within_a_task_carries_its_name(seen):
    """And within a decorated coroutine."""

    @task("refund")
    async def refund():
        feedback(1)
        feedback(-0.5)
        feedback(False)
        escalation("no_answer")
        downstream(valid=False)

    asyncio.run(refund())
    feedback(0, task="chat")
    downstream(valid=True)
    exposed = measured(seen.spans)
    assert exposed["truegreen_feedback_total"] == {
        ("refund", "positive"): [1],
        ("refund", "negative"): [2],
        ("chat", "neutral"): [1],
    }
    assert exposed["truegreen_escalations_total"] == {("refund", "no_answer"): [1]}
    assert exposed["truegreen_downstream_records_total"] == {("refund", "invalid"): [1], ("unknown", "valid"): [1]}


def test_feedback_of_another_process_names_its_answer_in_any_form(seen):
    """A traceparent, ids in hex, a span, its context."""
    with seen.provider.get_tracer("app").start_as_current_span("answer") as span:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
    context = span.get_span_context()
    ids = (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    for of in (carrier["traceparent"], ids, span, context):
        feedback(1, of=of)
    links = [link.context for one in seen.spans for link in one.links]
    assert [(link.trace_id, link.span_id) for link in links] == [(context.trace_id, context.span_id)] * 4


@pytest.mark.parametrize("of", ["", "nonsense", "00-0-0-01", ("x", "y"), ("a",), 7, object()])
def test_a_name_of_nothing_is_told_and_the_feedback_still_counts(seen, caplog, of):
    """Nothing is raised."""
    feedback(1, of=of)
    assert measured(seen.spans)["truegreen_feedback_total"] == {("unknown", "positive"): [1]}
    assert "does not name a span" in caplog.text


@pytest.mark.parametrize("score", [float("nan"), float("inf"), None, "good", [], 10**400])
def test_a_score_that_is_no_number_is_told_and_not_counted(seen, caplog, score):
    """A feedback service must not go down with it."""
    feedback(score)
    assert seen.spans == ()
    assert "is not a finite number" in caplog.text


def test_no_gen_ai_attribute_is_on_these_spans(seen):
    """Langfuse exports what has one; they carry session and cohort of the block around."""
    with traffic(session_id="s", cohort="gold"), task("refund"):
        feedback(1)
        guardrail("pii", action="allow")
    for span in seen.spans:
        assert not [name for name in span.attributes if name.startswith("gen_ai.")]
        assert span.attributes["truegreen.cohort"] == "gold"
    assert failures.counted() == {}
