"""What the processor derives from spans and evaluation events, with an injected clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from otlp_requests import HOLD, INTERVAL, Clock, judged, llm, shown, span, total, traces

from truegreen.collector import evidence
from truegreen.collector import processor as collector_processor
from truegreen.collector.processor import Processor
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, terms

EVERYTHING = [
    judged("fail", 0.02, **{
        "gen_ai.response.model": "large-0613", "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": 0.4,
        "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 200,
        "gen_ai.usage.reasoning.output_tokens": 10, "truegreen.containment": "pinned_model", "truegreen.answer.markers": ["refusal"],
        "truegreen.snapshot.id": "a1b2", "truegreen.version.prompt": "support@4", "truegreen.cohort": "pro", "user.id": "u", "session.id": "s",
    }),
    {
        "gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "kb", "truegreen.retrieval.documents.count": 3,
        "truegreen.retrieval.relevance.scores": [0.1, 0.5, 0.95], "truegreen.retrieval.relevance.below_floor": 1,
        "truegreen.retrieval.index.name": "kb", "truegreen.retrieval.index.version": "7", "truegreen.retrieval.index.rebuilt": 1.7e9,
    },
    {"truegreen.guardrail.name": "pii", "truegreen.guardrail.stage": "output", "truegreen.guardrail.action": "block"},
    {"truegreen.guardrail.name": "pii", "truegreen.guardrail.verdict": "false_positive"},
    {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "truegreen.agent.authorization": "unapproved"},
    {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper", "truegreen.agent.steps": 4, "truegreen.agent.tokens": 5000,
        "truegreen.agent.repeats": 2, "truegreen.agent.loop": True, "truegreen.agent.branch": "expected",
    },
    {"truegreen.task.name": "refund", "truegreen.task.outcome": "completed", "truegreen.feedback.score": -1.0},
    {"truegreen.task.name": "refund", "truegreen.escalation.reason": "angry", "truegreen.downstream.outcome": "invalid"},
]  # fmt: skip


README = Path(__file__).parents[2] / "collector/README.md"


def test_every_metric_of_the_catalogue_that_spans_feed_is_derived(processor: Processor, clock: Clock) -> None:
    """One span of each kind gives a number to each metric whose source is a span."""
    processor.traces(traces([span(one) for one in EVERYTHING]))
    clock.advance(HOLD)
    empty = [m.prometheus for m in catalogue.ALL if m.source.startswith(("span", "agent")) and not total(processor, m)]
    assert empty == []


def test_the_numbers_and_labels_are_those_of_the_span(processor: Processor, clock: Clock) -> None:
    """Values, labels and buckets come out as the attributes say."""
    processor.traces(traces([span(one, seconds=2.0) for one in EVERYTHING]))
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_REQUESTS) == {("chat", "openai", "large", "ok"): [1]}
    tokens = {key: numbers[0] for key, numbers in shown(processor, catalogue.LLM_TOKENS).items()}
    assert tokens == {("large", "input"): 900, ("large", "output"): 100, ("large", "cached"): 200, ("large", "reasoning"): 10}
    duration = shown(processor, catalogue.LLM_DURATION)["chat", "openai", "large"]
    assert duration[0] == pytest.approx(2.0)
    assert duration[1 + catalogue.LLM_DURATION.buckets.index(2.0)] == 1, "a bound counts what is equal to it"
    assert shown(processor, catalogue.LLM_TIME_PER_OUTPUT_TOKEN)["chat", "openai", "large"][0] == pytest.approx(1.6 / 99)
    assert shown(processor, catalogue.MODEL_SERVED) == {("large", "large-0613", ""): [1]}
    assert shown(processor, catalogue.RETRIEVAL_CHUNKS) == {("kb", "below"): [1], ("kb", "above"): [2]}
    assert shown(processor, catalogue.RETRIEVALS) == {("kb", "", "ok"): [1]}
    assert shown(processor, catalogue.RETRIEVAL_RELEVANCE)["kb",][0] == pytest.approx(1.55)
    assert shown(processor, catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP)["kb",][0] == 1.7e9
    assert shown(processor, catalogue.GUARDRAIL_DECISIONS) == {("pii", "output", "block"): [1]}
    assert shown(processor, catalogue.AGENT_LOOPS) == {("helper",): [1]}
    assert shown(processor, catalogue.FEEDBACK) == {("refund", "negative"): [1]}
    info = shown(processor, catalogue.SNAPSHOT_INFO)
    assert info == {("a1b2", "", "support@4", "", "", "", "", ""): [1, clock.now - HOLD]}
    assert shown(processor, catalogue.CALIBRATION_INFO).keys() == {("groundedness", "9f3c12ab34cd")}


def test_a_series_is_born_at_0_and_held_for_two_scrapes(processor: Processor, clock: Clock) -> None:
    """A new label set shows 0 until the hold passed, then its true value; later ones have their own hold."""
    processor.traces(traces([span(llm())]))
    assert shown(processor, catalogue.LLM_REQUESTS) == {("chat", "openai", "large", "ok"): [0]}
    assert total(processor, catalogue.LLM_DURATION) == 0
    clock.advance(2 * INTERVAL - 1)
    processor.traces(traces([span(llm())]))
    assert total(processor, catalogue.LLM_REQUESTS) == 0
    clock.advance(2)
    assert total(processor, catalogue.LLM_REQUESTS) == 2
    assert total(processor, catalogue.LLM_DURATION) == 2
    processor.traces(traces([span(llm(), error=True)]))
    assert shown(processor, catalogue.LLM_REQUESTS, outcome="error") == {("chat", "openai", "large", "error"): [0]}
    assert total(processor, catalogue.LLM_REQUESTS, outcome="ok") == 2


def test_a_duplicate_is_not_counted(processor: Processor, clock: Clock) -> None:
    """Another span for the same call changes nothing but the number of spans received."""
    processor.traces(traces([span(judged() | {names.DUPLICATE: True}), span(judged() | {names.DUPLICATE: False})]))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS) == 1
    assert total(processor, catalogue.EVALUATIONS) == 1
    assert total(processor, catalogue.COLLECTOR_ACCEPTED_SPANS) == 2


@pytest.mark.parametrize(
    ("attributes", "error", "counted"),
    [
        (llm(gen_ai__response__finish_reasons=["stop"]), False, 1),
        (llm(), False, 1),
        (llm(gen_ai__response__finish_reasons=["tool_calls"]), False, 0),
        (llm(gen_ai__response__finish_reasons=["stop", "tool_use"]), False, 0),
        (llm(gen_ai__response__finish_reasons="function_call"), False, 0),
        (llm(gen_ai__operation__name="embeddings"), False, 0),
        (llm(gen_ai__operation__name="generate_content"), False, 1),
        (llm(), True, 0),
    ],
)
def test_an_answer_is_a_finished_text(
    processor: Processor, clock: Clock, attributes: dict[str, object], error: bool, counted: int
) -> None:
    """Tool calls, embeddings and failures are calls, not answers."""
    processor.traces(traces([span(attributes, error=error)]))
    clock.advance(HOLD)
    assert total(processor, catalogue.ANSWERS) == counted
    assert total(processor, catalogue.LLM_REQUESTS) == 1


@pytest.mark.parametrize(
    ("error_type", "status", "outcome"),
    [
        (None, False, "ok"), (None, True, "error"), ("openai.RateLimitError", True, "throttled"), ("429", True, "throttled"),
        ("openai.APITimeoutError", True, "timeout"), ("RateLimitError", False, "throttled"), ("ValueError", True, "error"),
    ],
)  # fmt: skip
def test_outcomes_come_from_status_and_error_type(
    processor: Processor, clock: Clock, error_type: str | None, status: bool, outcome: str
) -> None:
    """429 is throttled, a timeout is a timeout, whatever the provider calls them."""
    attributes = llm() | ({"error.type": error_type} if error_type else {})
    processor.traces(traces([span(attributes, error=status)]))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS, outcome=outcome) == 1


def test_the_results_of_tools_and_retrievals_fall_back_on_the_status(processor: Processor, clock: Clock) -> None:
    """Where the app says nothing, status and counts decide."""
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}
    found = {"gen_ai.operation.name": "retrieval"}
    processor.traces(traces([
        span(tool, error=True), span(tool | {"error.type": "TimeoutError"}, error=True), span(tool | {"truegreen.tool.outcome": "silent_error"}),
        span(tool | {"truegreen.tool.outcome": "exploded"}), span(found | {"truegreen.retrieval.documents.count": 0}), span(found, error=True),
    ]))  # fmt: skip
    clock.advance(HOLD)
    outcomes = {key[1]: numbers[0] for key, numbers in shown(processor, catalogue.TOOL_CALLS).items()}
    assert outcomes == {"error": 1, "timeout": 1, "silent_error": 1, "other": 1}
    assert {key[2] for key in shown(processor, catalogue.RETRIEVALS)} == {"empty", "error"}


def test_missing_everything_is_still_counted(processor: Processor, clock: Clock) -> None:
    """No service, no environment, no model: unknown, not lost; a span without our attributes is accepted."""
    processor.traces(
        traces([span({"gen_ai.operation.name": "chat"}), span({}), span({"http.method": "GET"})], service=None, environment=None)
    )
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_REQUESTS, service="unknown_service", environment="unknown").keys() == {
        ("chat", "unknown", "unknown", "ok")
    }
    assert total(processor, catalogue.COLLECTOR_ACCEPTED_SPANS) == 3
    assert total(processor, catalogue.COLLECTOR_DROPPED_SPANS) == 0


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (judged(score=float("nan")), "not_a_number"), (judged(score=float("inf")), "not_a_number"), (judged(score=1.5), "out_of_range"),
        (judged() | {"truegreen.evaluation.groundedness.score": "high"}, "not_a_number"),
        (judged() | {"truegreen.evaluation.groundedness.raw": float("nan")}, "not_a_number"),
        (llm(gen_ai__usage__input_tokens=-5), "out_of_range"), ({"truegreen.feedback.score": "good"}, "not_a_label"),
        ({"gen_ai.operation.name": "retrieval", "truegreen.retrieval.relevance.scores": [0.5, "x"]}, "not_a_number"),
    ],
)  # fmt: skip
def test_an_unusable_value_is_left_out_and_counted(
    processor: Processor, clock: Clock, attributes: dict[str, object], reason: str
) -> None:
    """The rest of the span is counted; nothing is raised."""
    processor.traces(traces([span(attributes)]))
    clock.advance(HOLD)
    assert total(processor, catalogue.COLLECTOR_DROPPED_SPANS, reason=reason) == 1
    assert all(n == n and abs(n) < 1e300 for one in processor.copy() for numbers in one.series.values() for n in numbers)


@pytest.mark.parametrize("stated", [None, float("nan"), float("inf"), -1.0, "yesterday"])
def test_an_index_that_states_no_date_has_no_date(processor: Processor, clock: Clock, stated: object) -> None:
    """No series, not a rebuild in 1970; a date that was stated once stays when a later span has none."""
    bare = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "kb"}
    without = bare | ({} if stated is None else {"truegreen.retrieval.index.rebuilt": stated})
    processor.traces(traces([span(without)]))
    clock.advance(HOLD)
    assert shown(processor, catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP) == {}
    processor.traces(traces([span(bare | {"truegreen.retrieval.index.rebuilt": 1.7e9}), span(without)]))
    assert shown(processor, catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP)["kb",][0] == 1.7e9
    assert total(processor, catalogue.RETRIEVALS) == 3


def test_a_data_source_that_is_no_longer_used_leaves_after_a_day(processor: Processor, clock: Clock) -> None:
    """Its date would grow old for ever; that of one that is still retrieved from stays."""
    old, new = ({"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": name} for name in ("old", "new"))
    dated = {"truegreen.retrieval.index.rebuilt": 1.7e9}
    processor.traces(traces([span(old | dated), span(new | dated)]))
    clock.advance(86_399)
    processor.traces(traces([span(new | dated)]))
    assert set(shown(processor, catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP)) == {("old",), ("new",)}
    clock.advance(2)
    assert set(shown(processor, catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP)) == {("new",)}


def test_values_past_a_labels_limit_fold_into_overflow(processor: Processor, clock: Clock) -> None:
    """The 101st model and those after it share one series, and a counter says so; another service is not touched."""
    limit = catalogue.LLM_REQUESTS.label("model").limit
    processor.traces(traces([span(llm(gen_ai__request__model=f"m{i}")) for i in range(limit + 7)]))
    processor.traces(traces([span(llm(gen_ai__request__model="own"))], service="other"))
    clock.advance(HOLD)
    assert len(shown(processor, catalogue.LLM_REQUESTS, service="bot")) == limit + 1
    assert total(processor, catalogue.LLM_REQUESTS, model=terms.OVERFLOW) == 7
    assert total(processor, catalogue.LLM_REQUESTS, service="other", model="own") == 1
    assert total(processor, catalogue.COLLECTOR_OVERFLOW, metric="truegreen_llm_requests_total") == 7


def test_past_the_limit_of_series_new_label_sets_fold_and_nothing_is_lost(clock: Clock) -> None:
    """The sum stays true and the number of series stays bounded."""
    processor = Processor(clock, INTERVAL, series_limit=100)
    processor.traces(traces([span(llm(gen_ai__request__model=f"m{i}")) for i in range(60)]))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS) == 60
    assert total(processor, catalogue.LLM_REQUESTS, outcome=terms.OVERFLOW) > 0
    assert processor.store.series < 100 + 3 * 20


def test_past_the_limit_of_series_all_services_together_cost_a_known_number_more(clock: Clock) -> None:
    """The limit is soft by one folded set of each metric, whatever comes; failing traces and affected users have none."""
    processor = Processor(clock, INTERVAL, series_limit=0)
    kept_apart = (
        ("watch", "canary", "calibration file", "drill", "incident"),
        (catalogue.FAILING_TRACE_INFO, catalogue.AFFECTED_USERS, catalogue.AFFECTED_SESSIONS),
    )
    families = [one for one in processor.store.families.values() if one.metric.identity]
    folded = sum(one.width for one in families if one.metric.source not in kept_apart[0] and one.metric not in kept_apart[1])
    for evaluations in range(1, 4):
        named = judged("fail", user__id="u", session__id="s") | {
            f"truegreen.evaluation.e{i}.label": "fail" for i in range(1, evaluations)
        }
        spans = [span(one, trace_id=bytes([i]) * 16) for i, one in enumerate([*EVERYTHING, named, named, named])]
        for service in ("bot", "other"):
            processor.traces(traces(spans * 2, service=service))
        processor.copy()
        assert processor.store.series == folded
    assert f"soft by at most {folded} series" in README.read_text()


def test_label_values_are_cut_and_cleaned(processor: Processor, clock: Clock) -> None:
    """Control characters and length never reach a label."""
    processor.traces(traces([span(llm(truegreen__cohort="a\nb\x00" + "x" * 500))]))
    (key,) = shown(processor, catalogue.ANSWERS)
    assert key[1] == "a b " + "x" * (catalogue.VALUE_LENGTH - 4)


def test_a_snapshot_comes_up_anew_only_after_a_gap(processor: Processor, clock: Clock) -> None:
    """Set when first seen, kept while it serves, set again after 20 scrapes without it."""
    clock.advance(10_000)
    first = clock.now
    for _ in range(5):
        processor.traces(traces([span(llm(truegreen__snapshot__id="s1"))]))
        assert shown(processor, catalogue.SNAPSHOT_SINCE_TIMESTAMP)["s1",][0] == first
        clock.advance(300)
    clock.advance(601)
    processor.traces(traces([span(llm(truegreen__snapshot__id="s1"))]))
    assert shown(processor, catalogue.SNAPSHOT_SINCE_TIMESTAMP)["s1",][0] == clock.now


def test_a_collector_that_just_started_believes_the_applications_own_date(processor: Processor, clock: Clock) -> None:
    """A restart of the collector does not look like a deploy."""
    processor.traces(traces([span(llm(truegreen__snapshot__id="s1", truegreen__snapshot__since=clock.now - 5000))]))
    assert shown(processor, catalogue.SNAPSHOT_SINCE_TIMESTAMP)["s1",][0] == clock.now - 5000


def test_another_dialects_names_are_read_through_aliases(clock: Clock) -> None:
    """An attribute's other names are tried after its own."""
    processor = Processor(
        clock, INTERVAL, aliases={names.REQUEST_MODEL: ("llm.model_name",), names.INPUT_TOKENS: ("llm.token_count.prompt",)}
    )
    processor.traces(traces([span({"gen_ai.operation.name": "chat", "llm.model_name": "old", "llm.token_count.prompt": 7})]))
    clock.advance(HOLD)
    assert shown(processor, catalogue.LLM_TOKENS)[("old", "input")] == [7]


