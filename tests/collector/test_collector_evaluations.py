"""How evaluations are counted, on spans and as events, and what is kept of failing answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from otlp_requests import HOLD, Clock, events, judged, llm, shown, span, total, traces

from truegreen.collector import evidence
from truegreen.collector.processor import Processor
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import answer, evaluate, retrieval
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured


def scores_of(processor: Processor) -> dict[str, Any]:
    """What /scores answers for groundedness."""
    return evidence.scores_answer(processor.evidence_of("bot", "production"), "bot", "production", "groundedness")


@pytest.mark.parametrize("first", [judged("pass"), llm(truegreen__evaluation__sampled="base", truegreen__evaluation__groundedness__skipped="no_context") | {
    "truegreen.evaluation.groundedness.evaluator": "context_support"}])  # fmt: skip
def test_both_results_are_born_with_the_first_answer_that_an_evaluator_looks_at(
    processor: Processor, clock: Clock, first: dict[str, object]
) -> None:
    """Even a skipped answer gives birth to pass and fail, at 0."""
    processor.traces(traces([span(first)]))
    born = {("groundedness", "context_support", "pass"), ("groundedness", "context_support", "fail")}
    assert shown(processor, catalogue.EVALUATED_ANSWERS).keys() == born
    clock.advance(HOLD)
    assert total(processor, catalogue.EVALUATED_ANSWERS, result="fail") == 0


def test_slos_count_the_base_sample_only(processor: Processor, clock: Clock) -> None:
    """Boosted answers are in the slices, not in what SLOs, scores and their squares read."""
    processor.traces(traces([span(judged("fail", 0.5, sampled="boost")), span(judged("pass", 0.5)), span(judged("fail", 0.02))]))
    clock.advance(HOLD)
    assert total(processor, catalogue.EVALUATED_ANSWERS, result="fail") == 1
    assert total(processor, catalogue.EVALUATED_ANSWERS, result="pass") == 1
    assert total(processor, catalogue.EVALUATIONS) == 3
    assert total(processor, catalogue.EVALUATIONS, sampled="boost", result="fail") == 1
    assert total(processor, catalogue.EVALUATION_SCORE) == 2
    assert total(processor, catalogue.EVALUATION_SCORE_SQUARED) == pytest.approx(0.25 + 0.0004)


def test_two_evaluations_on_one_span_are_counted_apart(processor: Processor, clock: Clock) -> None:
    """The name in the attribute is the label."""
    more = {"truegreen.evaluation.toxicity.label": "pass", "truegreen.evaluation.toxicity.evaluator": "judge"}
    processor.traces(traces([span(judged("fail") | more)]))
    clock.advance(HOLD)
    counted = {key[:3]: numbers[0] for key, numbers in shown(processor, catalogue.EVALUATIONS).items()}
    assert counted == {("groundedness", "context_support", "fail"): 1, ("toxicity", "judge", "pass"): 1}


@pytest.mark.parametrize("name", ["my.eval", "acme.tone.v2", "raw.label", "score"])
def test_an_evaluation_whose_name_has_dots_is_counted_like_in_an_event(processor: Processor, clock: Clock, name: str) -> None:
    """The name is all before the last part; the same name in an event is the same series."""
    parts = {"label": "fail", "evaluator": "judge", "score": 0.25}
    on_span = llm(truegreen__evaluation__sampled="base") | {names.evaluation(name, part): given for part, given in parts.items()}
    event = {"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.label": "fail", "truegreen.evaluation.sampled": "base"}
    processor.traces(traces([span(on_span)]))
    processor.logs(events([event | {names.evaluation(name, "evaluator"): "judge"}]))
    clock.advance(HOLD)
    counted = {key: numbers for key, numbers in shown(processor, catalogue.EVALUATED_ANSWERS).items() if numbers != [0]}
    assert counted == {(name, "judge", "fail"): [2]}


def test_only_an_attribute_that_begins_with_the_prefix_is_an_evaluation(processor: Processor, clock: Clock) -> None:
    """Somebody else's name that holds it is not one, nor is the prefix written many times over."""
    others = {"my.truegreen.evaluation.tone.label": "fail", names.EVALUATION_PREFIX * 20_000: "fail"}
    processor.traces(traces([span(llm(truegreen__evaluation__sampled="base") | others)]))
    clock.advance(HOLD)
    assert (total(processor, catalogue.EVALUATIONS), total(processor, catalogue.LLM_REQUESTS)) == (0, 1)


