"""The metric catalogue. Generated from `catalogue.yaml` by `python -m truegreen.core.words.catalogue_build --write`."""

# fmt: off
from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from truegreen.core.words.metric import Born, Case, Condition, External, Label, Metric, Part, Read, Value

SERIES_LIMIT: Final = 20000
VALUE_LENGTH: Final = 128

_SERVICE = Label(name="service", read=Read(kind="resource", names=("service.name",)), default="unknown_service", limit=500)
_ENVIRONMENT = Label(name="environment", read=Read(kind="resource", names=("deployment.environment.name", "deployment.environment")), default="unknown", limit=20)
_OPERATION = Label(name="operation", read=Read(kind="attribute", names=("gen_ai.operation.name",)), default="unknown", limit=20)
_PROVIDER = Label(name="provider", read=Read(kind="attribute", names=("gen_ai.provider.name",)), default="unknown", limit=50)
_MODEL = Label(name="model", read=Read(kind="attribute", names=("gen_ai.request.model",)), default="unknown", limit=100)
_COHORT = Label(name="cohort", read=Read(kind="attribute", names=("truegreen.cohort",)), default="unknown", limit=50)
_SNAPSHOT = Label(name="snapshot", read=Read(kind="attribute", names=("truegreen.snapshot.id",)), default="unknown", limit=200)
_SAMPLED = Label(name="sampled", read=Read(kind="attribute", names=("truegreen.evaluation.sampled",)), default="none", values=("base", "boost", "none"), limit=4)
_SAMPLED_FOR = Label(name="sampled", read=Read(kind="evaluation", names=("sampled",)), default="none", values=("base", "boost", "none"), limit=4)
_LLM_OUTCOME = Label(name="outcome", cases=(Case(when=Condition(op="all", parts=(Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), Condition(op="contains", read=Read(kind="attribute", names=("error.type",)), values=("429", "ratelimit", "rate_limit", "throttl", "toomanyrequests", "too_many_requests", "resource_exhausted", "resourceexhausted")))), then="throttled"), Case(when=Condition(op="all", parts=(Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), Condition(op="contains", read=Read(kind="attribute", names=("error.type",)), values=("timeout", "timedout", "timed_out", "deadline", "408", "504")))), then="timeout"), Case(when=Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), then="error")), default="ok", values=("ok", "error", "throttled", "timeout"), limit=5)
_TOKEN_TYPE = Label(name="type", values=("input", "output", "cached", "reasoning"), limit=5)
_FINISH_REASON = Label(name="reason", read=Read(kind="item"), limit=30)
_CONTAINMENT = Label(name="containment", read=Read(kind="attribute", names=("truegreen.containment",)), values=("fallback_model", "pinned_model", "cached_response", "reduced_context", "degraded_mode", "feature_disabled", "circuit_open", "strict_guardrail"), limit=9)
_EVALUATION = Label(name="evaluation", read=Read(kind="evaluation", names=("name",)), limit=30)
_EVALUATOR = Label(name="evaluator", read=Read(kind="evaluation", names=("evaluator",)), default="unknown", limit=30)
_VERDICT_OF_ANSWER = Label(name="result", read=Read(kind="evaluation", names=("label",)), values=("pass", "fail"), limit=3)
_RESULT = Label(name="result", read=Read(kind="evaluation", names=("label",)), default="skipped", values=("pass", "fail", "skipped"), limit=4)
_SKIP_REASON = Label(name="reason", read=Read(kind="evaluation", names=("skipped",)), cases=(Case(when=Condition(op="in", read=Read(kind="evaluation", names=("label",)), values=("pass", "fail")), then=""),), default="", values=("", "no_context", "no_question", "no_expected", "unsupported_language", "shown_only", "no_baseline", "queue_full", "error", "too_large", "throttled", "timeout", "budget", "refused", "unreadable"), limit=16)
_SCALE = Label(name="scale", read=Read(kind="evaluation", names=("scale",)), default="", values=("", "relative", "calibrated"), limit=4)
_DIGEST = Label(name="digest", read=Read(kind="evaluation", names=("calibration",)), limit=50)
_SLOT = Label(name="slot", values=("0", "1", "2"), limit=4)
_TRACE_ID = Label(name="trace_id", read=Read(kind="computed", names=("trace_id",)), limit=3)
_MARKER = Label(name="marker", read=Read(kind="item"), values=("overconfident", "refusal", "empty", "truncated"), limit=5)
_DRIFT_SIGNAL = Label(name="signal", values=("style", "embedding", "mmd", "query", "conditional", "retrieval"), limit=7)
_DRIFT_CHANGE = Label(name="change", values=("input", "output", "both", "either", "retrieval"), limit=6)
_BASELINE_SIGNAL = Label(name="signal", limit=50)
_TEMPLATE = Label(name="template", read=Read(kind="attribute", names=("truegreen.prompt.template",)), default="unknown", limit=500)
_BASELINE_TEMPLATE = Label(name="template", default="", limit=500)
_NAMED_EVALUATOR = Label(name="evaluator", limit=30)
_ERROR_KIND = Label(name="error", values=("false_positive", "false_negative"), limit=3)
_ANNOUNCING_PROVIDER = Label(name="provider", limit=50)
_ANNOUNCED_MODEL = Label(name="model", limit=500)
_PROBE_RESULT = Label(name="result", values=("caught", "missed"), limit=3)
_INCIDENT_SEV = Label(name="sev", values=("1", "2", "3"), limit=4)
_ACTION_STATE = Label(name="state", values=("open", "done"), limit=3)
_DATA_SOURCE = Label(name="data_source", read=Read(kind="attribute", names=("gen_ai.data_source.id",)), default="unknown", limit=100)
_AGENT = Label(name="agent", read=Read(kind="attribute", names=("gen_ai.agent.name",)), default="unknown", limit=100)
_CALLING_AGENT = Label(name="agent", read=Read(kind="attribute", names=("gen_ai.agent.name",)), default="", limit=100)
_RETRIEVAL_OUTCOME = Label(name="outcome", cases=(Case(when=Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), then="error"), Case(when=Condition(op="equals", read=Read(kind="attribute", names=("truegreen.retrieval.documents.count",)), values=(0,)), then="empty")), default="ok", values=("ok", "empty", "error"), limit=4)
_RELEVANCE = Label(name="relevance", values=("above", "below"), limit=3)
_INDEX = Label(name="index", read=Read(kind="attribute", names=("truegreen.retrieval.index.name",)), default="unknown", limit=100)
_INDEX_VERSION = Label(name="version", read=Read(kind="attribute", names=("truegreen.retrieval.index.version",)), default="", limit=200)
_GUARDRAIL = Label(name="guardrail", read=Read(kind="attribute", names=("truegreen.guardrail.name",)), limit=100)
_STAGE = Label(name="stage", read=Read(kind="attribute", names=("truegreen.guardrail.stage",)), default="unknown", limit=20)
_ACTION = Label(name="action", read=Read(kind="attribute", names=("truegreen.guardrail.action",)), values=("allow", "block", "redact", "flag"), limit=5)
_VERDICT = Label(name="verdict", read=Read(kind="attribute", names=("truegreen.guardrail.verdict",)), values=("true_positive", "false_positive", "true_negative", "false_negative"), limit=5)
_TOOL = Label(name="tool", read=Read(kind="attribute", names=("gen_ai.tool.name",)), default="unknown", limit=200)
_TOOL_OUTCOME = Label(name="outcome", read=Read(kind="attribute", names=("truegreen.tool.outcome",)), default_cases=(Case(when=Condition(op="all", parts=(Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), Condition(op="contains", read=Read(kind="attribute", names=("error.type",)), values=("timeout", "timedout", "timed_out", "deadline", "408", "504")))), then="timeout"), Case(when=Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), then="error")), default="ok", values=("ok", "error", "timeout", "invalid_output", "silent_error"), limit=6)
_AGENT_OUTCOME = Label(name="outcome", read=Read(kind="attribute", names=("truegreen.agent.outcome",)), default_cases=(Case(when=Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))), then="failed"),), default="completed", values=("completed", "failed", "stopped"), limit=4)
_AUTHORIZATION = Label(name="authorization", read=Read(kind="attribute", names=("truegreen.agent.authorization",)), values=("approved", "unapproved", "denied"), limit=4)
_BRANCH = Label(name="branch", read=Read(kind="attribute", names=("truegreen.agent.branch",)), values=("expected", "unexpected", "failed"), limit=4)
_TASK = Label(name="task", read=Read(kind="attribute", names=("truegreen.task.name",)), default="unknown", limit=100)
_TASK_OUTCOME = Label(name="outcome", read=Read(kind="attribute", names=("truegreen.task.outcome",)), values=("completed", "abandoned", "escalated", "failed"), limit=5)
_SENTIMENT = Label(name="sentiment", cases=(Case(when=Condition(op="over", read=Read(kind="attribute", names=("truegreen.feedback.score",)), values=(0,)), then="positive"), Case(when=Condition(op="under", read=Read(kind="attribute", names=("truegreen.feedback.score",)), values=(0,)), then="negative"), Case(when=Condition(op="equals", read=Read(kind="attribute", names=("truegreen.feedback.score",)), values=(0,)), then="neutral")), values=("negative", "neutral", "positive"), limit=4)
_ESCALATION_REASON = Label(name="reason", read=Read(kind="attribute", names=("truegreen.escalation.reason",)), limit=50)
_DOWNSTREAM_OUTCOME = Label(name="outcome", read=Read(kind="attribute", names=("truegreen.downstream.outcome",)), values=("valid", "invalid"), limit=3)
_MODEL_VERSION = Label(name="model_version", read=Read(kind="attribute", names=("truegreen.version.model",)), default="", limit=200)
_PROMPT_VERSION = Label(name="prompt_version", read=Read(kind="attribute", names=("truegreen.version.prompt",)), default="", limit=200)
_RETRIEVAL_INDEX_VERSION = Label(name="retrieval_index_version", read=Read(kind="attribute", names=("truegreen.version.retrieval_index",)), default="", limit=200)
_TOOL_SCHEMA_VERSION = Label(name="tool_schema_version", read=Read(kind="attribute", names=("truegreen.version.tool_schema",)), default="", limit=200)
_EVAL_DATASET_VERSION = Label(name="eval_dataset_version", read=Read(kind="attribute", names=("truegreen.version.eval_dataset",)), default="", limit=200)
_GUARDRAIL_VERSION = Label(name="guardrail_version", read=Read(kind="attribute", names=("truegreen.version.guardrail",)), default="", limit=200)
_PROVIDER_CHANGELOG_VERSION = Label(name="provider_changelog_version", read=Read(kind="attribute", names=("truegreen.version.provider_changelog",)), default="", limit=200)
_SERVED = Label(name="served", read=Read(kind="attribute", names=("gen_ai.response.model",)), limit=100)
_FINGERPRINT = Label(name="fingerprint", read=Read(kind="attribute", names=("openai.response.system_fingerprint",)), default="", limit=100)
_COLLECTOR_REASON = Label(name="reason", limit=20)
_DESTINATION = Label(name="destination", limit=20)
_OTLP_SIGNAL = Label(name="signal", values=("traces", "logs"), limit=3)
_METRIC = Label(name="metric", limit=100)
_VERSION = Label(name="version", limit=1)

