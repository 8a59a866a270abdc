"""What the steps of a request get when they end: retrievals, tool calls, guardrails, and the agent's run that they add up to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanContext

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import Dialect
from truegreen.core.words.normalise import View, read, select
from truegreen.instrumentation import failures
from truegreen.instrumentation.call import Call, scope_of
from truegreen.instrumentation.documents import below, relevance
from truegreen.instrumentation.documents import read as read_documents
from truegreen.instrumentation.model import State
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.spans import OURS
from truegreen.instrumentation.tally import Runs, Tally, key_of

GUARDRAIL = "guardrail"
"""The operation that the dialect table gives a guardrail's span: the conventions have none."""
PAUSES = frozenset({"GraphInterrupt", "NodeInterrupt", "ParentCommand", "GraphBubbleUp"})
"""Exceptions of LangGraph that are no failure: the graph waits for a person, or hands over."""
LIMITS = frozenset({"GraphRecursionError", "MaxTurnsExceeded", "UsageLimitExceeded", "MaxIterationsExceeded", "CancelledError"})
"""Exceptions that stop an agent: LangGraph's and the OpenAI Agents SDK's limits, PydanticAI's, Haystack's, a cancelled task."""
NAMELESS = ("", "LangGraph")
"""An agent's name where nobody gave it one."""
RESULTS = ("gen_ai.tool.call.result", "output.value", "langfuse.observation.output", "gen_ai.completion")
"""Where the dialects keep a tool's or a guardrail's whole result, with its marks; the normalised field is its content."""
ENVELOPES = ("output", "data", "kwargs")
LARGEST = 100_000
"""A result of more characters is not looked into."""
STEPS = (*names.LLM_OPERATIONS, names.TOOL_OPERATION, names.AGENT_OPERATION)
ANCESTORS = 64


class Steps:
    """Completes the steps among the calls, and passes what they add up to on to the span above."""

    def __init__(self, settings: Settings, store: Store, runs: Runs) -> None:
        self._settings = settings
        self._store = store
        self._runs = runs
        self.waiting = runs.beneath
        """Spans beneath which something has ended; most often there is none."""

    def attributes(self, call: Call, beneath: Tally | None) -> Mapping[str, Any]:
        """What a step gets.

        Args:
            beneath: what ended beneath it.
        """
        try:
            return self._attributes(call, beneath)
        except Exception as error:  # the rest of the span is worth having without
            failures.count("step", error)
            return {}

    def _attributes(self, call: Call, beneath: Tally | None) -> Mapping[str, Any]:
        if repeats(call):
            return {names.DUPLICATE: True}
        if call.operation == names.RETRIEVAL_OPERATION:
            return {**self._retrieval(call), **_agent_name(call)}
        if call.operation == names.TOOL_OPERATION:
            return {**_tool(call), **self._authorization(call), **_agent_name(call)}
        if call.operation == names.AGENT_OPERATION:
            return _run(call, beneath)
        if call.operation == GUARDRAIL:
            return _guardrail(call)
        return {}

    def beneath(self, span: int) -> Tally | None:
        """What ended beneath the span of this id, once."""
        return self._runs.take(span)

    def pass_on(self, parent: SpanContext | None, call: Call | None, beneath: Tally | None, *, duplicate: bool) -> None:
        """Leave what a span adds up to for the span above; an agent's own run stays with it and is one step of the run above."""
        if parent is None or parent.is_remote:
            return
        part = beneath
        if call is not None and call.operation in STEPS and not duplicate:
            step = _step(call, call.start)
            if call.operation == names.AGENT_OPERATION or part is None:
                part = step
            else:
                part.add(step)
        if part is not None:
            self._runs.give(parent.span_id, part)

    def _retrieval(self, call: Call) -> Mapping[str, Any]:
        floor = self._settings.retrieval_floor
        present = call.attributes
        if names.RETRIEVAL_COUNT in present:  # said by the application
            scores = present.get(names.RELEVANCE_SCORES)
            if floor is None or names.RELEVANCE_BELOW_FLOOR in present or not scores:
                return {}
            return {names.RELEVANCE_BELOW_FLOOR: below(scores, floor)}
        documents = call.state.documents
        if documents is None:
            given = call.read("documents")
            if given is None:
                return {}
            documents = read_documents(given)
            self._store.add(
                call.context.trace_id, [one.text for one in documents if one.text], call.read("query") or "", seen=True
            )
        found = dict(relevance(documents, floor, listed=False))
        if call.state.source_name and names.OPERATION_NAME in present and names.DATA_SOURCE_ID not in present:
            found[names.DATA_SOURCE_ID] = call.state.source_name
        return found

    def _authorization(self, call: Call) -> Mapping[str, Any]:
        if names.AGENT_AUTHORIZATION in call.attributes:
            return {}
        around = call.state.carried.agent
        approved = around.approved if around else None
        if approved is None:
            listed = self._settings.approved_tools
            approved = listed.get(agent_of(call), listed.get(""))
        if approved is None:
            return {}
        return {names.AGENT_AUTHORIZATION: "approved" if call.read("tool_name") in approved else "unapproved"}


def repeats(call: Call) -> bool:
    """Whether another span stands for the same step: one of a second instrumentor, or a block of the application around this one."""
    if call.operation not in (names.RETRIEVAL_OPERATION, names.TOOL_OPERATION, names.AGENT_OPERATION):
        return False
    if call.state.twin:
        return True
    above = call.state.parent
    if not isinstance(above, Span) or scope_of(above) == call.scope:
        return False
    other, view = _dialect(above)
    if other is None or read(other, "operation", view) != call.operation:
        return False
    if call.operation == names.RETRIEVAL_OPERATION:
        return scope_of(above) == OURS
    field = "agent" if call.operation == names.AGENT_OPERATION else "tool_name"
    return (call.read(field) or "") in (*NAMELESS, read(other, field, view))