def test_a_skipped_evaluation_says_why(processor: Processor, clock: Clock) -> None:
    """The reason is counted, and no result, even where the reason is all that there is of the evaluation."""
    without_baseline = judged(truegreen__evaluation__groundedness__skipped="no_baseline")
    del without_baseline["truegreen.evaluation.groundedness.label"]
    bare = llm(truegreen__evaluation__tone__skipped="no_context", truegreen__evaluation__sampled="base")
    processor.traces(traces([span(without_baseline), span(bare)]))
    clock.advance(HOLD)
    counted = {(key[0], key[2], key[3]): numbers[0] for key, numbers in shown(processor, catalogue.EVALUATIONS).items()}
    assert counted == {("groundedness", "skipped", "no_baseline"): 1, ("tone", "skipped", "no_context"): 1}
    assert total(processor, catalogue.EVALUATED_ANSWERS) == 0


def test_two_evaluators_that_skip_one_answer_keep_each_its_own_reason(
    processor: Processor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the application's span to the collector's count: neither overwrites the other, and both say who skipped."""
    reasons = {"groundedness": "no_context", "tone": "no_baseline"}

    def find(name: str) -> evaluate.Factory:
        return lambda settings, calibration: lambda sample: Result("same for all", f"{name}-judge", skipped=reasons[name])

    monkeypatch.setattr(evaluate, "find", find)
    with captured(
        Settings(evaluations={name: {} for name in reasons}),
        resource={"service.name": "bot", "deployment.environment.name": "production"},
    ) as seen:
        tracer = seen.provider.get_tracer("my.app")
        with tracer.start_as_current_span("request"):
            retrieval(documents=["p"])
            with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
                answer(query="q", answer="a")
        got = seen.attributes("chat")
        processor.traces(encode_spans(seen.spans).SerializeToString())
    assert {name: got[names.evaluation(name, "skipped")] for name in reasons} == reasons
    assert {name: got[names.evaluation(name, "evaluator")] for name in reasons} == {name: f"{name}-judge" for name in reasons}
    clock.advance(HOLD)
    counted = {key[:4]: numbers for key, numbers in shown(processor, catalogue.EVALUATIONS).items()}
    assert counted == {
        ("groundedness", "groundedness-judge", "skipped", "no_context"): [1],
        ("tone", "tone-judge", "skipped", "no_baseline"): [1],
    }


def test_an_old_calibration_leaves_after_20_scrapes(processor: Processor, clock: Clock) -> None:
    """So that a mismatch ends when the app has read the new file; and it returns when it is stamped again."""
    processor.traces(traces([span(judged())]))
    clock.advance(599)
    assert len(shown(processor, catalogue.CALIBRATION_INFO)) == 1
    clock.advance(2)
    assert shown(processor, catalogue.CALIBRATION_INFO) == {}
    processor.traces(traces([span(judged())]))
    assert len(shown(processor, catalogue.CALIBRATION_INFO)) == 1
    assert total(processor, catalogue.EVALUATED_ANSWERS, result="pass") == 2


def test_three_failing_traces_are_shown_and_change_slowly(processor: Processor, clock: Clock) -> None:
    """Each slot keeps its trace for ten scrapes; the trace's id is hex."""
    for number in range(1, 6):
        processor.traces(traces([span(judged("fail"), trace_id=bytes([number]) * 16)]))
    slots = {key[1]: key[2] for key in shown(processor, catalogue.FAILING_TRACE_INFO)}
    assert slots == {str(number): f"{number + 1:02x}" * 16 for number in range(3)}
    clock.advance(301)
    processor.traces(traces([span(judged("fail"), trace_id=b"\x09" * 16), span(judged("pass"), trace_id=b"\x0a" * 16)]))
    slots = {key[1]: key[2] for key in shown(processor, catalogue.FAILING_TRACE_INFO)}
    assert slots == {"0": "09" * 16, "1": "02" * 16, "2": "03" * 16}


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"\x01" * 4, b"\x01" * 20])
def test_a_failing_answer_without_a_trace_is_counted_and_takes_no_place(
    processor: Processor, clock: Clock, trace_id: bytes
) -> None:
    """No link, no exemplar and no entry of /failing leads to a trace that is none; the answer's count and its user stay."""
    processor.traces(traces([span(judged("fail", user__id="u"), trace_id=trace_id)]))
    clock.advance(HOLD)
    assert shown(processor, catalogue.FAILING_TRACE_INFO) == {}
    assert evidence.failing_answer(processor.evidence_of("bot", "production")) == {"failing": []}
    assert total(processor, catalogue.EVALUATED_ANSWERS, result="fail") == 1
    assert total(processor, catalogue.AFFECTED_USERS) == 1
    assert not any(one.exemplars for one in processor.copy())