SERVICE: Final = _SERVICE
ENVIRONMENT: Final = _ENVIRONMENT

SPANS: Final[Mapping[str, Condition]] = {
    "llm": Condition(op="in", read=Read(kind="attribute", names=("gen_ai.operation.name",)), values=("chat", "generate_content", "text_completion", "embeddings")),
    "retrieval": Condition(op="in", read=Read(kind="attribute", names=("gen_ai.operation.name",)), values=("retrieval",)),
    "tool": Condition(op="in", read=Read(kind="attribute", names=("gen_ai.operation.name",)), values=("execute_tool",)),
    "agent": Condition(op="in", read=Read(kind="attribute", names=("gen_ai.operation.name",)), values=("invoke_agent",)),
    "guardrail": Condition(op="present", read=Read(kind="attribute", names=("truegreen.guardrail.name",))),
    "authorization": Condition(op="present", read=Read(kind="attribute", names=("truegreen.agent.authorization",))),
    "branch": Condition(op="present", read=Read(kind="attribute", names=("truegreen.agent.branch",))),
    "task": Condition(op="present", read=Read(kind="attribute", names=("truegreen.task.outcome",))),
    "feedback": Condition(op="present", read=Read(kind="attribute", names=("truegreen.feedback.score",))),
    "escalation": Condition(op="present", read=Read(kind="attribute", names=("truegreen.escalation.reason",))),
    "downstream": Condition(op="present", read=Read(kind="attribute", names=("truegreen.downstream.outcome",))),
    "containable": Condition(op="in", read=Read(kind="attribute", names=("gen_ai.operation.name",)), values=("chat", "generate_content", "text_completion", "embeddings", "contained")),
}
"""The classes of spans: each metric looks at one."""

