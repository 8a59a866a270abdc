"""A real LangGraph agent: each of the five pillars has a signal, on its spans and in the collector's metrics, whoever makes the spans."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest
from agent_world import QUESTION, calls, made, measured, model, says, scripted
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import ToolException, create_retriever_tool, tool
from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from truegreen.instrumentation import action, agent, branch, failures
from truegreen.instrumentation import tool as our_tool
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

logging.getLogger("langgraph").setLevel(logging.ERROR)


@tool
def search(q: str) -> str:
    """Search."""
    return f"nothing about {q}"


@tool
def refund(order: str) -> str:
    """Pay back."""
    raise ToolException("the bank does not answer ZEBRA-ERROR")


swallowing = refund.model_copy(update={"handle_tool_error": True})


class Library(BaseRetriever):
    """One document that fits and two that do not."""

    def _get_relevant_documents(self, query, *, run_manager):
        scores = (0.8, 0.2, 0.1)
        return [Document(id=f"d{n}", page_content=f"ZEBRA-PASSAGE {n}", metadata={"score": one}) for n, one in enumerate(scores)]


class Empty(BaseRetriever):
    """It finds nothing."""

    def _get_relevant_documents(self, query, *, run_manager):
        return []


@pytest.fixture(params=["LangChain instrumented", "only OpenAI instrumented"])
def world(request):
    """`world(settings)` is what is seen, the scripted server, and the block around a run: ours where nobody else makes an agent's span."""
    whole = contextlib.ExitStack()
    alone = request.param == "only OpenAI instrumented"

    def start(**settings):
        server = whole.enter_context(scripted())
        seen = whole.enter_context(captured(Settings(**settings)))
        instrumentor = OpenAIInstrumentor() if alone else LangChainInstrumentor()
        instrumentor.instrument(tracer_provider=seen.provider)
        whole.callback(instrumentor.uninstrument)
        return seen, server, lambda: agent("support") if alone else contextlib.nullcontext()

    with whole:
        yield start
    assert failures.counted() == {}


def run(seen):
    """The attributes of the agent's span, of which there is one."""
    (found,) = [dict(span.attributes) for span in seen.spans if span.name == "invoke_agent support"]
    return found


def tools(seen):
    """The names and outcomes of the tool calls, in order."""
    return [
        (span.attributes["gen_ai.tool.name"], span.attributes["truegreen.tool.outcome"])
        for span in seen.spans
        if span.name.startswith("execute_tool")
    ]


def test_a_run_has_its_steps_tokens_and_tool_calls(world):
    """Three calls of the model and two tools; every number reaches the collector under the agent's name."""
    seen, server, around = world()
    server.script = [calls(("search", {"q": "a"})), calls(("search", {"q": "b"})), says("It is on its way.")]
    with around():
        assert made(server, [search]).invoke(QUESTION)["messages"][-1].content == "It is on its way."
    found = run(seen)
    assert found["truegreen.agent.outcome"] == "completed"
    assert found["truegreen.agent.steps"] == 5
    assert found["truegreen.agent.tokens"] == 120
    assert found["truegreen.agent.repeats"] == 1, "different arguments are different calls"
    assert found["truegreen.agent.loop"] is False
    assert tools(seen) == [("search", "ok")] * 2
    exposed = measured(seen.spans)
    assert exposed["truegreen_agent_runs_total"] == {("support", "completed"): [1]}
    assert exposed["truegreen_agent_steps"]["support",][0] == 5
    assert exposed["truegreen_agent_tokens"]["support",][0] == 120
    assert exposed["truegreen_agent_loops_total"] == {("support",): [0]}
    assert exposed["truegreen_tool_calls_total"] == {("search", "ok"): [2]}


def test_autonomy_an_action_that_nobody_approved(world):
    """A list of tools that the agent may call without asking is enough."""
    seen, server, around = world(approved_tools={"support": frozenset({"search"})})
    server.script = [calls(("search", {"q": "a"}), ("refund", {"order": "42"})), says("Done.")]
    with around():
        made(server, [search, swallowing]).invoke(QUESTION)
    spoken = {
        s.attributes["gen_ai.tool.name"]: s.attributes["truegreen.agent.authorization"]
        for s in seen.spans
        if "execute_tool" in s.name
    }
    assert spoken == {"search": "approved", "refund": "unapproved"}
    assert measured(seen.spans)["truegreen_agent_actions_total"] == {("support", "approved"): [1], ("support", "unapproved"): [1]}


