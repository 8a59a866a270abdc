"""Evaluators that are slow, or become slow: what the span says, which event follows, and what the collector counts of both."""

from __future__ import annotations

import threading
from collections import deque

import pytest
from judging import CHAT, JUDGE, SLOW, WAIT, answered, judged_by, part_of, verdict
from opentelemetry import context as otel
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from setups import needs

from truegreen.collector.processor import Processor
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate, events, failures, snapshot, traffic
from truegreen.instrumentation import background as module
from truegreen.instrumentation.background import background
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import _log_exporter as log_exporter
from truegreen.instrumentation.testing import captured

# --- the event ---


def test_a_slow_evaluators_verdict_is_an_event_of_the_span_and_the_span_says_that_it_follows(monkeypatch):
    """With what slices a verdict copied from the span."""
    threads = []
    judged_by(monkeypatch, lambda sample: threads.append(threading.current_thread().name) or verdict())
    with captured(SLOW) as seen, traffic(cohort="gold", session_id="s1", user_id="u1"), snapshot.use(prompt="support@3"):
        got = answered(seen)
        (event,) = seen.events
    (span,) = [s for s in seen.spans if s.name == "chat"]
    assert threads == ["truegreen"]
    assert (part_of(got), got["truegreen.evaluation.sampled"]) == ({"deferred": "base"}, "base")
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
    judged_by(monkeypatch, lambda sample: verdict())
    with captured(settings) as seen:
        answered(seen)
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
    judged_by(monkeypatch, lambda sample: verdict(), background=True)
    with captured(Settings(evaluations={"judge": {}})) as seen:
        for _ in range(400):
            answered(seen)
        judged = len(seen.events)
    assert 5 <= judged <= 45  # 20 of 400 expected; outside this once in 20,000 runs
    assert "evaluations.judge.background: true" in caplog.text


def test_without_anything_that_exports_events_a_slow_evaluator_is_an_error_that_is_said(monkeypatch, caplog):
    """It would be judged for nobody."""
    judged = []
    judged_by(monkeypatch, judged.append)
    with captured(SLOW) as seen:
        monkeypatch.setattr(events, "destination", lambda: False)
        got = answered(seen)
    assert (part_of(got), judged) == ({"sampled": "base", "evaluator": "unknown", "skipped": "error"}, [])
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
        return verdict()

    def __call__(self):
        return self.now


@pytest.fixture
def timed(monkeypatch):
    """An evaluator whose time a clock tells."""
    clock = Clock()
    judged_by(monkeypatch, clock.judge)
    monkeypatch.setattr(evaluate.time, "perf_counter", clock)
    monkeypatch.setattr(evaluate.Evaluators.__init__, "__defaults__", (None, clock))
    return clock


