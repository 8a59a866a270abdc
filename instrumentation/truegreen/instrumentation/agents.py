"""`agent`, `tool`, `action` and `branch`: what an agent does, where no library says it or where only the application knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from opentelemetry import context as otel
from opentelemetry import trace

from truegreen.core.words import attributes as names
from truegreen.instrumentation import around, failures, notices
from truegreen.instrumentation import context as carried
from truegreen.instrumentation.blocks import F
from truegreen.instrumentation.context import Agent
from truegreen.instrumentation.model import state_of
from truegreen.instrumentation.spans import Block, facts, point, word
from truegreen.instrumentation.steps import enclosing, outcome_of, tool_of
from truegreen.instrumentation.tally import call_of, key_of

OUTCOMES = ("ok", "error", "timeout", "invalid_output", "silent_error")
Authorization = Literal["approved", "unapproved", "denied"]
AUTHORIZATIONS = ("approved", "unapproved", "denied")


class agent(Block):  # noqa: N801
    """A run of an agent as a span `invoke_agent <name>`, with steps, tokens, repeats, loop and outcome when it ends.

    As a block or a decorator. Where an instrumentor makes a span of the run, ours around it counts and the instrumentor's does not, if it has
    the same name or none; under another name it is an agent that this one calls.

    Args:
        name: the agent.
        approved_tools: the tools that it may call without asking; any other tool call is `unapproved`. Without it,
            `agents.approved_tools` of the settings.
    """

    place = "agent"

    def __init__(self, name: str, *, approved_tools: Iterable[str] | None = None) -> None:
        known = facts("agent", {names.AGENT_NAME: name})
        self._agent = Agent(known.get(names.AGENT_NAME, "unnamed"))
        try:
            if approved_tools is not None:
                self._agent = Agent(self._agent.name, frozenset(map(str, approved_tools)))
        except Exception as error:
            failures.count("agent", error)
        super().__init__(f"invoke_agent {self._agent.name}", {names.OPERATION_NAME: names.AGENT_OPERATION, **known})
        self._outcome = ""

    def stopped(self) -> None:
        """Say that the run was ended from outside: a limit, a person, a guardrail."""
        self._outcome = "stopped"

    def failed(self) -> None:
        """Say that the run did not reach its goal although nothing was raised."""
        self._outcome = "failed"

    def _around(self, context: otel.Context) -> otel.Context:
        return carried.with_agent(self._agent, context)

    def _closing(self, error: BaseException | None) -> Mapping[str, Any]:
        return {names.AGENT_OUTCOME: self._outcome} if self._outcome else {}


class tool(Block):  # noqa: N801
    """A tool call as a span `execute_tool <name>` with `truegreen.tool.outcome`.

    As a block or a decorator. Where another library, such as LangChain's, makes a span of the call of a tool with this name around it, there is no
    second one: the outcome goes to that span.

    Args:
        name: the tool.
        validate: what a decorated function returned, to whether it is usable, or to an outcome: false is `invalid_output`; return
            `silent_error` where a failure came back as if it were a result. One that raises counts as `invalid_output`.
        arguments: what the tool is called with, so that a repeated call is known; a decorator sees them itself. They are hashed, never kept.
    """

    place = "tool"

    def __init__(self, name: str, *, validate: Callable[[Any], bool | str] | None = None, arguments: Any = None) -> None:
        known = facts("tool", {names.TOOL_NAME: name})
        self._tool = known.get(names.TOOL_NAME, "unnamed")
        super().__init__(f"execute_tool {self._tool}", {names.OPERATION_NAME: names.TOOL_OPERATION, **known})
        self._validate = validate
        self._key = key_of(self._tool, arguments) if arguments is not None else None
        self._outcome = ""
        self._host: around.Running | None = None

    def outcome(self, outcome: str) -> None:
        """Say how the call ended: `ok`, `error`, `timeout`, `invalid_output` or `silent_error`."""
        outcome = word(outcome)
        if outcome not in OUTCOMES:
            listed = ", ".join(OUTCOMES)
            notices.once(
                f"outcome:{outcome!r:.40}",
                f"tool {self._tool}: outcome {outcome!r:.40} is not one of {listed} and is counted as `other`",
            )
        self._outcome = outcome

    def _called(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self._outcome, self._host = "", None
        self._key = key_of(self._tool, call_of(arguments, named))

    def _returned(self, result: Any) -> None:
        if self._validate is None or self._outcome:
            return
        try:
            said = self._validate(result)
        except Exception:
            said = False
        if isinstance(said, str):
            self.outcome(said)
        elif said is False:
            self._outcome = "invalid_output"

    def _open(self) -> None:
        running, span = around.running(names.TOOL_OPERATION), trace.get_current_span()
        if running is None and tool_of(span) == self._tool:
            running = around.Running(names.TOOL_OPERATION, self._tool, [span])
        if running is not None and running.name == self._tool:
            self._host = running
            return
        super()._open()
        state = state_of(self._span)
        if state is not None:
            state.call = self._key

    def _closing(self, error: BaseException | None) -> Mapping[str, Any]:
        outcome = self._outcome or (outcome_of(type(error).__qualname__) if error is not None else "ok")
        if self._host is not None and outcome != "ok":
            self._host.outcome = outcome
            for state in filter(None, map(state_of, self._host.spans)):
                state.outcome = outcome
        return {names.TOOL_OUTCOME: outcome}


def action(name: str, authorization: Authorization = "approved") -> None:
    """Record whether an action of an agent was authorized: on the span of the tool call around it, else as a span `action <name>`.

    Args:
        name: the action, such as the tool's name.
        authorization: `approved` by a rule or a person, `unapproved` (nobody was asked), or `denied` (somebody was, and said no).
    """
    try:
        if authorization not in AUTHORIZATIONS:
            listed = ", ".join(AUTHORIZATIONS)
            notices.once(
                f"authorization:{authorization!r:.40}",
                f"action {name!s:.100}: authorization {authorization!r:.40} is not one of {listed} and is counted as `other`",
            )
        running = around.running(names.TOOL_OPERATION)
        spans = running.spans if running is not None else [span] if tool_of(span := trace.get_current_span()) is not None else []
        for span in spans:
            span.set_attribute(names.AGENT_AUTHORIZATION, authorization)
        if not spans:
            _point("action", name, {names.AGENT_AUTHORIZATION: authorization})
    except Exception as error:
        failures.count("action", error)


_UNSAID: Any = object()


class branch:  # noqa: N801
    """Which way an agent took, as a span `branch <taken>` with `truegreen.agent.branch`: `expected`, `unexpected` or `failed`.

    As a call where both are known: `branch(expected="refund", taken=route)`. As a decorator of the function that chooses, such as the one of
    `add_conditional_edges`: `@branch(expected={"refund", "answer"})`, or a function of the same arguments that says which way is right. A choice
    that raises, or takes no way (`None`), has `failed`.

    Args:
        expected: the way that is right, a collection of them, or (decorator) a function of the decorated one's arguments that gives either.
        taken: the way that was taken.
    """

    def __init__(self, expected: Any, taken: Any = _UNSAID) -> None:
        self._expected = expected
        if taken is not _UNSAID:
            _took(expected, taken)

    def __call__(self, function: F) -> F:
        """Record what `function` chooses, each time."""
        return _Choice(self._expected)(function)


class _Choice(Block):
    """A choice makes no span of its own around the function, only one for what came out."""

    place = "branch"

    def __init__(self, expected: Any) -> None:
        super().__init__("branch", {})
        self._expected = expected

    def _open(self) -> None:
        """Nothing is opened: the spans of what the function calls stay where they are."""

    def _called(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if callable(self._expected):
            self._expected = self._expected(*arguments, **named)

    def _returned(self, result: Any) -> None:
        _took(self._expected, result)

    def _closing(self, error: BaseException | None) -> Mapping[str, Any]:
        if isinstance(error, Exception):
            _took(self._expected, None)
        return {}


def _took(expected: Any, taken: Any) -> None:
    try:
        if taken is None:
            outcome = "failed"
        else:
            right = list(expected) if isinstance(expected, Collection) and not isinstance(expected, str | bytes) else [expected]
            ways = [
                getattr(way, "node", way) for way in (taken if isinstance(taken, list | tuple) else [taken])
            ]  # LangGraph's `Send`
            outcome = "expected" if all(way in right for way in ways) else "unexpected"
        _point("branch", "" if taken is None else taken, {names.AGENT_BRANCH: outcome})
    except Exception as error:
        failures.count("branch", error)


def _point(what: str, name: Any, attributes: Mapping[str, Any]) -> None:
    """A moment of an agent's run; the agent's name is on it, for it is a step of that run."""
    inside, span = carried.carried().agent, trace.get_current_span()
    agent_ = inside.name if inside is not None else enclosing(span, state_of(span))
    known = facts(what, {"name": name, names.AGENT_NAME: agent_})
    shown = known.pop("name", "")
    point(f"{what} {shown:.100}".rstrip(), {**known, **attributes})
