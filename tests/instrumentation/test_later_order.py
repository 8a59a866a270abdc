"""Whatever an application does, its spans say the same whether they are completed when they end or when they are looked at, in any order."""

from __future__ import annotations

import contextvars
import json
import random
from itertools import count
from unittest.mock import patch

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate, failures, later, retrieval, snapshot, traffic
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator

LIBRARIES = ("opentelemetry.instrumentation.genai.openai", "openinference.instrumentation.openai")
REFUSAL = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "I am sorry, but I can not say."}]}])


class Exporter(SpanExporter):
    """Keeps spans and does not look at them."""

    def __init__(self):
        self.spans = []

    def export(self, spans):
        """Keep them."""
        self.spans += spans
        return SpanExportResult.SUCCESS


class Ids:
    """The same ids for the same seed: who is in a sample depends on them."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def is_trace_id_random(self):
        return True

    def generate_span_id(self):
        return self._random.getrandbits(64) | 1

    def generate_trace_id(self):
        return self._random.getrandbits(128) | 1


class Application:
    """A tree of calls, agents, tools and retrievals, another one for each seed."""

    def __init__(self, provider, seed):
        self._provider = provider
        self._random = random.Random(seed)
        self._numbers = count()

    def span(self, scope, name, attributes=None):
        return self._provider.get_tracer(scope).start_as_current_span(f"{name} {next(self._numbers)}", attributes=attributes)

    def chance(self, share):
        return self._random.random() < share

    def identity(self, at):
        """A response id where the library keeps it."""
        known = f"r{self._random.randrange(4)}"
        return ("gen_ai.response.id", known) if at == 0 else ("output.value", json.dumps({"id": known}))

    def call(self, depth):
        at = self._random.randrange(2)
        model = self._random.choice(["gpt-x", "gpt-y"])
        asked = [
            {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model},
            {"openinference.span.kind": "LLM", "llm.model_name": model},
        ][at]
        with self.span(LIBRARIES[at], "call", asked) as span:
            if self.chance(0.2):
                self.steps(depth + 1)
            if at == 0:
                span.set_attribute("gen_ai.usage.input_tokens", self._random.randint(1, 9))
            for share, name, value in (
                (0.3, *self.identity(at)), (0.4, "gen_ai.response.model", f"{model}-2026-01-01"),
                (0.4, "gen_ai.output.messages", REFUSAL), (0.2, "plan", self._random.choice("ab")),
            ):  # fmt: skip
                if self.chance(share):
                    span.set_attribute(name, value)
            if self.chance(0.2):
                answer(query="q", answer="Certainly.")
            if self.chance(0.15):
                span.set_status(Status(StatusCode.ERROR))
                span.set_attribute("error.type", "Timeout")

    def steps(self, depth=0):
        for _ in range(self._random.randint(1, 3)):
            kind = 0 if depth > 3 else self._random.randrange(9)
            if kind < 4:
                self.call(depth)
            elif kind == 4:
                with self.span(LIBRARIES[0], "run", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}):
                    self.steps(depth + 1)
            elif kind == 5:
                with self.span("app", "plain") as span:
                    self.steps(depth + 1)
                    if self.chance(0.2):
                        span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x"})
            elif kind == 6:
                with snapshot.use(prompt=f"p@{self._random.randint(1, 2)}"):
                    self.steps(depth + 1)
            elif kind == 7:
                with traffic(session_id="s", cohort="c"):
                    self.steps(depth + 1)
            else:
                retrieval(
                    documents=["passage"], data_source="kb", index_alias="live", index_version=str(self._random.randrange(3))
                )


def played(seed, order=None):
    """What `_played` gives, in a context of its own: passages may be left in it."""
    return contextvars.Context().run(_played, seed, order)


def _played(seed, order):
    """The attributes of every span, and what is on record.

    Args:
        order: puts the spans in the order in which they are looked at; None has none of them wait.
    """
    exporter, provider = Exporter(), TracerProvider(id_generator=Ids(seed))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    rate = (0.0, 0.0, 0.5, 1.0)[seed % 4]
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=provider, settings=Settings(rate=rate, cohort_attribute="plan"))
    try:
        with patch.object(later, "put", later.put if order else lambda span, complete: False):
            application = Application(provider, seed)
            for _ in range(2):
                application.steps()
        spans = list(exporter.spans)
        if order is not None:
            order(spans)
        found = {
            (span.name, span.context.span_id): {k: v for k, v in span.attributes.items() if k != "truegreen.snapshot.since"}
            for span in spans
        }
        components = snapshot.record()["components"]
    finally:
        made.uninstrument()
    return found, {name: sorted((one["version"], one["calls"]) for one in listed) for name, listed in components.items()}


@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.full) for block in (1, 2, 3))])
def test_the_order_of_looks_makes_no_difference(monkeypatch, block):
    """Two libraries, late attributes, errors, response ids, blocks, retrievals; nothing judged, half of it, all of it."""
    monkeypatch.setattr(evaluate, "find", FakeEvaluator().find)
    spans = 0
    for seed in range(block, 120, 4):
        at_once = played(seed)
        assert played(seed, random.Random(seed).shuffle) == at_once, seed
        assert played(seed, list.reverse) == at_once, seed
        spans += len(at_once[0])
    assert spans > 100
    assert failures.counted() == {}
