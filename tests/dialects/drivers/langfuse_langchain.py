"""Langfuse's callback handler in LangChain."""

import os
from collections.abc import Callable

import langchain_calls
import recorder
import scenario
from langfuse import Langfuse
from langfuse.api import Prompt_Chat
from langfuse.langchain import CallbackHandler
from langfuse.model import ChatPromptClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers import openai

MASKED = "RECORD_MASKED"


def prepare() -> Langfuse:
    """A client on the process's provider; what it would send to Langfuse stays in memory."""
    mask = (lambda *, data, **_: "masked") if MASKED in os.environ else None
    return Langfuse(
        public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", mask=mask, span_exporter=InMemorySpanExporter()
    )


def cases(url: str) -> dict[str, Callable[[], object]]:
    session = {"langfuse_session_id": scenario.SESSION, "langfuse_user_id": scenario.USER}
    made = ChatPromptClient(
        Prompt_Chat(
            name=scenario.PROMPT_NAME, version=scenario.PROMPT_VERSION, prompt=[], config={}, labels=["production"], tags=[]
        )
    )
    return langchain_calls.cases(url, [CallbackHandler()], session=session, prompt={"langfuse_prompt": made})


if __name__ == "__main__":
    recorder.main(
        "langfuse_langchain",
        ["langfuse", "langchain", "langchain-core", "langchain-openai", "langgraph"],
        openai.serve,
        cases,
        prepare=prepare,
        fresh={"chat_no_content": {MASKED: "1"}},
    )
