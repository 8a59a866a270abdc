"""The GenAI completion hook (entry point `truegreen` of `opentelemetry_genai_completion_hook`): shows an answer's text to the evaluators."""

from __future__ import annotations

import os
from typing import Any

from truegreen.instrumentation import failures
from truegreen.instrumentation.model import State
from truegreen.instrumentation.text import Messages

_LISTS = (list, tuple)
UPLOAD = "OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH"


class Hook:
    """Keeps the messages of a call on our state of its open span; nothing is written anywhere.

    Args:
        chained: another hook that gets the same call afterwards, such as `upload`.
    """

    def __init__(self, chained: Any = None) -> None:
        self._chained = chained

    def on_completion(
        self,
        *,
        inputs: Any,
        outputs: Any,
        system_instruction: Any,
        tool_definitions: Any = None,
        span: Any = None,
        log_record: Any = None,
    ) -> None:
        """Take the text of one call; called by util-genai just before the span ends."""
        try:
            state = getattr(span, "__dict__", {}).get("end")  # as `state_of` does: each call of a model comes by
            if isinstance(state, State):
                if tool_definitions is not None:
                    state.tools = tool_definitions if isinstance(tool_definitions, _LISTS) else None
                state.hooked = Messages(inputs, outputs, system_instruction)
        except Exception as error:
            failures.count("completion hook", error)
        if self._chained is not None:
            self._chained.on_completion(
                inputs=inputs, outputs=outputs, system_instruction=system_instruction,
                tool_definitions=tool_definitions, span=span, log_record=log_record,
            )  # fmt: skip


def hook() -> Hook:
    """Make the hook; `upload` is chained when its base path is set, for util-genai takes one hook only."""
    chained = None
    if os.environ.get(UPLOAD):
        try:
            from opentelemetry.util.genai._upload import upload_completion_hook

            chained = upload_completion_hook()
        except Exception as error:
            failures.count("upload hook", error)
    return Hook(chained)
