"""The real OpenAI SDK and its real instrumentation against a local server: what lands on the spans, and what does not."""

from __future__ import annotations

import asyncio
import json
import threading

import openai
import pytest
from openai_server import ANSWER, SERVED
from opentelemetry import context as otel

from truegreen.core.words.calibration import Calibration, file_name, to_text
from truegreen.instrumentation import failures, retrieval, snapshot, traffic
from truegreen.instrumentation.settings import Settings

DOC = {"text": "Unopened items can be returned within 30 days. ZEBRA-PASSAGE", "score": 0.81, "id": "returns"}


def _in_trace(seen):
    return seen.provider.get_tracer("app").start_as_current_span("request")


def _calibration(floor=0.5):
    return Calibration(
        "app",
        "unknown",
        "groundedness",
        "fake",
        "relative",
        floor,
        tuple(i / 100 for i in range(101)),
        0.05,
        1.0,
        600,
        "2026-01-01T00:00:00Z",
    )


def test_an_answer_gets_snapshot_traffic_and_evaluation(app, ask, fake, tmp_path):
    """One call with everything around it."""
    (tmp_path / file_name("app", "unknown", "groundedness")).write_text(to_text(_calibration()))
    seen, client = app(settings=Settings(calibration=tmp_path, snapshot={"guardrail": "g1"}))
    with (
        _in_trace(seen),
        traffic(session_id="s1", user_id="u1", cohort="gold"),
        snapshot.use(prompt="support@3", retrieval_index="kb@7"),
    ):
        retrieval(documents=[DOC], data_source="kb", query="returns?", floor=0.9)
        assert ask(client).choices[0].message.content == ANSWER
    got = seen.attributes("chat")
    expected = {
        "session.id": "s1", "user.id": "u1", "truegreen.cohort": "gold", "truegreen.dialect": "genai",
        "truegreen.version.prompt": "support@3", "truegreen.version.retrieval_index": "kb@7", "truegreen.version.guardrail": "g1",
        "truegreen.version.model": SERVED, "truegreen.prompt.template": "support@3", "truegreen.evaluation.sampled": "base",
        "truegreen.evaluation.groundedness.raw": 0.9, "truegreen.evaluation.groundedness.label": "pass",
        "truegreen.evaluation.groundedness.score": 0.9, "truegreen.evaluation.groundedness.evaluator": "fake",
        "truegreen.evaluation.groundedness.scale": "relative", "truegreen.evaluation.groundedness.calibration": _calibration().digest,
    }  # fmt: skip
    assert {k: got.get(k) for k in expected} == expected
    assert len(got["truegreen.snapshot.id"]) == 12
    assert "truegreen.evaluation.groundedness.skipped" not in got
    sample = fake.samples[0]
    assert (sample.query, sample.answer, sample.passages, sample.model) == ("returns?", ANSWER, (DOC["text"],), "support-large")
    found = seen.attributes("retrieval kb")
    assert found["truegreen.retrieval.documents.count"] == 1
    assert found["truegreen.retrieval.relevance.below_floor"] == 1
    assert failures.counted() == {}


@pytest.mark.parametrize("streamed", [False, True])
def test_no_text_of_prompt_answer_or_passage_is_exported(app, ask, fake, streamed):
    """Every byte that an OTLP exporter would send, streamed or not."""
    seen, client = app()
    with _in_trace(seen), traffic(session_id="s1"):
        with retrieval(data_source="kb", query="ZEBRA-SEARCH") as found:
            found.documents([DOC])
        result = ask(client, stream=streamed)
        if streamed:
            assert "".join(c.choices[0].delta.content or "" for c in result) == ANSWER
    seen.counts_one_call().exports_no_text("ZEBRA")
    assert fake.samples[0].answer == ANSWER
    assert seen.attributes("chat")["truegreen.evaluation.groundedness.raw"] == 0.9