def test_affected_users_and_sessions_are_counted_once_an_hour(processor: Processor, clock: Clock) -> None:
    """Distinct ids with a failing answer; the conversation stands in for a session; after an hour they leave."""
    failing = [judged("fail", user__id=f"u{i % 3}", gen_ai__conversation__id=f"c{i}") for i in range(7)]
    processor.traces(traces([span(one) for one in [*failing, judged("pass", user__id="happy", session__id="x")]]))
    assert shown(processor, catalogue.AFFECTED_USERS)["groundedness",][0] == 3
    assert shown(processor, catalogue.AFFECTED_SESSIONS)["groundedness",][0] == 7
    clock.advance(3601)
    assert shown(processor, catalogue.AFFECTED_USERS)["groundedness",][0] == 0


@pytest.mark.parametrize(("served", "named"), [("A", "A"), ("ABA", ""), ("AAB", ""), ("A-", ""), ("-", ""), ("-A", "")])
def test_scores_name_a_snapshot_only_when_all_of_them_judged_it(processor: Processor, served: str, named: str) -> None:
    """After a switch or a rollback the ring holds scores of several snapshots, or of none that was stated: no name is truer than one."""
    for one in served:
        stated = {} if one == "-" else {"truegreen.snapshot.id": one}
        processor.traces(traces([span(judged() | stated)]))
    assert scores_of(processor)["snapshot"] == named


def test_the_newest_5000_scores_are_kept_and_name_the_snapshot_they_judged(processor: Processor) -> None:
    """The oldest leave first; when the last score of the snapshot before has left, the one that serves is named."""
    requests = [
        traces([span(judged(raw=float(snapshot), truegreen__snapshot__id=f"s{snapshot}"))] * 2500) for snapshot in range(3)
    ]
    for snapshot, more in ((0, requests[0]), (1, requests[1]), (2, requests[2])):
        processor.traces(more)
        assert len(scores_of(processor)["scores"]) == min(5000, 2500 * (snapshot + 1))
    answer = scores_of(processor)
    assert (answer["seen"], Counter(answer["scores"]), answer["snapshot"]) == (7500, {1.0: 2500, 2.0: 2500}, "")
    processor.traces(requests[2])
    assert (Counter(scores_of(processor)["scores"]), scores_of(processor)["snapshot"]) == ({2.0: 5000}, "s2")


COPIED = {"gen_ai.evaluation.name": "judge_grounding", "gen_ai.evaluation.score.label": "fail", "gen_ai.evaluation.score.value": 0.1,
          "truegreen.evaluation.sampled": "base", "truegreen.cohort": "pro", "gen_ai.request.model": "large", "truegreen.snapshot.id": "s1",
          "truegreen.evaluation.judge_grounding.evaluator": "judge", "truegreen.evaluation.judge_grounding.scale": "calibrated"}  # fmt: skip


