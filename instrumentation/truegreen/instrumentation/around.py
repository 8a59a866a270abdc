"""What a step knows of the call of a framework that is under way around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


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
window: ContextVar[list[Any] | None] = ContextVar("truegreen-window", default=None)
"""Where the processor shows the spans that start."""


def running(operation: str) -> Running | None:
    """The framework's call of this kind that is under way around this code."""
    found = _running.get()
    return found if found is not None and not found.done and found.operation == operation else None


def run(found: Running) -> None:
    """Say that a framework's call is under way, until it is `done`."""
    _running.set(found)


@contextmanager
def watched() -> Iterator[list[Any]]:
    """The spans that start inside the block, also in threads that got a copy of its context."""
    spans: list[Any] = []
    token = window.set(spans)
    try:
        yield spans
    finally:
        window.reset(token)