def agent_of(call: Call) -> str:
    """The name of the agent that a step belongs to: as its span says, else the block around it, else the nearest agent's span; empty for none."""
    if said := call.read("agent"):
        return str(said)
    if call.state.carried.agent is not None:
        return call.state.carried.agent.name
    return enclosing(call.state.parent, call.state.outer)


def enclosing(span: Any, state: State | None) -> str:
    """The name of the nearest agent's span, this one or an open one above it; empty for none."""
    for _ in range(ANCESTORS):
        if not isinstance(span, Span):
            break
        dialect, view = _dialect(span)
        if (
            dialect is not None
            and read(dialect, "operation", view) == names.AGENT_OPERATION
            and (name := read(dialect, "agent", view))
        ):
            return str(name)
        if state is None:
            break
        span, state = state.parent, state.outer
    return ""


def tool_of(span: Any) -> str | None:
    """The name of the tool that an open span is the call of, empty where it has none; None for any other span."""
    if not isinstance(span, Span):
        return None
    dialect, view = _dialect(span)
    if dialect is None or read(dialect, "operation", view) != names.TOOL_OPERATION:
        return None
    return str(read(dialect, "tool_name", view) or "")


def _dialect(span: Span) -> tuple[Dialect | None, View]:
    attributes = span.attributes or {}
    return select(scope_of(span), attributes), View(attributes, span.name)


def outcome_of(error: str) -> str:
    """The outcome of a tool call that ended with an error of this type."""
    kind = error.rpartition(".")[2]
    if kind in PAUSES:
        return "ok"
    return "timeout" if any(word in kind.lower() for word in ("timeout", "timedout", "deadline")) else "error"


def _agent_name(call: Call) -> Mapping[str, Any]:
    present = call.attributes
    if names.OPERATION_NAME not in present or names.AGENT_NAME in present or not (name := agent_of(call)):
        return {}
    return {names.AGENT_NAME: name}


def _tool(call: Call) -> Mapping[str, Any]:
    if names.TOOL_OUTCOME in call.attributes:
        return {}
    outcome = call.state.outcome
    if not outcome and any(_says_error(_parsed(call.attributes.get(name))) for name in RESULTS):
        outcome = "silent_error"
    if not outcome and call.failed:
        outcome = outcome_of(str(call.read("error_type") or ""))
    return {names.TOOL_OUTCOME: outcome or "ok"}


def _run(call: Call, beneath: Tally | None) -> Mapping[str, Any]:
    stopped = str(call.read("error_type") or "").rpartition(".")[2] in (LIMITS | PAUSES)
    found: dict[str, Any] = {names.AGENT_OUTCOME: "stopped" if stopped else "failed" if call.failed else "completed"}
    if beneath is not None:
        found |= {
            names.AGENT_STEPS: beneath.steps, names.AGENT_REPEATS: beneath.repeats,
            names.AGENT_TOKENS: beneath.tokens, names.AGENT_LOOP: beneath.looped,
        }  # fmt: skip
    return {name: value for name, value in found.items() if name not in call.attributes}


def _guardrail(call: Call) -> Mapping[str, Any]:
    present = call.attributes
    if names.GUARDRAIL_ACTION in present:
        return {}
    result = next((parsed for name in RESULTS if (parsed := _parsed(present.get(name))) is not None), None)
    action = "block" if call.failed or not _passes(result) else "allow"
    return {names.GUARDRAIL_NAME: call.read("guardrail") or call.name, names.GUARDRAIL_ACTION: action}


def _step(call: Call, started: int) -> Tally:
    if call.operation != names.TOOL_OPERATION:
        tokens = (
            [call.read(name) or 0 for name in ("input_tokens", "output_tokens")] if call.operation in names.LLM_OPERATIONS else []
        )
        return Tally(steps=1, tokens=int(sum(tokens)))
    key = call.state.call
    if key is None:
        given = call.read("tool_arguments")
        if given is None:
            return Tally(steps=1)  # who called what cannot be told apart from another call
        key = key_of(str(call.read("tool_name") or ""), given)
    return Tally(steps=1, counts={key: 1}, calls=[(started, key)])


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > LARGEST:
        return value if isinstance(value, bool) else None
    try:
        return json.loads(value)
    except ValueError:
        return value


def _says_error(result: Any, depth: int = 3) -> bool:
    """Whether a tool's result is marked as an error: LangChain's `status`, MCP's `isError`, Anthropic's `is_error`."""
    if not isinstance(result, dict) or depth == 0:
        return False
    if result.get("status") == "error" or result.get("isError") is True or result.get("is_error") is True:
        return True
    return any(_says_error(result.get(name), depth - 1) for name in ENVELOPES)


def _passes(result: Any) -> bool:
    """Whether a guardrail's result lets pass: false is a block, as are these words and keys of a mapping."""
    if isinstance(result, str):
        return result.strip().lower() not in (
            "false",
            "block",
            "blocked",
            "fail",
            "failed",
            "reject",
            "rejected",
            "deny",
            "denied",
        )
    if isinstance(result, dict):
        flags = {key: value for key, value in result.items() if isinstance(value, bool)}
        passed = all(flags.get(key, True) for key in ("passed", "valid", "validation_passed", "allowed", "safe"))
        return passed and not any(flags.get(key, False) for key in ("blocked", "flagged", "triggered", "tripwire_triggered"))
    return result is not False