def test_autonomy_what_the_application_says_of_an_action_wins(world):
    """A person was asked, inside the tool."""

    @tool
    def transfer(amount: int) -> str:
        """Pay."""
        action("transfer", "denied")
        return "no"

    seen, server, around = world(approved_tools={"": frozenset()})
    server.script = [calls(("transfer", {"amount": 3})), says("Done.")]
    with around():
        made(server, [transfer]).invoke(QUESTION)
    assert measured(seen.spans)["truegreen_agent_actions_total"] == {("support", "denied"): [1]}


def test_tool_use_an_error_that_the_run_swallowed(world):
    """The tool turned its exception into a result: the call looks fine, and is a silent error."""
    seen, server, around = world()
    server.script = [calls(("refund", {"order": "42"})), says("Your money is on its way.")]
    with around():
        made(server, [swallowing]).invoke(QUESTION)
    assert tools(seen) == [("refund", "silent_error")]
    assert run(seen)["truegreen.agent.outcome"] == "completed"
    assert measured(seen.spans)["truegreen_tool_calls_total"] == {("refund", "silent_error"): [1]}


def test_tool_use_an_error_that_the_graph_caught_is_one_and_a_timeout_is_told_apart(world):
    """LangGraph's node hears of the exception, and so do the callbacks."""

    @tool
    def slow(q: str) -> str:
        """Wait."""
        raise TimeoutError

    seen, server, around = world()

    def called(state):
        return {"messages": [model(server).bind_tools([refund, slow]).invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", called)
    graph.add_node("tools", ToolNode([refund, slow], handle_tool_errors=True))
    graph.add_edge(START, "model")
    graph.add_edge("model", "tools")
    graph.add_edge("tools", END)
    server.script = [calls(("refund", {"order": "42"}), ("slow", {"q": "a"}))]
    with around():
        graph.compile(name="support").invoke(QUESTION)
    assert sorted(tools(seen)) == [("refund", "error"), ("slow", "timeout")]
    assert measured(seen.spans)["truegreen_tool_calls_total"] == {("refund", "error"): [1], ("slow", "timeout"): [1]}


def test_tool_use_a_validator_of_the_application_sees_the_result_and_makes_no_second_span(world):
    """A decorator of ours below LangChain's, for what comes back well-formed and wrong."""

    @tool
    @our_tool("price", validate=lambda text: "silent_error" if text.startswith("ERR") else bool(text))
    def price(item: str) -> str:
        """What it costs."""
        return {"a": "ERR 17", "b": ""}.get(item, "3 EUR")

    seen, server, around = world()
    server.script = [calls(("price", {"item": "a"}), ("price", {"item": "b"}), ("price", {"item": "c"})), says("Done.")]
    with around():
        made(server, [price]).invoke(QUESTION)
    assert sorted(tools(seen)) == [("price", "invalid_output"), ("price", "ok"), ("price", "silent_error")]
    assert run(seen)["truegreen.agent.steps"] == 5


def test_planning_a_run_that_goes_round_in_a_loop(world):
    """The same call again and again, until LangGraph stops it."""
    seen, server, around = world()
    server.script = [calls(("search", {"q": "ZEBRA-ARGUMENT"}))]
    with pytest.raises(GraphRecursionError), around():
        made(server, [search]).invoke(QUESTION, {"recursion_limit": 9})
    found = run(seen)
    assert found["truegreen.agent.loop"] is True
    assert found["truegreen.agent.repeats"] >= 3
    assert found["truegreen.agent.outcome"] == "stopped"
    exposed = measured(seen.spans)
    assert exposed["truegreen_agent_loops_total"] == {("support",): [1]}
    assert exposed["truegreen_agent_runs_total"] == {("support", "stopped"): [1]}
    for span in seen.spans:
        assert "ZEBRA" not in span.to_json()


@pytest.mark.parametrize("awaited", [False, True])
def test_memory_a_retrieval_that_found_little_of_use(world, fake, awaited):
    """The agent's retriever tool: relevance on a span, and the passages before the evaluators of the answer."""
    seen, server, around = world(retrieval_floor=0.5)
    server.script = [calls(("library", {"query": "where?"})), says("In the library.")]
    library = create_retriever_tool(Library(metadata={"data_source": "library"}), "library", "Look up.")
    with around():
        support = made(server, [library])
        asyncio.run(support.ainvoke(QUESTION)) if awaited else support.invoke(QUESTION)
    (retrieval,) = [dict(span.attributes) for span in seen.spans if span.attributes.get("gen_ai.operation.name") == "retrieval"]
    assert retrieval["truegreen.retrieval.documents.count"] == 3
    assert retrieval["truegreen.retrieval.relevance.scores"] == (0.8, 0.2, 0.1)
    assert retrieval["truegreen.retrieval.relevance.below_floor"] == 2
    assert fake.samples[-1].passages == tuple(f"ZEBRA-PASSAGE {n}" for n in range(3))
    exposed = measured(seen.spans)
    assert exposed["truegreen_retrieval_chunks_total"] == {("library", "below"): [2], ("library", "above"): [1]}
    assert exposed["truegreen_retrievals_total"] == {("library", "support", "ok"): [1]}
    assert exposed["truegreen_tool_calls_total"] == {("library", "ok"): [1]}


def test_memory_a_retrieval_that_found_nothing(world):
    """Empty is an outcome of its own."""
    seen, server, around = world()
    server.script = [calls(("library", {"query": "where?"})), says("I do not know.")]
    with around():
        made(server, [create_retriever_tool(Empty(name="archive"), "library", "Look up.")]).invoke(QUESTION)
    assert measured(seen.spans)["truegreen_retrievals_total"] == {("archive", "support", "empty"): [1]}


def test_reasoning_a_branch_that_was_not_the_expected_one(world):
    """The function of a conditional edge, decorated."""

    @branch(expected=lambda state: "refund" if "money" in state["messages"][0].content else "answer")
    def route(state):
        return "answer"

    seen, _, around = world()
    graph = StateGraph(MessagesState)
    graph.add_node("triage", lambda state: {})
    graph.add_node("refund", lambda state: {})
    graph.add_node("answer", lambda state: {})
    graph.add_edge(START, "triage")
    graph.add_conditional_edges("triage", route, ["refund", "answer"])
    built = graph.compile(name="support")
    with agent("support"):
        built.invoke({"messages": [("human", "Where is it?")]})
        built.invoke({"messages": [("human", "I want my money back")]})
    taken = [span.attributes["truegreen.agent.branch"] for span in seen.spans if span.name.startswith("branch")]
    assert taken == ["expected", "unexpected"]
    assert measured(seen.spans)["truegreen_agent_branches_total"] == {
        ("support", "expected"): [1],
        ("support", "unexpected"): [1],
    }


def test_a_graph_that_waits_for_a_person_has_not_failed(world):
    """LangGraph's interrupt is an exception on its way up."""
    from langgraph.checkpoint.memory import InMemorySaver

    @tool
    def ask(q: str) -> str:
        """Ask a person."""
        return str(interrupt(q))

    seen, server, around = world()
    server.script = [calls(("ask", {"q": "may I?"})), says("Done.")]
    with around():
        made(server, [ask], checkpointer=InMemorySaver()).invoke(QUESTION, {"configurable": {"thread_id": "1"}})
    assert tools(seen) == [("ask", "ok")]
    assert measured(seen.spans)["truegreen_tool_calls_total"] == {("ask", "ok"): [1]}


def test_a_block_of_ours_around_an_instrumented_agent_counts_once(world):
    """The user's `agent` brings the list of approved tools; the run is one run."""
    seen, server, _ = world()
    server.script = [calls(("search", {"q": "a"})), says("Done.")]
    with agent("support", approved_tools=[]):
        made(server, [search]).invoke(QUESTION)
    exposed = measured(seen.spans)
    assert exposed["truegreen_agent_runs_total"] == {("support", "completed"): [1]}
    assert exposed["truegreen_agent_actions_total"] == {("support", "unapproved"): [1]}
    assert exposed["truegreen_agent_steps"]["support",][0] == 3


def test_runs_at_once_do_not_mix(world):
    """Sixteen at once on one loop."""
    seen, server, around = world()
    server.script = [calls(("search", {"q": "a"})), says("Done.")]
    support = made(server, [search])

    async def one():
        with around():
            await support.ainvoke(QUESTION)

    async def many():
        await asyncio.gather(*(one() for _ in range(16)))

    asyncio.run(many())
    steps = [span.attributes["truegreen.agent.steps"] for span in seen.spans if span.name == "invoke_agent support"]
    assert steps == [3] * 16