def test_captured_content_stays_where_the_user_put_it_and_is_evaluated(app, ask, fake, monkeypatch):
    """With capture on, the content attributes are the library's own; ours carry no text all the same."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "none-of-ours")
    seen, client = app()
    with _in_trace(seen):
        retrieval(documents=[DOC], data_source="kb")
        ask(client)
    got = seen.attributes("chat")
    assert "ZEBRA-ANSWER" in got["gen_ai.output.messages"]
    assert not any("ZEBRA" in str(v) for k, v in got.items() if k.startswith("truegreen."))
    assert fake.samples[0].answer == ANSWER
    assert "ZEBRA-QUESTION" in fake.samples[0].query
    assert json.loads(seen.attributes("retrieval")["gen_ai.retrieval.documents"]) == [{"id": "returns", "score": 0.81}]


@pytest.mark.parametrize(("model", "kind"), [("error-429", openai.RateLimitError), ("error-500", openai.InternalServerError)])
def test_a_failed_call_raises_as_ever_and_is_no_answer(app, ask, fake, model, kind):
    """The application sees the SDK's own error."""
    seen, client = app()
    with pytest.raises(kind):
        ask(client, model)
    seen.llm_span("chat").in_snapshot(model=model).was_not_judged().was_marked()
    assert fake.samples == []


def test_a_step_that_only_calls_tools_is_no_answer(app, ask, fake):
    """Its finish is a tool call."""
    seen, client = app()
    ask(client, "tools")
    seen.llm_span("chat").was_not_judged().has_no("truegreen.evaluation")
    assert fake.samples == []


def test_truncated_and_empty_answers_are_marked(app, ask, fake):
    """By finish reason and by text."""
    seen, client = app()
    ask(client, "length")
    seen.answer("chat length").was_marked("truncated")
    ask(client, "empty")
    seen.answer("chat empty").was_marked("empty")


def test_an_answer_without_passages_is_skipped_and_said_once(app, ask, fake, caplog):
    """No context is no failure of the answer; the log says what to call."""
    seen, client = app()
    ask(client)
    ask(client)
    found = seen.answer().was_skipped("no_context").has("truegreen.evaluation.groundedness.evaluator", "fake")
    found.has_no("truegreen.evaluation.groundedness.raw")
    assert sum("retrieval(documents=" in r.getMessage() for r in caplog.records) == 1


def test_an_answer_without_a_baseline_has_its_raw_number_only(app, ask, fake, caplog, tmp_path):
    """And the log names the command that makes one, once."""
    seen, client = app(
        settings=Settings(calibration=tmp_path), resource={"service.name": "bot", "deployment.environment.name": "prod"}
    )
    for _ in range(2):
        with _in_trace(seen):
            retrieval(documents=[DOC])
            ask(client)
    found = seen.answer().was_skipped("no_baseline").has("truegreen.evaluation.groundedness.raw", 0.9)
    found.has_no("truegreen.evaluation.groundedness.label")
    assert sum("baseline take --service bot --environment prod" in r.getMessage() for r in caplog.records) == 1


def test_the_notice_of_a_missing_baseline_names_the_signal_to_take(app, ask, fake, caplog, tmp_path):
    """The command without it would freeze groundedness."""
    settings = Settings(calibration=tmp_path, evaluations={"tone": {}, "groundedness": {}})
    _, client = app(settings=settings, resource={"service.name": "bot", "deployment.environment.name": "prod"})
    ask(client)
    said = [r.getMessage() for r in caplog.records if "no baseline" in r.getMessage()]
    assert len(said) == 2
    assert "no baseline for bot/prod tone:" in said[0] and "--environment prod --signal tone --from URL" in said[0]
    assert "--signal" not in said[1]


def test_a_provider_that_serves_another_model_is_another_snapshot(app, ask, fake, server):
    """Under the same alias; a failed call in between stays with the model that served last."""
    seen, client = app()
    ask(client)
    first = seen.attributes("chat")["truegreen.snapshot.id"]
    server.served["support-large"] = "support-mini"
    ask(client)
    second = seen.attributes("chat")
    assert second["truegreen.version.model"] == "support-mini"
    assert second["truegreen.snapshot.id"] != first
    server.failing.add("support-large")
    with pytest.raises(openai.InternalServerError):
        ask(client)
    assert seen.attributes("chat")["truegreen.snapshot.id"] == second["truegreen.snapshot.id"]
    server.failing.clear()
    server.served["support-large"] = SERVED
    ask(client)
    assert seen.attributes("chat")["truegreen.snapshot.id"] == first


