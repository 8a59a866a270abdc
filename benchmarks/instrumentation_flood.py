"""A flood of spans while the background evaluator never comes back: what is exported, what is counted as skipped, what grows.

A request is ten spans: the server's, eight of its clients, and one answer, which is in the sample. `answers alone` are as many as one thread makes.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import instrumentation_load as load
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, use_span

from truegreen.instrumentation import TruegreenInstrumentor, background, evaluate
from truegreen.instrumentation.api import answer
from truegreen.instrumentation.settings import Settings

RATE = 10_000
"""Spans a second."""
OTHERS = 8
SECONDS = 5
WARM = 5_000
"""Answers until the queue is full and every cache has what it will have."""


class Counts(SpanExporter):
    """Counts spans, and why answers were not judged."""

    def __init__(self) -> None:
        self.spans = 0
        self.said: Counter[str] = Counter()

    def export(self, spans: Any) -> SpanExportResult:
        """Count them."""
        for span in spans:
            self.spans += 1
            attributes = span.attributes or {}
            said = attributes.get("truegreen.evaluation.stuck.skipped")
            self.said[str(said or ("deferred" if "truegreen.evaluation.stuck.deferred" in attributes else "nothing"))] += 1
        return SpanExportResult.SUCCESS


def run(count: int, number: int) -> Mapping[str, Any]:
    """Make 10,000 spans a second, or as many as this machine can, in one thread for five seconds; then answers alone."""
    del count, number
    return {**_flood(OTHERS, "spans"), **{f"answers alone: {name}": value for name, value in _flood(0, "answers").items()}}


def _flood(others: int, what: str) -> Mapping[str, Any]:
    never, exporter = threading.Event(), Counts()

    def find(_: str) -> Any:
        return lambda *_: lambda _: never.wait()

    with ExitStack() as stack:
        stack.enter_context(patch.object(evaluate, "find", find))
        provider, logs = TracerProvider(), LoggerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        exported = (getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter)()
        logs.add_log_record_processor(log_export.SimpleLogRecordProcessor(exported))
        settings = Settings(rate=1.0, evaluations={"stuck": {"background": True}})
        instrumentor = TruegreenInstrumentor()
        instrumentor.instrument(tracer_provider=provider, logger_provider=logs, settings=settings)
        stack.callback(instrumentor.uninstrument)
        stack.callback(never.set)
        tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai")
        client = provider.get_tracer("opentelemetry.instrumentation.httpx")
        server = provider.get_tracer("opentelemetry.instrumentation.fastapi")

        def ask() -> None:
            with use_span(tracer.start_span("chat", attributes=load.SPAN), end_on_exit=True):
                answer(query="How long?", answer=load.ANSWER)

        def one() -> None:
            if not others:
                return ask()
            with server.start_as_current_span("POST /ask", kind=SpanKind.SERVER):
                for _ in range(others):
                    client.start_span("GET", kind=SpanKind.CLIENT, attributes=load.HTTP).end()
                return ask()

        spans = 1 if not others else others + 2

        for _ in range(WARM):
            one()
        before, began, slowest = _kilobytes(), time.perf_counter(), 0.0
        made = 0
        while time.perf_counter() - began < SECONDS:
            due = int((time.perf_counter() - began) * RATE / spans)
            if made >= due:
                time.sleep(0.001)
                continue
            at = time.perf_counter()
            one()
            slowest = max(slowest, time.perf_counter() - at)
            made += 1
        took = time.perf_counter() - began
        growth = _kilobytes() - before
    verdicts = len(exported.get_finished_logs())
    skipped = exporter.said["queue_full"]
    return {
        f"{what} a second": made * spans / took, "spans made": (made + WARM) * spans, "spans exported": exporter.spans,
        "answers made": made + WARM, "skipped: queue_full": skipped, "deferred to the background": exporter.said["deferred"],
        "queue holds": background.JOBS, "events of what was given up": verdicts, "growth after the queue was full, kB": growth,
        "slowest request, ms": slowest * 1e3,
    }  # fmt: skip


def _kilobytes() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
