"""Every attribute of ours with its type, values and meaning: what the reference page is written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from truegreen.core.words import attributes as names
from truegreen.core.words import terms


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of ours for the reference page: its group, OpenTelemetry type, allowed values and meaning."""

    name: str
    group: str
    type: str
    meaning: str
    values: tuple[str, ...] = ()


def _table() -> tuple[Attribute, ...]:
    def ours(group: str, *rows: tuple[str, str, str] | tuple[str, str, str, tuple[str, ...]]) -> list[Attribute]:
        return [Attribute(row[0], group, row[1], row[2], row[3] if len(row) > 3 else ()) for row in rows]

    name = "<name>"
    versions = [(names.version_of(c), "string", f"Version of the {c.replace('_', ' ')}") for c in terms.SNAPSHOT_COMPONENTS]
    return tuple(
        ours("snapshot",
             (names.SNAPSHOT_ID, "string", "12 hex digits over the five components that serve"),
             *versions,
             (names.SNAPSHOT_SINCE, "int", "Unix seconds at which this process first served the snapshot"))
        + ours("traffic",
               (names.COHORT, "string", "The cohort of the request"),
               (names.PROMPT_TEMPLATE, "string", "Prompt name@version, else the dialect's template, else a hash of the system message"),
               (names.DIALECT, "string", "Which dialect the span was read in"),
               (names.DUPLICATE, "boolean", "Another span stands for the same call: never counted"))
        + ours("evaluation",
               (names.evaluation(name, "raw"), "double", "The evaluator's own number, higher is better"),
               (names.evaluation(name, "score"), "double", "0 to 1 on the calibration's scale"),
               (names.evaluation(name, "label"), "string", "Verdict under the calibration's floor", (terms.PASS, terms.FAIL)),
               (names.evaluation(name, "evaluator"), "string", "Which evaluator judged"),
               (names.evaluation(name, "scale"), "string", "What the score means", (terms.RELATIVE, terms.CALIBRATED)),
               (names.evaluation(name, "calibration"), "string", "Digest of the calibration file"),
               (names.evaluation(name, "skipped"), "string", "Why this evaluation of a sampled answer has no verdict", terms.SKIP_REASONS),
               (names.evaluation(name, "sampled"), "string", "Which sample of this evaluation the answer belongs to", terms.SAMPLED[:2]),
               (names.evaluation(name, "deferred"), "string",
                "Stands in place of `sampled` on a span whose verdict follows as a gen_ai.evaluation.result event: the event is counted, not the span",
                terms.SAMPLED[:2]),
               (names.EVALUATION_SAMPLED, "string", "Whether any evaluation sampled the answer: base if one did as base", terms.SAMPLED),
               (names.EVALUATION_MIRRORED, "boolean", "This event repeats an attribute of the span, or is a sketch without a verdict: not counted"))
        + ours("answer",
               (names.ANSWER_MARKERS, "string[]", "What the answer looks like", terms.MARKERS),
               (names.ANSWER_STYLE, "double[]", "Ten style numbers, on sampled spans: " + ", ".join(terms.STYLE)),
               (names.ANSWER_EMBEDDING, "double[]", "A sketch of the answer's words or sense, on events of the evaluation `embedding`; never text"),
               (names.QUERY_EMBEDDING, "double[]", "The same of its question"))
        + ours("retrieval",
               (names.RETRIEVAL_COUNT, "int", "How many documents came back"),
               (names.RELEVANCE_SCORES, "double[]", "Relevance of each, in order"),
               (names.RELEVANCE_MAX, "double", "The best of them"),
               (names.RELEVANCE_MEAN, "double", "Their mean"),
               (names.RELEVANCE_BELOW_FLOOR, "int", "How many lie under the similarity floor"),
               (names.INDEX_NAME, "string", "The index that served"),
               (names.INDEX_ALIAS, "string", "The alias that was asked"),
               (names.INDEX_VERSION, "string", "The version behind the alias"),
               (names.INDEX_REBUILT, "int", "Unix seconds of the last rebuild"),
               (names.INDEX_EMBEDDING_MODEL, "string", "The model that made its vectors"),
               (names.INDEX_FINGERPRINT, "string", "Lengths of the chunks that it returns, and number and hash of their metadata keys"))
        + ours("guardrail",
               (names.GUARDRAIL_NAME, "string", "Which guardrail decided"),
               (names.GUARDRAIL_STAGE, "string", "Where it stands: input, output, tool or retrieval"),
               (names.GUARDRAIL_ACTION, "string", "What it did", ("allow", "block", "redact", "flag")),
               (names.GUARDRAIL_VERDICT, "string", "A review's word on the decision",
                ("true_positive", "false_positive", "true_negative", "false_negative")))
        + ours("agent",
               (names.TOOL_OUTCOME, "string", "How the tool call ended", ("ok", "error", "timeout", "invalid_output", "silent_error")),
               (names.AGENT_OUTCOME, "string", "How the run ended", ("completed", "failed", "stopped")),
               (names.AGENT_AUTHORIZATION, "string", "Whether the action was approved", ("approved", "unapproved", "denied")),
               (names.AGENT_STEPS, "int", "Steps of the run"),
               (names.AGENT_REPEATS, "int", "Largest number of identical tool calls in the run"),
               (names.AGENT_TOKENS, "int", "Tokens of the run"),
               (names.AGENT_LOOP, "boolean", "The run went round in a loop"),
               (names.AGENT_BRANCH, "string", "Which way the run took", ("expected", "unexpected", "failed")))
        + ours("containment", (names.CONTAINMENT, "string", "Which switch was in force", terms.CONTAINMENTS))
        + ours("business",
               (names.TASK_NAME, "string", "The user's task"),
               (names.TASK_OUTCOME, "string", "How it ended", ("completed", "abandoned", "escalated", "failed")),
               (names.FEEDBACK_SCORE, "double", "The user's feedback; over, at or under 0"),
               (names.ESCALATION_REASON, "string", "Why a person took over"),
               (names.DOWNSTREAM_OUTCOME, "string", "Whether a downstream record was valid", ("valid", "invalid")))
    )  # fmt: skip


TABLE: Final = _table()
"""Every attribute of ours, in the order of the reference page."""
