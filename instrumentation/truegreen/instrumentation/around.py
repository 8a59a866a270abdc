"""What a step knows of what surrounds it: the agent that it belongs to, and the call of a framework that is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import context as otel
from opentelemetry.context import Context

_AGENT = otel.create_key("truegreen-agent")


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent of a block.

    Args:
        approved: the tools that it may call without asking; None where nobody said.
    """

    name: str
    approved: frozenset[str] | None = None


@dataclass(slots=True)
class Running:
    """A tool call or a retrieval of a framework, between its start and its end.

    Args:
        operation: `execute_tool` or `retrieval`.
        name: the tool's or the retriever's name.
        spans: the spans that instrumentors made of it, or the one that we made.
        query: what was searched for.
        outcome: what the application said inside of it, see `tool`; empty when it said nothing.
        own: the span is ours, for no instrumentor made one.
        done: it has ended.
    """

    operation: str
    name: str
    spans: list[Any] = field(default_factory=list)
    query: str = ""
    outcome: str = ""
    own: bool = False
    done: bool = False


_running: ContextVar[Running | None] = ContextVar("truegreen-running", default=None)
_window: ContextVar[list[Any] | None] = ContextVar("truegreen-window", default=None)


def agent(context: Context | None = None) -> Agent | None:
    """The agent around this context, None outside of one."""
    found = otel.get_value(_AGENT, context)
    return found if isinstance(found, Agent) else None


def with_agent(found: Agent, context: Context) -> Context:
    """The context with this agent around it."""
    return otel.set_value(_AGENT, found, context)


def running(operation: str) -> Running | None:
    """The framework's call of this kind that is under way around this code."""
    found = _running.get()
    return found if found is not None and not found.done and found.operation == operation else None


def run(found: Running) -> None:
    """Say that a framework's call is under way, until it is `done`."""
    _running.set(found)


@contextmanager
def window() -> Iterator[list[Any]]:
    """The spans that start inside the block, also in threads that got a copy of its context."""
    spans: list[Any] = []
    token = _window.set(spans)
    try:
        yield spans
    finally:
        _window.reset(token)


def started(span: Any) -> None:
    """A span has started: shown to the window around it."""
    spans = _window.get()
    if spans is not None:
        spans.append(span)
