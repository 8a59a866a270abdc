"""What is known of a span while it is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any, Protocol
from weakref import ref

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import get_current_span

from truegreen.core.words.dialects import Dialect
from truegreen.instrumentation import failures
from truegreen.instrumentation.context import NOTHING, Carried, left, waiting
from truegreen.instrumentation.documents import Document
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.text import Messages, Text

_LEFT = Context()


class Enricher(Protocol):
    """What completes spans."""

    def at_end(self, span: Span, state: State, at: int) -> None:
        """Complete a span that is about to end at this time, in unix ns."""
        ...


class Processor(Protocol):
    """Where a span started."""

    enabled: bool

    @property
    def enricher(self) -> Enricher:
        """What completes the span while it is enabled."""
        ...


class State:
    """One open span, between its start and its end, for which it stands in: completes the span, then ends it at the time at which that was called.

    Every span of the application has one: what most never need costs nothing until it is set.

    Args:
        span: the span; `above` is the context of its parent.
        context: the OpenTelemetry context that it started in.
        processor: has what completes it.
        original: what another library has put in the place of the span's `end` before us.
    """

    _original: Any = None
    _ended: ref[Span] | None = None
    scope: str = ""
    """Its instrumentation scope."""
    carried: Carried = NOTHING
    """What its context carries for us; known at its end."""
    parent: Any = None
    """The parent span when it was open at the start and is one of ours; it may end first."""
    outer: State | None = None
    """The state of that parent."""
    source: Mapping[str, Any] | None = None
    """Its attributes at the start where it looked like a GenAI span: some are put back when they were evicted."""
    dialect: Dialect | None = None
    """None as long as it does not look like a GenAI span."""
    node: Any = None
    """What `duplicates` knows of it, None as long as it does not matter."""
    inside: list[Callable[[], Any]] | None = None
    """What tells the facts of calls that ended below it or beside it (`duplicates`)."""
    request: Passages | None = None
    """The passages of the enclosing `traffic` block; of a root span without one, those that wait for it."""
    hooked: Messages | None = None
    """The messages that the completion hook saw."""
    told: Text | None = None
    """Text from `answer`, or from another span of the same call."""
    tools: Any = None
    """Tool definitions from the completion hook; at the end their hash."""
    calls: bool = False
    """It was a call of a model from its first moment."""
    stated: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    """What configuration and code said of versions when it ended."""
    linked: str = ""
    """The prompt that its context or an enclosing span named."""
    indexes: tuple[str, ...] = ()
    """What was retrieved from, before it in its trace."""
    lent: dict[str, Any] | None = None
    """Normalised fields that another span of the same call had."""
    documents: list[Document] | None = None
    """What a retrieval found, as its framework said."""
    source_name: str = ""
    """The name of what was searched, as its framework said."""
    outcome: str = ""
    """How a tool call ended, as its framework or the application said."""
    call: bytes | None = None
    """The key of a tool call and its arguments (`tally.key_of`)."""
    model: str | None = None
    """What answers for the model that was asked for, None as long as nobody has looked."""
    judging: bool = False
    """It is a judge's own call."""
    repeated: bool | None = None
    """Its response id is that of a call that has ended; None as long as nobody has looked."""
    twin: bool = False
    """Another instrumentor's span stands for the same call of a framework."""
    done: bool = False
    """It has ended."""

    def __init__(self, span: Span, context: Context, processor: Processor, original: Any = None) -> None:
        self._span: Span | None = span
        self._processor = processor
        if original is not None:
            self._original = original
        self.context = context
        above = span.__dict__.get("_parent", False)  # the SDK's own place: to ask is a call
        self.above = above = span.parent if above is False else above
        if above is None:
            if left.get() is not None:
                self.request = waiting()
        elif not above.is_remote:
            parent = get_current_span(context)
            self.outer = state_of(parent)
            if self.outer is not None:
                self.parent = parent

    def __call__(self, end_time: int | None = None) -> None:
        """Complete the span and end it."""
        at, earlier = time_ns() if end_time is None else end_time, self._original
        span = self._span if self._ended is None else self._ended()
        if span is None:
            return
        original, arguments = (type(span).end, (span, at)) if earlier is None else (earlier, (at,))
        try:
            if not self.done:
                self.done = True
                try:
                    try:
                        if self._processor.enabled:
                            self._processor.enricher.at_end(span, self, at)
                    finally:
                        self._leave()
                except Exception as error:
                    failures.count("end", error)
                if span.__dict__.get("end") is self:  # the span and this object would keep each other alive
                    if earlier is None:
                        del span.__dict__["end"]
                    else:
                        span.__dict__["end"] = earlier
        finally:  # a thread's or a task's cancellation may come in the middle
            self._span, self._ended = None, ref(span)  # whoever holds this object does not keep the span
            original(*arguments)

    def _leave(self) -> None:
        """Let go of other spans, of the context and of all text that came with it, once this one has ended."""
        self.context, self.source = _LEFT, None
        if self.outer is not None:
            self.parent = self.outer = None
        if self.hooked is not None:
            self.hooked = None
        if self.request is not None or self.told is not None or self.inside is not None:
            self.request = self.told = self.inside = None
        if self.carried is not NOTHING and self.carried.request is not None:
            self.carried = self.carried._replace(request=None)
        if self.node is not None:
            self.node.ended()


def state_of(span: Any) -> State | None:
    """Our state of a span that is still open, None for any other object."""
    end = getattr(span, "__dict__", {}).get("end")
    return end if isinstance(end, State) else None
