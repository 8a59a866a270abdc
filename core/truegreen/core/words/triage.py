"""The triage table: per failure mode and per pillar, what to suspect first, what to ask, which board to open, what to do.

An alert carries the first hypotheses, the runbook asks the queries and prints the moves: both read this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Final

from truegreen.core.words.boards import PILLARS as PILLAR_BOARD
from truegreen.core.words.boards import board_of

US: Final = "us"
THEM: Final = "them"
EITHER: Final = "either"


@dataclass(frozen=True, slots=True)
class Query:
    """One question to Prometheus.

    Args:
        name: how hypotheses refer to it.
        asks: the question in words.
        promql: the expression, with `$service`, `$environment` and `$window` (such as `1h`) to fill in.
    """

    name: str
    asks: str
    promql: str

    def fill(self, service: str, environment: str, window: str = "1h") -> str:
        """The expression for one service; quotes and backslashes in the names are escaped."""
        return Template(self.promql).substitute(service=_quoted(service), environment=_quoted(environment), window=window)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One cause to rule in or out.

    Args:
        says: the cause, in a few words.
        whose: `us`, `them` (the provider) or `either`.
        query: the name of the query that speaks for or against it.
    """

    says: str
    whose: str
    query: str


@dataclass(frozen=True, slots=True)
class Move:
    """One thing to do.

    Args:
        says: the move in words.
        command: the truegreen command, words in capitals to be filled in.
        unless: SLOs of which it would make things worse.
    """

    says: str
    command: str
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Triage:
    """What to do first about one failure mode or one pillar.

    Args:
        key: one of `terms.FAILURE_MODES` or `terms.PILLARS`.
        hypotheses: likeliest first.
        queries: names of further queries worth asking.
        board: uid of the Grafana board to open.
        contain: what stops the harm within minutes.
        rollback: what removes the cause when it is ours.
    """

    key: str
    hypotheses: tuple[Hypothesis, ...]
    queries: tuple[str, ...]
    board: str
    contain: Move
    rollback: Move


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


_AT: Final = 'service="$service",environment="$environment"'


def _share(metric: str, part: str, whole: str = "", by: str = "") -> str:
    # A share of sums: 0, not absent, when no event of the part was seen.
    group = f" by ({by})" if by else ""
    parts = f"sum{group} (increase({metric}{{{_AT}{',' if part else ''}{part}}}[$window]))"
    every = f"sum{group} (increase({metric}{{{_AT}{',' if whole else ''}{whole}}}[$window]))"
    return f"({parts} or 0 * {every}) / ({every} > 0)"


_JUDGED: Final = 'result=~"pass|fail"'

