"""What the process shares: passages by trace, the provider of our own spans, and what `uninstrument()` has to take back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import TracerProvider

from truegreen.instrumentation import failures
from truegreen.instrumentation.passages import Store


@dataclass(slots=True)
class Shared:
    """The one state of the process; `provider` and `logs` (a logger provider) are None for the global ones."""

    store: Store = field(default_factory=Store)
    provider: TracerProvider | None = None
    logs: Any = None


shared = Shared()
_undo: list[Callable[[], Any]] = []


def undo(step: Callable[[], Any]) -> None:
    """Have `uninstrument()` call `step`, the latest first; an equal one is kept once.

    Args:
        step: takes a trace of ours away, such as a patch, a thread or a handler; what it raises is counted.
    """
    if step not in _undo:
        _undo.append(step)


def undo_all() -> None:
    """Take the steps, the latest first, and forget them."""
    while _undo:
        try:
            _undo.pop()()
        except Exception as error:
            failures.count("undo", error)
