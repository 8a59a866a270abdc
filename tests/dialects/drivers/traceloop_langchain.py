"""OpenLLMetry's instrumentation of LangChain."""

import langchain_calls
import recorder
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from servers import openai

if __name__ == "__main__":
    recorder.main(
        "traceloop_langchain",
        ["opentelemetry-instrumentation-langchain", "langchain", "langchain-core", "langchain-openai", "langgraph"],
        openai.serve,
        langchain_calls.cases,
        prepare=LangchainInstrumentor().instrument,
        fresh={"chat_no_content": {"TRACELOOP_TRACE_CONTENT": "false"}},
    )