LLM_REQUESTS: Final = Metric(
    name="truegreen.llm.requests",
    unit="{request}",
    kind="counter",
    description="Calls to a model, by outcome.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_OPERATION, _PROVIDER, _MODEL, _LLM_OUTCOME),
    failure_mode="latency",
    span="llm",
    nearest="gen_ai.client.operation.duration",
)
LLM_DURATION: Final = Metric(
    name="truegreen.llm.duration",
    unit="s",
    kind="histogram",
    description="Time of a call to a model, from the span's start to its end.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_OPERATION, _PROVIDER, _MODEL),
    failure_mode="latency",
    span="llm",
    value=Value(read=Read(kind="computed", names=("duration",)), low=0),
    buckets=(0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0),
    nearest="gen_ai.client.operation.duration",
)
LLM_TIME_TO_FIRST_CHUNK: Final = Metric(
    name="truegreen.llm.time_to_first_chunk",
    unit="s",
    kind="histogram",
    description="Time to the first chunk of a streamed answer.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_OPERATION, _PROVIDER, _MODEL),
    failure_mode="latency",
    span="llm",
    value=Value(read=Read(kind="attribute", names=("gen_ai.response.time_to_first_chunk",)), low=0),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0),
    nearest="gen_ai.client.operation.time_to_first_chunk",
)
LLM_TIME_PER_OUTPUT_TOKEN: Final = Metric(
    name="truegreen.llm.time_per_output_token",
    unit="s",
    kind="histogram",
    description="(duration - time to first chunk) / (output tokens - 1) of a streamed answer of at least two tokens.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_OPERATION, _PROVIDER, _MODEL),
    failure_mode="latency",
    span="llm",
    value=Value(read=Read(kind="computed", names=("time_per_output_token",)), low=0),
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    nearest="gen_ai.client.operation.time_per_output_chunk",
)
LLM_TOKENS: Final = Metric(
    name="truegreen.llm.tokens",
    unit="{token}",
    kind="counter",
    description="Tokens used; cached is part of input, reasoning is part of output.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_MODEL, _TOKEN_TYPE),
    failure_mode="latency",
    span="llm",
    parts=(Part(value=Value(read=Read(kind="attribute", names=("gen_ai.usage.input_tokens",)), low=0), labels=(("type", "input"),)), Part(value=Value(read=Read(kind="attribute", names=("gen_ai.usage.output_tokens",)), low=0), labels=(("type", "output"),)), Part(value=Value(read=Read(kind="attribute", names=("gen_ai.usage.cache_read.input_tokens",)), low=0), labels=(("type", "cached"),)), Part(value=Value(read=Read(kind="attribute", names=("gen_ai.usage.reasoning.output_tokens",)), low=0), labels=(("type", "reasoning"),))),
    nearest="gen_ai.client.token.usage",
)
LLM_FINISHES: Final = Metric(
    name="truegreen.llm.finishes",
    unit="{finish}",
    kind="counter",
    description="Why the model stopped, one per finish reason.",
    layer="infrastructure",
    source="span",
    stock="partial",
    label_set=(_MODEL, _FINISH_REASON),
    failure_mode="latency",
    span="llm",
    each="gen_ai.response.finish_reasons",
    stock_why="the first 4 elements of the list",
)
CONTAINED_REQUESTS: Final = Metric(
    name="truegreen.contained.requests",
    unit="{request}",
    kind="counter",
    description="Calls that were served while a containment switch was on, and what a switch gave in place of a call.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_CONTAINMENT,),
    span="containable",
    when=Condition(op="present", read=Read(kind="attribute", names=("truegreen.containment",))),
)
EVALUATED_ANSWERS: Final = Metric(
    name="truegreen.evaluated.answers",
    unit="{answer}",
    kind="counter",
    description="Answers of the base sample that were judged: what SLOs read. Both results are born with the first answer that an evaluator looks at.",
    layer="quality",
    source="span, evaluation event",
    stock="partial",
    label_set=(_EVALUATION, _EVALUATOR, _VERDICT_OF_ANSWER),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    when=Condition(op="all", parts=(Condition(op="in", read=Read(kind="evaluation", names=("sampled",)), values=("base",)), Condition(op="in", read=Read(kind="evaluation", names=("label",)), values=("pass", "fail")))),
    born=Born(when=Condition(op="in", read=Read(kind="evaluation", names=("sampled",)), values=("base",)), label="result"),
    stock_why="evaluations that truegreen.yaml names, not any",
)
EVALUATIONS: Final = Metric(
    name="truegreen.evaluations",
    unit="{evaluation}",
    kind="counter",
    description="Evaluations of all samples, sliced; a skipped one says why.",
    layer="quality",
    source="span, evaluation event",
    stock="partial",
    label_set=(_EVALUATION, _EVALUATOR, _RESULT, _SKIP_REASON, _MODEL, _COHORT, _SNAPSHOT, _SAMPLED_FOR),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    stock_why="evaluations that truegreen.yaml names, not any",
)
EVALUATION_SCORE: Final = Metric(
    name="truegreen.evaluation.score",
    unit="1",
    kind="histogram",
    description="Scores of the base sample, 0 to 1; scale says whether they are a quantile of a frozen baseline (relative) or calibrated.",
    layer="quality",
    source="span, evaluation event",
    stock="partial",
    label_set=(_EVALUATION, _EVALUATOR, _SCALE, _MODEL, _COHORT),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    when=Condition(op="in", read=Read(kind="evaluation", names=("sampled",)), values=("base",)),
    value=Value(read=Read(kind="evaluation", names=("score",)), low=0, high=1),
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0),
    stock_why="evaluations that truegreen.yaml names, not any",
)
EVALUATION_SCORE_SQUARED: Final = Metric(
    name="truegreen.evaluation.score.squared",
    unit="1",
    kind="counter",
    description="Sum of squared scores of the base sample, for the spread of the mean.",
    layer="quality",
    source="span, evaluation event",
    stock="partial",
    label_set=(_EVALUATION, _EVALUATOR, _SCALE, _MODEL, _COHORT),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    when=Condition(op="in", read=Read(kind="evaluation", names=("sampled",)), values=("base",)),
    value=Value(read=Read(kind="evaluation", names=("score",)), squared=True, low=0, high=1),
    stock_why="evaluations that truegreen.yaml names, not any",
)
CALIBRATION_INFO: Final = Metric(
    name="truegreen.calibration.info",
    unit="",
    kind="gauge",
    description="The calibration file that the app judged with, by its digest; leaves 20 scrapes after it was last seen.",
    layer="quality",
    source="span, evaluation event",
    stock="partial",
    label_set=(_EVALUATION, _DIGEST),
    span="llm",
    each="evaluation",
    when=Condition(op="present", read=Read(kind="evaluation", names=("calibration",))),
    expires=20,
    stock_why="evaluations that truegreen.yaml names, not any; leaves a day after it was last seen, as all series do",
)
FAILING_TRACE_INFO: Final = Metric(
    name="truegreen.failing.trace.info",
    unit="",
    kind="gauge",
    description="Three traces with a failing answer, renewed at most every 10 scrapes (5 min at 30 s); leaves 240 scrapes after it was set.",
    layer="quality",
    source="span, evaluation event",
    stock="none",
    label_set=(_EVALUATION, _SLOT, _TRACE_ID),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    when=Condition(op="in", read=Read(kind="evaluation", names=("label",)), values=("fail",)),
    keep="traces",
    expires=240,
    stock_why="names single traces: the connector keeps no state",
)
ANSWERS: Final = Metric(
    name="truegreen.answers",
    unit="{answer}",
    kind="counter",
    description="Answers: chat and generate calls that did not fail and whose finish is not a tool call.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_MODEL, _COHORT, _SNAPSHOT, _SAMPLED),
    span="llm",
    when=Condition(op="all", parts=(Condition(op="in", read=Read(kind="attribute", names=("gen_ai.operation.name",)), values=("chat", "generate_content", "text_completion")), Condition(op="not", parts=(Condition(op="any", parts=(Condition(op="present", read=Read(kind="computed", names=("status_error",))), Condition(op="present", read=Read(kind="attribute", names=("error.type",))))),)), Condition(op="not", parts=(Condition(op="has", read=Read(kind="attribute", names=("gen_ai.response.finish_reasons",)), values=("tool_calls", "tool_call", "tool_use", "function_call")),)))),
)
ANSWER_MARKERS: Final = Metric(
    name="truegreen.answer.markers",
    unit="{marker}",
    kind="counter",
    description="Marks found on answers; overconfident wording does not predict a wrong answer and is shown, never paged on.",
    layer="quality",
    source="span",
    stock="partial",
    label_set=(_MODEL, _COHORT, _MARKER),
    failure_mode="hallucination",
    span="llm",
    each="truegreen.answer.markers",
    stock_why="the first 4 elements of the list",
)
DRIFT_ZSCORE: Final = Metric(
    name="truegreen.drift.zscore",
    unit="",
    kind="gauge",
    description="Distance of the recent window from the frozen baseline against an empirical null of the same sample size, in standard deviations.",
    layer="quality",
    source="watch",
    stock="none",
    label_set=(_DRIFT_SIGNAL, _TEMPLATE),
    failure_mode="drift",
)
DRIFT_ANSWERS: Final = Metric(
    name="truegreen.drift.answers",
    unit="",
    kind="gauge",
    description="Number of the newest answers that a distance from the frozen baseline was measured on.",
    layer="quality",
    source="watch",
    stock="none",
    label_set=(_DRIFT_SIGNAL, _TEMPLATE),
    failure_mode="drift",
)
DRIFT_CHANGED: Final = Metric(
    name="truegreen.drift.changed",
    unit="",
    kind="gauge",
    description="1 where the recent window is another one than the frozen baseline: in its questions, in its answers to the same questions, in both, in its answers while nobody looks at the questions, or in the share of retrieved chunks under the similarity floor alone.",
    layer="quality",
    source="watch",
    stock="none",
    label_set=(_DRIFT_CHANGE, _TEMPLATE),
    failure_mode="drift",
)
EVALUATOR_ERROR_RATE: Final = Metric(
    name="truegreen.evaluator.error.rate",
    unit="",
    kind="gauge",
    description="Share of labelled answers that an evaluator gets wrong at the floor: right ones that fail, wrong ones that pass.",
    layer="quality",
    source="calibration file",
    stock="none",
    label_set=(_NAMED_EVALUATOR, _ERROR_KIND),
    failure_mode="hallucination",
)
BASELINE_ANSWERS: Final = Metric(
    name="truegreen.baseline.answers",
    unit="",
    kind="gauge",
    description="Number of answers behind the frozen baseline.",
    layer="quality",
    source="calibration file",
    stock="none",
    label_set=(_BASELINE_SIGNAL, _BASELINE_TEMPLATE),
    failure_mode="drift",
)
BASELINE_TIMESTAMP: Final = Metric(
    name="truegreen.baseline.timestamp",
    unit="s",
    kind="gauge",
    description="When the baseline was frozen, Unix time.",
    layer="quality",
    source="calibration file",
    stock="none",
    label_set=(_BASELINE_SIGNAL, _BASELINE_TEMPLATE),
    failure_mode="drift",
)
CANARY_PROBES: Final = Metric(
    name="truegreen.canary.probes",
    unit="{probe}",
    kind="counter",
    description="Planted answers that came out at the far end: caught as they should be, or missed.",
    layer="quality",
    source="canary",
    stock="none",
    label_set=(_PROBE_RESULT,),
)
DRILL_COMPLETED_TIMESTAMP: Final = Metric(
    name="truegreen.drill.completed.timestamp",
    unit="s",
    kind="gauge",
    description="When an incident drill of the service was last completed, Unix time.",
    layer="quality",
    source="drill",
    stock="none",
)
INCIDENT_OPEN: Final = Metric(
    name="truegreen.incident.open",
    unit="{incident}",
    kind="gauge",
    description="Incidents that are open, by the severity that they have now.",
    layer="quality",
    source="incident",
    stock="none",
    label_set=(_INCIDENT_SEV,),
)
INCIDENT_TIME_TO_DETECT: Final = Metric(
    name="truegreen.incident.time_to_detect",
    unit="s",
    kind="histogram",
    description="From the true start of an incident, as triage found it, to its opening.",
    layer="quality",
    source="incident",
    stock="none",
    label_set=(_INCIDENT_SEV,),
    buckets=(60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0, 604800.0),
)
INCIDENT_TIME_TO_CONTAIN: Final = Metric(
    name="truegreen.incident.time_to_contain",
    unit="s",
    kind="histogram",
    description="From the opening of an incident to the first change that the spans showed.",
    layer="quality",
    source="incident",
    stock="none",
    label_set=(_INCIDENT_SEV,),
    buckets=(60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0, 604800.0),
)
INCIDENT_TIME_TO_RESOLVE: Final = Metric(
    name="truegreen.incident.time_to_resolve",
    unit="s",
    kind="histogram",
    description="From the opening of an incident to its close.",
    layer="quality",
    source="incident",
    stock="none",
    label_set=(_INCIDENT_SEV,),
    buckets=(60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0, 604800.0),
)
INCIDENT_ACTION_ITEMS: Final = Metric(
    name="truegreen.incident.action_items",
    unit="{item}",
    kind="gauge",
    description="Action items of incidents: what is done of them is the completion ratio.",
    layer="quality",
    source="incident",
    stock="none",
    label_set=(_ACTION_STATE,),
)
INCIDENT_HOOK_FAILURES: Final = Metric(
    name="truegreen.incident.hook.failures",
    unit="{run}",
    kind="counter",
    description="Runs of escalation, policy, channels or reminders beside the incident page that failed, since its start.",
    layer="infrastructure",
    source="incident",
    stock="none",
    identity=False,
)
PROVIDER_CHANGE_TIMESTAMP: Final = Metric(
    name="truegreen.provider.change.timestamp",
    unit="s",
    kind="gauge",
    description="When a provider last announced something of a model (`unnamed` where it named none), Unix time.",
    layer="quality",
    source="changelog",
    stock="none",
    label_set=(_ANNOUNCING_PROVIDER, _ANNOUNCED_MODEL),
    failure_mode="drift",
    identity=False,
)
PROVIDER_DEPRECATION_TIMESTAMP: Final = Metric(
    name="truegreen.provider.deprecation.timestamp",
    unit="s",
    kind="gauge",
    description="When a model stops, as its provider announced, Unix time.",
    layer="quality",
    source="changelog",
    stock="none",
    label_set=(_ANNOUNCING_PROVIDER, _ANNOUNCED_MODEL),
    failure_mode="drift",
    identity=False,
)
RETRIEVALS: Final = Metric(
    name="truegreen.retrievals",
    unit="{retrieval}",
    kind="counter",
    description="Retrievals; empty means that no document came back.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_DATA_SOURCE, _CALLING_AGENT, _RETRIEVAL_OUTCOME),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
)
RETRIEVAL_CHUNKS: Final = Metric(
    name="truegreen.retrieval.chunks",
    unit="{chunk}",
    kind="counter",
    description="Retrieved chunks above and below the similarity floor, where there is a floor.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_DATA_SOURCE, _RELEVANCE),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
    parts=(Part(value=Value(read=Read(kind="attribute", names=("truegreen.retrieval.relevance.below_floor",)), low=0), labels=(("relevance", "below"),)), Part(value=Value(read=Read(kind="attribute", names=("truegreen.retrieval.documents.count",)), minus="truegreen.retrieval.relevance.below_floor", low=0), labels=(("relevance", "above"),))),
)
RETRIEVAL_RELEVANCE: Final = Metric(
    name="truegreen.retrieval.relevance",
    unit="1",
    kind="histogram",
    description="Relevance of each retrieved document as the retriever scored it.",
    layer="quality",
    source="span",
    stock="partial",
    label_set=(_DATA_SOURCE,),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
    each="truegreen.retrieval.relevance.scores",
    value=Value(read=Read(kind="item")),
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    stock_why="the first 10 elements of the list",
)
RETRIEVAL_DOCUMENTS: Final = Metric(
    name="truegreen.retrieval.documents",
    unit="{document}",
    kind="histogram",
    description="Documents per retrieval.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_DATA_SOURCE,),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
    value=Value(read=Read(kind="attribute", names=("truegreen.retrieval.documents.count",)), low=0),
    buckets=(0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0),
)
RETRIEVAL_DURATION: Final = Metric(
    name="truegreen.retrieval.duration",
    unit="s",
    kind="histogram",
    description="Time of a retrieval.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_DATA_SOURCE,),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
    value=Value(read=Read(kind="computed", names=("duration",)), low=0),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
RETRIEVAL_INDEX_REBUILT_TIMESTAMP: Final = Metric(
    name="truegreen.retrieval.index.rebuilt.timestamp",
    unit="s",
    kind="gauge",
    description="When the index was last rebuilt, Unix time as the app states it with each retrieval (an age would freeze without traffic); leaves a day (2880 scrapes at 30 s) after that.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_DATA_SOURCE,),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
    value=Value(read=Read(kind="attribute", names=("truegreen.retrieval.index.rebuilt",)), low=0),
    expires=2880,
)
RETRIEVAL_INDEX_INFO: Final = Metric(
    name="truegreen.retrieval.index.info",
    unit="",
    kind="gauge",
    description="Index and version that serve retrievals; leaves a day (2880 scrapes at 30 s) after it was last seen.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_INDEX, _INDEX_VERSION),
    failure_mode="retrieval",
    pillar="memory",
    span="retrieval",
    when=Condition(op="any", parts=(Condition(op="present", read=Read(kind="attribute", names=("truegreen.retrieval.index.name",))), Condition(op="present", read=Read(kind="attribute", names=("truegreen.retrieval.index.version",))))),
    expires=2880,
)
GUARDRAIL_DECISIONS: Final = Metric(
    name="truegreen.guardrail.decisions",
    unit="{decision}",
    kind="counter",
    description="Decisions of guardrails.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_GUARDRAIL, _STAGE, _ACTION),
    failure_mode="guardrail",
    span="guardrail",
    when=Condition(op="all", parts=(Condition(op="present", read=Read(kind="attribute", names=("truegreen.guardrail.action",))), Condition(op="not", parts=(Condition(op="present", read=Read(kind="attribute", names=("truegreen.guardrail.verdict",))),)))),
)
GUARDRAIL_REVIEWS: Final = Metric(
    name="truegreen.guardrail.reviews",
    unit="{review}",
    kind="counter",
    description="A review's word on earlier decisions: right or wrong, a block or a pass.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_GUARDRAIL, _VERDICT),
    failure_mode="guardrail",
    span="guardrail",
    when=Condition(op="present", read=Read(kind="attribute", names=("truegreen.guardrail.verdict",))),
)
TOOL_CALLS: Final = Metric(
    name="truegreen.tool.calls",
    unit="{call}",
    kind="counter",
    description="Tool calls; a silent error answered without an error and was wrong.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_TOOL, _TOOL_OUTCOME),
    failure_mode="hallucination",
    pillar="tool_use",
    span="tool",
    nearest="gen_ai.execute_tool.duration",
)
TOOL_DURATION: Final = Metric(
    name="truegreen.tool.duration",
    unit="s",
    kind="histogram",
    description="Time of a tool call.",
    layer="infrastructure",
    source="span",
    stock="full",
    label_set=(_TOOL,),
    failure_mode="latency",
    pillar="tool_use",
    span="tool",
    value=Value(read=Read(kind="computed", names=("duration",)), low=0),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    nearest="gen_ai.execute_tool.duration",
)
AGENT_RUNS: Final = Metric(
    name="truegreen.agent.runs",
    unit="{run}",
    kind="counter",
    description="Runs of an agent.",
    layer="quality",
    source="agent span",
    stock="full",
    label_set=(_AGENT, _AGENT_OUTCOME),
    failure_mode="hallucination",
    pillar="planning",
    span="agent",
    nearest="gen_ai.invoke_agent.duration",
)
AGENT_STEPS: Final = Metric(
    name="truegreen.agent.steps",
    unit="{step}",
    kind="histogram",
    description="Steps of one agent run.",
    layer="quality",
    source="agent span",
    stock="full",
    label_set=(_AGENT,),
    failure_mode="latency",
    pillar="planning",
    span="agent",
    value=Value(read=Read(kind="attribute", names=("truegreen.agent.steps",)), low=0),
    buckets=(1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 50.0),
)
AGENT_TOKENS: Final = Metric(
    name="truegreen.agent.tokens",
    unit="{token}",
    kind="histogram",
    description="Tokens of one agent run.",
    layer="infrastructure",
    source="agent span",
    stock="full",
    label_set=(_AGENT,),
    failure_mode="latency",
    pillar="planning",
    span="agent",
    value=Value(read=Read(kind="attribute", names=("truegreen.agent.tokens",)), low=0),
    buckets=(100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0, 100000.0, 300000.0),
)
AGENT_REPEATS: Final = Metric(
    name="truegreen.agent.repeats",
    unit="{repeat}",
    kind="histogram",
    description="Largest number of identical tool calls in one agent run: the same tool with the same arguments.",
    layer="quality",
    source="agent span",
    stock="full",
    label_set=(_AGENT,),
    failure_mode="latency",
    pillar="planning",
    span="agent",
    value=Value(read=Read(kind="attribute", names=("truegreen.agent.repeats",)), low=0),
    buckets=(0.0, 1.0, 2.0, 3.0, 5.0, 10.0),
)
AGENT_LOOPS: Final = Metric(
    name="truegreen.agent.loops",
    unit="{run}",
    kind="counter",
    description="Agent runs that went round in a loop; born at 0 with the agent's first run.",
    layer="quality",
    source="agent span",
    stock="full",
    label_set=(_AGENT,),
    failure_mode="latency",
    pillar="planning",
    span="agent",
    value=Value(cases=(Case(when=Condition(op="equals", read=Read(kind="attribute", names=("truegreen.agent.loop",)), values=(True,)), then=1),), default=0),
)
AGENT_ACTIONS: Final = Metric(
    name="truegreen.agent.actions",
    unit="{action}",
    kind="counter",
    description="Actions of agents by authorization.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_AGENT, _AUTHORIZATION),
    failure_mode="guardrail",
    pillar="autonomy",
    span="authorization",
)
AGENT_BRANCHES: Final = Metric(
    name="truegreen.agent.branches",
    unit="{branch}",
    kind="counter",
    description="Branches that agents took.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_AGENT, _BRANCH),
    failure_mode="hallucination",
    pillar="reasoning",
    span="branch",
)
TASKS: Final = Metric(
    name="truegreen.tasks",
    unit="{task}",
    kind="counter",
    description="Tasks of users by outcome.",
    layer="business",
    source="span",
    stock="full",
    label_set=(_TASK, _TASK_OUTCOME),
    failure_mode="drift",
    span="task",
)
FEEDBACK: Final = Metric(
    name="truegreen.feedback",
    unit="{feedback}",
    kind="counter",
    description="Feedback of users: a score over, at or under 0.",
    layer="business",
    source="span",
    stock="full",
    label_set=(_TASK, _SENTIMENT),
    failure_mode="drift",
    span="feedback",
)
ESCALATIONS: Final = Metric(
    name="truegreen.escalations",
    unit="{escalation}",
    kind="counter",
    description="Hand-overs to a human.",
    layer="business",
    source="span",
    stock="full",
    label_set=(_TASK, _ESCALATION_REASON),
    failure_mode="drift",
    span="escalation",
)
DOWNSTREAM_RECORDS: Final = Metric(
    name="truegreen.downstream.records",
    unit="{record}",
    kind="counter",
    description="Records that a downstream system accepted or refused.",
    layer="business",
    source="span",
    stock="full",
    label_set=(_TASK, _DOWNSTREAM_OUTCOME),
    failure_mode="hallucination",
    span="downstream",
)
AFFECTED_USERS: Final = Metric(
    name="truegreen.affected.users",
    unit="",
    kind="gauge",
    description="Distinct hashed user ids with a failing answer in the last hour (120 scrapes); exact to 10,000 in ten minutes, an estimate past that (standard error 1.4 %).",
    layer="business",
    source="span, evaluation event",
    stock="none",
    label_set=(_EVALUATION,),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    when=Condition(op="in", read=Read(kind="evaluation", names=("label",)), values=("fail",)),
    value=Value(read=Read(kind="attribute", names=("user.id",))),
    keep="distinct",
    stock_why="counts different ids: the connector keeps no state",
)
AFFECTED_SESSIONS: Final = Metric(
    name="truegreen.affected.sessions",
    unit="",
    kind="gauge",
    description="Distinct hashed session ids with a failing answer in the last hour (120 scrapes); exact to 10,000 in ten minutes, an estimate past that (standard error 1.4 %).",
    layer="business",
    source="span, evaluation event",
    stock="none",
    label_set=(_EVALUATION,),
    failure_mode="hallucination",
    span="llm",
    each="evaluation",
    when=Condition(op="in", read=Read(kind="evaluation", names=("label",)), values=("fail",)),
    value=Value(read=Read(kind="attribute", names=("session.id", "gen_ai.conversation.id"))),
    keep="distinct",
    stock_why="counts different ids: the connector keeps no state",
)
SNAPSHOT_INFO: Final = Metric(
    name="truegreen.snapshot.info",
    unit="",
    kind="gauge",
    description="The versions behind a snapshot id; leaves a day (2880 scrapes at 30 s) after it was last seen.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_SNAPSHOT, _MODEL_VERSION, _PROMPT_VERSION, _RETRIEVAL_INDEX_VERSION, _TOOL_SCHEMA_VERSION, _EVAL_DATASET_VERSION, _GUARDRAIL_VERSION, _PROVIDER_CHANGELOG_VERSION),
    span="llm",
    when=Condition(op="present", read=Read(kind="attribute", names=("truegreen.snapshot.id",))),
    expires=2880,
)
SNAPSHOT_SINCE_TIMESTAMP: Final = Metric(
    name="truegreen.snapshot.since.timestamp",
    unit="s",
    kind="gauge",
    description="When the collector saw the snapshot come up after 20 scrapes (10 min at 30 s) without it, Unix time.",
    layer="quality",
    source="span",
    stock="none",
    label_set=(_SNAPSHOT,),
    span="llm",
    when=Condition(op="present", read=Read(kind="attribute", names=("truegreen.snapshot.id",))),
    value=Value(read=Read(kind="attribute", names=("truegreen.snapshot.since",))),
    keep="since",
    expires=2880,
    stock_why="remembers when a value was first seen: the connector keeps no state",
)
MODEL_SERVED: Final = Metric(
    name="truegreen.model.served",
    unit="{request}",
    kind="counter",
    description="Requested against served model and fingerprint; a new pair under an old request is a silent update of the provider.",
    layer="quality",
    source="span",
    stock="full",
    label_set=(_MODEL, _SERVED, _FINGERPRINT),
    failure_mode="drift",
    span="llm",
    when=Condition(op="present", read=Read(kind="attribute", names=("gen_ai.response.model",))),
)
COLLECTOR_ACCEPTED_SPANS: Final = Metric(
    name="truegreen.collector.accepted.spans",
    unit="{span}",
    kind="counter",
    description="Spans received and counted, with or without attributes of interest.",
    layer="infrastructure",
    source="collector",
    stock="none",
    identity=False,
)
COLLECTOR_ACCEPTED_REQUESTS: Final = Metric(
    name="truegreen.collector.accepted.requests",
    unit="{request}",
    kind="counter",
    description="Requests that were counted and handed on to be forwarded; one without a byte is not among them.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_OTLP_SIGNAL,),
    identity=False,
)
COLLECTOR_REFUSED_REQUESTS: Final = Metric(
    name="truegreen.collector.refused.requests",
    unit="{request}",
    kind="counter",
    description="Requests refused before they were parsed, or that could not be parsed.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_COLLECTOR_REASON,),
    identity=False,
)
COLLECTOR_DROPPED_SPANS: Final = Metric(
    name="truegreen.collector.dropped.spans",
    unit="{span}",
    kind="counter",
    description="Values, and whole spans, that were left out of a metric because they are unusable.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_COLLECTOR_REASON,),
    identity=False,
)
COLLECTOR_FORWARD_DROPPED: Final = Metric(
    name="truegreen.collector.forward.dropped",
    unit="{request}",
    kind="counter",
    description="Requests that were not delivered to a destination; their spans and logs are lost there, and counted in the metrics all the same.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION, _COLLECTOR_REASON),
    identity=False,
)
COLLECTOR_FORWARD_QUEUE: Final = Metric(
    name="truegreen.collector.forward.queue",
    unit="By",
    kind="gauge",
    description="Bytes that wait for a destination or are on their way to it, with 512 more for each request.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION,),
    identity=False,
)
COLLECTOR_FORWARD_QUEUE_REQUESTS: Final = Metric(
    name="truegreen.collector.forward.queue.requests",
    unit="{request}",
    kind="gauge",
    description="Requests that wait for a destination or are on their way to it.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION,),
    identity=False,
)
COLLECTOR_FORWARD_QUEUE_LIMIT: Final = Metric(
    name="truegreen.collector.forward.queue.limit",
    unit="By",
    kind="gauge",
    description="Bytes that may wait for a destination or be on their way to it.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION,),
    identity=False,
)
COLLECTOR_FORWARD_DELIVERED: Final = Metric(
    name="truegreen.collector.forward.delivered",
    unit="{request}",
    kind="counter",
    description="Requests that a destination took.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION,),
    identity=False,
)
COLLECTOR_FORWARD_RETRIES: Final = Metric(
    name="truegreen.collector.forward.retries",
    unit="{attempt}",
    kind="counter",
    description="Attempts that failed and are made again.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION,),
    identity=False,
)
COLLECTOR_FORWARD_REJECTED: Final = Metric(
    name="truegreen.collector.forward.rejected",
    unit="{item}",
    kind="counter",
    description="Spans and log records that a destination left out of requests that it took (partial success).",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_DESTINATION,),
    identity=False,
)
COLLECTOR_SERIES: Final = Metric(
    name="truegreen.collector.series",
    unit="",
    kind="gauge",
    description="Prometheus series exposed for applications.",
    layer="infrastructure",
    source="collector",
    stock="none",
    identity=False,
)
COLLECTOR_OVERFLOW: Final = Metric(
    name="truegreen.collector.overflow",
    unit="{series}",
    kind="counter",
    description="Label sets that were folded into __overflow__ past a limit.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_METRIC,),
    identity=False,
)
COLLECTOR_REQUEST_DURATION: Final = Metric(
    name="truegreen.collector.request.duration",
    unit="s",
    kind="histogram",
    description="Time to inflate, parse and count one request.",
    layer="infrastructure",
    source="collector",
    stock="none",
    identity=False,
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
COLLECTOR_BUILD_INFO: Final = Metric(
    name="truegreen.collector.build.info",
    unit="",
    kind="gauge",
    description="Version of the collector.",
    layer="infrastructure",
    source="collector",
    stock="none",
    label_set=(_VERSION,),
    identity=False,
)

ALL: Final[tuple[Metric, ...]] = (
    LLM_REQUESTS,
    LLM_DURATION,
    LLM_TIME_TO_FIRST_CHUNK,
    LLM_TIME_PER_OUTPUT_TOKEN,
    LLM_TOKENS,
    LLM_FINISHES,
    CONTAINED_REQUESTS,
    EVALUATED_ANSWERS,
    EVALUATIONS,
    EVALUATION_SCORE,
    EVALUATION_SCORE_SQUARED,
    CALIBRATION_INFO,
    FAILING_TRACE_INFO,
    ANSWERS,
    ANSWER_MARKERS,
    DRIFT_ZSCORE,
    DRIFT_ANSWERS,
    DRIFT_CHANGED,
    EVALUATOR_ERROR_RATE,
    BASELINE_ANSWERS,
    BASELINE_TIMESTAMP,
    CANARY_PROBES,
    DRILL_COMPLETED_TIMESTAMP,
    INCIDENT_OPEN,
    INCIDENT_TIME_TO_DETECT,
    INCIDENT_TIME_TO_CONTAIN,
    INCIDENT_TIME_TO_RESOLVE,
    INCIDENT_ACTION_ITEMS,
    INCIDENT_HOOK_FAILURES,
    PROVIDER_CHANGE_TIMESTAMP,
    PROVIDER_DEPRECATION_TIMESTAMP,
    RETRIEVALS,
    RETRIEVAL_CHUNKS,
    RETRIEVAL_RELEVANCE,
    RETRIEVAL_DOCUMENTS,
    RETRIEVAL_DURATION,
    RETRIEVAL_INDEX_REBUILT_TIMESTAMP,
    RETRIEVAL_INDEX_INFO,
    GUARDRAIL_DECISIONS,
    GUARDRAIL_REVIEWS,
    TOOL_CALLS,
    TOOL_DURATION,
    AGENT_RUNS,
    AGENT_STEPS,
    AGENT_TOKENS,
    AGENT_REPEATS,
    AGENT_LOOPS,
    AGENT_ACTIONS,
    AGENT_BRANCHES,
    TASKS,
    FEEDBACK,
    ESCALATIONS,
    DOWNSTREAM_RECORDS,
    AFFECTED_USERS,
    AFFECTED_SESSIONS,
    SNAPSHOT_INFO,
    SNAPSHOT_SINCE_TIMESTAMP,
    MODEL_SERVED,
    COLLECTOR_ACCEPTED_SPANS,
    COLLECTOR_ACCEPTED_REQUESTS,
    COLLECTOR_REFUSED_REQUESTS,
    COLLECTOR_DROPPED_SPANS,
    COLLECTOR_FORWARD_DROPPED,
    COLLECTOR_FORWARD_QUEUE,
    COLLECTOR_FORWARD_QUEUE_REQUESTS,
    COLLECTOR_FORWARD_QUEUE_LIMIT,
    COLLECTOR_FORWARD_DELIVERED,
    COLLECTOR_FORWARD_RETRIES,
    COLLECTOR_FORWARD_REJECTED,
    COLLECTOR_SERIES,
    COLLECTOR_OVERFLOW,
    COLLECTOR_REQUEST_DURATION,
    COLLECTOR_BUILD_INFO,
)
BY_NAME: Final[Mapping[str, Metric]] = {metric.prometheus: metric for metric in ALL}

UP: Final = External(name="up", exporter="Prometheus", kind="gauge", unit="", description="Whether the last scrape of the target worked.")
PROCESS_CPU_SECONDS_TOTAL: Final = External(name="process_cpu_seconds_total", exporter="Prometheus client libraries", kind="counter", unit="s", description="CPU time of the process.")
PROCESS_RESIDENT_MEMORY_BYTES: Final = External(name="process_resident_memory_bytes", exporter="Prometheus client libraries", kind="gauge", unit="By", description="Resident memory of the process.")
NODE_CPU_SECONDS_TOTAL: Final = External(name="node_cpu_seconds_total", exporter="node_exporter", kind="counter", unit="s", description="CPU time of the machine by mode.")
NODE_MEMORY_MEMAVAILABLE_BYTES: Final = External(name="node_memory_MemAvailable_bytes", exporter="node_exporter", kind="gauge", unit="By", description="Memory that the machine can still give.")
NODE_MEMORY_MEMTOTAL_BYTES: Final = External(name="node_memory_MemTotal_bytes", exporter="node_exporter", kind="gauge", unit="By", description="Memory of the machine.")
DCGM_FI_DEV_GPU_UTIL: Final = External(name="DCGM_FI_DEV_GPU_UTIL", exporter="dcgm-exporter", kind="gauge", unit="%", description="GPU utilisation.")
DCGM_FI_DEV_FB_USED: Final = External(name="DCGM_FI_DEV_FB_USED", exporter="dcgm-exporter", kind="gauge", unit="MiBy", description="GPU memory in use.")

EXTERNAL: Final[tuple[External, ...]] = (
    UP,
    PROCESS_CPU_SECONDS_TOTAL,
    PROCESS_RESIDENT_MEMORY_BYTES,
    NODE_CPU_SECONDS_TOTAL,
    NODE_MEMORY_MEMAVAILABLE_BYTES,
    NODE_MEMORY_MEMTOTAL_BYTES,
    DCGM_FI_DEV_GPU_UTIL,
    DCGM_FI_DEV_FB_USED,
)
