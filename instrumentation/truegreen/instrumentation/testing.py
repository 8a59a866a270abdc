"""For tests of an application: the enriched spans and events in memory, sentences to assert about them, and an evaluator that says what it is told.

with captured(evaluator=FakeEvaluator()) as seen:
    OpenAIInstrumentor().instrument(tracer_provider=seen.provider)
    application.ask("Can I return it?")
seen.counts_one_call().exports_no_text("Can I return it?")
seen.answer().was_served_by("gpt-x").passed("groundedness").has_cohort("gold").in_snapshot(prompt="support@3")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from unittest.mock import patch

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from truegreen.core.words import attributes as names
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.instrumentation import background, evaluate
from truegreen.instrumentation.instrumentor import TruegreenInstrumentor
from truegreen.instrumentation.seen import Event, Seen, event_of, scope_of, why_not
from truegreen.instrumentation.settings import Settings

WAIT_SECONDS = 10.0
"""How long a look at events waits for evaluators in the background."""


@dataclass(slots=True)
class Captured:
    """What a test sees.

    Args:
        provider: for the library's instrumentor: `OpenAIInstrumentor().instrument(tracer_provider=seen.provider)`.
        exporter: holds the spans.
        log_exporter: holds the log events.
    """

    provider: TracerProvider
    exporter: InMemorySpanExporter
    log_exporter: Any

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in the order of their ends."""
        return self.exporter.get_finished_spans()

    @property
    def events(self) -> tuple[Event, ...]:
        """The log events, such as `gen_ai.evaluation.result`, in the order in which they were emitted; evaluators in the background are waited for."""
        background.flush(WAIT_SECONDS)
        return tuple(event_of(data.log_record) for data in self.log_exporter.get_finished_logs())

    def attributes(self, name: str) -> Mapping[str, Any]:
        """The attributes of the last span whose name begins with `name`; raises LookupError when there is none."""
        return self.span(name).attributes

    def span(self, name: str) -> Seen:
        """The last span whose name begins with `name`; raises LookupError when there is none."""
        found = [span for span in self.spans if span.name.startswith(name)]
        if not found:
            raise LookupError(f"no span {name!r} among {[span.name for span in self.spans]}")
        return Seen(found[-1], self._of(found[-1], self.events))

    def llm_spans(self) -> tuple[Seen, ...]:
        """The calls of models that are counted: duplicates are left out."""
        return tuple(seen for seen in self._all() if why_not(seen) is None)

    def llm_span(self, name: str = "") -> Seen:
        """The last call of a model that is counted and whose span's name begins so; raises AssertionError when there is none."""
        found = [seen for seen in self.llm_spans() if seen.span.name.startswith(name)]
        if not found:
            raise AssertionError(f"expected a counted call of a model{f' named {name}*' if name else ''}, found {self._listed()}")
        return found[-1]

    def answer(self, name: str = "") -> Seen:
        """The last counted call that answered: it did not fail and did not only call tools; raises AssertionError when there is none."""
        found = [
            seen for seen in self.llm_spans() if seen.span.name.startswith(name) and names.EVALUATION_SAMPLED in seen.attributes
        ]
        if not found:
            raise AssertionError(f"expected an answer{f' named {name}*' if name else ''}, found {self._listed()}")
        return found[-1]

    def counts_calls(self, number: int) -> Self:
        """So many calls of models are counted."""
        if len(self.llm_spans()) != number:
            raise AssertionError(f"expected {number} counted calls, found {len(self.llm_spans())}: {self._listed()}")
        return self

    def counts_one_call(self) -> Self:
        """One call is counted, however many spans were made of it."""
        return self.counts_calls(1)

    def exports_no_text(self, *texts: str) -> Self:
        """None of the texts is in the bytes that an OTLP exporter sends for the spans and events.

        Raises:
            AssertionError: one is, or nothing was exported at all.
            ImportError: opentelemetry-exporter-otlp-proto-common is not installed.
        """
        from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        events = self.events
        if not self.spans:
            raise AssertionError("expected spans without the texts, found no span at all")
        logs = encode_logs(self.log_exporter.get_finished_logs()).SerializeToString()
        sent = encode_spans(self.spans).SerializeToString() + logs
        for text in texts:
            if text.encode() in sent or json.dumps(text)[1:-1].encode() in sent:
                raise AssertionError(f"expected {text!r} nowhere, found it in {_holders(text, self.spans, events)}")
        return self

    def _all(self) -> tuple[Seen, ...]:
        events = self.events
        return tuple(Seen(span, self._of(span, events)) for span in self.spans)

    def _of(self, span: ReadableSpan, events: tuple[Event, ...]) -> tuple[Event, ...]:
        context = span.get_span_context()
        return tuple(event for event in events if context is not None and event.span_id == context.span_id)

    def _listed(self) -> str:
        shown = (f"{one.span.name!r} of {scope_of(one.span)} ({why_not(one) or 'counted'})" for one in self._all())
        return "; ".join(shown) or "no span at all"


