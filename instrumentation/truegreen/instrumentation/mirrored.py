"""Mirrored calls of a staged rollout: their spans and verdicts go to an environment of their own, beside that of the users' calls.

An environment, and not a label: every metric, rule and board then exists for them too, and no SLO of the users' environment sees them.
"""

from __future__ import annotations

import copy
from typing import Any

from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, get_current_span, set_span_in_context

from truegreen.core.words import attributes as names
from truegreen.core.words.terms import SHADOW
from truegreen.instrumentation.call import UNKNOWN_ENVIRONMENT
from truegreen.instrumentation.context import carried, with_mirrored
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.shared import shared

RESOURCES = 100
state = {"used": False}
"""A process that mirrors nothing does not look at each span for it."""
_made: dict[int, tuple[Resource, Resource]] = {}


def context() -> Context:
    """The present context for a mirrored call.

    It is in the same trace, so that the same sample is judged, has the passages, and has no open span of the user's call above it.
    """
    state["used"] = True
    here = otel.get_current()
    above, request = get_current_span(here).get_span_context(), carried(here).request
    texts, query = (request.texts(), request.query) if request else ((), "")
    if above.is_valid:
        if not texts:
            texts, query = shared.store.of(above.trace_id)
        remote = SpanContext(
            above.trace_id, above.span_id, is_remote=True, trace_flags=above.trace_flags, trace_state=above.trace_state
        )
        here = set_span_in_context(NonRecordingSpan(remote), here)
    kept = Passages()
    kept.add(texts, query)
    return with_mirrored(kept, here)


def apart(resource: Resource) -> Resource:
    """The resource of mirrored spans: the same, in the environment `NAME-shadow`."""
    known = _made.get(id(resource))
    if known is not None and known[0] is resource:
        return known[1]
    if is_apart(resource):
        return resource
    about = resource.attributes
    environment = about.get(names.ENVIRONMENT_NAME) or about.get(names.ENVIRONMENT_NAME_OLD) or UNKNOWN_ENVIRONMENT
    made = Resource({**about, names.ENVIRONMENT_NAME: f"{environment}{SHADOW}"}, resource.schema_url)
    if len(_made) >= RESOURCES:
        _made.clear()
    _made[id(resource)] = resource, made
    return made


def is_apart(resource: Resource) -> bool:
    """Whether it is that of mirrored spans."""
    return str(resource.attributes.get(names.ENVIRONMENT_NAME, "")).endswith(SHADOW)


def logger(of: Any, resource: Resource | None) -> Any:
    """A logger of the SDK for the events of spans with this resource; the same where they are not mirrored."""
    if resource is None or not is_apart(resource):
        return of
    made = copy.copy(of)
    made._resource = resource
    return made
