"""The text of messages, from objects of util-genai or from their JSON. Text is given to evaluators and goes nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NAME = 256
"""Characters of a name that are kept: of a model, a version, a response id, an index."""
TOOL_CALLS = frozenset({"tool_call", "server_tool_call"})
_TOOL_CALLS = tuple(TOOL_CALLS)  # a type that is no text may have no hash
TOOL_FINISHES = frozenset({"tool_calls", "tool_call", "function_call", "tool_use"})


@dataclass(slots=True)
class Text:
    """The text of one call.

    Args:
        answer: None when nobody has seen it, empty when it was seen and is empty.
        query: the last message of the user.
        system: the system message.
        tools: the model asked for tools.
    """

    answer: str | None = None
    query: str = ""
    system: str = ""
    tools: bool = False


def from_messages(inputs: Iterable[Any] | None, outputs: Iterable[Any] | None, system: Iterable[Any] | None) -> Text:
    """Read the text of a call from its messages (dataclasses or mappings); the first output is the answer."""
    text = Text()
    asked: Any = None
    for message in inputs or ():
        role = _get(message, "role")
        if role == "user":
            asked = message
        elif role in ("system", "developer") and not text.system:
            text.system = _joined(message)
    text.query = _joined(asked) if asked is not None else ""
    text.system = "\n".join(part for part in map(_part, system or ()) if part) or text.system
    for message in outputs or ():
        text.tools = text.tools or any(_get(part, "type") in _TOOL_CALLS for part in _parts(message))
        if text.answer is None:
            text.answer = _joined(message)
    return text


def template(system: str) -> str:
    """A name for an unnamed prompt: `system:` and 12 hex digits of the system message's SHA-256."""
    return "system:" + hashlib.sha256(system.encode("utf-8", "surrogatepass")).hexdigest()[:12] if system else ""


def short(text: str) -> str:
    """A name as it is kept: at most 256 characters, all of them encodable; what an application gives as a name may be a document."""
    return text if len(text) <= NAME and text.isascii() else encodable(text[:NAME])


def encodable(text: str) -> str:
    """Text without halves of surrogate pairs: one in a span's name makes the exporter lose its whole batch."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _joined(message: Any) -> str:
    content = _get(message, "content")
    if isinstance(content, str):
        return content
    return "\n".join(part for part in map(_part, _parts(message)) if part)


def _parts(message: Any) -> Iterable[Any]:
    found = _get(message, "parts")
    return found if isinstance(found, list | tuple) else ()


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    content = _get(part, "content")
    return content if isinstance(content, str) and _get(part, "type") in ("text", None) else ""


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else getattr(value, key, None)
