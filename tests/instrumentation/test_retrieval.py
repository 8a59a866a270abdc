"""What is retrieved: by `retrieval` in its three forms, by the retrieval spans of other libraries, and never twice."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

import pytest
from agent_world import measured
from opentelemetry import trace

from truegreen.instrumentation import failures, retrieval, traffic
from truegreen.instrumentation.settings import Settings, load
from truegreen.instrumentation.testing import captured

DIALECTS = Path(__file__).resolve().parents[1] / "dialects"
HITS = [{"text": "ZEBRA one", "score": 0.9, "id": "a"}, {"text": "ZEBRA two", "score": 0.2, "id": "b"}]


@pytest.fixture
def seen(fake):
    """What is seen; a fake evaluator is shown the answers."""
    with captured() as found:
        yield found
    assert failures.counted() == {}


def answered(seen, fake):
    """The passages with which an answer in the current trace is judged."""
    messages = '[{"role": "assistant", "parts": [{"type": "text", "content": "An answer."}]}]'
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.output.messages": messages}
    seen.provider.get_tracer("app").start_span("chat", attributes=attributes).end()
    return fake.samples[-1]


# --- our own ---


def test_every_kind_of_function_that_retrieves_is_decorated(seen, fake):
    """What it returns or yields are the hits; its first text argument is the query."""

    @retrieval(data_source="returned")
    def returned(index, query):
        return HITS

    @retrieval(data_source="awaited")
    async def awaited(query):
        return HITS

    @retrieval(data_source="yielded")
    def yielded(query):
        yield from HITS

    @retrieval(data_source="streamed", query="another question")
    async def streamed(query):
        for hit in HITS:
            yield hit

    async def use():
        assert await awaited("q") == HITS
        assert [hit async for hit in streamed("q")] == HITS

    with seen.provider.get_tracer("app").start_as_current_span("request"):
        assert returned(object(), "why?") == HITS
        assert answered(seen, fake).query == "why?"
        assert list(yielded("q")) == HITS
        asyncio.run(use())
        sample = answered(seen, fake)
    assert sample.passages == ("ZEBRA one", "ZEBRA two")
    assert sample.query == "another question"
    exposed = measured(seen.spans)
    assert exposed["truegreen_retrievals_total"] == {
        (name, "", "ok"): [1] for name in ("returned", "awaited", "yielded", "streamed")
    }
    assert "ZEBRA" not in "".join(span.to_json() for span in seen.spans)


def test_a_decorated_retriever_that_raises_is_an_error(seen):
    """The exception is the application's."""

    @retrieval(data_source="kb")
    def search(query):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        search("q")
    assert measured(seen.spans)["truegreen_retrievals_total"] == {("kb", "", "error"): [1]}


def test_the_floor_of_the_settings_holds_where_the_code_says_none():
    """For blocks, calls and the spans of others."""
    with captured(Settings(retrieval_floor=0.5)) as seen:
        retrieval(documents=HITS, data_source="a")
        retrieval(documents=HITS, data_source="b", floor=0.1)
        retrieval(documents=["no score"], data_source="c")
        given = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "d",
            "gen_ai.retrieval.documents": '[{"id": "1", "score": 0.4}]',
        }
        seen.provider.get_tracer("library").start_span("r", attributes=given).end()
        chunks = {
            key: numbers for key, numbers in measured(seen.spans)["truegreen_retrieval_chunks_total"].items() if key[0] != "c"
        }
    assert chunks == {
        ("a", "below"): [1], ("a", "above"): [1], ("b", "below"): [0], ("b", "above"): [2], ("d", "below"): [1], ("d", "above"): [0],
    }  # fmt: skip


@pytest.mark.parametrize(("told", "floor"), [("0.3", 0.3), ("-1", -1.0), ("nan", None), ("high", None)])
def test_the_floor_is_read_from_the_environment(told, floor):
    """What is no number is a problem that says what to write."""
    settings = load({"TRUEGREEN_RETRIEVAL_FLOOR": told})
    assert settings.retrieval_floor == floor
    assert bool(settings.problems) is (floor is None)


