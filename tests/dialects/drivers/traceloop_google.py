"""OpenLLMetry's instrumentation of the Google GenAI SDK."""

from collections.abc import Callable

import gemini_calls
import recorder
from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor
from servers import gemini

UNSEEN = ("embeddings", "embeddings_async", "error_429_stream")
"""No span is made of embeddings, and that of a stream which the server refuses is never ended."""


def cases(url: str) -> dict[str, Callable[[], object]]:
    return {name: play for name, play in gemini_calls.cases(url).items() if name not in UNSEEN}


if __name__ == "__main__":
    recorder.main(
        "traceloop_google",
        ["opentelemetry-instrumentation-google-generativeai", "google-genai"],
        gemini.serve,
        cases,
        prepare=GoogleGenerativeAiInstrumentor().instrument,
        fresh={"chat_no_content": {"TRACELOOP_TRACE_CONTENT": "false"}},
    )