QUERIES: Final = {
    query.name: query
    for query in (
        Query("served_model", "Which model really answered, and since when is it another one?",
              f"sum by (model, served, fingerprint) (increase(truegreen_model_served_total{{{_AT}}}[$window])) > 0"),
        Query("snapshot_change", "Which version of prompt, model, index, tools or guardrail began to serve, and when?",
              f"truegreen_snapshot_since_timestamp_seconds{{{_AT}}} * on (service, environment, snapshot) group_left "
              f"(model_version, prompt_version, retrieval_index_version, tool_schema_version, guardrail_version) "
              f"truegreen_snapshot_info{{{_AT}}}"),
        Query("ungrounded_by_snapshot", "Is one version worse than the others?",
              _share("truegreen_evaluations_total", 'result="fail"', _JUDGED, "snapshot")),
        Query("ungrounded_by_model", "Is one model worse than the others?",
              _share("truegreen_evaluations_total", 'result="fail"', _JUDGED, "model")),
        Query("ungrounded_by_cohort", "Is one cohort worse than the others?",
              _share("truegreen_evaluations_total", 'result="fail"', _JUDGED, "cohort")),
        Query("retrieval_relevance", "How many retrieved chunks lie above the similarity floor?",
              _share("truegreen_retrieval_chunks_total", 'relevance="above"')),
        Query("retrieval_empty", "How many retrievals came back empty or failed?",
              _share("truegreen_retrievals_total", 'outcome=~"empty|error"', by="data_source")),
        Query("index_age", "How old is the index, in seconds?",
              f"time() - max by (data_source) (truegreen_retrieval_index_rebuilt_timestamp_seconds{{{_AT}}})"),
        Query("index_version", "Which index version serves?",
              f"truegreen_retrieval_index_info{{{_AT}}}"),
        Query("guardrail_blocks", "How many decisions block, by guardrail?",
              _share("truegreen_guardrail_decisions_total", 'action="block"', by="guardrail")),
        Query("guardrail_reviews", "What did reviewers say of the guardrail's decisions?",
              f"sum by (guardrail, verdict) (increase(truegreen_guardrail_reviews_total{{{_AT}}}[$window]))"),
        Query("tool_outcomes", "Which tool fails, and does it say so?",
              _share("truegreen_tool_calls_total", 'outcome!="ok"', by="tool")),
        Query("silent_errors", "How many tool calls returned an error as if it were a result?",
              _share("truegreen_tool_calls_total", 'outcome="silent_error"', by="tool")),
        Query("loops", "How many agent runs go round in circles?",
              f"sum by (agent) (increase(truegreen_agent_loops_total{{{_AT}}}[$window])) "
              f"/ sum by (agent) (increase(truegreen_agent_runs_total{{{_AT}}}[$window]) > 0)"),
        Query("actions", "How many agent actions were not approved?",
              _share("truegreen_agent_actions_total", 'authorization=~"unapproved|denied"', by="agent")),
        Query("branches", "How many branches were not the expected ones?",
              _share("truegreen_agent_branches_total", 'branch=~"unexpected|failed"', by="agent")),
        Query("latency_p99", "What is the 99th percentile of a call, by model?",
              f"histogram_quantile(0.99, sum by (le, model) (rate(truegreen_llm_duration_seconds_bucket{{{_AT}}}[$window])))"),
        Query("tokens", "How many tokens does a call take, by kind?",
              f"sum by (type) (increase(truegreen_llm_tokens_total{{{_AT}}}[$window])) "
              f"/ on () group_left () sum(increase(truegreen_llm_requests_total{{{_AT}}}[$window]) > 0)"),
        Query("seconds_per_token", "How many seconds does a call take for each token of its answer?",
              f"sum by (model) (increase(truegreen_llm_duration_seconds_sum{{{_AT}}}[$window])) "
              f'/ on () group_left () sum(increase(truegreen_llm_tokens_total{{{_AT},type="output"}}[$window]) > 0)'),
        Query("errors", "How many calls fail, are throttled or time out, by provider?",
              _share("truegreen_llm_requests_total", 'outcome!="ok"', by="provider")),
        Query("contained", "Which switch of containment is on?",
              f"sum by (containment) (increase(truegreen_contained_requests_total{{{_AT}}}[$window])) > 0"),
        Query("skipped", "Why were answers not judged?",
              f'sum by (reason) (increase(truegreen_evaluations_total{{{_AT},result="skipped"}}[$window]))'),
        Query("style_drift", "How far is the wording from the frozen baseline?",
              f"truegreen_drift_zscore{{{_AT}}}"),
        Query("traffic_mix", "Which cohorts ask?",
              f"sum by (cohort) (increase(truegreen_answers_total{{{_AT}}}[$window]))"),
        Query("task_outcomes", "How do tasks end?",
              f"sum by (task, outcome) (increase(truegreen_tasks_total{{{_AT}}}[$window]))"),
    )
}  # fmt: skip
"""Name to query."""

_PIN_MODEL: Final = Move("pin the model version that was good", "truegreen contain pin-model MODEL --expires 60m")
_ROLLBACK_PROMPT: Final = Move("move the prompt's label back to the version of before", "truegreen rollback prompt")
_ROLLBACK_INDEX: Final = Move("move the index back to the version of before", "truegreen rollback index")
_ROLLBACK_GUARDRAIL: Final = Move("move the guardrail back to the version of before", "truegreen rollback guardrail")
_ROLLBACK_TOOLS: Final = Move("move the tool schemas back to the version of before", "truegreen rollback tools")
_CACHED: Final = Move("answer from the cache of before the true start", "truegreen contain cached --expires 60m")
_FEATURE_OFF: Final = Move("switch the feature off", "truegreen contain feature-off NAME --expires 60m")
_PROMPT: Final = Hypothesis("a new prompt version began to serve", US, "snapshot_change")
_SERVED: Final = Hypothesis("the provider serves another model behind the same name", THEM, "served_model")

