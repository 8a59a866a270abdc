"""Evaluators that are slow, or become slow: what the span says, which event follows, and what the collector counts of both."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections import deque

import pytest
from opentelemetry import context as otel
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue
from truegreen.core.words.calibration import QUANTILES, Calibration, to_text
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate, events, failures, retrieval, snapshot, traffic
from truegreen.instrumentation import background as module
from truegreen.instrumentation.background import background
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator, captured
from truegreen.instrumentation.testing import _log_exporter as log_exporter

WAIT = 10.0
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.id": "r1"}
JUDGE = "truegreen.evaluation.judge."
SLOW = Settings(evaluations={"judge": {"background": True}}, rate=1.0)


def _result(**more):
    return Result(
        **{
            "evaluation": "judge",
            "evaluator": "judge-1",
            "raw": 0.4,
            "score": 0.4,
            "label": "fail",
            "scale": "calibrated",
            **more,
        }
    )


def _evaluator(monkeypatch, judge, **attributes):
    """`judge(sample)` is what every evaluation finds; attributes are those of its factory."""

    def make(settings, calibration):
        return judge

    for name, value in attributes.items():
        setattr(make, name, value)
    monkeypatch.setattr(evaluate, "find", lambda name: make)


def _ask(seen, name="chat", text="a", **attributes):
    with seen.provider.get_tracer("app").start_as_current_span(name, attributes={**CHAT, **attributes}):
        retrieval(documents=["passage"])
        answer(query="q", answer=text)
    return next(
        span.attributes for span in reversed(seen.spans) if span.name == name
    )  # without a look at the events, which waits


def _of(attributes, start=JUDGE):
    return {k.removeprefix(start): v for k, v in attributes.items() if k.startswith(start)}


@pytest.fixture
def hung(monkeypatch):
    """A judge that hangs until the end of the test."""
    go, began = threading.Event(), threading.Event()
    _evaluator(monkeypatch, lambda sample: began.set() or go.wait(WAIT) and _result())
    yield began
    go.set()


# --- the event ---


def test_a_slow_evaluators_verdict_is_an_event_of_the_span_and_the_span_says_that_it_follows(monkeypatch):
    """With what slices a verdict copied from the span."""
    threads = []
    _evaluator(monkeypatch, lambda sample: threads.append(threading.current_thread().name) or _result())
    with captured(SLOW) as seen, traffic(cohort="gold", session_id="s1", user_id="u1"), snapshot.use(prompt="support@3"):
        got = _ask(seen)
        (event,) = seen.events
    (span,) = [s for s in seen.spans if s.name == "chat"]
    assert threads == ["truegreen"]
    assert (_of(got), got["truegreen.evaluation.sampled"]) == ({"deferred": "base"}, "base")
    assert (event.name, event.span_id) == ("gen_ai.evaluation.result", span.context.span_id)
    assert {k: v for k, v in event.attributes.items() if k not in ("truegreen.snapshot.id", "event.name")} == {
        "gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.value": 0.4, "gen_ai.evaluation.score.label": "fail",
        JUDGE + "raw": 0.4, JUDGE + "score": 0.4, JUDGE + "label": "fail", JUDGE + "evaluator": "judge-1", JUDGE + "scale": "calibrated",
        JUDGE + "sampled": "base", "truegreen.evaluation.sampled": "base", "gen_ai.request.model": "m", "gen_ai.response.id": "r1",
        "truegreen.cohort": "gold", "truegreen.prompt.template": "support@3", "session.id": "s1", "user.id": "u1",
    }  # fmt: skip
    assert event.attributes["truegreen.snapshot.id"] == got["truegreen.snapshot.id"]
    record = seen.log_exporter.get_finished_logs()[0].log_record
    assert (record.trace_id, record.trace_flags) == (span.context.trace_id, span.context.trace_flags)


def test_a_collector_counts_a_deferred_verdict_once_and_an_inline_one_beside_it_once(monkeypatch):
    """The span of a deferred one is neither a skip nor an evaluation."""
    settings = Settings(evaluations={"judge": {"background": True}, "groundedness": {}}, rate=1.0)
    _evaluator(monkeypatch, lambda sample: _result())
    with captured(settings) as seen:
        _ask(seen)
        assert len(seen.events) == 1
    spans, logs = (
        encode_spans(seen.spans).SerializeToString(),
        encode_logs(seen.log_exporter.get_finished_logs()).SerializeToString(),
    )
    now = [1_000.0]
    processor = Processor(lambda: now[0], 30.0)
    processor.traces(spans)
    processor.logs(logs)
    now[0] += 120
    processor.traces(spans)
    processor.logs(logs)
    exposed = next(one for one in processor.copy() if one.metric is catalogue.EVALUATIONS)
    at = [exposed.metric.labels.index(name) for name in ("evaluation", "result", "reason")]
    counted = {tuple(key[i] for i in at): numbers[0] for key, numbers in exposed.series.items()}
    assert counted == {("judge", "fail", ""): 2, ("groundedness", "fail", ""): 2}


def test_an_evaluator_may_say_itself_that_it_is_slow_and_is_then_asked_for_5_percent(monkeypatch, caplog):
    """`make.background = True`; what the rules expect is said."""
    _evaluator(monkeypatch, lambda sample: _result(), background=True)
    with captured(Settings(evaluations={"judge": {}})) as seen:
        for _ in range(400):
            _ask(seen)
        judged = len(seen.events)
    assert 5 <= judged <= 45  # 20 of 400 expected; outside this once in 20,000 runs
    assert "evaluations.judge.background: true" in caplog.text


def test_without_anything_that_exports_events_a_slow_evaluator_is_an_error_that_is_said(monkeypatch, caplog):
    """It would be judged for nobody."""
    judged = []
    _evaluator(monkeypatch, judged.append)
    with captured(SLOW) as seen:
        monkeypatch.setattr(events, "destination", lambda: False)
        got = _ask(seen)
    assert (_of(got), judged) == ({"sampled": "base", "evaluator": "unknown", "skipped": "error"}, [])
    assert "OTEL_LOGS_EXPORTER" in caplog.text


def test_a_logger_provider_without_exporter_is_no_destination():
    """The three providers that a process may have."""
    provider = LoggerProvider()
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=TracerProvider(), logger_provider=provider, settings=Settings())
    try:
        assert not events.destination()
        provider.add_log_record_processor(SimpleLogRecordProcessor(log_exporter()))
        assert events.destination()
    finally:
        made.uninstrument()
    assert not events.destination()


# --- which evaluator is slow ---


class Clock:
    """Each evaluation takes what `takes` says."""

    def __init__(self):
        self.now, self.takes = 0.0, 0.0

    def judge(self, sample):
        self.now += self.takes
        return _result()

    def __call__(self):
        return self.now


@pytest.fixture
def timed(monkeypatch):
    """An evaluator whose time a clock tells."""
    clock = Clock()
    _evaluator(monkeypatch, clock.judge)
    monkeypatch.setattr(evaluate.time, "perf_counter", clock)
    monkeypatch.setattr(evaluate.Evaluators.__init__, "__defaults__", (None, clock))
    return clock


def test_an_evaluator_whose_median_is_over_2_ms_goes_to_the_background_for_good_with_one_notice(timed, caplog):
    """Also when it would be fast again."""
    with captured(Settings(evaluations={"judge": {}})) as seen:
        timed.takes = 0.001
        assert [_of(_ask(seen)).get("label") for _ in range(evaluate.WINDOW)] == ["fail"] * evaluate.WINDOW
        timed.takes = 0.003
        inline = [_of(_ask(seen)).get("label") for _ in range(evaluate.WINDOW // 2 + 1)]
        timed.takes = 0.0
        later = [_of(_ask(seen)) for _ in range(evaluate.WINDOW)]
        assert len(seen.events) == evaluate.WINDOW
    assert (set(inline), later) == ({"fail"}, [{"deferred": "base"}] * evaluate.WINDOW)
    assert caplog.text.count("judge took 3.0 ms") == 1


def test_one_slow_answer_among_fast_ones_moves_nothing(timed):
    """A median, not a mean: a process that slept for a second is no slow evaluator."""
    with captured(Settings(evaluations={"judge": {}})) as seen:
        for n in range(100):
            timed.takes = 1.0 if n % 3 == 0 else 0.001
            assert _of(_ask(seen))["label"] == "fail"


def test_a_moved_evaluator_without_events_stays_up_to_50_ms_and_is_then_not_run(timed, monkeypatch, caplog):
    """A verdict is worth some milliseconds, not a tenth of the call."""
    monkeypatch.setattr(events, "destination", lambda: False)
    with captured(Settings(evaluations={"judge": {}})) as seen:
        timed.takes = 0.01
        for _ in range(3 * evaluate.WINDOW):
            assert _of(_ask(seen))["label"] == "fail"
        timed.takes = 0.06
        last = [_of(_ask(seen)) for _ in range(evaluate.WINDOW)][-1]
    assert last == {"sampled": "base", "evaluator": "unknown", "skipped": "error"}
    assert "over 50 ms" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [(9, {"label": "fail"}), (11, {"deferred": "base"}), (98, {"deferred": "base"}), (110, {"skipped": "too_large"})],
)
def test_the_size_of_an_answer_decides_where_it_is_judged(monkeypatch, words, said):
    """`words` inline, ten times as many in the background, more not at all."""
    shown = deque()
    _evaluator(monkeypatch, lambda sample: shown.append(len(sample.answer.split())) or _result())
    with captured(Settings(evaluations={"judge": {"words": 11}})) as seen:
        got = _of(_ask(seen, text="word " * words))
        background.flush(WAIT)
    assert {k: v for k, v in got.items() if k in ("label", "deferred", "skipped")} == said
    assert list(shown) == ([words] if "skipped" not in said else [])


def test_a_megabyte_without_a_space_is_too_large_and_costs_nothing_more(monkeypatch):
    """Characters count as well as words; the style of such an answer is not measured."""
    _evaluator(monkeypatch, lambda sample: _result())
    with captured(Settings(evaluations={"judge": {}})) as seen:
        got = _ask(seen, text="x" * 1_000_000)
    assert got[JUDGE + "skipped"] == "too_large"
    assert "truegreen.answer.style" not in got


def test_the_real_default_evaluator_judges_a_long_answer_in_the_background(tmp_path):
    """It gets the larger bound as its own."""
    with captured(Settings(calibration=tmp_path)) as seen:
        got = _ask(seen, text="The order is sent within two days. " * 600)
        (event,) = seen.events
    assert _of(got, "truegreen.evaluation.groundedness.") == {"deferred": "base"}
    assert event.attributes["truegreen.evaluation.groundedness.skipped"] == "no_baseline"
    assert 0 <= event.attributes["truegreen.evaluation.groundedness.raw"] <= 1


# --- a queue that is full, an evaluator that hangs, raises or talks nonsense ---


def test_a_full_queue_is_a_skip_on_the_span_and_the_request_goes_on(hung, monkeypatch, caplog):
    """Counted, and said once."""
    monkeypatch.setattr(module, "JOBS", 3)
    with captured(SLOW) as seen:
        _ask(seen)
        assert hung.wait(WAIT)
        got = [_of(_ask(seen)) for _ in range(5)]
        monkeypatch.setattr(module.Background.stop, "__defaults__", (0.0,))
    full = {"sampled": "base", "evaluator": "unknown", "skipped": "queue_full"}
    assert got == [{"deferred": "base"}] * 2 + [full] * 3
    assert caplog.text.count("more answers than its background thread can judge") == 1


def test_a_judge_that_hangs_is_an_error_and_the_others_are_judged(monkeypatch):
    """After the time-out of a judgement."""
    go, began, first = threading.Event(), threading.Event(), []

    def judge(sample):
        if not first:
            first.append(1)
            began.set()
            go.wait(WAIT)
        return _result()

    clock = Clock()
    monkeypatch.setattr(background, "_clock", clock)
    _evaluator(monkeypatch, judge)
    with captured(SLOW) as seen:
        _ask(seen)
        assert began.wait(WAIT)
        clock.now = module.SECONDS
        _ask(seen)
        got = [_of(event.attributes) for event in seen.events]
        go.set()
    assert [(one.get("skipped"), one.get("label")) for one in got] == [("error", None), (None, "fail")]


NONSENSE = [
    None, "pass", 0.5, {"label": "pass"}, Result("judge", "j", raw=float("nan")), Result("judge", "j", raw=float("inf")), Result("judge", "j", raw=True),
    Result("judge", "j", raw="0.5"), Result("judge", "j", raw=10**400), Result("judge", "j", raw=0.5, score=1.5, label="pass"),
    Result("judge", "j", raw=0.5, label="PASS"), Result("judge", "j", raw=0.5, label=1), Result("judge", "j", raw=0.5, label="pass", scale="stars"),
    Result("judge", "j", skipped="because ZEBRA"), Result("judge", "ZEBRA the answer " * 10, raw=0.5), Result("judge", 7, raw=0.5),
    Result("judge", "j", raw=0.5, calibration="ZEBRA " * 100),
]  # fmt: skip


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("given", NONSENSE, ids=repr)
def test_nonsense_from_an_evaluator_is_an_error_and_never_a_verdict(monkeypatch, given, slow):
    """Inline and in the background alike; counted each time."""
    _evaluator(monkeypatch, lambda sample: given)
    with captured(Settings(evaluations={"judge": {"background": slow}}, rate=1.0)) as seen:
        got = _of(_ask(seen))
        if slow:
            got = _of(seen.events[0].attributes)
            assert seen.events[0].attributes["error.type"] == "_OTHER"
        seen.exports_no_text("ZEBRA")
    assert (got["sampled"], got["skipped"]) == ("base", "error")
    assert not {"label", "score", "raw"} & got.keys()
    assert failures.counted() == {"evaluator judge": 1}


def test_a_factory_that_fails_is_not_tried_again_with_each_answer(monkeypatch):
    """A model that cannot be loaded would hold up every call."""
    tried = []

    def make(settings, calibration):
        tried.append(1)
        raise OSError

    monkeypatch.setattr(evaluate, "find", lambda name: make)
    clock = Clock()
    monkeypatch.setattr(evaluate.Evaluators.__init__, "__defaults__", (None, clock))
    with captured(Settings(evaluations={"judge": {}})) as seen:
        got = [_of(_ask(seen))["skipped"] for _ in range(3)]
        clock.now = evaluate.AGAIN_SECONDS
        _ask(seen)
    assert (got, tried) == (["error"] * 3, [1, 1])


@pytest.mark.parametrize("hides", [True, False])
def test_a_judges_own_call_of_a_model_is_not_judged(monkeypatch, hides):
    """Else each judgement would ask for the next one; a library that heeds the suppression makes no span at all, this one does."""
    here = {}

    def judge(sample):
        token = None if hides else otel.attach(otel.Context())
        here["seen"].provider.get_tracer("judge").start_span("judges", attributes=CHAT).end()
        if token:
            otel.detach(token)
        return _result()

    _evaluator(monkeypatch, judge)
    with captured(SLOW) as seen:
        here["seen"] = seen
        _ask(seen)
        assert [_of(event.attributes)["label"] for event in seen.events] == ["fail"]
        own = [span.attributes for span in seen.spans if span.name == "judges"]
    assert len(own) == 1
    assert "truegreen.evaluation.sampled" not in own[0]


def test_a_call_that_is_recorded_but_not_exported_is_not_judged(fake, monkeypatch):
    """A head sampler dropped it: its event would count where its span does not."""
    from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

    class Records(Sampler):
        def should_sample(self, *args, **kwargs):
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self):
            return "records"

    with captured() as seen:
        seen.provider.sampler = Records()
        with seen.provider.get_tracer("app").start_as_current_span("chat", attributes=CHAT):
            answer(query="q", answer="a")
    assert fake.samples == []


# --- flush, shutdown, fork, asyncio ---


def test_force_flush_and_shutdown_of_a_provider_wait_for_judgements(monkeypatch):
    """As long as the caller says; a judge that hangs is not waited for any longer."""
    go, began = threading.Event(), threading.Event()
    _evaluator(monkeypatch, lambda sample: began.set() or go.wait(WAIT) and _result())
    with captured(SLOW) as seen:
        _ask(seen)
        assert began.wait(WAIT)
        assert seen.provider.force_flush(0) is False
        go.set()
        assert seen.provider.force_flush(10_000) is True
        assert len(seen.log_exporter.get_finished_logs()) == 1
        _ask(seen)
        seen.provider.shutdown()
        assert len(seen.log_exporter.get_finished_logs()) == 2


def test_uninstrument_leaves_no_thread(monkeypatch):
    """And every judgement that was asked for is emitted or given up before."""
    _evaluator(monkeypatch, lambda sample: _result())
    before = set(threading.enumerate())
    with captured(SLOW) as seen:
        _ask(seen)
    assert len(seen.log_exporter.get_finished_logs()) == 1
    assert set(threading.enumerate()) <= before


def test_an_event_loop_goes_on_while_a_judge_is_stuck(hung):
    """A thousand answers are given in the meantime."""

    async def served():
        with captured(SLOW) as seen:
            for n in range(1_000):
                _ask(seen, name=f"chat {n}")
                await asyncio.sleep(0)
            module.Background.stop.__defaults__ = (0.0,)
            return len([s for s in seen.spans if s.name.startswith("chat")])

    before = module.Background.stop.__defaults__
    try:
        assert asyncio.run(served()) == 1_000
    finally:
        module.Background.stop.__defaults__ = before


APPLICATION = """
import os, sys
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate
from truegreen.instrumentation.settings import Settings

