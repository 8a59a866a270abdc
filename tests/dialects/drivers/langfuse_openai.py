"""Langfuse's SDK: its OpenAI client, `@observe` and the prompts that it links."""

import os
from collections.abc import Callable
from typing import Any

import openai_calls
import recorder
import scenario
from langfuse import Langfuse, observe, propagate_attributes
from langfuse.api import Prompt_Text
from langfuse.model import TextPromptClient
from langfuse.openai import AsyncOpenAI, OpenAI
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
    api = (url, OpenAI, AsyncOpenAI)
    played = openai_calls.cases(*api) | openai_calls.responses(url, OpenAI)
    made = TextPromptClient(
        Prompt_Text(
            name=scenario.PROMPT_NAME,
            version=scenario.PROMPT_VERSION,
            prompt=scenario.SYSTEM,
            config={},
            labels=["production"],
            tags=[],
        )
    )

    @observe(as_type="retriever", name=scenario.DATA_SOURCE)
    def search(query: str) -> list[dict[str, Any]]:
        return list(scenario.DOCUMENTS)

    @observe(as_type="tool", name=scenario.TOOL)
    def lookup(order_id: str) -> str:
        return scenario.TOOL_RESULT

    @observe(as_type="guardrail", name="pii")
    def guard(text: str) -> dict[str, Any]:
        return {"passed": True}

    @observe(as_type="agent", name="support")
    def agent(question: str) -> str:
        guard(question)
        search(question)
        lookup(**scenario.TOOL_ARGUMENTS)
        played["chat"]()
        return scenario.ANSWER

    def prompt() -> None:
        openai_calls.client(OpenAI, url + "/v1").chat.completions.create(**openai_calls.asked(langfuse_prompt=made))

    def prompt_propagated() -> None:
        with propagate_attributes(prompt=made):
            played["chat"]()

    def session() -> None:
        with propagate_attributes(
            session_id=scenario.SESSION,
            user_id=scenario.USER,
            trace_name="support",
            tags=["gold"],
            metadata={"tenant": "acme"},
        ):
            played["chat"]()

    return played | {
        "retrieval": lambda: search(scenario.QUESTION),
        "tool": lambda: lookup(**scenario.TOOL_ARGUMENTS),
        "guardrail": lambda: guard(scenario.QUESTION),
        "agent": lambda: agent(scenario.QUESTION),
        "prompt": prompt,
        "prompt_propagated": prompt_propagated,
        "session": session,
    }


if __name__ == "__main__":
    recorder.main(
        "langfuse_openai",
        ["langfuse", "openai"],
        openai.serve,
        cases,
        prepare=prepare,
        fresh={"chat_no_content": {MASKED: "1"}},
    )
