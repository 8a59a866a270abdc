"""The span processor: remembers in which context a span starts, and completes it in a wrapper of its own `end`."""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import get_current_span

from truegreen.instrumentation import around, background, failures
from truegreen.instrumentation.context import carried as carried_by
from truegreen.instrumentation.context import waiting
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.model import State


class End:
    """Stands in for one span's `end`: completes the span, then ends it at the time at which it was called."""

    __slots__ = ("_finish", "_original", "_span", "state")

    def __init__(self, span: Span, state: State, finish: Callable[[Span, State, int], None]) -> None:
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
                    self._finish(self._span, self.state, at)
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
        """Take over the span's `end`."""
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
        own = span.__dict__
        if isinstance(own.get("end"), End) or not span.is_recording():
            return
        parent, above = get_current_span(context), span.parent
        outer = state_of(parent)
        carried = carried_by(context)
        state = State(
            context,
            carried,
            None if outer is None else parent,
            outer,
            local_root=above is None or above.is_remote,
            remote_parent=above is not None and above.is_remote,
        )
        if carried.request is not None:
            state.request = carried.request
        elif above is None:
            state.request = waiting()
        own["end"] = End(span, state, self._finish)
        around.started(span)
        self._enricher.at_start(span, state)

    def _finish(self, span: Span, state: State, at: int) -> None:
        try:
            if self.enabled:
                self._enricher.at_end(span, state, at)
        finally:
            state.leave()
