"""OpenInference's instrumentation of the Google GenAI SDK."""

from collections.abc import Callable

import gemini_calls
import recorder
import scenario
from openinference.instrumentation import using_attributes
from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor
from servers import gemini

HIDDEN = {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}


def cases(url: str) -> dict[str, Callable[[], object]]:
    played = gemini_calls.cases(url)

    def session() -> None:
        with using_attributes(session_id=scenario.SESSION, user_id=scenario.USER):
            played["chat"]()

    def prompt() -> None:
        version = str(scenario.PROMPT_VERSION)
        with using_attributes(prompt_template=scenario.PROMPT_NAME, prompt_template_version=version):
            played["chat"]()

    return played | {"session": session, "prompt": prompt}


if __name__ == "__main__":
    recorder.main(
        "openinference_google",
        ["openinference-instrumentation-google-genai", "openinference-instrumentation", "google-genai"],
        gemini.serve,
        cases,
        prepare=GoogleGenAIInstrumentor().instrument,
        fresh={"chat_no_content": HIDDEN},
    )
