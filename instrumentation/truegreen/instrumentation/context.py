"""What the OpenTelemetry context carries for us: stamps, snapshot versions, and the request that an answer belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import baggage
from opentelemetry import context as otel
from opentelemetry.context import Context

from truegreen.instrumentation import failures
from truegreen.instrumentation.passages import Passages

_STAMPS = otel.create_key("truegreen-stamps")
_VERSIONS = otel.create_key("truegreen-versions")
_REQUEST = otel.create_key("truegreen-request")
_BOOST = otel.create_key("truegreen-boost")

LEFT_SECONDS = 300.0
"""Passages that belong to no trace and no block wait so long for their answer."""
_left: ContextVar[tuple[float, Passages] | None] = ContextVar("truegreen-left", default=None)

Value = str | bool | int | float


def stamps(context: Context | None = None) -> Mapping[str, Value]:
    """The attributes that every GenAI span started in this context gets."""
    return _mapping(_STAMPS, context)


def versions(context: Context | None = None) -> Mapping[str, str]:
    """The snapshot components given by `snapshot.use` around this context."""
    return _mapping(_VERSIONS, context)


def linked(context: Context | None = None) -> str:
    """The prompt, as `name@version`, that Langfuse's `propagate_attributes(prompt=…)` put around this context; empty without one.

    Its SDK 5 keeps it under these keys (`langfuse._client.propagation`).
    """
    held = otel.get_current() if context is None else context
    name, version = held.get("langfuse.propagated.prompt_name"), held.get("langfuse.propagated.prompt_version")
    if name is None and (name := baggage.get_baggage("langfuse_prompt_name", held)) is not None:  # from another service
        version = baggage.get_baggage("langfuse_prompt_version", held)
    return f"{name}@{version}" if isinstance(name, str) else ""


def request(context: Context | None = None) -> Passages | None:
    """The passages of the enclosing `traffic` block, None outside of one."""
    found = otel.get_value(_REQUEST, context)
    return found if isinstance(found, Passages) else None


def leave(texts: Iterable[str], query: str, clock: Callable[[], float] = time.monotonic) -> None:
    """Keep passages that were retrieved outside of any trace and block for the next answer made in the same thread or task."""
    left = waiting(clock) or Passages()
    left.add(texts, query)
    _left.set((clock(), left))


def waiting(clock: Callable[[], float] = time.monotonic) -> Passages | None:
    """What `leave` kept; None when a call has used it, answered or failed, and five minutes after the last retrieval."""
    since, left = _left.get() or (0.0, None)
    return None if left is None or left.used or clock() - since >= LEFT_SECONDS else left


def boosted(context: Context | None = None) -> bool:
    """Whether answers in this context are evaluated beyond the base sample."""
    return otel.get_value(_BOOST, context) is True


@contextmanager
def carry(
    *,
    stamps_: Mapping[str, Value] | None = None,
    versions_: Mapping[str, str] | None = None,
    request_: Passages | None = None,
    boost: bool = False,
) -> Iterator[None]:
    """Add to what the context carries, for a block; works with threads, tasks and generators as far as the context does."""
    token = None
    try:
        current = otel.get_current()
        if stamps_:
            current = otel.set_value(_STAMPS, {**stamps(), **stamps_}, current)
        if versions_:
            current = otel.set_value(_VERSIONS, {**versions(), **versions_}, current)
        if request_ is not None:
            current = otel.set_value(_REQUEST, request_, current)
        if boost:
            current = otel.set_value(_BOOST, True, current)
        token = otel.attach(current)
    except Exception as error:
        failures.count("context", error)
    try:
        yield
    finally:
        if token is not None:
            otel.detach(token)


@contextmanager
def stamp(attributes: Mapping[str, Value]) -> Iterator[None]:
    """Put `attributes` on every GenAI span that starts inside the block.

    Args:
        attributes: names below `truegreen.`, or `session.id` and `user.id`; values are strings, numbers or booleans.
    """
    with carry(stamps_=attributes):
        yield


def _mapping(key: str, context: Context | None) -> Mapping[str, Any]:
    found = otel.get_value(key, context)
    return found if isinstance(found, dict) else {}
