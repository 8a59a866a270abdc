"""LangChain's retrievers and tools are heard whoever makes their spans, or nobody; LangChain is left as it was."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import textwrap

import pytest
from agent_world import measured
from langchain_core.callbacks import BaseCallbackHandler, manager
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.tools import tool
from opentelemetry import trace
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
from opentelemetry.trace import set_span_in_context

from truegreen.instrumentation import failures, langchain, retrieval, traffic
from truegreen.instrumentation import tool as our_tool
from truegreen.instrumentation.testing import captured

EVENTS = [
    (f"{prefix}CallbackManager{owner}", name)
    for prefix in ("", "Async")
    for owner, names in (
        ("", ("on_retriever_start", "on_tool_start")), ("ForRetrieverRun", ("on_retriever_end", "on_retriever_error")),
        ("ForToolRun", ("on_tool_end", "on_tool_error")),
    )
    for name in names
]  # fmt: skip


class Kb(BaseRetriever):
    """Two documents."""

    def _get_relevant_documents(self, query, *, run_manager):
        if query == "fail":
            raise ConnectionError
        return [
            Document(id="a", page_content="ZEBRA one", metadata={"score": 0.1, "relevance_score": 0.9}),
            Document(page_content="ZEBRA two"),
        ]


@tool
def search(q: str) -> str:
    """Search."""
    return q


@pytest.fixture
def seen(fake):
    """What is seen of an application without any instrumentor; a fake evaluator is shown the answers."""
    with captured() as found:
        yield found


def answered(seen, fake):
    """What an answer in the current trace is judged with."""
    messages = '[{"role": "assistant", "parts": [{"type": "text", "content": "An answer."}]}]'
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.output.messages": messages}
    seen.provider.get_tracer("app").start_span("chat", attributes=attributes).end()
    return fake.samples[-1]


def named(seen, operation):
    return [span for span in seen.spans if span.attributes.get("gen_ai.operation.name") == operation]


@pytest.mark.parametrize("awaited", [False, True])
def test_without_any_instrumentor_a_retriever_and_a_tool_have_a_span(seen, fake, awaited):
    """Named, timed, with documents; nothing of the text is on it."""
    kb = Kb(metadata={"data_source": "kb"})
    with seen.provider.get_tracer("app").start_as_current_span("request"):
        found = asyncio.run(kb.ainvoke("why?")) if awaited else kb.invoke("why?")
        assert [document.page_content for document in found] == ["ZEBRA one", "ZEBRA two"]
        assert (asyncio.run(search.ainvoke("ZEBRA")) if awaited else search.invoke("ZEBRA")) == "ZEBRA"
        sample = answered(seen, fake)
    assert (sample.query, sample.passages) == ("why?", ("ZEBRA one", "ZEBRA two"))
    (retrieved,), (used,) = named(seen, "retrieval"), named(seen, "execute_tool")
    assert retrieved.name == "retrieval kb"
    assert retrieved.attributes["truegreen.retrieval.relevance.scores"] == (0.9,)
    assert used.attributes["truegreen.tool.outcome"] == "ok"
    assert retrieved.parent.span_id == used.parent.span_id == seen.spans[-1].context.span_id
    assert "ZEBRA" not in "".join(span.to_json() for span in seen.spans)
    assert failures.counted() == {}


@pytest.mark.parametrize("awaited", [False, True])
def test_a_retriever_that_fails_raises_its_own_exception_and_is_an_error(seen, awaited):
    """The collector counts it."""
    with pytest.raises(ConnectionError):
        asyncio.run(Kb().ainvoke("fail")) if awaited else Kb().invoke("fail")
    assert measured(seen.spans)["truegreen_retrievals_total"] == {("kb", "", "error"): [1]}


def test_a_chain_whose_retriever_runs_in_a_thread_is_joined_by_the_block_around(seen, fake):
    """LangChain's parallel step runs in a pool."""
    chain = RunnableParallel(context=Kb(), question=RunnablePassthrough()) | RunnableLambda(lambda found: len(found["context"]))
    with traffic():
        assert chain.invoke("why?") == 2
        assert answered(seen, fake).passages == ("ZEBRA one", "ZEBRA two")
    chain.batch(["a", "b", "c"])
    assert len(named(seen, "retrieval")) == 4


def test_without_span_and_block_the_next_answer_in_the_thread_gets_the_passages(seen, fake):
    """As with `retrieval`."""

    def thread():
        Kb().invoke("why?")
        assert answered(seen, fake).passages == ("ZEBRA one", "ZEBRA two")
        assert answered(seen, fake).passages == ()

    contextvars.Context().run(thread)


def test_a_call_of_the_application_with_the_same_documents_is_not_counted_again(seen, fake):
    """The lines that an application had before."""
    with seen.provider.get_tracer("app").start_as_current_span("request"):
        found = Kb().invoke("why?")
        retrieval(documents=[document.page_content for document in found], data_source="kb")
        with retrieval(data_source="block") as block:
            block.documents(Kb().invoke("why?"))
        assert answered(seen, fake).passages == ("ZEBRA one", "ZEBRA two")
        with our_tool("search"):
            search.invoke("a")
        with our_tool("research"):
            search.invoke("a")
    exposed = measured(seen.spans)
    assert exposed["truegreen_retrievals_total"] == {("kb", "", "ok"): [1], ("block", "", "ok"): [1]}
    assert exposed["truegreen_tool_calls_total"] == {("search", "ok"): [2], ("research", "ok"): [1]}


