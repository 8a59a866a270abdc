"""The text of messages, from objects of util-genai or from their JSON. Text is given to evaluators and goes nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from truegreen.core.words.messages import SYSTEM_ROLES
from truegreen.core.words.view import mended

LEADING = 8
"""The system message is looked for among so many messages at the start of a conversation, which may be long."""
NAME = 256
"""Characters of a name that are kept: of a model, a version, a response id, an index."""
TOOL_CALLS = frozenset({"tool_call", "server_tool_call"})
_TOOL_CALLS = tuple(TOOL_CALLS)  # a type that is no text may have no hash
_TEXTS = ("text", None)
_LISTS = (list, tuple)
TOOL_FINISHES = frozenset({"tool_calls", "tool_call", "function_call", "tool_use"})


class Messages(NamedTuple):
    """The messages of one call as they were found, dataclasses or mappings."""

    inputs: Iterable[Any] | None = None
    outputs: Iterable[Any] | None = None
    system: Iterable[Any] | None = None


class Text:
    """The text of one call. The first output is the answer; what only an evaluator needs is put together when it is asked for.

    Args:
        answer: None when nobody has seen it, empty when it was seen and is empty.
        query: what the application says the question is.
        messages: where the rest stands; the first that says something counts, and all of them before what the application says.
        told: what is known besides, from `answer` or from another span of the call.
    """

    __slots__ = ("_messages", "_query", "_system", "_told", "answer", "tools")

    def __init__(
        self, answer: str | None = None, query: str = "", messages: Iterable[Messages] = (), told: Text | None = None
    ) -> None:
        self._messages = tuple(messages)
        self._query = query
        self._told = told
        self.answer = answer
        self.tools = False
        """The model asked for tools."""
        self._system: str | None = None
        for each in self._messages:
            for output in each.outputs or ():
                said, tools = _said(output)
                self.tools = self.tools or tools
                if self.answer is None:
                    self.answer = said
        if told is not None:
            self.tools = self.tools or told.tools
            self.answer = told.answer if self.answer is None else self.answer

    @property
    def query(self) -> str:
        """The last message of the user."""
        for each in self._messages:
            if found := _query(each):
                return found
        return self._query or (self._told.query if self._told else "")

    @property
    def system(self) -> str:
        """The system message."""
        if self._system is None:
            self._system = ""
            for each in self._messages:
                if found := _system(each):
                    self._system = found
                    break
            if not self._system and self._told is not None:
                self._system = self._told.system
        return self._system

    def settle(self, most: int) -> bool:
        """Keep no more than answer and system message, for a look after the call; False, and nothing done, when they have more than `most` characters."""
        if len(self.answer or "") + len(self.system) > most:
            return False
        self._messages, self._told, self._query = (), None, ""
        return True


def _query(messages: Messages) -> str:
    inputs = messages.inputs or ()
    latest = reversed(inputs) if isinstance(inputs, Sequence) else reversed(tuple(inputs))
    return next((_said(message)[0] for message in latest if _role(message) == "user"), "")


def _system(messages: Messages) -> str:
    if messages.system and (own := _parts(messages.system)[0]):
        return own
    for message in islice(messages.inputs or (), LEADING):
        if _role(message) in SYSTEM_ROLES and (said := _said(message)[0]):
            return said
    return ""


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else getattr(message, "role", None)


def _said(message: Any) -> tuple[str, bool]:
    """The text of a message, and whether it asks for tools."""
    plain = isinstance(message, dict)
    found = message.get("parts") if plain else getattr(message, "parts", None)
    text, tools = _parts(found) if isinstance(found, _LISTS) else ("", False)
    content = message.get("content") if plain else getattr(message, "content", None)
    return (content if isinstance(content, str) else text), tools


def _parts(parts: Iterable[Any]) -> tuple[str, bool]:
    texts, tools = [], False
    for part in parts:
        kind: Any
        content: Any
        if isinstance(part, str):
            texts.append(part)
            continue
        if isinstance(part, dict):
            kind, content = part.get("type"), part.get("content")
        else:
            kind, content = getattr(part, "type", None), getattr(part, "content", None)
        if kind in _TEXTS:
            if content and isinstance(content, str):
                texts.append(content)
        elif kind in _TOOL_CALLS:
            tools = True
    return (texts[0] if len(texts) == 1 else "\n".join(texts)), tools


def template(system: str) -> str:
    """A name for an unnamed prompt: `system:` and 12 hex digits of the system message's SHA-256."""
    return "system:" + hashlib.sha256(system.encode("utf-8", "surrogatepass")).hexdigest()[:12] if system else ""


def short(text: str) -> str:
    """A name as it is kept: at most 256 characters, all of them encodable; what an application gives as a name may be a document."""
    return text if len(text) <= NAME and text.isascii() else encodable(text[:NAME])


encodable = mended
"""Text without halves of surrogate pairs: one in a span's name makes the exporter lose its whole batch."""
