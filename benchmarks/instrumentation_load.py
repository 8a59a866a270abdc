"""The load of `instrumentation.py`: the real OpenAI SDK on a transport that answers in this process, and what may instrument it."""

from __future__ import annotations

import importlib
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from truegreen.core.words.calibration import Calibration, file_name, to_text
from truegreen.instrumentation import TruegreenInstrumentor, retrieval, snapshot, traffic
from truegreen.instrumentation.settings import Settings

INSTRUMENTORS = {
    "genai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "openinference": ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    "openllmetry": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
}
STAYS = ("openllmetry",)
"""Their `uninstrument` leaves wrappers behind, one more each time."""
HOOKED = "genai"
"""The one that shows messages to a completion hook."""
HOOK = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"
WORDS = [
    "the",
    "refund",
    "window",
    "for",
    "unopened",
    "items",
    "is",
    "thirty",
    "days",
    "counted",
    "from",
    "delivery",
    "and",
    "a",
    "receipt",
    "needed",
]


def prose(words: int, seed: int) -> str:
    """So many words, the same ones for a seed."""
    return " ".join(random.Random(seed).choices(WORDS, k=words))


PASSAGES = [{"text": prose(100, n), "score": 0.9 - n / 10, "id": f"p{n}"} for n in range(3)]
ANSWER = prose(80, 7)
MESSAGES: Any = [{"role": "system", "content": prose(60, 8)}, {"role": "user", "content": prose(30, 9)}]
BODY = json.dumps(
    {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "support-large-0613", "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980},
    }
).encode()  # fmt: skip

SPAN: Mapping[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "support-large",
    "gen_ai.response.model": "support-large-0613", "gen_ai.response.finish_reasons": ("stop",), "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 80, "server.address": "api.invalid", "server.port": 443, **{f"app.attribute.{n}": "value" for n in range(11)},
}  # fmt: skip
"""A span of a model's call: 20 attributes."""


HTTP = {
    "http.request.method": "GET", "url.full": "http://db.invalid/x", "server.address": "db.invalid", "server.port": 80,
    "http.response.status_code": 200, "network.protocol.version": "1.1", "user_agent.original": "x", "url.scheme": "http",
}  # fmt: skip


class Nowhere(SpanExporter):
    """Counts what it is given, and looks at it as an exporter does: some of the work waits for that."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, spans: Any) -> SpanExportResult:
        """Take them."""
        self.count += sum(len(span.attributes) > 0 for span in spans)
        return SpanExportResult.SUCCESS


class Unseen(SpanExporter):
    """Keeps spans; `look` looks at one after the other."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.at = 0

    def export(self, spans: Any) -> SpanExportResult:
        """Keep them."""
        self.spans += spans
        return SpanExportResult.SUCCESS

    @contextmanager
    def filled(self, once: Callable[[], None], number: int) -> Iterator[None]:
        """So many new spans for a block."""
        self.spans, self.at = [], 0
        for _ in range(number):
            once()
        yield

    @contextmanager
    def again(self) -> Iterator[None]:
        """The same spans once more."""
        self.at = 0
        yield

    def look(self) -> None:
        """Read the attributes of the next span."""
        dict(self.spans[self.at].attributes or {})
        self.at += 1


Exporter = TypeVar("Exporter", bound=SpanExporter)


def batched() -> tuple[TracerProvider, Nowhere]:
    """A provider that exports to nowhere in batches."""
    return provider(BatchSpanProcessor, Nowhere())


def provider(processor: Callable[[Any], SpanProcessor], exporter: Exporter) -> tuple[TracerProvider, Exporter]:
    """A provider that exports to this exporter."""
    made = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    made.add_span_processor(processor(exporter))
    return made, exporter


def client() -> openai.OpenAI:
    """A client of the real SDK whose transport answers at once."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=BODY, headers={"content-type": "application/json"})

    return openai.OpenAI(
        base_url="http://bench.invalid/v1",
        api_key="k",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


def call(to: openai.OpenAI) -> Callable[[], None]:
    """One chat call."""

    def ask() -> None:
        to.chat.completions.create(model="support-large", messages=MESSAGES, temperature=0.2)

    return ask


def span(tracer: Any, attributes: Mapping[str, Any]) -> Callable[[], None]:
    """One span that is started with its attributes and ended."""
    return lambda: tracer.start_span("x", kind=SpanKind.CLIENT, attributes=attributes).end()


def request(ask: Callable[[], None], tracer: Any) -> Callable[[], None]:
    """One request of an application that says all that it can: who asks, which versions serve, and what was retrieved."""

    def served() -> None:
        with (
            tracer.start_as_current_span("POST /ask"),
            traffic(session_id="s1", user_id="u1", cohort="gold"),
            snapshot.use(prompt="support@3", retrieval_index="kb@7"),
        ):
            retrieval(documents=PASSAGES, data_source="kb", query="How long?", floor=0.5)
            ask()

    return served


def plain(ask: Callable[[], None], tracer: Any) -> Callable[[], None]:
    """The same request of an application that knows nothing of truegreen."""

    def served() -> None:
        with tracer.start_as_current_span("POST /ask"):
            ask()

    return served


def calibrated(folder: Path) -> Path:
    """A folder with the calibration that judges this load."""
    quantiles = tuple(i / 50 - 1 for i in range(101))
    made = Calibration(
        "bench", "unknown", "groundedness", "context_support", "relative", 0.0, quantiles, 0.05, 1.0, 600, "2026-01-01T00:00:00Z"
    )
    (folder / file_name("bench", "unknown", "groundedness")).write_text(to_text(made))
    return folder


def available() -> list[str]:
    """The instrumentors that are installed here."""
    found = []
    for name, (module, _) in INSTRUMENTORS.items():
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        found.append(name)
    return found


def install(name: str, to: TracerProvider, *, hook: bool) -> Any:
    """Have an instrumentor make spans from now on; gives it back.

    Args:
        hook: with truegreen's completion hook, as its users have it.
    """
    module, attribute = INSTRUMENTORS[name]
    os.environ.pop(HOOK, None)
    if hook:
        os.environ[HOOK] = "truegreen"
    made = getattr(importlib.import_module(module), attribute)()
    made.instrument(tracer_provider=to, skip_dep_check=True)
    return made


@contextmanager
def instrumented(name: str, to: TracerProvider, *, hook: bool) -> Iterator[None]:
    """Have an instrumentor make spans for a block."""
    made = install(name, to, hook=hook)
    try:
        yield
    finally:
        made.uninstrument()


@contextmanager
def kept(name: str, to: TracerProvider) -> Iterator[None]:
    """Have an instrumentor make spans for a block, with the hook; one that stays is left where it is."""
    made = install(name, to, hook=True)
    try:
        yield
    finally:
        if name not in STAYS:
            made.uninstrument()


@contextmanager
def switched(*, on: bool) -> Iterator[None]:
    """Have truegreen's processor do its work for a block, or nothing."""
    processor: Any = TruegreenInstrumentor()._processor
    processor.enabled = on
    try:
        yield
    finally:
        processor.enabled = True


@contextmanager
def truegreen(to: TracerProvider, settings: Settings) -> Iterator[None]:
    """Add truegreen to a provider for a block."""
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=to, settings=settings)
    try:
        yield
    finally:
        made.uninstrument()
