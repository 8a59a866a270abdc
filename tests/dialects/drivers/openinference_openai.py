"""OpenInference: openinference-instrumentation-openai of Arize."""

import openai_calls
import recorder
from openinference.instrumentation.openai import OpenAIInstrumentor
from servers import openai

if __name__ == "__main__":
    recorder.main(
        "openinference_openai",
        ["openinference-instrumentation-openai", "openinference-instrumentation", "openai"],
        openai.serve,
        lambda url: openai_calls.cases(url) | openai_calls.responses(url),
        prepare=OpenAIInstrumentor().instrument,
        fresh={"chat_no_content": {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}},
    )