def test_approved_tools_are_read_from_file_and_environment(tmp_path):
    """By agent, for all, or wrong."""
    path = tmp_path / "truegreen.json"
    path.write_text('{"agents": {"approved_tools": {"bot": ["search"], "broken": "all"}}, "retrieval": {"floor": true}}')
    settings = load({"TRUEGREEN_CONFIG": str(path)})
    assert settings.approved_tools == {"bot": {"search"}}
    assert any("approved_tools.broken: found 'all'" in problem for problem in settings.problems)
    assert load({"TRUEGREEN_APPROVED_TOOLS": "search, pay"}).approved_tools == {"": {"search", "pay"}}


# --- the spans of others ---

RETRIEVERS = ["openinference_openai", "openinference_langchain", "langfuse_openai", "langfuse_langchain", "langsmith_openai", "traceloop_langchain", "genai_langchain", "manual"]  # fmt: skip


@pytest.fixture(scope="module")
def recordings():
    """The recordings and how they are played again."""
    sys.path.insert(0, str(DIALECTS))
    yield importlib.import_module("replay")
    sys.path.remove(str(DIALECTS))


@pytest.mark.parametrize("driver", RETRIEVERS)
def test_a_recorded_retrieval_of_any_library_feeds_the_evaluators_of_its_trace(fake, recordings, driver):
    """Its documents are the passages of an answer in the same trace, and its numbers are on the span."""
    spans = recordings.recorded(driver)["retrieval"]
    with captured(Settings(retrieval_floor=0.6)) as seen:
        with seen.provider.get_tracer("app").start_as_current_span("request") as root:
            recordings.replay(spans, Under(seen.provider, root))
            sample = answered(seen, fake)
        found = [span.attributes for span in seen.spans if "truegreen.retrieval.documents.count" in span.attributes]
    assert [one["truegreen.retrieval.documents.count"] for one in found] == [2]
    assert found[0]["truegreen.retrieval.relevance.below_floor"] == 1
    if driver != "genai_langchain":  # ids and scores are all that the conventions carry
        assert [text[:8] for text in sample.passages] == ["Order 42", "Orders a"]
    assert failures.counted() == {}


class Under:
    """A provider whose root spans are below an open span."""

    def __init__(self, provider, root):
        self._provider, self._context = provider, trace.set_span_in_context(root)

    def get_tracer(self, *scope):
        tracer, context = self._provider.get_tracer(*scope), self._context

        class Tracer:
            def start_span(self, name, given, *more):
                return tracer.start_span(name, given or context, *more)

        return Tracer()


# --- once ---


def test_a_library_s_retrieval_inside_of_ours_is_not_counted_again(seen, fake):
    """The block has the index, the floor and the name."""
    given = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": '[{"text": "ZEBRA one", "score": 0.9}]'}
    with seen.provider.get_tracer("app").start_as_current_span("request"):
        with retrieval(data_source="kb", index="kb@7") as found:
            seen.provider.get_tracer("library").start_span("r", attributes=given).end()
            found.documents(HITS)
        assert answered(seen, fake).passages == ("ZEBRA one", "ZEBRA two")
    assert measured(seen.spans)["truegreen_retrievals_total"] == {("kb", "", "ok"): [1]}


def test_a_call_with_what_a_span_has_just_shown_is_not_counted_again(seen, fake):
    """The line that an application had before its library was understood does no harm; another list counts."""
    given = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": '[{"text": "ZEBRA one"}, {"text": "ZEBRA two"}]'}
    with seen.provider.get_tracer("app").start_as_current_span("request"):
        seen.provider.get_tracer("library").start_span("r", attributes=given).end()
        retrieval(documents=HITS, data_source="kb")
        assert answered(seen, fake).passages == ("ZEBRA one", "ZEBRA two")
        retrieval(documents=["ZEBRA three"], data_source="kb")
    with traffic():
        retrieval(documents=["ZEBRA one"])
        retrieval(documents=["ZEBRA one"])
        retrieval(documents=["ZEBRA three", "ZEBRA one"])
        assert answered(seen, fake).passages == ("ZEBRA three", "ZEBRA one"), "in the order in which they came last"
    exposed = measured(seen.spans)["truegreen_retrievals_total"]
    assert exposed == {("unknown", "", "ok"): [4], ("kb", "", "ok"): [1]}