@contextmanager
def captured(
    settings: Settings | None = None,
    *,
    resource: Mapping[str, str] | None = None,
    limits: SpanLimits | None = None,
    exporters: tuple[SpanExporter, ...] = (),
    evaluator: FakeEvaluator | None = None,
) -> Iterator[Captured]:
    """Instrument a provider of its own for a block and keep its spans and events.

    Args:
        settings: in place of environment and file.
        resource: resource attributes, such as `service.name`.
        limits: the provider's span limits.
        exporters: further exporters.
        evaluator: judges in place of every evaluator.
    """
    about = Resource.create({"service.name": "app", **(resource or {})})
    provider = TracerProvider(resource=about, span_limits=limits or SpanLimits())
    exporter, logs, log_exporter = InMemorySpanExporter(), LoggerProvider(resource=about), _log_exporter()
    for each in (exporter, *exporters):
        provider.add_span_processor(SimpleSpanProcessor(each))
    logs.add_log_record_processor(log_export.SimpleLogRecordProcessor(log_exporter))
    instrumentor = TruegreenInstrumentor()
    with patch.object(evaluate, "find", evaluator.find if evaluator else evaluate.find):
        instrumentor.instrument(tracer_provider=provider, logger_provider=logs, settings=settings or Settings())
        try:
            yield Captured(provider, exporter, log_exporter)
        finally:
            instrumentor.uninstrument()
            provider.shutdown()
            logs.shutdown()


@dataclass(slots=True)
class FakeEvaluator:
    """An evaluator's factory that remembers the samples it was shown.

    Args:
        raw: the number it gives; an exception is raised instead.
    """

    raw: float | Exception = 0.9
    samples: list[Sample] = field(default_factory=list)
    calibrations: list[Calibration | None] = field(default_factory=list)

    def make(self, settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
        """As `truegreen_evaluator` wants it."""
        del settings
        self.calibrations.append(calibration)

        def judge(sample: Sample) -> Result:
            self.samples.append(sample)
            if isinstance(self.raw, Exception):
                raise self.raw
            if not sample.passages:
                return Result("groundedness", "fake", skipped="no_context")
            if calibration is None:
                return Result("groundedness", "fake", raw=self.raw, skipped="no_baseline")
            return Result(
                "groundedness",
                "fake",
                self.raw,
                calibration.score(self.raw),
                calibration.label(self.raw),
                calibration.scale,
                calibration.digest,
            )

        return judge

    def find(self, name: str) -> Callable[..., Judge]:
        """In place of the look-up by entry point: `monkeypatch.setattr(evaluate, "find", fake.find)`."""
        del name
        return self.make


def _log_exporter() -> Any:
    """The SDK's own in-memory exporter, which changed its name after 1.38."""
    return (getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter)()


def _holders(text: str, spans: tuple[ReadableSpan, ...], events: tuple[Event, ...]) -> str:
    """Where a text is, without showing more of what is around it."""
    places = [(f"span {span.name!r}", span.attributes or {}) for span in spans]
    places += [(f"event {event.name!r} of span {span.name!r}", event.attributes or {}) for span in spans for event in span.events]
    places += [(f"log event {event.name!r}", event.attributes) for event in events]
    found = [f"{name} of {place}" for place, attributes in places for name, value in attributes.items() if text in str(value)]
    return ", ".join(found) or "a name, a status or the resource"
