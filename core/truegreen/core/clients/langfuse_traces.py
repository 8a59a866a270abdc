"""The question of a trace as Langfuse keeps it (`GET /api/public/traces/ID`, the contract that the Langfuse SDK 5.0 speaks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.words import messages

TRACES: Final = "/api/public/traces"
_QUESTIONS: Final = ("query", "question", "input", "prompt", "user_message", "message")
"""Keys under which an application's own input holds the question."""


def question(server: Server, trace: str) -> str | None:
    """The text of the last user message of a trace, else of its observations in their order; None where there is no text, or no such trace.

    Raises:
        Failed: Langfuse does not answer, or refuses the keys.
    """
    path = f"{TRACES}/{quote(trace, safe='')}"
    try:
        found = http.get(server, path)
    except http.HttpFailed as error:
        if error.status == http.NOT_FOUND:
            return None
        raise
    return http.shaped(server, path, found, lambda told: next(_questions(told), None))


def _questions(told: Mapping[str, Any]) -> Iterator[str]:
    seen = sorted(told.get("observations") or (), key=lambda one: str(one.get("startTime", "")))
    for value in (told["input"], *(one.get("input") for one in seen)):
        if isinstance(value, Mapping) and (
            text := next((value[key] for key in _QUESTIONS if isinstance(value.get(key), str)), "")
        ):
            yield text
        asked = [one for one in messages.messages(value, "user") or () if one.get("role") == "user"]
        texts = [part.get("content") for part in asked[-1]["parts"] if part.get("type") == messages.TEXT] if asked else []
        if text := "\n".join(one for one in texts if isinstance(one, str)).strip():
            yield text
