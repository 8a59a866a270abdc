"""The OpenTelemetry project's instrumentation of the Anthropic SDK; the SDK's own spans are off."""

import os

import anthropic_calls
import recorder
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from servers import anthropic

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

if __name__ == "__main__":
    os.environ.setdefault(CAPTURE, "SPAN_ONLY")
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    recorder.main(
        "genai_anthropic",
        ["opentelemetry-instrumentation-genai-anthropic", "opentelemetry-util-genai", "anthropic"],
        anthropic.serve,
        anthropic_calls.cases,
        prepare=AnthropicInstrumentor().instrument,
        fresh={"chat_no_content": {CAPTURE: "NO_CONTENT"}},
    )
