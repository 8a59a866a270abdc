"""`agent`, `tool`, `action` and `branch` on spans of an application's own, and the tally of a run."""

from __future__ import annotations

import asyncio
import threading

import pytest
from agent_world import measured
from opentelemetry import context as otel
from opentelemetry import trace

from truegreen.instrumentation import action, agent, branch, failures, tool
from truegreen.instrumentation.testing import captured


@pytest.fixture
def seen():
    """What is seen."""
    with captured() as found:
        yield found
    assert failures.counted() == {}


def chat(seen, tokens=10, scope="app"):
    """One call of a model."""
    attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": tokens,
        "gen_ai.response.finish_reasons": ["stop"],
    }  # fmt: skip
    seen.provider.get_tracer(scope).start_span("chat", attributes=attributes).end()


# --- agent ---


def test_a_run_of_an_applications_own_loop_adds_up(seen):
    """Model, tool, model: a loop that no framework runs."""

    @tool("search")
    def search(q):
        return q

    with agent("bot"):
        chat(seen)
        search("a")
        search("a")
        chat(seen)
    found = seen.attributes("invoke_agent bot")
    parts = {part: found[f"truegreen.agent.{part}"] for part in ("steps", "tokens", "repeats", "loop", "outcome")}
    assert parts == {"steps": 4, "tokens": 20, "repeats": 2, "loop": False, "outcome": "completed"}
    exposed = measured(seen.spans)
    assert exposed["truegreen_tool_calls_total"] == {("search", "ok"): [2]}
    assert exposed["truegreen_agent_runs_total"] == {("bot", "completed"): [1]}


def test_the_parts_of_a_run_are_counted_through_spans_and_threads_of_the_application(seen):
    """A worker thread with the context handed over; a span of the application in between."""
    with agent("bot"):
        with (
            seen.provider.get_tracer("app").start_as_current_span("plan"),
            seen.provider.get_tracer("app").start_as_current_span("work"),
        ):
            chat(seen)
        context = otel.get_current()

        def work():
            token = otel.attach(context)
            with tool("search", arguments={"q": 1}):
                pass
            otel.detach(token)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen.attributes("invoke_agent bot")["truegreen.agent.steps"] == 2


def test_an_agent_within_an_agent_is_one_step_of_it_and_keeps_its_own(seen):
    """Nothing is counted twice."""
    with agent("supervisor"):
        chat(seen)
        with agent("worker"):
            chat(seen)
            chat(seen)
    assert seen.attributes("invoke_agent worker")["truegreen.agent.steps"] == 2
    found = seen.attributes("invoke_agent supervisor")
    assert (found["truegreen.agent.steps"], found["truegreen.agent.tokens"]) == (2, 10)
    assert measured(seen.spans)["truegreen_agent_runs_total"] == {("supervisor", "completed"): [1], ("worker", "completed"): [1]}


@pytest.mark.parametrize(("error", "outcome"), [(ValueError, "failed"), (asyncio.CancelledError, "stopped"), (None, "completed")])
def test_a_run_ends_as_its_block_does_and_the_exception_is_the_applications(seen, error, outcome):
    """It is raised as it was; cancelled is stopped."""
    thrown = error() if error else None
    caught = None
    try:
        with agent("bot"):
            if thrown:
                raise thrown
    except BaseException as found:
        caught = found
    assert caught is thrown
    assert seen.attributes("invoke_agent")["truegreen.agent.outcome"] == outcome


def test_an_application_says_how_a_run_ended(seen):
    """A guardrail stopped it; it did not reach its goal."""
    with agent("bot") as run:
        run.stopped()
    with agent("other") as run:
        run.failed()
    assert measured(seen.spans)["truegreen_agent_runs_total"] == {("bot", "stopped"): [1], ("other", "failed"): [1]}


def test_a_run_that_nothing_happened_in_says_no_numbers(seen):
    """An agent in another process has its steps there."""
    with agent("remote"):
        pass
    assert "truegreen.agent.steps" not in seen.attributes("invoke_agent remote")


def test_an_approved_tool_is_approved_by_name(seen):
    """A list in code; the nearest agent's list holds."""
    with agent("bot", approved_tools=["search"]):
        for name in ("search", "pay"):
            with tool(name):
                pass
    assert measured(seen.spans)["truegreen_agent_actions_total"] == {("bot", "approved"): [1], ("bot", "unapproved"): [1]}


# --- every kind of function ---


def test_every_kind_of_function_is_decorated(seen):
    """What it returns, yields, gets sent and raises is as before; a span is around each call, the calls inside are below it."""

    @agent("plain")
    def plain(x):
        chat(seen)
        return x + 1

    @agent("async")
    async def awaited(x):
        await asyncio.sleep(0)
        chat(seen)
        return x + 1

    @agent("generator")
    def generated(x):
        chat(seen)
        got = yield x
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    @agent("async generator")
    async def streamed(x):
        chat(seen)
        got = yield x
        yield got

    async def use():
        assert await awaited(1) == 2
        stream = streamed("a")
        assert await anext(stream) == "a"
        assert await stream.asend("b") == "b"
        assert [item async for item in stream] == []

    assert plain(1) == 2
    asyncio.run(use())
    steps = generated("a")
    assert next(steps) == "a"
    assert not trace.get_current_span().get_span_context().is_valid, "between two items the caller is not inside"
    assert steps.send("b") == "b"
    assert steps.throw(KeyError) == "caught"
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == "end"
    runs = {s.name: s.attributes["truegreen.agent.steps"] for s in seen.spans if s.name.startswith("invoke_agent")}
    assert runs == {f"invoke_agent {kind}": 1 for kind in ("plain", "async", "generator", "async generator")}
    assert plain.__name__ == "plain"


