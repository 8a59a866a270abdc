"""LangSmith's SDK in its OpenTelemetry mode: the wrapped OpenAI client and `@traceable`.

Its thread hands over what it has after 50 ms of nothing new. A run that ends later is handed over twice, first as begun and with status OK,
which an SDK's span keeps whatever comes after: an error shows in the event alone. Calls of models last longer, so every run here is handed
over when it has begun.
"""

import os
from collections.abc import Callable
from typing import Any

os.environ |= {
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_TRACING_MODE": "otel",
    "LANGSMITH_API_KEY": "key",
    "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
    "LANGSMITH_PROJECT": "support",
    "LANGCHAIN_REVISION_ID": "r1",
}

import openai
import openai_calls
import recorder
import scenario
from langsmith import traceable, tracing_context
from langsmith.run_trees import get_cached_client
from langsmith.wrappers import wrap_openai
from servers import openai as server


def cases(url: str) -> dict[str, Callable[[], object]]:
    def sync(**options: Any) -> Any:
        http = openai.DefaultHttpxClient(event_hooks={"request": [flush]})
        return wrap_openai(openai.OpenAI(http_client=http, **options))

    async def flush_async(_: object) -> None:
        flush()

    def unsync(**options: Any) -> Any:
        http = openai.DefaultAsyncHttpxClient(event_hooks={"request": [flush_async]})
        return wrap_openai(openai.AsyncOpenAI(http_client=http, **options))

    played = openai_calls.cases(url, sync, unsync) | openai_calls.responses(url, sync)

    @traceable(run_type="embedding", name="embed", metadata={"ls_provider": "openai", "ls_model_name": scenario.EMBEDDING_MODEL})
    def embed(text: str) -> dict[str, Any]:
        """The wrapped client does not watch embeddings: an application says it."""
        flush()
        reply = openai_calls.client(openai.OpenAI, url + "/v1").embeddings.create(model=scenario.EMBEDDING_MODEL, input=text)
        tokens = reply.usage.prompt_tokens
        return {"usage_metadata": {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}}

    @traceable(run_type="retriever", name=scenario.DATA_SOURCE)
    def search(query: str) -> list[dict[str, Any]]:
        flush()
        return [
            {"page_content": one["text"], "type": "Document", "metadata": {"id": one["id"], "score": one["score"]}}
            for one in scenario.DOCUMENTS
        ]

    @traceable(run_type="tool", name=scenario.TOOL)
    def lookup(order_id: str) -> str:
        flush()
        return scenario.TOOL_RESULT

    @traceable(run_type="chain", name="support")
    def agent(question: str) -> str:
        flush()
        search(question)
        lookup(**scenario.TOOL_ARGUMENTS)
        played["chat"]()
        return scenario.ANSWER

    def prompt() -> None:
        with tracing_context(metadata={"prompt_name": scenario.PROMPT_NAME, "prompt_version": scenario.PROMPT_VERSION}):
            played["chat"]()

    def session() -> None:
        with tracing_context(metadata={"session_id": scenario.SESSION, "user_id": scenario.USER}, tags=["gold"]):
            played["chat"]()

    return played | {
        "embeddings": lambda: embed(scenario.QUESTION),
        "retrieval": lambda: search(scenario.QUESTION),
        "tool": lambda: lookup(**scenario.TOOL_ARGUMENTS),
        "agent": lambda: agent(scenario.QUESTION),
        "prompt": prompt,
        "session": session,
    }


def flush(_: object = None) -> None:
    """Have what was said so far handed over."""
    get_cached_client().flush()


if __name__ == "__main__":
    recorder.main(
        "langsmith_openai",
        ["langsmith", "openai"],
        server.serve,
        cases,
        flush=flush,
        fresh={"chat_no_content": {"LANGSMITH_HIDE_INPUTS": "true", "LANGSMITH_HIDE_OUTPUTS": "true"}},
    )
