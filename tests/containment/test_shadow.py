"""Mirrored calls: in an environment of their own, judged like the users' calls, never in their way."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource

from truegreen import containment
from truegreen.collector.processor import Processor
from truegreen.containment import shadowing
from truegreen.core.words import catalogue
from truegreen.instrumentation import TruegreenInstrumentor, answer, failures, mirrored, retrieval, traffic
from truegreen.instrumentation.call import identity
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator, captured

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "old", "gen_ai.response.finish_reasons": ("stop",)}
HERE = {"deployment.environment.name": "prod", "service.name": "shop"}
WAIT = 20


@pytest.fixture(autouse=True)
def _pool(monkeypatch):
    pool = shadowing.Pool()
    monkeypatch.setattr(shadowing, "pool", pool)
    return pool


def _asker(seen):
    tracer, done = seen.provider.get_tracer("app"), threading.Semaphore(0)

    def ask(question, model):
        with tracer.start_as_current_span(f"chat {model}", attributes={**CHAT, "gen_ai.request.model": model}):
            answer(query=question, answer=f"an answer of {model}")
        if model == "new":
            done.release()
        return model

    return ask, done


@pytest.mark.parametrize("background", [False, True])
def test_both_are_judged_and_only_the_users_call_is_in_its_environment(background):
    """As the collector counts them: two environments, one answer and one verdict in each."""
    fake = FakeEvaluator()
    settings = Settings(evaluations={"groundedness": {"background": background}}, rate=1.0)
    with captured(settings, resource=HERE, evaluator=fake) as seen:
        ask, done = _asker(seen)
        with seen.provider.get_tracer("app").start_as_current_span("request"), traffic(session_id="s"):
            retrieval(documents=["a passage"])
            assert ask("q", "old") == "old"
            assert containment.shadow(ask, "q", model="new")
        assert done.acquire(timeout=WAIT)
        assert len(seen.events) == (2 if background else 0)
        now = [1_000.0]
        collector = Processor(lambda: now[0], 30.0)
        for _ in range(2):  # a series is born at 0, and counts from the second look on
            collector.traces(encode_spans(seen.spans).SerializeToString())
            if background:
                collector.logs(encode_logs(seen.log_exporter.get_finished_logs()).SerializeToString())
            now[0] += 120
    assert [(s.passages, s.answer) for s in fake.samples] == [
        (("a passage",), "an answer of old"), (("a passage",), "an answer of new"),
    ]  # fmt: skip
    request, old, new = (next(span for span in seen.spans if span.name == name) for name in ("request", "chat old", "chat new"))
    assert (new.context.trace_id, new.parent.span_id) == (old.context.trace_id, request.context.span_id)
    assert new.attributes["session.id"] == "s"
    assert _counted(collector, catalogue.LLM_REQUESTS, "model") == {("prod", "old"): 2, ("prod-shadow", "new"): 2}
    assert _counted(collector, catalogue.EVALUATIONS, "evaluation") == {
        ("prod", "groundedness"): 2,
        ("prod-shadow", "groundedness"): 2,
    }


def _counted(collector, metric, label):
    """Environment and a label's value to the number."""
    exposed = next(one for one in collector.copy() if one.metric is metric)
    at = [exposed.metric.labels.index(name) for name in ("environment", label)]
    found = {}
    for key, numbers in exposed.series.items():
        if numbers[0]:
            short = tuple(key[i] for i in at)
            found[short] = found.get(short, 0) + numbers[0]
    return found


def test_mirrored_answers_are_judged_by_the_baseline_of_the_users_environment():
    """They have none of their own; an environment that is not named has a name all the same."""
    about = Resource(HERE)
    apart = mirrored.apart(about)
    assert identity(apart) == identity(about) == ("shop", "prod")
    assert (mirrored.apart(about) is apart, mirrored.apart(apart) is apart) == (True, True)
    assert mirrored.apart(Resource({})).attributes["deployment.environment.name"] == "unknown-shadow"
    assert mirrored.apart(Resource({"deployment.environment": "old"})).attributes["deployment.environment.name"] == "old-shadow"


def test_it_is_dropped_when_too_many_wait_and_the_user_never_waits(_pool, caplog):
    """Each of the first 32 is made, the others are not."""
    gate, made = threading.Event(), []

    def slow(n):
        gate.wait(WAIT)
        made.append(n)

    with captured():
        taken = [containment.shadow(slow, n) for n in range(50)]
        assert taken == [True] * 32 + [False] * 18
        assert made == []
        gate.set()
        _until(lambda: _pool.pending == 0)
    assert sorted(made) == list(range(32))
    assert _pool.dropped == 18
    assert sum("mirrored calls wait or run" in r.getMessage() for r in caplog.records) == 1
    assert sum(t.name == "truegreen-shadow" for t in threading.enumerate()) >= 1


def test_what_it_raises_reaches_nobody_and_the_next_one_is_made(_pool, caplog):
    """Also what ends a thread."""
    made = threading.Event()

    def fails(error):
        raise error

    with captured():
        for error in (ValueError("ZEBRA prompt"), SystemExit(3), KeyboardInterrupt()):
            assert containment.shadow(fails, error)
        assert containment.shadow(made.set)
        assert made.wait(WAIT)
        _until(lambda: _pool.pending == 0)
    assert "ZEBRA" not in caplog.text
    assert failures.counted() == {}


def test_coroutines_are_tasks_of_the_running_loop_and_are_bounded_too(_pool):
    """With the stamps of their own context; a loop that ends gives their places back."""
    with captured(resource=HERE) as seen:
        tracer = seen.provider.get_tracer("app")

        async def ask(model):
            tracer.start_span(f"chat {model}", attributes=CHAT).end()
            await asyncio.sleep(0)
            trace.get_current_span()

        async def request():
            assert containment.shadow(ask, "new")
            tracer.start_span("chat old", attributes=CHAT).end()
            await asyncio.sleep(0.01)
            for _ in range(3):
                containment.shadow(ask, "late")

        asyncio.run(request())
        environments = {span.name: span.resource.attributes["deployment.environment.name"] for span in seen.spans}
    assert environments["chat old"] == "prod"
    assert environments["chat new"] == "prod-shadow"
    assert _pool.pending == 0


def test_nothing_is_mirrored_while_the_instrumentation_is_off(caplog):
    """Its spans would count as users' calls."""
    assert not TruegreenInstrumentor().is_instrumented_by_opentelemetry
    assert not containment.shadow(lambda: pytest.fail("it was called"))
    assert sum("no call is mirrored" in r.getMessage() for r in caplog.records) == 1


def test_a_forked_process_has_threads_of_its_own(_pool):
    """Those of its parent are not there."""
    first = threading.Event()
    with captured():
        assert containment.shadow(first.set)
        assert first.wait(WAIT)
        child = os.fork()
        if not child:
            code = 1
            try:
                made = threading.Event()
                code = 0 if containment.shadow(made.set) and made.wait(WAIT) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


def _until(holds):
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
