"""OpenLLMetry: opentelemetry-instrumentation-openai of Traceloop."""

import openai_calls
import recorder
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from servers import openai

if __name__ == "__main__":
    recorder.main(
        "traceloop_openai",
        ["opentelemetry-instrumentation-openai", "openai"],
        openai.serve,
        lambda url: openai_calls.cases(url) | openai_calls.responses(url) | {"retrieval": lambda: openai_calls.search(url)},
        prepare=OpenAIInstrumentor().instrument,
        fresh={"chat_no_content": {"TRACELOOP_TRACE_CONTENT": "false"}},
    )
