"""Recorded calls become spans: through the application's own instrumentation, out by OTLP over HTTP. The texts stay here."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Tracer

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import attributes
from truegreen.core.words.shapes import ReplayRecord
from truegreen.core.words.terms import FAIL, PASS

BATCH_SPANS: Final = 512
BATCH_SECONDS: Final = 0.5
_EXPORT_SECONDS: Final = 5.0
_PATH: Final = "/v1/traces"
NOT_JUDGED: Final = "not judged in line"
"""An answer whose span ended without a result: not sampled, or judged in the background."""


@dataclass(slots=True)
class Tally:
    """What became of the calls: `delivered` spans, and per answer `pass`, `fail` or the reason of a skip."""

    calls: int = 0
    delivered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Outbox(SpanProcessor):
    """Keeps ended spans until `flush` delivers them: nothing is dropped behind a full queue, and a lost batch is known at once."""

    def __init__(self, exporter: SpanExporter, tally: Tally, clock: Callable[[], float]) -> None:
        self._exporter = exporter
        self._tally = tally
        self._clock = clock
        self._waiting: list[ReadableSpan] = []
        self._flushed = clock()

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span and count what its answer's judge said."""
        self._waiting.append(span)
        given = span.attributes or {}
        if given.get(attributes.OPERATION_NAME) in attributes.CHAT_OPERATIONS:
            self._tally.outcomes[outcome(given)] += 1

    def flush_when_due(self) -> bool:
        """Deliver when a batch is full or half a second old; False when a batch was not taken."""
        due = len(self._waiting) >= BATCH_SPANS or self._clock() - self._flushed >= BATCH_SECONDS
        return self.flush() if due else True

    def flush(self) -> bool:
        """Deliver what waits; False when it was not taken."""
        waiting, self._waiting, self._flushed = self._waiting, [], self._clock()
        if not waiting:
            return True
        taken = self._exporter.export(waiting) is SpanExportResult.SUCCESS
        self._tally.delivered += len(waiting) if taken else 0
        return taken


def outcome(given: Mapping[str, Any]) -> str:
    """What became of an answer, from the attributes of its span, whichever evaluations judged it.

    Returns:
        `fail` when one evaluation fails it, `pass` when one passes it and none fails it, else the reason of the first skip,
        else `NOT_JUDGED`.
    """
    labels = _parts(given, "label")
    return next((label for label in (FAIL, PASS) if label in labels), next(iter(_parts(given, "skipped")), NOT_JUDGED))


def _parts(given: Mapping[str, Any], part: str) -> list[str]:
    return [
        str(value) for name, value in given.items() if name.startswith(attributes.EVALUATION_PREFIX) and name.endswith(f".{part}")
    ]


def traces_address(endpoint: str) -> str:
    """The address that spans are posted to, from a base address or from a full one.

    Raises:
        BadInput: not an http address.
    """
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket or a port that is none
        usable = False
    if not usable:
        raise BadInput(f"--endpoint: found {endpoint!r}, write an address such as http://127.0.0.1:4318")
    return endpoint if parts.path.rstrip("/").endswith(_PATH) else endpoint.rstrip("/") + _PATH


def exporter_to(endpoint: str) -> SpanExporter:
    """An OTLP exporter; what it would log about a failure is said once, by `send`."""
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    return OTLPSpanExporter(endpoint=traces_address(endpoint), timeout=_EXPORT_SECONDS)


def send(
    records: Iterable[ReplayRecord],
    *,
    service: str,
    environment: str,
    exporter: SpanExporter,
    tally: Tally,
    environ: Mapping[str, str],
    content: bool = False,
    rate: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send recorded calls as spans, each judged on its way by the instrumentation.

    Args:
        tally: filled while they are sent.
        environ: the settings of the instrumentation (`TRUEGREEN_*`), as an application has them.
        content: put the texts on the spans; without it they never leave the process.
        rate: calls a second; None is as fast as they can be judged and delivered.

    Raises:
        Failed: a batch of spans was not taken.
    """
    from truegreen.instrumentation import TruegreenInstrumentor, settings

    resource = Resource.create({attributes.SERVICE_NAME: service, attributes.ENVIRONMENT_NAME: environment})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    outbox = Outbox(exporter, tally, clock)
    instrumentor = TruegreenInstrumentor()
    instrumentor.instrument(tracer_provider=provider, settings=settings.load(environ))
    provider.add_span_processor(outbox)
    tracer = provider.get_tracer("truegreen.replay")
    started = clock()
    try:
        for record in records:
            if rate is not None:
                sleep(max(0.0, started + tally.calls / rate - clock()))
            one_call(tracer, record, content)
            tally.calls += 1
            _check(outbox.flush_when_due(), tally)
        _check(outbox.flush(), tally)
    finally:
        instrumentor.uninstrument()
        exporter.shutdown()


def one_call(tracer: Tracer, record: ReplayRecord, content: bool) -> None:
    """The spans of one recorded call: a request, its retrieval, its chat."""
    from truegreen.instrumentation import answer, retrieval, traffic

    session = record.extra.get("session")
    facts = {
        attributes.OPERATION_NAME: "chat",
        attributes.PROVIDER_NAME: "recorded",
        attributes.REQUEST_MODEL: record.model,
        attributes.RESPONSE_MODEL: record.model,
        attributes.FINISH_REASONS: ("stop",),
    }
    with traffic(session_id=session if isinstance(session, str) else ""), tracer.start_as_current_span("replay"):
        if record.context:
            retrieval(documents=record.context, data_source="replay")
        with tracer.start_as_current_span(f"chat {record.model}", kind=SpanKind.CLIENT, attributes=facts) as span:
            if content:
                span.set_attribute(attributes.INPUT_MESSAGES, _messages("user", record.query))
                span.set_attribute(attributes.OUTPUT_MESSAGES, _messages("assistant", record.answer, finish_reason="stop"))
            answer(query=record.query, answer=record.answer)


def _messages(role: str, text: str, **more: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}], **more}], ensure_ascii=False)


def _check(taken: bool, tally: Tally) -> None:
    if not taken:
        raise Failed(
            f"the endpoint did not take a batch of spans ({tally.delivered} were delivered); is the collector running there?"
        )
