"""Whatever breaks inside truegreen, the application gets its answer, and the failure is counted."""

from __future__ import annotations

import logging

import pytest
from openai_server import ANSWER

from truegreen.core.words.shapes import Result
from truegreen.instrumentation import (
    answer,
    answers,
    api,
    call,
    completion,
    context,
    enrich,
    evaluate,
    failures,
    guardrail,
    processor,
    retrieval,
    retrievals,
    snapshot,
    stamp,
    traffic,
)
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.passages import Passages, Store
from truegreen.instrumentation.snapshot import Snapshots
from truegreen.instrumentation.testing import FakeEvaluator

SECRET = "ZEBRA the prompt is in this error"


def _raise(*args, **kwargs):
    raise RuntimeError(SECRET)


PLACES = [
    (Enricher, "at_start"), (Enricher, "at_end"), (Snapshots, "attributes"), (Snapshots, "served"), (Duplicates, "is_one"),
    (Calibrations, "get"), (Store, "add"), (Store, "of"), (Store, "drop"), (Passages, "add"), (Passages, "texts"),
    (enrich, "select"), (call, "read"), (answers, "markers"), (enrich, "text_of"), (answers, "identity"), (FakeEvaluator, "make"), (evaluate, "attributes"),
    (completion, "from_messages"), (completion, "state_of"), (context, "stamps"), (context, "_mapping"), (context, "request"), (processor, "get_current_span"),
    (snapshot, "version_of"), (retrievals, "relevance"), (api, "state_of"),
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p[0].__name__.rpartition('.')[2]}.{p[1]}")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_failure_at_any_hook_leaves_the_answer_intact(app, ask, fake, monkeypatch, caplog, place, streamed):
    """The same calls as ever, with one internal raising; the log names the place and the type, never the message."""
    seen, client = app()
    with monkeypatch.context() as patch:
        patch.setattr(*place, _raise)
        with (
            seen.provider.get_tracer("app").start_as_current_span("request"),
            traffic(cohort="gold"),
            snapshot.use(prompt="p@1"),
            stamp({"truegreen.x": 1}),
        ):
            retrieval(documents=[{"text": "p", "score": 0.5}])
            with retrieval(query="q") as found:
                found.documents(["p"])
            result = ask(client, stream=streamed)
            text = "".join(c.choices[0].delta.content or "" for c in result) if streamed else result.choices[0].message.content
            answer(answer="a")
            guardrail("pii", action="allow")
        with seen.provider.get_tracer("app").start_as_current_span("outside a traffic block"):
            assert ask(client, "second").choices[0].message.content == ANSWER
    assert text == ANSWER
    assert failures.counted(), "the planted failure was not reached"
    assert "ZEBRA" not in caplog.text
    assert [s.name for s in seen.spans if s.name.startswith("chat")] == ["chat support-large", "chat second"]


def test_an_evaluator_that_raises_is_an_error_and_the_call_is_whole(app, ask, monkeypatch):
    """Foreign code runs in there."""
    broken = FakeEvaluator(raw=RuntimeError(SECRET))
    monkeypatch.setattr(evaluate, "find", broken.find)
    seen, client = app()
    assert ask(client).choices[0].message.content == ANSWER
    assert seen.attributes("chat")["truegreen.evaluation.groundedness.skipped"] == "error"
    assert failures.counted() == {"evaluator groundedness": 1}


def test_an_exception_of_the_application_passes_through_every_block(app):
    """It is the application's own, and the retrieval's span says so."""
    seen, _ = app()
    with (
        pytest.raises(KeyError),
        traffic(cohort="c"),
        snapshot.use(prompt="p"),
        stamp({"truegreen.x": 1}),
        retrieval(data_source="kb"),
    ):
        raise KeyError(SECRET)
    got = seen.attributes("retrieval kb")
    assert got["error.type"] == "KeyError"
    assert "ZEBRA" not in str(seen.spans[-1].to_json())