def line(record):
    attributes = getattr(record, "log_record", record).attributes
    return f"{attributes['user.id']} {attributes['gen_ai.evaluation.score.label']} {os.getpid()}\\n"

logs = LoggerProvider()
class Out:  # a file object of Python has a lock, which a fork may copy while it is held
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    def write(self, text):
        os.write(self.fd, text.encode())
    def flush(self):
        pass

logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogExporter(Out(), line)))
provider = TracerProvider()
evaluate.find = lambda name: lambda settings, calibration: lambda sample: Result(name, "j", 0.1, 0.1, "fail", "calibrated")
TruegreenInstrumentor().instrument(
    tracer_provider=provider, logger_provider=logs, settings=Settings(evaluations={"judge": {"background": True}}, rate=1.0)
)

def ask(user):
    attributes = {"gen_ai.operation.name": "chat", "user.id": user}
    with provider.get_tracer("app").start_as_current_span("chat", attributes=attributes):
        answer(query="q", answer="a")
"""


def _said(tmp_path, code):
    path = tmp_path / "events"
    subprocess.run([sys.executable, "-c", APPLICATION + textwrap.dedent(code), str(path)], check=True, timeout=60)
    return [line.split() for line in path.read_text().splitlines()]


def test_the_end_of_an_application_emits_what_was_asked_for(tmp_path):
    """Without a word of the application: it asks and ends."""
    assert [line[:2] for line in _said(tmp_path, "[ask(str(n)) for n in range(50)]")] == [[str(n), "fail"] for n in range(50)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forked_workers_judge_their_own_answers_once(tmp_path):
    """A server that loads the application before it forks; the parent has asked as well."""
    said = _said(
        tmp_path,
        """
        ask("before")
        children = []
        for n in range(3):
            child = os.fork()
            if not child:
                ask(f"worker{n}"); provider.force_flush(); os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        ask("after")
        """,
    )
    assert sorted(line[0] for line in said) == ["after", "before", "worker0", "worker1", "worker2"]
    assert len({line[2] for line in said}) == 4


# --- calibrations, seen from the background ---


def _calibration(path, floor, service="app", environment="unknown", evaluation="judge"):
    made = Calibration(
        service, environment, evaluation, "fake", "relative", floor, tuple(QUANTILES), 0.03, 1.0, 500, "2026-01-01T00:00:00Z"
    )
    file = path / f"{service}__{environment}__{evaluation}.json"
    new = file.with_suffix(".new")
    new.write_text(to_text(made))
    os.replace(new, file)
    return made.digest, file


@pytest.mark.parametrize("slow", [False, True])
def test_a_calibration_that_is_missing_then_there_then_swapped_then_broken_then_gone(tmp_path, monkeypatch, slow, caplog):
    """While answers come: the verdict names the file that it was made with, and the last good one stays."""
    fake, now = FakeEvaluator(raw=0.5), [0.0]
    monkeypatch.setattr(evaluate, "find", fake.find)
    monkeypatch.setattr(Calibrations.__init__, "__defaults__", (lambda: now[0],))

    def asked(seen):
        now[0] += 2.0
        got = _of(_ask(seen))
        if slow:
            got = _of(seen.events[-1].attributes)
        return got.get("label") or got["skipped"], got.get("calibration")

    with captured(Settings(evaluations={"judge": {"background": slow}}, rate=1.0, calibration=tmp_path)) as seen:
        assert asked(seen) == ("no_baseline", None)
        first, file = _calibration(tmp_path, 0.4)
        assert asked(seen) == ("pass", first)
        second, _ = _calibration(tmp_path, 0.6)
        assert asked(seen) == ("fail", second)
        file.write_text("{")
        assert asked(seen) == ("fail", second)
        file.unlink()
        assert asked(seen) == ("fail", second)
    assert "the last good one stays in use" in caplog.text


def test_spans_of_another_service_in_the_same_process_have_its_calibration(tmp_path, monkeypatch):
    """The service is that of the span's resource, also in the background."""
    fake = FakeEvaluator(raw=0.5)
    monkeypatch.setattr(evaluate, "find", fake.find)
    digest, _ = _calibration(tmp_path, 0.4, service="other", environment="production")
    resource = {"service.name": "other", "deployment.environment.name": "production"}
    with captured(
        Settings(evaluations={"judge": {"background": True}}, rate=1.0, calibration=tmp_path), resource=resource
    ) as seen:
        _ask(seen)
        assert seen.events[0].attributes[JUDGE + "calibration"] == digest


def test_the_global_providers_are_taken_where_none_are_given():
    """As under `opentelemetry-instrument`: in a process of its own, for a global provider can be set once."""
    code = """
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
import sys
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate
from truegreen.instrumentation.settings import Settings
evaluate.find = lambda name: lambda settings, calibration: lambda sample: Result(name, "j", 0.1, 0.1, "fail", "calibrated")
TruegreenInstrumentor().instrument(settings=Settings(evaluations={"judge": {"background": True}}, rate=1.0))
trace.set_tracer_provider(TracerProvider())
logs = LoggerProvider()
logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogExporter(sys.stdout, lambda r: "event\\n")))
_logs.set_logger_provider(logs)
with trace.get_tracer("app").start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
    answer(query="q", answer="a")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "event\n"
