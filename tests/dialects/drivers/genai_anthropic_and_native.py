"""The OpenTelemetry project's instrumentation of the Anthropic SDK and, each a child of its span, the SDK's own spans."""

import os

import anthropic_calls
import recorder
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from servers import anthropic

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
CAPTURE_NATIVE = "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"

if __name__ == "__main__":
    os.environ.setdefault(CAPTURE, "SPAN_ONLY")
    os.environ.setdefault(CAPTURE_NATIVE, "content")
    recorder.main(
        "genai_anthropic_and_native",
        ["opentelemetry-instrumentation-genai-anthropic", "opentelemetry-util-genai", "anthropic"],
        anthropic.serve,
        anthropic_calls.cases,
        prepare=AnthropicInstrumentor().instrument,
        fresh={"chat_no_content": {CAPTURE: "NO_CONTENT", CAPTURE_NATIVE: ""}},
    )
