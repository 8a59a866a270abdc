"""What is known of a span while it is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context

from truegreen.core.words.dialects import Dialect
from truegreen.instrumentation.context import Carried
from truegreen.instrumentation.documents import Document
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.text import Messages, Text

_LEFT = Context()


class State:
    """One open span, between its start and its end. Every span of the application has one: what most never need costs nothing until it is set.

    Args:
        context: the OpenTelemetry context that it started in.
        carried: what that carried for us.
        parent: the parent span when it was open at the start and is one of ours; it may end first.
        outer: the state of that parent.
        local_root: its parent is in another process, or it has none.
        remote_parent: its parent is in another process.
    """

    source: Mapping[str, Any] | None = None
    """Its attributes at the start where it looked like a GenAI span: some are put back when they were evicted."""
    dialect: Dialect | None = None
    """None as long as it does not look like a GenAI span."""
    node: Any = None
    """What `duplicates` knows of it, None as long as it does not matter."""
    request: Passages | None = None
    """The passages of the enclosing `traffic` block; of a root span without one, those that wait for it."""
    hooked: Messages | None = None
    """The messages that the completion hook saw."""
    told: Text | None = None
    """Text from `answer`, or from another span of the same call."""
    tools: Any = None
    """Tool definitions from the completion hook; at the end their hash."""
    operation: str = ""
    """What it said it was when it started, empty for a span that is no call of a model."""
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
    twin: bool = False
    """Another instrumentor's span stands for the same call of a framework."""
    done: bool = False
    """It has ended."""

    def __init__(
        self, context: Context, carried: Carried, parent: Any, outer: State | None, *, local_root: bool, remote_parent: bool
    ) -> None:
        self.context = context
        self.carried = carried
        self.parent = parent
        self.outer = outer
        self.local_root = local_root
        self.remote_parent = remote_parent

    def leave(self) -> None:
        """Let go of other spans, of the context and of all text that came with it, once this one has ended."""
        self.parent = self.outer = self.request = self.hooked = self.told = None
        self.context = _LEFT
        if self.carried.request is not None:
            self.carried = self.carried._replace(request=None)
        if self.node is not None:
            self.node.ended()
