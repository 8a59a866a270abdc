"""What the OpenTelemetry context carries for us: stamps, snapshot versions, and the request that an answer belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from opentelemetry import baggage
from opentelemetry import context as otel
from opentelemetry.context import Context

from truegreen.instrumentation import failures
from truegreen.instrumentation.passages import Passages

_KEY = otel.create_key("truegreen")

LEFT_SECONDS = 300.0
"""Passages that belong to no trace and no block wait so long for their answer."""
left: ContextVar[tuple[float, Passages] | None] = ContextVar("truegreen-left", default=None)

Value = str | bool | int | float
_NONE: Mapping[str, Any] = MappingProxyType({})


class Agent(NamedTuple):
    """The agent of a block.

    Args:
        approved: the tools that it may call without asking; None where nobody said.
    """

    name: str
    approved: frozenset[str] | None = None


class Carried(NamedTuple):
    """What a context carries for us, under one key: one look is enough for a span that starts.

    Args:
        stamps: the attributes that every GenAI span started in it gets.
        versions: the snapshot components given by `snapshot.use`.
        request: the passages of the enclosing `traffic` block, None outside of one.
        boost: answers are evaluated beyond the base sample.
        agent: the agent's block.
        mirrored: the spans are those of a mirrored call (`mirrored`).
    """

    stamps: Mapping[str, Value] = _NONE
    versions: Mapping[str, str] = _NONE
    request: Passages | None = None
    boost: bool = False
    agent: Agent | None = None
    mirrored: bool = False


NOTHING: Final = Carried()


def carried(context: Context | None = None) -> Carried:
    """What this context carries."""
    found = (otel.get_current() if context is None else context).get(_KEY)
    return found if isinstance(found, Carried) else NOTHING


def with_agent(agent: Agent, context: Context) -> Context:
    """The context with this agent around it."""
    return otel.set_value(_KEY, carried(context)._replace(agent=agent), context)


def with_mirrored(request: Passages, context: Context) -> Context:
    """The context of a mirrored call, which has passages of its own."""
    return otel.set_value(_KEY, carried(context)._replace(request=request, mirrored=True), context)


def linked(context: Context | None = None) -> str:
    """The prompt, as `name@version`, that Langfuse's `propagate_attributes(prompt=…)` put around this context; empty without one.

    Its SDK 5 keeps it under these keys (`langfuse._client.propagation`).
    """
    held = otel.get_current() if context is None else context
    name, version = held.get("langfuse.propagated.prompt_name"), held.get("langfuse.propagated.prompt_version")
    if name is None and held and (named := baggage.get_all(held)):  # from another service
        name, version = named.get("langfuse_prompt_name"), named.get("langfuse_prompt_version")
    return f"{name}@{version}" if isinstance(name, str) else ""


def carried_cohort(attribute: str, context: Context) -> str:
    """The cohort that the baggage of another service names under this attribute, empty for none."""
    found = baggage.get_all(context).get(attribute) if attribute and context else None
    return str(found) if found else ""


def leave(texts: Iterable[str], query: str, clock: Callable[[], float] = time.monotonic) -> None:
    """Keep passages that were retrieved outside of any trace and block for the next answer made in the same thread or task."""
    kept = waiting(clock) or Passages()
    kept.add(texts, query)
    left.set((clock(), kept))


def waiting(clock: Callable[[], float] = time.monotonic) -> Passages | None:
    """What `leave` kept; None when a call has used it, answered or failed, and five minutes after the last retrieval."""
    since, kept = left.get() or (0.0, None)
    return None if kept is None or kept.used or clock() - since >= LEFT_SECONDS else kept


@contextmanager
def carry(
    *,
    stamps_: Mapping[str, Value] | None = None,
    versions_: Mapping[str, str] | None = None,
    request_: Passages | None = None,
    boost: bool = False,
) -> Iterator[None]:
    """Add to what the context carries, for a block; works with threads, tasks and generators as far as the context does."""
    token, ours = None, None
    try:
        known = carried()
        inside = Carried(
            {**known.stamps, **stamps_} if stamps_ else known.stamps,
            {**known.versions, **versions_} if versions_ else known.versions,
            known.request if request_ is None else request_,
            known.boost or boost,
            known.agent,
            known.mirrored,
        )
        ours = otel.set_value(_KEY, inside)
        token = otel.attach(ours)
    except Exception as error:
        failures.count("context", error)
    try:
        yield
    except (
        GeneratorExit
    ):  # a block that was left open is collected, wherever that happens to be: OpenTelemetry would log what is handled there
        if otel.get_current() is not ours:
            token = None
        raise
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
