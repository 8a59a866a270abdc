"""The conversation as a LangChain application holds it, for every library that watches LangChain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openai
import scenario
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import ToolException, tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from recorder import must_raise

TIMEOUT = 0.5
"""Seconds that the client waits for a server that does not answer."""
MESSAGES = [("system", scenario.SYSTEM), ("human", scenario.QUESTION)]
TOOL_CALL = {"type": "tool_call", "id": scenario.TOOL_CALL_ID, "name": scenario.TOOL, "args": scenario.TOOL_ARGUMENTS}
TEMPLATE = ChatPromptTemplate.from_messages([("system", scenario.SYSTEM + " {context}"), ("human", "{question}")])


class Orders(BaseRetriever):
    """Two documents that carry an id and, in their metadata, a score."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(id=one["id"], page_content=one["text"], metadata={"score": one["score"]}) for one in scenario.DOCUMENTS]


@tool(scenario.TOOL)
def lookup_order(order_id: str) -> str:
    """Where an order is."""
    return scenario.TOOL_RESULT


@tool(scenario.TOOL)
def broken(order_id: str) -> str:
    """Where an order is."""
    raise ToolException("the warehouse does not answer")


def model(url: str) -> ChatOpenAI:
    """A model that is asked once, and not waited for where the server hangs."""
    return ChatOpenAI(
        model=scenario.MODEL_ASKED,
        base_url=f"{url}/v1",
        api_key="key",
        max_retries=0,
        timeout=TIMEOUT if "/hang" in url else 30,
        temperature=0.5,
        max_tokens=100,
        stream_usage=True,
    )


def embedder(url: str) -> OpenAIEmbeddings:
    """A model of embeddings that sends text, not tokens: their vocabulary would be downloaded."""
    return OpenAIEmbeddings(
        model=scenario.EMBEDDING_MODEL, base_url=f"{url}/v1", api_key="key", max_retries=0, check_embedding_ctx_length=False
    )


QUESTION = ChatPromptTemplate.from_messages([("system", scenario.SYSTEM), ("human", "{question}")])
SESSION = {"session_id": scenario.SESSION, "user_id": scenario.USER}
PROMPT = {"prompt_name": scenario.PROMPT_NAME, "prompt_version": scenario.PROMPT_VERSION}


def cases(
    url: str,
    callbacks: Sequence[BaseCallbackHandler] = (),
    session: Mapping[str, Any] = SESSION,
    prompt: Mapping[str, Any] = PROMPT,
) -> dict[str, Callable[[], object]]:
    """The cases that LangChain has.

    Args:
        callbacks: Of a library that is given to each call.
        session: Metadata by which the library knows the session.
        prompt: Metadata by which the library knows the prompt of a template.
    """
    loop = asyncio.Runner()  # one for all: langchain-openai shares its connections among its models

    def config(**metadata: Any) -> Any:
        return {"callbacks": list(callbacks), "metadata": metadata}

    def chat(path: str = "", **metadata: Any) -> Any:
        return model(url + path).invoke(MESSAGES, config(**metadata))

    async def stream_async() -> None:
        async for _ in model(url).astream(MESSAGES, config()):
            pass

    def tools() -> None:
        offered = model(url).bind_tools([lookup_order])
        call = offered.invoke(MESSAGES, config())
        assert call.tool_calls[0]["args"] == scenario.TOOL_ARGUMENTS
        offered.invoke([*MESSAGES, call, lookup_order.invoke(call.tool_calls[0], config())], config())

    def templated() -> Any:
        steps = QUESTION.with_config(metadata=dict(prompt)) | model(url)
        return steps.with_config(run_name="support").invoke({"question": scenario.QUESTION}, config())

    def chain() -> Any:
        def look_up(question: str) -> dict[str, str]:
            found = Orders(name=scenario.DATA_SOURCE).invoke(question)
            return {"question": question, "context": "\n".join(document.page_content for document in found)}

        steps = RunnableLambda(look_up) | TEMPLATE | model(url) | StrOutputParser()
        return steps.with_config(run_name="support").invoke(scenario.QUESTION, config())

    def agent(**metadata: Any) -> Any:
        made = create_agent(model(url), [lookup_order], system_prompt=scenario.SYSTEM, name="support")
        return made, {"messages": [("human", scenario.QUESTION)]}, config(**metadata)

    def run_agent(**metadata: Any) -> Any:
        made, asked, configured = agent(**metadata)
        return made.invoke(asked, configured)

    async def run_agent_async() -> Any:
        made, asked, configured = agent()
        return await made.ainvoke(asked, configured)

    def tool_error() -> None:
        """The tool's own switch turns its error into a message."""
        swallowed = broken.model_copy(update={"handle_tool_error": True})
        assert swallowed.invoke(TOOL_CALL, config()).status == "error"

    def tool_error_in_node() -> None:
        """LangGraph's node turns the error into a message."""
        graph = StateGraph(MessagesState)
        graph.add_node("tools", ToolNode([broken], handle_tool_errors=True))
        graph.set_entry_point("tools")
        asked = AIMessage("", id="message-1", tool_calls=[TOOL_CALL])
        ended = graph.compile(name="support").invoke({"messages": [asked]}, config())
        assert ended["messages"][-1].status == "error"

    return {
        "chat": chat,
        "chat_stream": lambda: list(model(url).stream(MESSAGES, config())),
        "chat_async": lambda: loop.run(model(url).ainvoke(MESSAGES, config())),
        "chat_stream_async": lambda: loop.run(stream_async()),
        "tools": tools,
        "embeddings": lambda: embedder(url).embed_query(scenario.QUESTION),
        "embeddings_async": lambda: loop.run(embedder(url).aembed_query(scenario.QUESTION)),
        "embeddings_documents": lambda: embedder(url).embed_documents([one["text"] for one in scenario.DOCUMENTS]),
        "error_429": lambda: must_raise(openai.RateLimitError, lambda: chat("/error_429")),
        "error_500": lambda: must_raise(openai.InternalServerError, lambda: chat("/error_500")),
        "timeout": lambda: must_raise(openai.APITimeoutError, lambda: chat("/hang")),
        "retrieval": lambda: Orders(name=scenario.DATA_SOURCE).invoke(scenario.QUESTION, config()),
        "tool": lambda: lookup_order.invoke(TOOL_CALL, config()),
        "tool_raises": lambda: must_raise(ToolException, lambda: broken.invoke(TOOL_CALL, config())),
        "tool_error": tool_error,
        "tool_error_in_node": tool_error_in_node,
        "chain": chain,
        "agent": run_agent,
        "agent_async": lambda: loop.run(run_agent_async()),
        "session": lambda: chat(**session),
        "session_agent": lambda: run_agent(**session, thread_id=scenario.SESSION),
        "prompt": templated,
        "chat_no_content": chat,
    }