class Instrumentor(BaseCallbackHandler):
    """A second library's spans, which say what they are when they end, as OpenInference's do.

    Args:
        run_inline: whether an async run waits for it in the same task.
    """

    def __init__(self, provider, run_inline):
        self.tracer, self.spans, self.run_inline = provider.get_tracer("openinference.instrumentation.langchain"), {}, run_inline

    def _begin(self, run_id):
        self.spans[run_id] = self.tracer.start_span("theirs", set_span_in_context(trace.get_current_span()))

    def _finish(self, run_id, kind):
        span = self.spans.pop(run_id)
        span.set_attribute("openinference.span.kind", kind)
        span.set_attribute("tool.name", "search")
        span.end()

    def on_tool_start(self, *_, run_id, **__):
        self._begin(run_id)

    def on_tool_end(self, *_, run_id, **__):
        self._finish(run_id, "TOOL")

    def on_retriever_start(self, *_, run_id, **__):
        self._begin(run_id)

    def on_retriever_end(self, *_, run_id, **__):
        self._finish(run_id, "RETRIEVER")


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("two", [False, True])
def test_the_spans_of_one_or_two_instrumentors_get_what_is_known_and_one_is_counted(seen, fake, inline, awaited, two):
    """In the same task or in an executor's thread."""
    config = {"callbacks": [Instrumentor(seen.provider, inline)]}
    instrumentor = LangChainInstrumentor()
    if two:
        instrumentor.instrument(tracer_provider=seen.provider)
    try:
        with seen.provider.get_tracer("app").start_as_current_span("request"):
            for runnable, given in ((Kb(), "why?"), (search, {"q": "a"})):
                asyncio.run(runnable.ainvoke(given, config)) if awaited else runnable.invoke(given, config)
            assert answered(seen, fake).passages == ("ZEBRA one", "ZEBRA two")
    finally:
        if two:
            instrumentor.uninstrument()
    theirs = [
        span
        for span in seen.spans
        if span.attributes.get("truegreen.retrieval.documents.count") == 2 or "truegreen.tool.outcome" in span.attributes
    ]
    assert len(theirs) == 2
    repeated = [span for span in seen.spans if span.attributes.get("truegreen.duplicate")]
    assert len(repeated) == (2 if two else 0)
    assert not [span for span in seen.spans if span.instrumentation_scope.name == "truegreen.instrumentation"]
    assert failures.counted() == {}


def test_where_langsmith_makes_the_spans_later_ours_are_not_made(seen, monkeypatch):
    """Its OpenTelemetry mode hands runs to a thread of its own."""

    class LangChainTracer(BaseCallbackHandler):
        """As LangSmith's, by name."""

    Kb().invoke("why?", {"callbacks": [LangChainTracer()]})
    assert len(seen.spans) == 1, "without OpenTelemetry mode nobody else makes a span"
    monkeypatch.setenv("LANGSMITH_OTEL_ENABLED", "true")
    Kb().invoke("why?", {"callbacks": [LangChainTracer()]})
    assert len(seen.spans) == 1


def test_a_handler_that_raises_is_langchains_matter_and_the_call_is_whole(seen):
    """LangChain logs it; ours is made all the same."""

    class Broken(BaseCallbackHandler):
        raise_error = True

        def on_tool_end(self, *_, **__):
            raise KeyError

    with pytest.raises(KeyError):
        search.invoke("a", {"callbacks": [Broken()]})
    assert len(seen.spans) == 1
    assert failures.counted() == {}


@pytest.mark.parametrize("place", ["_own", "read", "remember", "key_of", "state_of", "scope_of"])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_failure_of_ours_reaches_nobody(seen, monkeypatch, place, awaited):
    """Whatever raises inside."""

    def fail(*_, **__):
        raise RuntimeError("ZEBRA")

    monkeypatch.setattr(langchain, place, fail)
    instrumentor = LangChainInstrumentor()
    if place == "scope_of":
        instrumentor.instrument(tracer_provider=seen.provider)
    try:
        assert len(asyncio.run(Kb().ainvoke("q")) if awaited else Kb().invoke("q")) == 2
        assert search.invoke("a") == "a"
    finally:
        instrumentor.uninstrument()
    assert failures.counted()


def test_uninstrument_leaves_langchain_as_it_was():
    """Every function is the one it was, also when another library wrapped and unwrapped in between."""
    before = {event: getattr(manager, event[0]).__dict__[event[1]] for event in EVENTS}
    for _ in range(3):
        with captured():
            assert all(getattr(manager, owner).__dict__[name] is not before[owner, name] for owner, name in EVENTS)
            instrumentor = LangChainInstrumentor()
            instrumentor.instrument()
            instrumentor.uninstrument()
    assert {event: getattr(manager, event[0]).__dict__[event[1]] for event in EVENTS} == before
    assert Kb().invoke("q")


def test_callbacks_that_an_application_gave_are_not_touched(seen):
    """No handler of ours is in a list of its own."""
    mine = [Instrumentor(seen.provider, True)]
    Kb().invoke("q", {"callbacks": mine})
    assert len(mine) == 1


def test_langchain_is_not_imported_by_us_and_is_heard_when_the_application_imports_it():
    """In a process of its own."""
    code = """
    import sys
    from truegreen.instrumentation.testing import captured
    with captured() as seen:
        assert not [name for name in sys.modules if name.startswith(("langchain", "langgraph", "langsmith"))]
        from langchain_core.tools import tool
        @tool
        def search(q: str) -> str:
            "Search."
            return q
        search.invoke("a")
        assert [span.name for span in seen.spans] == ["execute_tool search"], seen.spans
    from langchain_core.callbacks.manager import CallbackManager
    assert CallbackManager.on_tool_start.__module__ == "langchain_core.callbacks.manager" and not hasattr(CallbackManager.on_tool_start, "__wrapped__")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
