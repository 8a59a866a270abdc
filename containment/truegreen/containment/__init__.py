"""Switches that the application obeys while an incident runs."""

from truegreen.containment.staged import rollout
from truegreen.containment.switches import contained, context, degraded, feature, guardrail, index, model

__all__ = ["contained", "context", "degraded", "feature", "guardrail", "index", "model", "rollout"]