def test_what_is_kept_stays_small_whatever_is_sent(processor: Processor) -> None:
    """Long values, many evaluation names, odd trace ids: counted, folded, and not kept as keys."""
    long = [span(llm(truegreen__cohort=f"{i}" + "x" * 10_000)) for i in range(20)]
    many = [span(judged("fail") | {f"truegreen.evaluation.e{i}.label": "fail"}, trace_id=bytes([i + 1]) * 16) for i in range(60)]
    odd = [span(judged("fail"), trace_id=bytes([255]) * 5000)]
    processor.traces(traces([*long, *odd, *many]))
    (context,) = processor.contexts.by_identity.values()
    views = list(context.made.values())
    plans = [plans for view in views for plans in (view.plans, *(kept for _, kept in view.own.values()))]
    assert len(plans) > 60 and not [key for kept in plans for key in kept if len(repr(key)) > 10_000]
    assert len(context.evidence.slots) <= catalogue.EVALUATIONS.label("evaluation").limit + 1
    assert max(len(key[2]) for key in shown(processor, catalogue.FAILING_TRACE_INFO)) == 32


def test_plans_and_contexts_are_forgotten_at_their_bounds_and_the_counts_stay_true(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the bound all are made anew as they are needed: what is kept never passes it, and no span is lost."""
    monkeypatch.setattr(collector_processor, "PLANS", 10)
    monkeypatch.setattr("truegreen.collector.contexts.RESOURCES", 10)
    processor = Processor(clock, INTERVAL)
    for i in range(35):
        processor.traces(traces([span(llm(gen_ai__request__model=f"m{i}"))], service=f"s{i % 25}"))
        kept = sum(len(view.plans) for context in processor.contexts.by_identity.values() for view in context.made.values())
        assert kept <= 10 and len(processor.contexts.known) <= 10
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS) == 35


def test_a_context_of_long_names_is_counted_and_not_kept_by_its_key(processor: Processor, clock: Clock) -> None:
    """A resource attribute of any length costs its label's length, not its own."""
    for i in range(20):
        processor.traces(traces([span(llm())], service=f"{i % 2}" + "x" * 10_000))
    clock.advance(HOLD)
    assert [key for key in processor.contexts.known if len(repr(key)) > 10_000] == []
    assert [total(processor, catalogue.LLM_REQUESTS, service=service) for service, _ in processor.contexts.by_identity] == [
        10,
        10,
    ]


def test_affected_users_past_the_bound_are_an_estimate(processor: Processor, clock: Clock) -> None:
    """Past 10,000 in a sixth of an hour the number keeps growing, near the truth, and users who fail again do not count again."""
    failing = [span(judged("fail", user__id=f"u{i}")) for i in range(2 * evidence.DISTINCT)]
    processor.traces(traces(failing))
    found = shown(processor, catalogue.AFFECTED_USERS)["groundedness",][0]
    assert found == pytest.approx(2 * evidence.DISTINCT, rel=0.08)
    clock.advance(600)
    processor.traces(traces(failing[:50]))
    assert shown(processor, catalogue.AFFECTED_USERS)["groundedness",][0] == pytest.approx(found, abs=1)


def test_a_span_of_two_classes_is_counted_in_both(processor: Processor, clock: Clock) -> None:
    """A chat call that carries a guardrail decision and feedback."""
    both = llm() | {"truegreen.guardrail.name": "pii", "truegreen.guardrail.action": "allow", "truegreen.feedback.score": 1}
    processor.traces(traces([span(both), span(llm())]))
    clock.advance(HOLD)
    counted = [total(processor, m) for m in (catalogue.LLM_REQUESTS, catalogue.GUARDRAIL_DECISIONS, catalogue.FEEDBACK)]
    assert counted == [2, 1, 1]
