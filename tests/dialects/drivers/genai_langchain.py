"""The OpenTelemetry project's instrumentation of LangChain."""

import os

import langchain_calls
import recorder
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
from servers import openai

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

if __name__ == "__main__":
    os.environ.setdefault(CAPTURE, "SPAN_ONLY")
    recorder.main(
        "genai_langchain",
        [
            "opentelemetry-instrumentation-genai-langchain",
            "opentelemetry-util-genai",
            "langchain",
            "langchain-core",
            "langchain-openai",
            "langgraph",
        ],
        openai.serve,
        langchain_calls.cases,
        prepare=LangChainInstrumentor().instrument,
        fresh={"chat_no_content": {CAPTURE: "NO_CONTENT"}},
    )
