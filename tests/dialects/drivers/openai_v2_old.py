"""opentelemetry-instrumentation-openai-v2 as it comes, with opentelemetry-util-genai 0.4b0: the conventions before `gen_ai.provider.name`.

From util-genai 1.0b0 on the same package writes what `openai_v2_latest` has, asked or not.
"""

from collections.abc import Callable

import openai_calls
import recorder
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from servers import openai


def cases(url: str) -> dict[str, Callable[[], object]]:
    """Without `chat_no_content`: no span has content in this mode."""
    played = openai_calls.cases(url) | {"retrieval": lambda: openai_calls.search(url)}
    return {name: play for name, play in played.items() if name != "chat_no_content"}


if __name__ == "__main__":
    recorder.main(
        "openai_v2_old",
        ["opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai", "openai"],
        openai.serve,
        cases,
        prepare=OpenAIInstrumentor().instrument,
    )
