"""The spans that the Anthropic SDK 2.x makes itself."""

import os
from collections.abc import Callable

import anthropic
import anthropic_calls
import recorder
import scenario
from servers import anthropic as server

CAPTURE = "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"


def cases(url: str) -> dict[str, Callable[[], object]]:
    def session() -> None:
        """An option that is given makes the SDK ignore the environment: content is asked for here, too."""
        options = {"conversation_id": scenario.SESSION, "traces": {"content_mode": "content"}}
        client = anthropic.Anthropic(**anthropic_calls.options(url, open_telemetry=options))
        client.messages.create(**anthropic_calls.request())

    return anthropic_calls.cases(url) | {"session": session}


if __name__ == "__main__":
    os.environ.setdefault(CAPTURE, "content")
    recorder.main("anthropic_native", ["anthropic"], server.serve, cases, fresh={"chat_no_content": {CAPTURE: ""}})