def test_the_context_reaches_tasks_and_threads_that_carry_it(app, ask, server):
    """asyncio carries it by itself, a thread when it is given the context."""
    seen, client = app()

    async def call(cohort):
        with traffic(cohort=cohort):
            await asyncio.sleep(0)
            async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as own:
                await ask(own, f"model-{cohort}")

    async def both():
        await asyncio.gather(call("a"), call("b"))

    asyncio.run(both())
    assert seen.attributes("chat model-a")["truegreen.cohort"] == "a"
    assert seen.attributes("chat model-b")["truegreen.cohort"] == "b"

    def work(carried):
        token = otel.attach(carried)
        ask(client, "model-thread")
        otel.detach(token)

    with traffic(cohort="thread"):
        thread = threading.Thread(target=work, args=(otel.get_current(),))
        thread.start()
        thread.join()
    assert seen.attributes("chat model-thread")["truegreen.cohort"] == "thread"


def test_retrieval_and_answer_meet_in_a_traffic_block_without_any_span(app, ask, fake):
    """An application that makes no spans has two traces there."""
    seen, client = app()
    with traffic(session_id="s"):
        retrieval(documents=["a passage"], data_source="kb")
        ask(client)
    assert fake.samples[0].passages == ("a passage",)
    with traffic(session_id="t"):
        ask(client)
    assert fake.samples[1].passages == ()
    assert len(seen.spans) == 3


def test_passages_are_forgotten_with_their_trace(app, ask, fake):
    """A later request does not see them, and memory does not grow."""
    from truegreen.instrumentation.shared import shared

    seen, client = app()
    for _ in range(3):
        with _in_trace(seen):
            retrieval(documents=["a passage"])
            ask(client)
        assert len(shared.store) == 0
    assert [s.passages for s in fake.samples] == [("a passage",)] * 3


def test_a_second_span_for_the_same_call_is_a_duplicate_and_is_not_evaluated(app, ask, fake):
    """By parent and child with one model."""
    seen, client = app()
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "support-large"}
    with seen.provider.get_tracer("another.library").start_as_current_span("outer", attributes=attributes):
        ask(client)
    seen.counts_one_call().llm_span("outer")
    assert len(fake.samples) == 1


def test_an_unnamed_prompt_gets_a_stable_name_without_its_text(app, ask, fake):
    """A digest of the system message."""
    seen, client = app()
    ask(client)
    ask(client, question="another")
    names = {s.attributes["truegreen.prompt.template"] for s in seen.spans if s.name.startswith("chat")}
    assert len(names) == 1
    assert names.pop().startswith("system:")


def test_the_sample_is_by_rate_and_a_boosted_answer_is_marked(app, ask, fake):
    """What is outside the base sample and asked for stays out of SLO counts."""
    seen, client = app(settings=Settings(rate=0.0))
    ask(client)
    assert seen.attributes("chat")["truegreen.evaluation.sampled"] == "none"
    assert fake.samples == []
    with traffic(boost=True):
        ask(client)
    assert seen.attributes("chat")["truegreen.evaluation.sampled"] == "boost"
    assert len(fake.samples) == 1


def test_without_any_span_or_block_the_next_answer_has_the_passages_and_the_one_after_has_not(app, ask, fake):
    """The shortest program: `retrieval(documents=...)`, then the call. A step that calls tools comes in between unharmed."""
    seen, client = app()
    retrieval(documents=["one"], data_source="kb")
    retrieval(documents=["two"], data_source="kb")
    ask(client, "tools")
    ask(client)
    ask(client)
    with retrieval(query="q") as found:
        found.documents(["three"])
    ask(client)
    assert [s.passages for s in fake.samples] == [("one", "two"), (), ("three",)]
    assert {s.parent for s in seen.spans} == {None}
