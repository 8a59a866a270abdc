"""opentelemetry-instrumentation-openai-v2 with OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental."""

import os

import openai_calls
import recorder
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from servers import openai

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

if __name__ == "__main__":
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ.setdefault(CAPTURE, "SPAN_ONLY")
    recorder.main(
        "openai_v2_latest",
        ["opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai", "openai"],
        openai.serve,
        lambda url: openai_calls.cases(url) | {"retrieval": lambda: openai_calls.search(url)},
        prepare=OpenAIInstrumentor().instrument,
        fresh={"chat_no_content": {CAPTURE: "NO_CONTENT"}},
    )