def test_a_failing_upload_hook_does_not_stop_ours(monkeypatch, app, ask, fake, tmp_path):
    """`upload` is chained when its base path is set; when it cannot be made we go on alone."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH", str(tmp_path))
    import opentelemetry.util.genai._upload as upload

    monkeypatch.setattr(upload, "upload_completion_hook", _raise)
    seen, client = app()
    ask(client)
    assert fake.samples[0].answer == ANSWER
    assert failures.counted() == {"upload hook": 1}


def test_the_upload_hook_is_chained_when_its_base_path_is_set(monkeypatch, app, ask, fake):
    """util-genai takes one hook only."""
    calls = []

    class Upload:
        def on_completion(self, **kwargs):
            calls.append(sorted(kwargs))

    import opentelemetry.util.genai._upload as upload

    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH", "/somewhere")
    monkeypatch.setattr(upload, "upload_completion_hook", Upload)
    _, client = app()
    ask(client)
    assert calls == [["inputs", "log_record", "outputs", "span", "system_instruction", "tool_definitions"]]
    assert fake.samples[0].answer == ANSWER


class Raises:
    """An object of the application that cannot be turned into text."""

    def __str__(self):
        raise ValueError(SECRET)


def test_a_logging_filter_of_the_application_that_raises_costs_no_span(app, ask):
    """The notices go through the application's logging, whose parts are the application's."""
    seen, client = app()

    class Broken(logging.Filter):
        def filter(self, record):
            raise RuntimeError(SECRET)

    broken = Broken()
    logging.getLogger("truegreen").addFilter(broken)
    try:
        assert ask(client).choices[0].message.content == ANSWER
        answer(answer=None)
        retrieval(documents=5)
    finally:
        logging.getLogger("truegreen").removeFilter(broken)
    assert [s.name for s in seen.spans if s.name.startswith("chat")] == ["chat support-large"]
    assert failures.counted()["retrieval.documents"] == 1
    assert failures.counted()["logging"] >= 2


def test_a_span_ends_even_when_its_completion_is_cancelled(app, monkeypatch):
    """A cancellation is no Exception: it goes on to the application, after the end."""
    seen, _ = app()
    monkeypatch.setattr(Enricher, "at_end", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    span = seen.provider.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    with pytest.raises(KeyboardInterrupt):
        span.end()
    assert [s.name for s in seen.spans] == ["chat"]


def test_arguments_that_cannot_be_text_leave_the_blocks_usable(app):
    """What else was given is kept."""
    seen, _ = app()
    with traffic(user_id=Raises(), cohort="gold"):
        retrieval(documents=["p"], data_source=Raises())
    got = seen.attributes("retrieval")
    assert (got["truegreen.cohort"], got["truegreen.retrieval.documents.count"]) == ("gold", 1)
    assert failures.counted() == {"traffic": 1, "retrieval": 1}


@pytest.mark.parametrize(
    "wrong",
    [{"raw": float("nan")}, {"score": float("inf"), "raw": 0.5}, {"label": "maybe", "raw": 0.5}],
    ids=lambda w: next(iter(w)),
)
def test_a_result_that_no_floor_can_judge_is_an_error_and_never_a_pass(app, ask, monkeypatch, wrong):
    """A comparison with NaN is false: it would lie above every floor."""
    given = {"score": 0.5, "label": "pass", "scale": "relative", "calibration": "d" * 12, **wrong}
    monkeypatch.setattr(evaluate, "find", lambda name: lambda s, c: lambda sample: Result(name, "fake", **given))
    seen, client = app()
    ask(client)
    got = {
        k.rpartition(".")[2]: v for k, v in seen.attributes("chat").items() if k.startswith("truegreen.evaluation.groundedness.")
    }
    assert got == {"sampled": "base", "evaluator": "fake", "skipped": "error"}
    assert failures.counted() == {"evaluator groundedness": 1}
