"""The OpenTelemetry project's instrumentation of the OpenAI SDK, and an application that uses opentelemetry-util-genai as that does."""

import os
from collections.abc import Callable

import openai_calls
import recorder
import scenario
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.types import RetrievalDocument
from servers import openai

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def cases(url: str) -> dict[str, Callable[[], object]]:
    played = openai_calls.cases(url) | openai_calls.responses(url)
    handler = TelemetryHandler(instrumentation_scope_name="support_app", instrumentation_scope_version="1.0")

    def retrieval() -> None:
        with handler.retrieval(data_source_id=scenario.DATA_SOURCE) as call:
            call.query_text, call.top_k = scenario.QUESTION, len(scenario.DOCUMENTS)
            call.documents = [RetrievalDocument(id=found["id"], score=found["score"]) for found in scenario.DOCUMENTS]

    def tool() -> None:
        with handler.tool(scenario.TOOL, tool_type="function") as call:
            call.tool_call_id = scenario.TOOL_CALL_ID
            call.arguments, call.tool_result = scenario.TOOL_ARGUMENTS, scenario.TOOL_RESULT

    def agent() -> None:
        with handler.invoke_local_agent(agent_name="support", request_model=scenario.MODEL_ASKED):
            retrieval()
            tool()
            played["chat"]()

    def prompt() -> None:
        """The instrumentation's own span is folded into the application's: one span for the call."""
        with handler.inference("openai", request_model=scenario.MODEL_ASKED) as call:
            call.prompt_name, call.prompt_version = scenario.PROMPT_NAME, str(scenario.PROMPT_VERSION)
            played["chat"]()

    def session() -> None:
        """The conversation's id reaches the call's span through the context."""
        with handler.invoke_local_agent(agent_name="support", conversation_id=scenario.SESSION):
            played["chat"]()

    return played | {"retrieval": retrieval, "tool": tool, "agent": agent, "prompt": prompt, "session": session}


if __name__ == "__main__":
    os.environ.setdefault(CAPTURE, "SPAN_ONLY")
    recorder.main(
        "genai_openai",
        ["opentelemetry-instrumentation-genai-openai", "opentelemetry-util-genai", "openai"],
        openai.serve,
        cases,
        prepare=OpenAIInstrumentor().instrument,
        fresh={"chat_no_content": {CAPTURE: "NO_CONTENT"}},
    )