def test_an_evaluator_whose_median_is_over_2_ms_goes_to_the_background_for_good_with_one_notice(timed, caplog):
    """Also when it would be fast again."""
    with captured(Settings(evaluations={"judge": {}})) as seen:
        timed.takes = 0.001
        assert [part_of(answered(seen)).get("label") for _ in range(evaluate.WINDOW)] == ["fail"] * evaluate.WINDOW
        timed.takes = 0.003
        inline = [part_of(answered(seen)).get("label") for _ in range(evaluate.WINDOW // 2 + 1)]
        timed.takes = 0.0
        later = [part_of(answered(seen)) for _ in range(evaluate.WINDOW)]
        assert len(seen.events) == evaluate.WINDOW
    assert (set(inline), later) == ({"fail"}, [{"deferred": "base"}] * evaluate.WINDOW)
    assert caplog.text.count("judge took 3.0 ms") == 1


def test_one_slow_answer_among_fast_ones_moves_nothing(timed):
    """A median, not a mean: a process that slept for a second is no slow evaluator."""
    with captured(Settings(evaluations={"judge": {}})) as seen:
        for n in range(100):
            timed.takes = 1.0 if n % 3 == 0 else 0.001
            assert part_of(answered(seen))["label"] == "fail"


def test_a_moved_evaluator_without_events_stays_up_to_50_ms_and_is_then_not_run(timed, monkeypatch, caplog):
    """A verdict is worth some milliseconds, not a tenth of the call."""
    monkeypatch.setattr(events, "destination", lambda: False)
    with captured(Settings(evaluations={"judge": {}})) as seen:
        timed.takes = 0.01
        for _ in range(3 * evaluate.WINDOW):
            assert part_of(answered(seen))["label"] == "fail"
        timed.takes = 0.06
        last = [part_of(answered(seen)) for _ in range(evaluate.WINDOW)][-1]
    assert last == {"sampled": "base", "evaluator": "unknown", "skipped": "error"}
    assert "over 50 ms" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [(9, {"label": "fail"}), (11, {"deferred": "base"}), (98, {"deferred": "base"}), (110, {"skipped": "too_large"})],
)
def test_the_size_of_an_answer_decides_where_it_is_judged(monkeypatch, words, said):
    """`words` inline, ten times as many in the background, more not at all."""
    shown = deque()
    judged_by(monkeypatch, lambda sample: shown.append(len(sample.answer.split())) or verdict())
    with captured(Settings(evaluations={"judge": {"words": 11}})) as seen:
        got = part_of(answered(seen, text="word " * words))
        background.flush(WAIT)
    assert {k: v for k, v in got.items() if k in ("label", "deferred", "skipped")} == said
    assert list(shown) == ([words] if "skipped" not in said else [])


def test_a_megabyte_without_a_space_is_too_large_and_costs_nothing_more(monkeypatch):
    """Characters count as well as words; the style of such an answer is not measured."""
    judged_by(monkeypatch, lambda sample: verdict())
    with captured(Settings(evaluations={"judge": {}})) as seen:
        got = answered(seen, text="x" * 1_000_000)
    assert got[JUDGE + "skipped"] == "too_large"
    assert "truegreen.answer.style" not in got


def test_the_real_default_evaluator_judges_a_long_answer_in_the_background(tmp_path):
    """It gets the larger bound as its own."""
    with captured(Settings(calibration=tmp_path)) as seen:
        got = answered(seen, text="The order is sent within two days. " * 600)
        (event,) = seen.events
    assert part_of(got, "truegreen.evaluation.groundedness.") == {"deferred": "base"}
    assert event.attributes["truegreen.evaluation.groundedness.skipped"] == "no_baseline"
    assert 0 <= event.attributes["truegreen.evaluation.groundedness.raw"] <= 1


# --- a queue that is full, an evaluator that hangs, raises or talks nonsense ---


def test_a_full_queue_is_a_skip_on_the_span_and_the_request_goes_on(hung, monkeypatch, caplog):
    """Counted, and said once."""
    monkeypatch.setattr(module, "JOBS", 3)
    with captured(SLOW) as seen:
        answered(seen)
        assert hung.wait(WAIT)
        got = [part_of(answered(seen)) for _ in range(5)]
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
        return verdict()

    clock = Clock()
    monkeypatch.setattr(background, "_clock", clock)
    judged_by(monkeypatch, judge)
    with captured(SLOW) as seen:
        answered(seen)
        assert began.wait(WAIT)
        clock.now = module.SECONDS
        answered(seen)
        got = [part_of(event.attributes) for event in seen.events]
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
    judged_by(monkeypatch, lambda sample: given)
    with captured(Settings(evaluations={"judge": {"background": slow}}, rate=1.0)) as seen:
        got = part_of(answered(seen))
        if slow:
            got = part_of(seen.events[0].attributes)
            assert seen.events[0].attributes["error.type"] == "_OTHER"
        seen.exports_no_text("ZEBRA")
    assert (got["sampled"], got["skipped"]) == ("base", "error")
    assert not {"label", "score", "raw"} & got.keys()
    assert failures.counted() == {"evaluator judge": 1}


@needs("onnxruntime")
def test_the_start_says_inline_of_no_evaluator_that_may_be_slow_by_its_own_word(caplog):
    """Nothing of it is imported before the first answer; then it says where it is judged, and how many."""
    with captured(Settings(evaluations={"retrieval_relevance": {}, "judge": {"background": True}})) as seen:
        (line,) = [record.getMessage() for record in caplog.records if "evaluates: " in record.getMessage()]
        assert "evaluates: retrieval_relevance 100% (inline unless slow), judge 5% (background); " in line
        answered(seen)
    assert "retrieval_relevance says of itself that it is slow: 5% of answers are judged, in the background" in caplog.text


def test_what_keeps_an_evaluator_from_being_made_is_said_with_what_to_do(caplog):
    """Once, on one line: the factory's word where it is for the user, the missing package, else the type of the error."""
    told = {"judge": {"model": "m", "tries": 0.5, "url": "http://127.0.0.1:9"}, "retrieval_relevance": {"embedding": "bert"}}
    with captured(Settings(evaluations=told, rate=1.0)) as seen:
        answered(seen)
        answered(seen)
        seen.events  # noqa: B018  # waits for the background
    said = [record.getMessage() for record in caplog.records if "failed in evaluator" in record.getMessage()]
    assert [line for line in said if "tries: found 0.5, write a whole number of at least 1" in line]
    assert [line for line in said if "evaluations.retrieval_relevance.embedding: found 'bert'; write auto" in line]
    assert len(said) == 2 and not any("\n" in line for line in said)


def test_a_package_that_an_evaluator_lacks_is_named(monkeypatch, caplog):
    """Its module cannot be imported at all."""

    def find(name):
        raise ModuleNotFoundError("No module named 'httpx'", name="httpx")

    monkeypatch.setattr(evaluate, "find", find)
    with captured(Settings(evaluations={"judge": {}}, rate=1.0)) as seen:
        assert part_of(answered(seen))["skipped"] == "error"
    assert "failed in evaluator judge (the package httpx is not installed; " in caplog.text


def test_what_an_evaluator_raises_while_it_judges_is_never_quoted(monkeypatch, caplog):
    """Also where it raises our own error: the text of an answer was in its reach."""

    def judge(sample):
        raise BadInput(f"found {sample.answer}")

    judged_by(monkeypatch, judge)
    with captured(Settings(evaluations={"judge": {}}, rate=1.0)) as seen:
        assert part_of(answered(seen, text="ZEBRA"))["skipped"] == "error"
    assert "failed in evaluator judge (BadInput)" in caplog.text
    assert "ZEBRA" not in caplog.text


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
        got = [part_of(answered(seen))["skipped"] for _ in range(3)]
        clock.now = evaluate.AGAIN_SECONDS
        answered(seen)
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
        return verdict()

    judged_by(monkeypatch, judge)
    with captured(SLOW) as seen:
        here["seen"] = seen
        answered(seen)
        assert [part_of(event.attributes)["label"] for event in seen.events] == ["fail"]
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