def test_a_stream_that_its_reader_leaves_is_no_failure(seen):
    """Closing a generator early is what readers do."""

    @agent("bot")
    def stream():
        yield 1
        yield 2

    @agent("bot")
    async def astream():
        yield 1
        yield 2

    async def use():
        items = astream()
        await anext(items)
        await items.aclose()

    items = stream()
    next(items)
    items.close()
    asyncio.run(use())
    assert [s.attributes["truegreen.agent.outcome"] for s in seen.spans] == ["completed"] * 2
    assert all(s.status.is_unset for s in seen.spans)


def test_an_exception_in_a_stream_is_the_applications(seen):
    """It goes through unchanged, and the tool has failed."""

    @tool("stream")
    def stream():
        yield 1
        raise TimeoutError

    with pytest.raises(TimeoutError):
        list(stream())
    assert seen.attributes("execute_tool stream")["truegreen.tool.outcome"] == "timeout"


# --- tool ---


def silent(result):
    return "silent_error" if result == "ERR" else result != ""


def broken(result):
    raise RuntimeError


@pytest.mark.parametrize(
    ("validate", "result", "outcome"),
    [
        (None, "", "ok"), (silent, "12", "ok"), (silent, "ERR", "silent_error"), (silent, "", "invalid_output"),
        (broken, "12", "invalid_output"), (lambda r: None, "12", "ok"),
        (lambda r: r, TimeoutError(), "timeout"), (lambda r: r, ValueError(), "error"), (lambda r: r, asyncio.CancelledError(), "error"),
    ],
)  # fmt: skip
def test_a_tools_outcome(seen, validate, result, outcome):
    """By its exception, else by the validator's word."""

    @tool("price", validate=validate)
    def price():
        if isinstance(result, BaseException):
            raise result
        return result

    try:
        assert price() == result
    except BaseException as error:
        assert error is result
    assert seen.attributes("execute_tool price")["truegreen.tool.outcome"] == outcome
    assert measured(seen.spans)["truegreen_tool_calls_total"] == {("price", outcome): [1]}


def test_a_block_says_its_outcome(seen, caplog):
    """One that is not known is told, once, and not counted."""
    with tool("price") as call:
        call.outcome("silent_error")
    with tool("price") as call:
        call.outcome("sulky")
    assert [s.attributes["truegreen.tool.outcome"] for s in seen.spans] == ["silent_error", "sulky"]
    assert "sulky" in caplog.text


def test_arguments_are_never_on_a_span(seen):
    """They are hashed here."""

    @tool("search")
    def search(q, *, more=None):
        return 1

    search("ZEBRA-ARGUMENT", more={"ZEBRA": object()})
    assert "ZEBRA" not in "".join(span.to_json() for span in seen.spans)


def test_a_tool_block_within_another_librarys_span_of_the_same_call_gives_it_the_outcome(seen):
    """One span, with the validator's word."""
    tracer = seen.provider.get_tracer("library")
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    with tracer.start_as_current_span("t", attributes=attributes), tool("search") as call:
        call.outcome("silent_error")
    assert [span.name for span in seen.spans] == ["t"]
    assert measured(seen.spans)["truegreen_tool_calls_total"] == {("search", "silent_error"): [1]}


# --- action and branch ---


def test_an_action_outside_a_tool_is_a_span_of_its_own(seen, caplog):
    """With the agent's name."""
    with agent("bot"):
        action("send mail", "approved")
    action("send mail", "unapproved")
    action("send mail", "perhaps")
    exposed = measured(seen.spans)["truegreen_agent_actions_total"]
    assert exposed == {("bot", "approved"): [1], ("unknown", "unapproved"): [1], ("unknown", "other"): [1]}
    assert "'perhaps' is not one of approved, unapproved, denied" in caplog.text


def test_the_agents_name_is_found_on_a_span_of_another_library(seen):
    """The nearest agent's span above the current one."""
    tracer = seen.provider.get_tracer("library")
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "theirs"}
    with tracer.start_as_current_span("a", attributes=attributes), tracer.start_as_current_span("node"):
        branch(expected="a", taken="b")
        with tool("search"):
            pass
    assert measured(seen.spans)["truegreen_agent_branches_total"] == {("theirs", "unexpected"): [1]}
    assert seen.attributes("execute_tool")["gen_ai.agent.name"] == "theirs"


@pytest.mark.parametrize(
    ("expected", "taken", "outcome"),
    [
        ("a", "a", "expected"), ("a", "b", "unexpected"), ({"a", "b"}, "b", "expected"), (["a"], ["a", "b"], "unexpected"), (["a", "b"], ["a", "b"], "expected"),
        ("a", None, "failed"), (True, True, "expected"), (None, "a", "unexpected"), ({"a": 1}, ["a"], "expected"), ("abc", "b", "unexpected"),
    ],
)  # fmt: skip
def test_a_branch(seen, expected, taken, outcome):
    """One way, several, none."""
    branch(expected, taken)
    assert [s.attributes["truegreen.agent.branch"] for s in seen.spans] == [outcome]


def test_a_choice_that_raises_has_failed_and_raises(seen):
    """Also a coroutine."""

    @branch(expected="a")
    async def choose():
        raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(choose())
    assert [s.attributes["truegreen.agent.branch"] for s in seen.spans] == ["failed"]