def test_an_evaluation_event_counts_like_a_span_with_its_copied_labels(processor: Processor, clock: Clock) -> None:
    """The event of a slow evaluator feeds SLOs, slices, scores and failing traces; its answer is not counted again."""
    assert processor.logs(events([COPIED])) == 1
    clock.advance(HOLD)
    assert shown(processor, catalogue.EVALUATED_ANSWERS)["judge_grounding", "judge", "fail"] == [1]
    assert shown(processor, catalogue.EVALUATIONS) == {
        ("judge_grounding", "judge", "fail", "", "large", "pro", "s1", "base"): [1]
    }
    assert shown(processor, catalogue.EVALUATION_SCORE)["judge_grounding", "judge", "calibrated", "large", "pro"][
        0
    ] == pytest.approx(0.1)
    assert {key[2] for key in shown(processor, catalogue.FAILING_TRACE_INFO)} == {"03" * 16}
    assert total(processor, catalogue.ANSWERS) == 0


def test_an_event_that_mirrors_a_span_is_not_counted_again(processor: Processor, clock: Clock) -> None:
    """Nor is any other log record; an event without a name is counted as dropped."""
    assert processor.logs(events([COPIED | {names.EVALUATION_MIRRORED: True}])) == 0
    assert processor.logs(events([COPIED], name="something.else")) == 0
    assert processor.logs(events([{"gen_ai.evaluation.score.label": "fail"}])) == 0
    clock.advance(HOLD)
    assert total(processor, catalogue.EVALUATIONS) == 0
    assert total(processor, catalogue.COLLECTOR_DROPPED_SPANS, reason="no_evaluation_name") == 1


def test_an_event_that_is_named_by_its_attribute_counts_as_well(processor: Processor, clock: Clock) -> None:
    """SDKs before 1.35 have no event name of a record: an `event.name` attribute tells what it is, and another one that it is not ours."""
    assert processor.logs(events([COPIED | {"event.name": "gen_ai.evaluation.result"}], name="")) == 1
    assert processor.logs(events([COPIED | {"event.name": "something.else"}, COPIED], name="")) == 0
    clock.advance(HOLD)
    assert total(processor, catalogue.EVALUATIONS) == 1


def test_an_event_of_a_failed_evaluator_is_a_skip(processor: Processor, clock: Clock) -> None:
    """error.type without a label is the reason `error`."""
    processor.logs(events([{"gen_ai.evaluation.name": "judge", "error.type": "Timeout", "truegreen.evaluation.sampled": "base"}]))
    clock.advance(HOLD)
    assert {(key[0], key[2], key[3]) for key in shown(processor, catalogue.EVALUATIONS)} == {("judge", "skipped", "error")}


def test_an_answer_that_is_base_for_one_evaluation_and_boost_for_another_counts_for_the_first_only(
    processor: Processor, clock: Clock
) -> None:
    """Each evaluation says its sample; the answer itself is of the base sample."""
    own = {"sampled": "boost", "label": "fail", "evaluator": "judge", "score": 0.1, "raw": 0.1}
    more = {names.evaluation("toxicity", part): given for part, given in own.items()}
    mine = {names.evaluation("groundedness", "sampled"): "base"}
    processor.traces(traces([span(judged("pass", 0.5) | mine | more)]))
    clock.advance(HOLD)
    assert {key[0] for key in shown(processor, catalogue.EVALUATED_ANSWERS)} == {"groundedness"}
    assert total(processor, catalogue.EVALUATIONS, sampled="boost") == 1
    assert total(processor, catalogue.EVALUATIONS, sampled="base") == 1
    assert total(processor, catalogue.EVALUATION_SCORE) == 1
    assert total(processor, catalogue.ANSWERS, sampled="base") == 1
    assert evidence.scores_answer(processor.evidence_of("bot", "production"), "bot", "production", "toxicity")["scores"] == []
