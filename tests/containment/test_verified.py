"""Each switch is seen by the collector's counter of contained requests, whichever others are on, and adds no call to any other metric."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from truegreen import containment
from truegreen.collector.processor import Processor
from truegreen.containment import caching
from truegreen.core.words import catalogue, terms
from truegreen.instrumentation.testing import captured

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


class _Unwell(Exception):
    status_code = 503


def _unwell(*_):
    raise _Unwell


def _application(tracer, store, guard):
    """One request with each switch in it: one call of a model, if there is one."""

    def call(model, messages):
        with tracer.start_as_current_span(f"chat {model}", attributes=CHAT):
            return model

    try:
        guard.call(_unwell)
    except (_Unwell, containment.CircuitOpen):
        pass
    if containment.degraded() or not containment.feature("refunds"):
        return
    containment.context(["a", "b"])
    containment.guardrail()
    ask = containment.route({"openai": call}, default="openai:m")
    containment.cached("q", lambda: ask([]), store=store, clock=lambda: 1_000.0)


EACH = {
    "pinned_model": ({"pinned_model": "p"}, 1),
    "fallback_model": ({"fallback_model": "f"}, 1),
    "reduced_context": ({"reduced_context": "1"}, 1),
    "strict_guardrail": ({"strict_guardrail": "on"}, 1),
    "cached_response": ({"cached_response": "2000"}, 0),
    "degraded_mode": ({"degraded_mode": "sorry"}, 0),
    "feature_disabled": ({"feature_disabled": "refunds"}, 0),
    "circuit_open": ({}, 1),
}


def test_every_stamp_has_a_switch_here():
    """A new one is tested too."""
    assert set(EACH) == set(terms.CONTAINMENTS)


@pytest.mark.parametrize("stamp", EACH)
def test_a_switch_is_counted_and_calls_are_those_that_were_made(flagged, stamp):
    """Alone."""
    flags, calls = EACH[stamp]
    contained, requests = _counted(flagged, flags, fails=1 if stamp == "circuit_open" else 99)
    assert (contained, requests) == ({stamp: 2.0}, 2.0 * calls)


def test_switches_that_are_on_together_are_each_counted(flagged):
    """A pin, a shorter context and strict guardrails: three, of one call."""
    flags = {"pinned_model": "p", "reduced_context": "1", "strict_guardrail": "on"}
    contained, requests = _counted(flagged, flags, fails=99)
    assert (contained, requests) == (dict.fromkeys(flags, 2.0), 2.0)


def _counted(flagged, flags, fails):
    """Contained requests by switch, and calls of models, as a collector counts one request that it hears of twice."""
    store, guard = caching.Memory(), containment.breaker("kb", "retrieval", fail_max=fails)
    store.put("q", caching.Entry(500.0, "old"))
    with captured() as seen:
        tracer = seen.provider.get_tracer("app")
        try:
            guard.call(_unwell)
        except _Unwell:
            pass
        flagged(**flags)
        _application(tracer, store, guard)
        spans = encode_spans(seen.spans).SerializeToString()
    now = [1_000.0]
    collector = Processor(lambda: now[0], 30.0)
    for _ in range(2):
        collector.traces(spans)
        now[0] += 120
    found = {one.metric: one for one in collector.copy()}
    contained = found[catalogue.CONTAINED_REQUESTS]
    at = contained.metric.labels.index("containment")
    requests = found[catalogue.LLM_REQUESTS] if catalogue.LLM_REQUESTS in found else None
    return {key[at]: n[0] for key, n in contained.series.items() if n[0]}, sum(
        n[0] for n in requests.series.values()
    ) if requests else 0.0
