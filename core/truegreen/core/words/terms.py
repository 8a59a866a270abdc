"""The fixed terms of truegreen: layers, failure modes, pillars, severities, components, phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LAYERS: Final = ("infrastructure", "quality", "business")
FAILURE_MODES: Final = ("hallucination", "drift", "retrieval", "latency", "guardrail")
NO_FAILURE_MODE: Final = "none"
"""The `failure_mode` label of a watcher: an alert about the watching itself."""
PILLARS: Final = ("autonomy", "tool_use", "planning", "memory", "reasoning")
NO_PILLAR: Final = "none"
SNAPSHOT_COMPONENTS: Final = (
    "model",
    "prompt",
    "retrieval_index",
    "tool_schema",
    "eval_dataset",
    "guardrail",
    "provider_changelog",
)
SERVING_COMPONENTS: Final = ("model", "prompt", "retrieval_index", "tool_schema", "guardrail")
"""The five that serve traffic: only these enter the snapshot's id, so that a changelog entry does not look like a deploy."""
PHASES: Final = ("detect", "triage", "contain", "mitigate", "validate", "review")

PASS: Final = "pass"
FAIL: Final = "fail"
SKIPPED: Final = "skipped"
RELATIVE: Final = "relative"
CALIBRATED: Final = "calibrated"
SKIP_REASONS: Final = (
    "no_context",
    "no_question",
    "no_expected",
    "unsupported_language",
    "shown_only",
    "no_baseline",
    "queue_full",
    "error",
    "too_large",
    "throttled",
    "timeout",
    "budget",
    "refused",
    "unreadable",
)
"""Why a sampled answer has no verdict; the last five are a judge's, whose model is another service."""
SHOWN_ONLY: Final = ("confident_wording",)
"""Evaluations that are shown and never judged: no SLO may read them."""
SAMPLED: Final = ("base", "boost", "none")
OUTCOMES: Final = ("ok", "error", "throttled", "timeout")
MARKERS: Final = ("overconfident", "refusal", "empty", "truncated")
STYLE: Final = (
    "words",
    "sentences",
    "mean sentence length",
    "list items",
    "headings",
    "code blocks",
    "digits",
    "question marks",
    "hedges",
    "refusals",
)
"""What `truegreen.answer.style` holds, in this order; the last seven are per 100 words."""
CONTAINMENTS: Final = (
    "fallback_model",
    "pinned_model",
    "cached_response",
    "reduced_context",
    "degraded_mode",
    "feature_disabled",
    "circuit_open",
    "strict_guardrail",
)
CONTAINED_OPERATION: Final = "contained"
"""The operation of a span that says a switch was in force where it is not a call's: the answer was another one, or there was none."""
CIRCUIT_EVENT: Final = "truegreen.circuit"
"""The span event of a circuit's transition, with `circuit`, `kind`, `from` and `to`."""
FAILOVER_EVENT: Final = "truegreen.failover"
"""The span event of a call that went to the fallback, with `from`, `to` and `error.type`."""
SHADOW: Final = "-shadow"
"""What is behind the environment's name on the spans of mirrored calls: they are scored, and in none of the environment's own SLOs."""
OVERFLOW: Final = "__overflow__"
"""The label value that stands for every value past a label's limit."""


@dataclass(frozen=True, slots=True)
class Severity:
    """One severity with its clocks, in minutes; None where nothing is paged, or where the clock is the next sprint."""

    sev: str
    action: str
    classify_minutes: int | None
    resolve_minutes: int | None
    says: str
    acknowledge_minutes: int | None = None


SEVERITIES: Final = (
    Severity("1", "page", 15, 60, "page; classify within 15 min, resolve within 60 min", 5),
    Severity("2", "notify", None, 240, "notify; resolve within 4 h", 30),
    Severity("3", "ticket", None, None, "ticket; next sprint"),
)
"""The minutes to acknowledge are what pagers escalate after by default; the others are the incident targets of the runbook."""
