"""Two instrumentations of one SDK in one process, as `opentelemetry-instrument` sets them up where both are installed."""

import os

import openai_calls
import recorder
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor as GenAI
from servers import openai


def prepare() -> None:
    for instrumentor in (GenAI, OpenInference):
        instrumentor().instrument()


if __name__ == "__main__":
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    recorder.main(
        "genai_openai_and_openinference",
        [
            "opentelemetry-instrumentation-genai-openai",
            "opentelemetry-util-genai",
            "openinference-instrumentation-openai",
            "openinference-instrumentation",
            "openai",
        ],
        openai.serve,
        lambda url: {name: play for name, play in openai_calls.cases(url).items() if name != "chat_no_content"},
        prepare=prepare,
    )
