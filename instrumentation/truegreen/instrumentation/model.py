"""What is known of a span while it is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from truegreen.core.words.dialects import Dialect
from truegreen.instrumentation.around import Agent
from truegreen.instrumentation.documents import Document
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.text import Text


@dataclass(slots=True)
class State:
    """One open span, between its start and its end.

    Args:
        stamps: attributes that the context carried at the start.
        versions: snapshot components that the context carried at the start.
        request: the passages of the enclosing `traffic` block; of a root span without one, those that wait for it.
        boost: evaluate beyond the base sample.
        local_root: its parent is in another process, or it has none.
        remote_parent: its parent is in another process.
        parent: the parent span when it was open at the start and is one of ours; it may end first.
        outer: the state of that parent.
        node: what `duplicates` knows of the span, None as long as it does not matter.
        source: source attributes seen at the start, to be put back when evicted.
        dialect: the dialect, None as long as it does not look like a GenAI span.
        hooked: text from the completion hook.
        told: text from `answer`, or from another span of the same call.
        lent: normalised fields that another span of the same call had.
        agent: the agent's block around it.
        documents: what a retrieval found, as its framework said.
        source_name: the name of what was searched, as its framework said.
        outcome: how a tool call ended, as its framework or the application said.
        call: the key of a tool call and its arguments (`tally.key_of`).
        twin: another instrumentor's span stands for the same call of a framework.
        prompt: the prompt that the code, the configuration, the span or what encloses it names.
        linked: the prompt that Langfuse's context names.
        tools: tool definitions from the completion hook.
        done: it has ended.
    """

    stamps: Mapping[str, Any]
    versions: Mapping[str, str]
    request: Passages | None
    boost: bool
    local_root: bool
    remote_parent: bool
    parent: Any
    source: Mapping[str, Any]
    outer: State | None = None
    node: Any = None
    dialect: Dialect | None = None
    hooked: Text | None = None
    told: Text | None = None
    agent: Agent | None = None
    documents: list[Document] | None = None
    source_name: str = ""
    outcome: str = ""
    call: bytes | None = None
    twin: bool = False
    lent: dict[str, Any] = field(default_factory=dict)
    prompt: str = ""
    linked: str = ""
    tools: Any = None
    done: bool = False

    def leave(self) -> None:
        """Let go of other spans once this one has ended."""
        self.parent = self.outer = None
        if self.node is not None:
            self.node.ended()
