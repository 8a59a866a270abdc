"""A busy application with every public name in it: nothing raises, and nothing that is held grows with the number of requests."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import threading
import time

import pytest

from truegreen import containment
from truegreen.containment import caching, shadowing
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.testing import captured


@pytest.fixture
def sizes(repo, monkeypatch):
    """What `holdings` finds below containment: each container, and how much is in it."""
    spec = importlib.util.spec_from_file_location("holdings_of_containment", repo / "tests" / "instrumentation" / "holdings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PACKAGE", "truegreen.containment")
    return module.sizes


class _Unwell(Exception):
    status_code = 503


class _Prompts:
    def clear_prompt_cache(self):
        """Nothing is kept."""


def _day(flagged, start, requests, guard, store, routed):
    """So many requests, whose keys, questions and flags are all different."""
    for n in range(start, start + requests):
        flagged(**_flags(n))
        with containment.model("m") as model:
            assert model
        containment.context([1, 2, 3])
        containment.guardrail()
        containment.feature(f"feature {n}")
        containment.degraded()
        containment.index("kb")
        containment.fresh(_Prompts())
        containment.counts(ValueError())
        choice = containment.rollout("model", "m", f"user {n}")
        containment.shadow(str, choice.candidate)
        containment.cached(f"question {n}", lambda: "answer", store=store)
        assert asyncio.run(containment.acached(f"question {n}", _answer, store=store)) in ("answer", "sorry")
        assert routed(f"question {n}") in ("spare", "other")
        try:
            guard.call(_fails)
        except (_Unwell, containment.CircuitOpen):
            pass
        assert containment.contained(f"feature {n}", off="off")(lambda: "ran")() in ("ran", "off", "sorry")
    end = time.monotonic() + 20
    while shadowing.pool.pending:  # what is mirrored in the background is no growth
        assert time.monotonic() < end
        time.sleep(0.01)


async def _answer():
    return "answer"


def _fails(*_):
    raise _Unwell


def _flags(n):
    values = [
        {"pinned_model": f"p{n}"}, {"fallback_model": f"other:f{n}"}, {"reduced_context": str(n)}, {"reduced_context": f"x{n}"},
        {"cached_response": str(4_000_000_000 + n)}, {"strict_guardrail": f"{n}"}, {"feature_disabled": f"feature {n}"}, {"degraded_mode": "sorry"},
        {"rollout": json.dumps({"component": "model", "to": f"v{n}", "percent": 50, "shadow": 50})}, {"rollout": f"nonsense {n}"}, {},
    ]  # fmt: skip
    return values[n % len(values)]


def test_nothing_that_is_held_grows_with_the_number_of_requests(flagged, sizes, monkeypatch):
    """After a first day that fills what is bounded."""
    store = caching.Memory(keys=20)
    monkeypatch.setattr(shadowing, "pool", shadowing.Pool())
    guard = containment.breaker("kb", "retrieval", fail_max=2, reset_timeout=0)
    routed = containment.route(
        {"main": _fails, "other": lambda *_: "other", "spare": lambda *_: "spare"}, default="main:m", fallback="spare:s"
    )
    with captured() as seen:
        _day(flagged, 0, 60, guard, store, routed)
        before, threads = sizes(), threading.active_count()
        _day(flagged, 60, 240, guard, store, routed)
        after = sizes()
        stamps = {span.attributes.get("truegreen.containment") for span in seen.spans}
    grown = {path: (before.get(path, 0), size) for path, size in after.items() if size > before.get(path, 0)}
    assert grown == {}
    assert threading.active_count() <= threads + shadowing.WORKERS
    assert stamps >= {"reduced_context", "feature_disabled", "degraded_mode", "cached_response"}
    assert failures.counted() == {}
    assert len(notices._said) <= notices.KEPT + 1


def test_a_provider_of_flags_that_raises_changes_nothing():
    """Each switch gives what is configured; counted."""
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryProvider

    class Broken(InMemoryProvider):
        def resolve_string_details(self, flag_key, default_value, evaluation_context=None):
            raise RuntimeError("down")

    api.set_provider(Broken({}))
    try:
        with containment.model("m") as model:
            assert model == "m"
        assert containment.context([1]) == [1]
        assert (containment.guardrail(), containment.degraded(), containment.index("kb")) == ("normal", "", "kb")
        assert containment.feature("x")
        assert containment.rollout("model", "m", "user") == ("m", False, "")
        assert containment.cached("q", lambda: "a", store=caching.Memory()) == "a"
    finally:
        api.clear_providers()


def test_a_value_of_another_kind_is_no_switch():
    """A flag system that answers with numbers or objects where texts are wanted."""
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    for value in (3, True, ["a"], {"a": 1}, None):
        api.set_provider(
            InMemoryProvider(
                {
                    name: InMemoryFlag("on", {"on": value})
                    for name in ("reduced_context", "degraded_mode", "rollout", "pinned_model")
                }
            )
        )
        try:
            with containment.model("m") as model:
                assert isinstance(model, str)
            assert containment.rollout("model", "m", "user") == ("m", False, "")
            containment.context([1, 2, 3, 4])
            containment.degraded()
        finally:
            api.clear_providers()
