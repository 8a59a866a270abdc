"""OpenLLMetry's instrumentation of the Google GenAI SDK."""

import gemini_calls
import recorder
from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor
from servers import gemini

if __name__ == "__main__":
    recorder.main(
        "traceloop_google",
        ["opentelemetry-instrumentation-google-generativeai", "google-genai"],
        gemini.serve,
        gemini_calls.cases,
        prepare=GoogleGenerativeAiInstrumentor().instrument,
        fresh={"chat_no_content": {"TRACELOOP_TRACE_CONTENT": "false"}},
    )
