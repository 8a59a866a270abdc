"""LangChain and LangGraph with their real packages: an agent obeys the switches, and says which model served."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pytest
from providers import providers

from truegreen.instrumentation import failures
from truegreen.instrumentation.testing import captured

pytest.importorskip("langchain")
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import BaseModel

from truegreen.containment.langchain import Fallbacks, Switches


@pytest.fixture(scope="module")
def _running():
    with (
        providers() as server,
        asyncio.Runner() as runner,
    ):  # one loop: langchain-openai keeps its clients from one call to the next
        server.runner = runner
        yield server


@pytest.fixture
def server(_running):
    _running.failing.clear()
    _running.called.clear()
    _running.asked.clear()
    return _running


def _model(server, name="m", path="openai"):
    return ChatOpenAI(model=name, base_url=f"{server.url}/{path}/v1", api_key="k", max_retries=0)


def _ask(server, *middleware, messages=None, asynchronous=False, model=None):
    agent = create_agent(model or _model(server), [], middleware=list(middleware))
    asked = {"messages": messages or [HumanMessage("Hello?")]}
    made = server.runner.run(agent.ainvoke(asked), context=copy_context()) if asynchronous else agent.invoke(asked)
    return made["messages"][-1].content


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_agent_obeys_the_flags(server, flagged, asynchronous):
    """Model, degraded mode, its feature."""
    switches = Switches("support", off="not now")
    with captured() as seen:
        assert _ask(server, switches, asynchronous=asynchronous) == "openai m"
        flagged(pinned_model="p", fallback_model="f")
        assert _ask(server, switches, asynchronous=asynchronous) == "openai p"
        flagged(fallback_model="openai:f")
        assert _ask(server, switches, asynchronous=asynchronous) == "openai f"
        calls = len(server.asked)
        flagged(feature_disabled="support")
        assert _ask(server, switches, asynchronous=asynchronous) == "not now"
        flagged(degraded_mode="Please call us.")
        assert _ask(server, switches, asynchronous=asynchronous) == "Please call us."
        assert len(server.asked) == calls == 3
    stamps = [span.attributes["truegreen.containment"] for span in seen.spans if span.name.startswith("contained ")]
    assert stamps == ["feature_disabled", "degraded_mode"]
    assert failures.counted() == {}


def test_a_flag_moves_the_agent_to_another_providers_model(server, flagged):
    """Which `make` gives, once."""
    made = []

    def make(provider, model):
        made.append((provider, model))
        return _model(server, f"{provider}-{model}")

    switches = Switches(make=make)
    flagged(fallback_model="anthropic:claude-x")
    assert [_ask(server, switches) for _ in range(2)] == ["openai anthropic-claude-x"] * 2
    assert made == [("anthropic", "claude-x")]


def test_a_model_that_cannot_be_made_leaves_the_agent_its_own(server, flagged, caplog):
    """Counted and said once; no package of that provider is installed here, or no key."""

    def make(provider, model):
        raise ImportError(provider)

    flagged(fallback_model="anthropic:claude-x")
    assert [_ask(server, Switches(make=make)) for _ in range(2)] == ["openai m"] * 2
    assert failures.counted() == {"langchain model": 2}
    assert sum("the agent keeps its own" in r.getMessage() for r in caplog.records) == 1


def test_a_deployment_of_azure_is_made_anew_for_its_address_names_it(server, flagged):
    """A flag never says of one deployment that it was another; the middleware's own way keeps to the variables of LangChain's package."""

    def azure(deployment):
        return AzureChatOpenAI(azure_endpoint=server.url, azure_deployment=deployment, api_key="k", api_version="2024-10-21")

    made = []

    def make(provider, model):
        made.append((provider, model))
        return azure(model) if provider == "azure_openai" else _model(server, model)

    switches = Switches(make=make)
    flagged(pinned_model="spare")
    assert _ask(server, switches, model=azure("mine")) == "azure spare"
    flagged(fallback_model="openai:f")
    assert _ask(server, switches, model=azure("mine")) == "openai f"
    flagged()
    assert _ask(server, switches, model=azure("mine")) == "azure mine"
    assert made == [("azure_openai", "spare"), ("openai", "f")]


class Answer(BaseModel):
    """What an agent with structured answers gives."""

    text: str


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("how", [ToolStrategy, ProviderStrategy])
def test_an_agent_with_structured_answers_ends_with_the_message(server, flagged, how, asynchronous):
    """It asks once, not until LangGraph stops it, and there is no structured answer."""
    agent = create_agent(_model(server), [], middleware=[Switches()], response_format=how(Answer))
    asked = {"messages": [HumanMessage("Hello?")]}
    flagged(degraded_mode="Please call us.")
    limit = {"recursion_limit": 5}
    made = server.runner.run(agent.ainvoke(asked, limit), context=copy_context()) if asynchronous else agent.invoke(asked, limit)
    assert [message.content for message in made["messages"]] == ["Hello?", "Please call us."]
    assert made.get("structured_response") is None
    assert server.asked == []


def test_a_reduced_context_keeps_the_first_documents_of_a_retrievers_message(server, flagged):
    """Other tools' messages stay; the state of the agent too."""
    documents = [Document(page_content=text) for text in ("first", "second", "third")]
    call = [{"name": "search", "args": {}, "id": "1"}, {"name": "clock", "args": {}, "id": "2"}]
    messages = [
        HumanMessage("Hello?"),
        AIMessage("", tool_calls=call),
        ToolMessage("first\n\nsecond\n\nthird", tool_call_id="1", artifact=documents),
        ToolMessage("noon", tool_call_id="2"),
    ]
    flagged(reduced_context="2")
    _ask(server, Switches(), messages=messages)
    flagged()
    _ask(server, Switches(), messages=messages)
    sent = [[m["content"] for m in body["messages"] if m["role"] == "tool"] for _, _, body in server.asked]
    assert sent == [["first\n\nsecond", "noon"], ["first\n\nsecond\n\nthird", "noon"]]
    assert messages[2].content == "first\n\nsecond\n\nthird"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_middleware_says_when_langchains_own_fallback_served(server, asynchronous):
    """With the model that was asked and the one that answered; a dated version of the asked one is none."""
    unwell = ChatOpenAI(model="m", base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    with captured() as seen, seen.provider.get_tracer("app").start_as_current_span("request"):
        given = (Switches(), ModelFallbackMiddleware(_model(server, "spare-2026")))
        assert _ask(server, *given, model=unwell, asynchronous=asynchronous) == "openai spare-2026"
        assert _ask(server, *given, asynchronous=asynchronous) == "openai m"
    (span,) = [span for span in seen.spans if span.name == "contained fallback_model"]
    assert (span.attributes["gen_ai.request.model"], span.attributes["gen_ai.response.model"]) == ("m", "spare-2026")
    assert span.attributes["truegreen.containment"] == "fallback_model"


ALIASES = {
    "chatgpt-4o-latest": "chatgpt-4o-2024-11-20",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
    "gpt-35-turbo": "gpt-3.5-turbo-0125",
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("alias", ALIASES)
def test_a_model_that_answers_by_another_name_is_no_fallback(server, alias, asynchronous):
    """An alias' true name; a fallback to one is said by the name that was asked for."""
    server.called.update(ALIASES)
    unwell = ChatOpenAI(model="m", base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    spare = ModelFallbackMiddleware(_model(server, alias))
    with captured() as seen:
        assert _ask(server, Switches(), spare, model=_model(server, alias), asynchronous=asynchronous) == f"openai {alias}"
        assert seen.spans == ()
        assert _ask(server, Switches(), spare, model=unwell, asynchronous=asynchronous) == f"openai {alias}"
    (span,) = seen.spans
    assert (span.attributes["gen_ai.request.model"], span.attributes["gen_ai.response.model"]) == ("m", alias)


def test_a_model_that_is_tried_again_is_no_fallback(server):
    """LangChain's own retries ask the same one."""
    failed = []

    class Moody(ChatOpenAI):
        def _generate(self, *args, **kwargs):
            if not failed:
                failed.append(1)
                raise ConnectionError
            return super()._generate(*args, **kwargs)

    moody = Moody(model="m", base_url=f"{server.url}/openai/v1", api_key="k", max_retries=0)
    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0)
    with captured() as seen:
        assert _ask(server, Switches(), retry, model=moody) == "openai m"
    assert (failed, seen.spans) == ([1], ())


def test_a_fallback_is_counted_once_where_the_application_gives_the_callback_too(server):
    """The callback's word stands."""
    unwell = ChatOpenAI(model="m", base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    agent = create_agent(unwell, [], middleware=[Switches(), ModelFallbackMiddleware(_model(server, "spare"))])
    with captured() as seen:
        agent.invoke({"messages": [HumanMessage("Hello?")]}, {"callbacks": [Fallbacks()]})
    assert [span.name for span in seen.spans] == ["contained fallback_model"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_callback_says_when_with_fallbacks_went_to_another_model(server, asynchronous):
    """Once, on the application's span too; nothing while the first model answers."""
    unwell = ChatOpenAI(model="m", base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    with captured() as seen, seen.provider.get_tracer("app").start_as_current_span("request") as request:
        for first in (unwell, _model(server)):
            chain = first.with_fallbacks([_model(server, "spare")])
            config = {"callbacks": [Fallbacks()]}
            made = (
                server.runner.run(chain.ainvoke("Hello?", config), context=copy_context())
                if asynchronous
                else chain.invoke("Hello?", config)
            )
            assert made.content in ("openai spare", "openai m")
        events = [dict(event.attributes) for event in request.events if event.name == "truegreen.failover"]
    assert events == [{"from": "m", "to": "spare"}]
    assert [span.name for span in seen.spans if span.name.startswith("contained")] == ["contained fallback_model"]


def test_an_error_of_the_provider_reaches_the_application(server):
    """As its own type."""
    import openai

    server.failing["openai"] = 500
    with pytest.raises(openai.InternalServerError):
        _ask(server, Switches())
