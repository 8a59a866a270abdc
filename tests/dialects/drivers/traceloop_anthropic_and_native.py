"""OpenLLMetry's instrumentation of the Anthropic SDK and, each the root of a trace of its own, the SDK's own spans."""

import os

import anthropic_calls
import recorder
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from servers import anthropic

CAPTURE_NATIVE = "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"

if __name__ == "__main__":
    os.environ.setdefault(CAPTURE_NATIVE, "content")
    recorder.main(
        "traceloop_anthropic_and_native",
        ["opentelemetry-instrumentation-anthropic", "anthropic"],
        anthropic.serve,
        anthropic_calls.cases,
        prepare=AnthropicInstrumentor().instrument,
        fresh={"chat_no_content": {"TRACELOOP_TRACE_CONTENT": "false", CAPTURE_NATIVE: ""}},
    )
