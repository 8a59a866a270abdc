"""Switches that the application obeys while an incident runs."""

from truegreen.containment.breaking import breaker
from truegreen.containment.caching import acached, cached
from truegreen.containment.errors import CircuitOpen, counts
from truegreen.containment.prompt_cache import fresh
from truegreen.containment.routing import route
from truegreen.containment.shadowing import shadow
from truegreen.containment.staged import rollout
from truegreen.containment.switches import contained, context, degraded, feature, guardrail, index, model

__all__ = [
    "CircuitOpen", "acached", "breaker", "cached", "contained", "context", "counts", "degraded", "feature", "fresh", "guardrail", "index", "model",
    "rollout", "route", "shadow",
]  # fmt: skip
