"""Spans of ours as a block and as a decorator, on functions, coroutines and generators of both kinds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from truegreen.core.words import attributes as names
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.blocks import F, decorated
from truegreen.instrumentation.shared import shared
from truegreen.instrumentation.text import encodable, short

OURS = "truegreen.instrumentation"
"""The scope of the spans that this package makes; they get snapshot and stamps as GenAI spans do."""

Of = str | Span | SpanContext | tuple[str, str] | None
"""What a later word is about: a traceparent header, a span or its context, or (trace id, span id) in hex."""


def facts(place: str, texts: Mapping[str, Any], numbers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The attributes among what an application gave: non-empty texts, and numbers that are there."""
    found: dict[str, Any] = {}
    for name, value in texts.items():
        try:  # foreign objects run code of their own when they are turned into text
            if value:
                found[name] = encodable(str(value))
        except Exception as error:
            failures.count(place, error)
    found.update({name: number for name, number in (numbers or {}).items() if number is not None})
    return found


def word(value: Any) -> str:
    """One of a few words as it was given; the type of what is no text, whose own methods may raise."""
    return value if isinstance(value, str) else f"<{type(value).__name__}>"


def point(name: str, attributes: Mapping[str, Any], of: Of = None) -> None:
    """Record one moment as a span, linked to the span that it is about."""
    try:
        links = [Link(found)] if (found := context_of(of, name)) is not None else []
        start(name, attributes, links=links).end()
    except Exception as error:
        failures.count(name, error)


def start(
    name: str,
    attributes: Mapping[str, Any],
    kind: SpanKind = SpanKind.INTERNAL,
    links: Iterable[Link] = (),
    at: int | None = None,
) -> Span:
    """Start a span of ours."""
    tracer = trace.get_tracer(OURS, tracer_provider=shared.provider)
    return tracer.start_span(short(name), kind=kind, attributes=attributes, links=list(links), start_time=at)


def context_of(of: Of, place: str) -> SpanContext | None:
    """The span context that `of` names; None, with one notice, where it names none."""
    if of is None or isinstance(of, SpanContext):
        return of
    if isinstance(of, Span):
        return of.get_span_context()
    try:
        _, trace_id, span_id, *_ = of.split("-") if isinstance(of, str) else ("", *of)
        found = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    except (ValueError, TypeError, AttributeError):
        found = None
    if found is None or not found.is_valid:
        notices.once(
            f"of:{place}",
            f"{place}: `of` does not name a span, and the record stands alone: give a traceparent such as "
            f"00-<32 hex digits>-<16 hex digits>-01, a span, or (trace id, span id) in hex",
        )
        return None
    return found


class Block:
    """A span around a block or a function; what goes wrong here is counted and never raised.

    Args:
        name: the span's name.
        attributes: what it has from its start.
        kind: its span kind.
    """

    place = "span"
    keeps = 1_000

    def __init__(self, name: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL) -> None:
        self._name = name
        self._attributes: dict[str, Any] = dict(attributes)
        self._kind = kind
        self._span: Span | None = None
        self._context: Any = None
        self._token: Any = None
        self._ended = False

    def __enter__(self) -> Self:
        self._begin()
        self._attach()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._detach()
        self._end(error)

    def __call__(self, function: F) -> F:
        """Make each call of `function` such a block; what it returns, or yields, is seen by the block."""
        return decorated(function, self._fresh)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Where the decorated function runs: the span is the current one."""
        self._attach()
        try:
            yield
        finally:
            self._detach()

    def returned(self, result: Any) -> None:
        """Look at what the decorated function gave."""
        self._guarded(self._returned, result)

    def ended(self, error: BaseException | None) -> None:
        """End the span."""
        self._end(error)

    # What subclasses say.
    def _around(self, context: otel.Context) -> otel.Context:
        """What the context inside the block carries beyond the span."""
        return context

    def _called(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        """The decorated function is called with these arguments."""

    def _returned(self, result: Any) -> None:
        """The decorated function returned, or a generator has yielded all of this list."""

    def _closing(self, error: BaseException | None) -> Mapping[str, Any]:
        """The attributes that the span gets when it ends."""
        return {}

    # How it runs.
    def _begin(self) -> None:
        if self._span is not None or self._ended:
            return
        try:
            self._open()
        except Exception as error:
            failures.count(self.place, error)

    def _open(self) -> None:
        self._span = start(self._name, self._attributes, self._kind)
        self._context = self._around(trace.set_span_in_context(self._span))

    def _attach(self) -> None:
        if self._context is not None and not self._ended:
            self._token = otel.attach(self._context)

    def _detach(self) -> None:
        if self._token is not None:
            otel.detach(self._token)
            self._token = None

    def _end(self, error: BaseException | None) -> None:
        if isinstance(error, GeneratorExit):
            error = None  # whoever read the stream has read enough
        span, self._span, self._ended, self._context = self._span, None, True, None
        try:
            found = self._closing(error)
            if span is not None:
                span.set_attributes(found)
                if error is not None:
                    span.set_attribute(names.ERROR_TYPE, type(error).__qualname__)
                    span.set_status(Status(StatusCode.ERROR))
        except Exception as failure:
            failures.count(self.place, failure)
        try:
            if span is not None:
                span.end()
        except Exception as failure:
            failures.count(self.place, failure)

    def _fresh(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Self:
        """A block like this one, for one call."""
        made = copy.copy(self)
        made._span = made._context = made._token = None
        made._ended = False
        made._guarded(made._called, arguments, named)
        made._begin()
        return made

    def _guarded(self, tell: Callable[..., None], *what: Any) -> None:
        try:
            tell(*what)
        except Exception as error:
            failures.count(self.place, error)
