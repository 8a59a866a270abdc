"""Whatever breaks inside truegreen, the application gets its answer, and the failure is counted."""

from __future__ import annotations

import functools
import linecache
import logging
import os
import runpy
from importlib.metadata import entry_points
from importlib.util import find_spec

import everyday
import injection
import pytest
from openai_server import ANSWER
from opentelemetry.sdk.trace import TracerProvider

import truegreen.instrumentation
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import (
    TruegreenInstrumentor,
    answer,
    completion,
    environment,
    evaluate,
    failures,
    processor,
    retrieval,
    snapshot,
    stamp,
    traffic,
)
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.testing import FakeEvaluator

SECRET = "ZEBRA the prompt is in this error"


def _raise(*args, **kwargs):
    raise RuntimeError(SECRET)


@pytest.fixture
def lookups(monkeypatch):
    """The installed packages are looked at once: hundreds of starts follow."""
    for module in (environment, evaluate):
        monkeypatch.setattr(module, "entry_points", functools.cache(entry_points))


INIT = TracerProvider.__dict__["__init__"]


def _clean():
    """What a broken `uninstrument` of the run before has left is not there for the next one."""
    made = TruegreenInstrumentor()
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()
    TracerProvider.__init__ = INIT
    os.environ.pop(environment.HOOK, None)
    failures.reset()


@pytest.fixture(autouse=True)
def _left_clean():
    yield
    _clean()


def test_an_error_planted_in_any_function_or_statement_of_ours_leaves_the_application_whole(fake, lookups, caplog):
    """Hundreds of runs of the same day with one function raising, then, in those that no caller of ours guards, one statement after the other."""
    told, edges = injection.escapes(everyday.day, failures.counted, _clean)
    assert told == []
    assert {
        "processor.TruegreenSpanProcessor.on_start",
        "model.State.__call__",
        "completion.Hook.on_completion",
        "api.traffic",
    } <= edges
    assert "ZEBRA" not in caplog.text


def test_the_day_uses_every_public_name():
    """A name that is added must be added there: then the tests above and the one of the memory see it."""
    assert set(everyday.around()) | set(everyday.said()) | {"TruegreenInstrumentor"} == set(truegreen.instrumentation.__all__)


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("hook", "def on_start(self, span, parent_context=None):\n    self._start(span, get_current() if parent_context is None else parent_context)\n"),
        ("swallows", "def on_start(self, span, parent_context=None):\n    try:\n        self._start(span, get_current())\n    except Exception:\n        pass\n"),
    ],
)  # fmt: skip
def test_a_hook_without_a_guard_or_without_a_count_is_found(fake, lookups, monkeypatch, place, body, tmp_path):
    """Else the test above could not fail."""
    folder = tmp_path / place
    folder.mkdir()
    (folder / "planted.py").write_text("from opentelemetry.context import get_current\n" + body)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(injection, "FOLDERS", (injection.FOLDERS[0], folder))
    on_start = runpy.run_path(str(folder / "planted.py"))["on_start"]
    on_start.__module__ = processor.__name__
    linecache.checkcache()
    monkeypatch.setattr(processor.TruegreenSpanProcessor, "on_start", on_start)
    monkeypatch.setattr(injection, "modules", lambda: [processor])
    told, _ = injection.escapes(everyday.day, failures.counted, _clean)
    assert [line for line in told if "on_start" in line or "_start" in line], told


HOOK = pytest.mark.skipif(find_spec("opentelemetry.util.genai") is None, reason="no opentelemetry-util-genai for this SDK")


def _chats(seen):
    """The spans of calls of a model, whichever library made them."""
    return [s for s in seen.spans if s.name.startswith("chat") or (s.attributes or {}).get("openinference.span.kind") == "LLM"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "place", [(Enricher, "at_start"), (Enricher, "at_end"), (evaluate.Evaluators, "judge"), (completion, "Messages")]
)
def test_a_failure_at_a_hook_leaves_the_answer_of_the_real_sdk_intact(app, ask, fake, monkeypatch, caplog, place, streamed):
    """The log names the place and the type, never the message."""
    seen, client = app()
    with monkeypatch.context() as patch, traffic(cohort="gold"):
        patch.setattr(*place, _raise)
        result = ask(client, stream=streamed)
        text = (
            "".join(c.choices[0].delta.content or "" for c in result if c.choices)
            if streamed
            else result.choices[0].message.content
        )
    assert text == ANSWER
    assert len(_chats(seen)) == 1
    assert failures.counted() or place[0] is completion, "the planted failure was not reached"
    assert "ZEBRA" not in caplog.text


def test_an_evaluator_that_raises_is_an_error_and_the_call_is_whole(app, ask, monkeypatch):
    """Foreign code runs in there."""
    broken = FakeEvaluator(raw=RuntimeError(SECRET))
    monkeypatch.setattr(evaluate, "find", broken.find)
    seen, client = app()
    assert ask(client).choices[0].message.content == ANSWER
    assert _chats(seen)[0].attributes["truegreen.evaluation.groundedness.skipped"] == "error"
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


@HOOK
def test_a_failing_upload_hook_does_not_stop_ours(monkeypatch, app, ask, fake, tmp_path):
    """`upload` is chained when its base path is set; when it cannot be made we go on alone."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH", str(tmp_path))
    import opentelemetry.util.genai._upload as upload

    monkeypatch.setattr(upload, "upload_completion_hook", _raise)
    seen, client = app()
    ask(client)
    assert fake.samples[0].answer == ANSWER
    assert failures.counted() == {"upload hook": 1}


@HOOK
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
    assert len(_chats(seen)) == 1
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
        k.rpartition(".")[2]: v
        for k, v in _chats(seen)[0].attributes.items()
        if k.startswith("truegreen.evaluation.groundedness.")
    }
    assert got == {"sampled": "base", "evaluator": "fake", "skipped": "error"}
    assert failures.counted() == {"evaluator groundedness": 1}
