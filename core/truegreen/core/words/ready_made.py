"""The ready-made SLOs, switched on by name in `truegreen.yaml`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from truegreen.core.words.slo import BASELINE, EvaluationSli, EventSli, FreshnessSli, Slo, ThresholdSli

_CHAT: Final = {"operation": "chat"}

READY_MADE: Final = (
    Slo("grounding", "Sampled answers that are supported by what was retrieved",
        EvaluationSli("groundedness"), Decimal("0.95"), "quality", "hallucination"),
    Slo("grounding_absolute", "Sampled answers at or above 0.85 on a calibrated scale",
        EvaluationSli("groundedness", floor="0.85"), Decimal("0.95"), "quality", "hallucination"),
    Slo("relevance", "Retrieved chunks above the similarity floor",
        EventSli("truegreen_retrieval_chunks_total", "relevance", ("below",)), BASELINE, "quality", "retrieval", "memory"),
    Slo("retrieval_success", "Retrievals neither empty nor failed",
        EventSli("truegreen_retrievals_total", "outcome", ("empty", "error")), Decimal("0.99"), "infrastructure", "retrieval", "memory"),
    Slo("index_freshness", "Minutes with an index younger than 24 h",
        FreshnessSli("truegreen_retrieval_index_rebuilt_timestamp_seconds", 86_400), Decimal("0.99"),
        "infrastructure", "retrieval", "memory"),
    Slo("latency", "Chat calls under 10 s",
        ThresholdSli("truegreen_llm_duration_seconds", Decimal(10), _CHAT), Decimal("0.99"), "infrastructure", "latency"),
    Slo("first_chunk", "First chunks under 2 s",
        ThresholdSli("truegreen_llm_time_to_first_chunk_seconds", Decimal(2), _CHAT), Decimal("0.95"), "infrastructure", "latency"),
    Slo("availability", "Calls that neither fail, are throttled nor time out",
        EventSli("truegreen_llm_requests_total", "outcome", ("error", "throttled", "timeout")), Decimal("0.995"),
        "infrastructure", "latency"),
    Slo("guardrail_blocks", "Guardrail decisions that are not blocks",
        EventSli("truegreen_guardrail_decisions_total", "action", ("block",)), BASELINE, "quality", "guardrail"),
    Slo("guardrail_over", "Reviewed blocks that were right",
        EventSli("truegreen_guardrail_reviews_total", "verdict", ("false_positive",), ("true_positive", "false_positive")),
        Decimal("0.95"), "quality", "guardrail"),
    Slo("guardrail_under", "Reviewed passes that were right",
        EventSli("truegreen_guardrail_reviews_total", "verdict", ("false_negative",), ("true_negative", "false_negative")),
        Decimal("0.99"), "quality", "guardrail"),
    Slo("tool_success", "Tool calls that worked; a silent error is bad",
        EventSli("truegreen_tool_calls_total", "outcome", ("error", "timeout", "invalid_output", "silent_error")),
        Decimal("0.99"), "quality", "hallucination", "tool_use"),
    Slo("loops", "Agent runs without a loop",
        EventSli("truegreen_agent_loops_total", "", (), total="truegreen_agent_runs_total"), Decimal("0.99"), "quality", "latency", "planning"),
    Slo("authorization", "Agent actions that were approved",
        EventSli("truegreen_agent_actions_total", "authorization", ("unapproved", "denied")), Decimal("0.999"),
        "quality", "guardrail", "autonomy"),
    Slo("branches", "Agent branches that were the expected ones",
        EventSli("truegreen_agent_branches_total", "branch", ("unexpected", "failed")), Decimal("0.99"),
        "quality", "hallucination", "reasoning"),
    Slo("task_completion", "Tasks completed",
        EventSli("truegreen_tasks_total", "outcome", ("abandoned", "escalated", "failed")), Decimal("0.90"), "business", "drift"),
    Slo("escalation", "Tasks not escalated to a person",
        EventSli("truegreen_tasks_total", "outcome", ("escalated",)), BASELINE, "business", "drift"),
    Slo("satisfaction", "Feedback that is not negative",
        EventSli("truegreen_feedback_total", "sentiment", ("negative",)), BASELINE, "business", "drift"),
    Slo("downstream_quality", "Downstream records that are valid",
        EventSli("truegreen_downstream_records_total", "outcome", ("invalid",)), Decimal("0.995"), "business", "hallucination"),
)  # fmt: skip
BY_NAME: Final = {slo.name: slo for slo in READY_MADE}
DEFAULT: Final = ("grounding", "latency", "availability")
"""What no file at all means, in shadow, for all services."""
