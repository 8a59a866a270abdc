"""OpenTelemetry plugin: quality, retrieval, agent and version attributes on LLM spans."""

from truegreen.instrumentation import snapshot
from truegreen.instrumentation.agents import action, agent, branch, tool
from truegreen.instrumentation.api import answer, traffic
from truegreen.instrumentation.context import stamp
from truegreen.instrumentation.guardrails import guardrail, guardrail_review
from truegreen.instrumentation.instrumentor import TruegreenInstrumentor
from truegreen.instrumentation.retrievals import retrieval
from truegreen.instrumentation.tasks import downstream, escalation, feedback, task

__all__ = [
    "TruegreenInstrumentor", "action", "agent", "answer", "branch", "downstream", "escalation", "feedback", "guardrail", "guardrail_review",
    "retrieval", "snapshot", "stamp", "task", "tool", "traffic",
]  # fmt: skip
