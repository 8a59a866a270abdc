"""OpenInference: openinference-instrumentation-openai of Arize, and an application that uses its tracer and its context."""

from collections.abc import Callable

import openai_calls
import recorder
import scenario
from openinference.instrumentation import OITracer, TraceConfig, get_retriever_attributes, using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from servers import openai


def cases(url: str) -> dict[str, Callable[[], object]]:
    played = openai_calls.cases(url) | openai_calls.responses(url) | {"vector_store_search": lambda: openai_calls.search(url)}
    tracer = OITracer(trace.get_tracer("support_app", "1.0"), config=TraceConfig())

    def retrieval() -> None:
        with tracer.start_as_current_span(scenario.DATA_SOURCE, openinference_span_kind="retriever") as span:
            span.set_input(scenario.QUESTION)
            found = [{"id": one["id"], "content": one["text"], "score": one["score"]} for one in scenario.DOCUMENTS]
            span.set_attributes(get_retriever_attributes(documents=found))

    @tracer.tool(name=scenario.TOOL, description="Where an order is.")
    def tool(order_id: str) -> str:
        return scenario.TOOL_RESULT

    @tracer.guardrail(name="pii")
    def guardrail(text: str) -> str:
        return "passed"

    @tracer.agent(name="support")
    def agent(question: str) -> str:
        guardrail(question)
        retrieval()
        tool(**scenario.TOOL_ARGUMENTS)
        played["chat"]()
        return scenario.ANSWER

    def prompt() -> None:
        with using_attributes(
            prompt_template=scenario.SYSTEM,
            prompt_template_version=str(scenario.PROMPT_VERSION),
            prompt_template_variables={"order": "42"},
        ):
            played["chat"]()

    def session() -> None:
        with using_attributes(session_id=scenario.SESSION, user_id=scenario.USER, metadata={"tenant": "acme"}, tags=["gold"]):
            played["chat"]()

    return played | {
        "retrieval": retrieval,
        "tool": lambda: tool(**scenario.TOOL_ARGUMENTS),
        "guardrail": lambda: guardrail(scenario.QUESTION),
        "agent": lambda: agent(scenario.QUESTION),
        "prompt": prompt,
        "session": session,
        "chat_with_gen_ai": played["chat"],
    }


if __name__ == "__main__":
    recorder.main(
        "openinference_openai",
        ["openinference-instrumentation-openai", "openinference-instrumentation", "openai"],
        openai.serve,
        cases,
        prepare=OpenAIInstrumentor().instrument,
        fresh={
            "chat_no_content": {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"},
            "chat_with_gen_ai": {"OPENINFERENCE_ENABLE_GENAI_SEMCONV": "true"},
        },
    )
