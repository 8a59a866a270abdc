"""OpenTelemetry plugin: quality, retrieval, agent and version attributes on LLM spans."""

from truegreen.instrumentation import snapshot
from truegreen.instrumentation.api import answer, guardrail, retrieval, traffic
from truegreen.instrumentation.context import stamp
from truegreen.instrumentation.instrumentor import TruegreenInstrumentor

__all__ = ["TruegreenInstrumentor", "answer", "guardrail", "retrieval", "snapshot", "stamp", "traffic"]