BY_FAILURE_MODE: Final = {
    row.key: row
    for row in (
        Triage("hallucination",
               (_SERVED, _PROMPT, Hypothesis("retrieval gives the wrong passages", US, "retrieval_relevance"),
                Hypothesis("one cohort asks what the corpus does not know", US, "ungrounded_by_cohort")),
               ("ungrounded_by_snapshot", "ungrounded_by_model", "index_version", "contained"),
               board_of("hallucination"), _PIN_MODEL, _ROLLBACK_PROMPT),
        Triage("drift",
               (Hypothesis("the mix of questions has changed", EITHER, "traffic_mix"), _SERVED, _PROMPT,
                Hypothesis("the index has aged", US, "index_age")),
               ("style_drift", "ungrounded_by_cohort", "task_outcomes"),
               board_of("drift"), _PIN_MODEL, _ROLLBACK_PROMPT),
        Triage("retrieval",
               (Hypothesis("the index was rebuilt or its alias moved", US, "index_version"),
                Hypothesis("the index has aged", US, "index_age"),
                Hypothesis("a data source is down or empty", US, "retrieval_empty"),
                Hypothesis("the embedding model changed under the index", EITHER, "snapshot_change")),
               ("retrieval_relevance", "ungrounded_by_snapshot"),
               board_of("retrieval"), _CACHED, _ROLLBACK_INDEX),
        Triage("latency",
               (Hypothesis("the provider takes longer for as many tokens", THEM, "seconds_per_token"),
                Hypothesis("the provider throttles, fails or does not answer in time", THEM, "errors"),
                Hypothesis("prompts or answers have grown", US, "tokens"),
                Hypothesis("the agent goes round in circles", US, "loops"), _SERVED),
               ("latency_p99", "snapshot_change", "contained"),
               board_of("latency"), Move("reroute to the fallback model", "truegreen contain fallback --expires 60m"), _ROLLBACK_PROMPT),
        Triage("guardrail",
               (Hypothesis("the guardrail's configuration changed", US, "snapshot_change"),
                Hypothesis("somebody is attacking, or the mix of questions has changed", EITHER, "traffic_mix"), _SERVED),
               ("guardrail_blocks", "guardrail_reviews"),
               board_of("guardrail"),
               Move("let the guardrail take its strict setting when it lets harm through", "truegreen contain strict-guardrail --expires 60m",
                    ("guardrail_over", "guardrail_blocks")),
               _ROLLBACK_GUARDRAIL),
    )
}  # fmt: skip

BY_PILLAR: Final = {
    row.key: row
    for row in (
        Triage("autonomy",
               (Hypothesis("the agent may do more than it should since the last change", US, "snapshot_change"),
                Hypothesis("the approval step is skipped or down", US, "actions")),
               ("actions",), PILLAR_BOARD, _FEATURE_OFF, _ROLLBACK_TOOLS),
        Triage("tool_use",
               (Hypothesis("a tool returns errors as if they were results", US, "silent_errors"),
                Hypothesis("a tool fails or its interface changed", EITHER, "tool_outcomes"),
                Hypothesis("the tool schema changed", US, "snapshot_change")),
               ("tool_outcomes", "silent_errors"), PILLAR_BOARD, Move("switch off the feature that calls the failing tool", _FEATURE_OFF.command), _ROLLBACK_TOOLS),
        Triage("planning",
               (Hypothesis("the agent repeats a step that cannot succeed", US, "loops"), _PROMPT, _SERVED),
               ("loops", "tool_outcomes"), PILLAR_BOARD, _PIN_MODEL, _ROLLBACK_PROMPT),
        Triage("memory",
               (Hypothesis("the index was rebuilt or its alias moved", US, "index_version"),
                Hypothesis("the index has aged", US, "index_age"),
                Hypothesis("retrievals come back empty", US, "retrieval_empty")),
               ("retrieval_relevance", "index_age"), PILLAR_BOARD, _CACHED, _ROLLBACK_INDEX),
        Triage("reasoning",
               (_SERVED, _PROMPT, Hypothesis("the agent takes branches that nobody planned", EITHER, "branches")),
               ("branches", "ungrounded_by_model"), PILLAR_BOARD, _PIN_MODEL, _ROLLBACK_PROMPT),
    )
}  # fmt: skip


def rows(failure_mode: str, pillar: str = "none") -> tuple[Triage, ...]:
    """The table's rows for an alert, the pillar's first: it is the narrower one.

    Args:
        failure_mode: from `terms.FAILURE_MODES`; `none` (a watcher) has no row.
        pillar: from `terms.PILLARS`, or `none`.
    """
    found = (BY_PILLAR.get(pillar), BY_FAILURE_MODE.get(failure_mode))
    return tuple(row for row in found if row is not None)


def first_hypotheses(failure_mode: str, pillar: str = "none", most: int = 3) -> tuple[Hypothesis, ...]:
    """The first hypotheses for an alert, likeliest first, none twice."""
    return tuple(dict.fromkeys(hypothesis for row in rows(failure_mode, pillar) for hypothesis in row.hypotheses))[:most]
