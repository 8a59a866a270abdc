"""The span processor: stamps GenAI spans when they start and completes them in a wrapper of their own `end`."""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import get_current_span

from truegreen.core.words import attributes as names
from truegreen.instrumentation import around, background, failures
from truegreen.instrumentation import context as carried
from truegreen.instrumentation.call import attributes_of
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.model import State

KEPT = (names.OPERATION_NAME, names.PROVIDER_NAME, names.REQUEST_MODEL)
"""Source attributes that are put back when the span's attribute limit evicted them: without them nobody knows that it is an LLM span."""


class End:
    """Stands in for one span's `end`: completes the span by public calls, then ends it at the time at which it was called."""

    __slots__ = ("_finish", "_original", "_span", "state")

    def __init__(self, span: Span, state: State, finish: Callable[[Span, State], None]) -> None:
        self._span = span
        self._original = span.end
        self._finish = finish
        self.state = state

    def __call__(self, end_time: int | None = None) -> None:
        """Complete the span and end it."""
        at = time_ns() if end_time is None else end_time
        try:
            if not self.state.done:
                self.state.done = True
                try:
                    self._finish(self._span, self.state)
                except Exception as error:
                    failures.count("end", error)
                if self._span.__dict__.get("end") is self:
                    del self._span.__dict__["end"]  # the span and this object would keep each other alive
        finally:  # a thread's or a task's cancellation may come in the middle
            self._original(at)


def state_of(span: Any) -> State | None:
    """Our state of a span that is still open, None for any other object."""
    end = getattr(span, "__dict__", {}).get("end")
    return end.state if isinstance(end, End) else None


class TruegreenSpanProcessor(SpanProcessor):
    """Adds our attributes to the GenAI spans of a provider, whichever library makes them; its place among processors does not matter."""

    def __init__(self, enricher: Enricher) -> None:
        self._enricher = enricher
        self.enabled = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Put the snapshot and the stamps on a GenAI span, and take over its `end`."""
        if not self.enabled:
            return
        try:
            self._start(span, get_current() if parent_context is None else parent_context)
        except Exception as error:
            failures.count("on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing: the span is frozen by then."""

    def shutdown(self) -> None:
        """Wait for judgements in the background, and go on: one processor serves all providers, and another one of them may live on."""
        background.flush(background.EXIT_SECONDS)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until the judgements asked for so far are emitted; False when the time did not suffice."""
        return background.flush(timeout_millis / 1000)

    def _start(self, span: Span, context: Context) -> None:
        if state_of(span) is not None or not span.is_recording():
            return
        parent = get_current_span(context)
        parent_context, outer = parent.get_span_context(), state_of(parent)
        attributes = attributes_of(span)
        state = State(
            stamps=carried.stamps(context),
            versions=carried.versions(context),
            request=carried.request(context) or (None if parent_context.is_valid else carried.waiting()),
            boost=carried.boosted(context),
            local_root=not parent_context.is_valid or parent_context.is_remote,
            remote_parent=parent_context.is_valid and parent_context.is_remote,
            parent=parent if outer is not None else None,
            outer=outer,
            linked=carried.linked(context),
            agent=around.agent(context),
            source={name: attributes[name] for name in KEPT if name in attributes},
        )
        span.__dict__["end"] = End(span, state, self._finish)
        around.started(span)
        given = self._enricher.at_start(span, state, attributes)
        if given:
            span.set_attributes(given)

    def _finish(self, span: Span, state: State) -> None:
        try:
            if self.enabled:
                found = self._enricher.at_end(span, state, state_of(state.parent))
                if found:
                    span.set_attributes(found)
        finally:
            state.leave()
