"""The span processor: remembers in which context a span starts, and completes it in a wrapper of its own `end`."""

from __future__ import annotations

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import Span, SpanProcessor

from truegreen.instrumentation import around, background, failures, mirrored
from truegreen.instrumentation.context import carried
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.model import State


class TruegreenSpanProcessor(SpanProcessor):
    """Adds our attributes to the GenAI spans of a provider, whichever library makes them; its place among processors does not matter."""

    def __init__(self, enricher: Enricher) -> None:
        self.enricher = enricher
        self.enabled = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take over the span's `end`."""
        if not self.enabled:
            return
        try:
            own = span.__dict__
            earlier = own.get("end")
            if isinstance(earlier, State):
                return
            context = get_current() if parent_context is None else parent_context
            own["end"] = state = State(span, context, self, earlier)
            if mirrored.state["used"] and carried(context).mirrored:
                span._resource = mirrored.apart(span._resource)
            if (spans := around.window.get()) is not None:
                spans.append(span)
            self.enricher.at_start(span, state)
        except Exception as error:
            failures.count("on_start", error)

    def shutdown(self) -> None:
        """Wait for judgements in the background, and go on: one processor serves all providers, and another one of them may live on."""
        background.flush(background.EXIT_SECONDS)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until the judgements asked for so far are emitted; False when the time did not suffice."""
        return background.flush(timeout_millis / 1000)
