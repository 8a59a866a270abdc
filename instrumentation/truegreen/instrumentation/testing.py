"""For tests of an application: the enriched spans in memory, and an evaluator that says what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.instrumentation.instrumentor import TruegreenInstrumentor
from truegreen.instrumentation.settings import Settings


@dataclass(slots=True)
class Captured:
    """What a test sees."""

    provider: TracerProvider
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in the order of their ends."""
        return self.exporter.get_finished_spans()

    def attributes(self, name: str) -> Mapping[str, Any]:
        """The attributes of the last span whose name begins with `name`.

        Raises:
            LookupError: there is none.
        """
        for span in reversed(self.spans):
            if span.name.startswith(name):
                return span.attributes or {}
        raise LookupError(f"no span {name!r} among {[span.name for span in self.spans]}")


@contextmanager
def captured(
    settings: Settings | None = None,
    *,
    resource: Mapping[str, str] | None = None,
    limits: SpanLimits | None = None,
    exporters: tuple[SpanExporter, ...] = (),
) -> Iterator[Captured]:
    """Instrument a provider of its own for a block and keep its spans.

    Args:
        settings: in place of environment and file.
        resource: resource attributes, such as `service.name`.
        limits: the provider's span limits.
        exporters: further exporters.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": "app", **(resource or {})}), span_limits=limits or SpanLimits()
    )
    exporter = InMemorySpanExporter()
    for each in (exporter, *exporters):
        provider.add_span_processor(SimpleSpanProcessor(each))
    instrumentor = TruegreenInstrumentor()
    instrumentor.instrument(tracer_provider=provider, settings=settings or Settings())
    try:
        yield Captured(provider, exporter)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


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
