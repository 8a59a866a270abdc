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
            inputs = each.inputs or ()
            for message in reversed(inputs if isinstance(inputs, Sequence) else tuple(inputs)):
                if _get(message, "role") == "user":
                    if found := _said(message)[0]:
                        return found
                    break
        return self._query or (self._told.query if self._told else "")

    @property
    def system(self) -> str:
        """The system message: on its own, or among the first messages."""
        if self._system is not None:
            return self._system
        found = ""
        for each in self._messages:
            found = _spoken(each.system)[0] if each.system else ""
            for message in () if found else islice(each.inputs or (), LEADING):
                role = message.get("role") if isinstance(message, dict) else getattr(message, "role", None)
                if role in SYSTEM_ROLES and (found := _said(message)[0]):
                    break
            if found:
                break
        self._system = found or (self._told.system if self._told is not None else "")
        return self._system

    def settle(self, most: int) -> bool:
        """Keep no more than answer and system message, for a look after the call; False, and nothing done, when they have more than `most` characters."""
        if len(self.answer or "") + len(self.system) > most:
            return False
        self._messages, self._told, self._query = (), None, ""
        return True


def _get(message: Any, key: str) -> Any:
    return message.get(key) if isinstance(message, dict) else getattr(message, key, None)


def _said(message: Any) -> tuple[str, bool]:
    """The text of a message, and whether it asks for tools; it runs in the thread of every call."""
    if isinstance(message, dict):
        return _spoken(message.get("parts"), message.get("content"))
    try:  # nearly every message of util-genai is one part of text: to ask it for what it has not is what costs
        (part,) = message.parts
        if part.type == "text" and part.content.__class__ is str:
            return part.content, False
    except (AttributeError, TypeError, ValueError):
        pass
    return _spoken(getattr(message, "parts", None), getattr(message, "content", None))


def _spoken(parts: Any, content: Any = None) -> tuple[str, bool]:
    """The text of parts, or of a content that is a text, and whether they ask for tools."""
    texts, tools, kind = [], False, None
    for part in parts if isinstance(parts, _LISTS) else ():
        if isinstance(part, str):
            texts.append(part)
            continue
        found: Any = None
        if isinstance(part, dict):
            kind, found = part.get("type"), part.get("content")
        else:
            kind, found = getattr(part, "type", None), getattr(part, "content", None)
        if kind in _TEXTS:
            if found and isinstance(found, str):
                texts.append(found)
        elif kind in _TOOL_CALLS:
            tools = True
    text = content if isinstance(content, str) else texts[0] if len(texts) == 1 else "\n".join(texts)
    return text, tools


def template(system: str) -> str:
    """A name for an unnamed prompt: `system:` and 12 hex digits of the system message's SHA-256."""
    return "system:" + hashlib.sha256(system.encode("utf-8", "surrogatepass")).hexdigest()[:12] if system else ""


def short(text: str) -> str:
    """A name as it is kept: at most 256 characters, all of them encodable; what an application gives as a name may be a document."""
    return text if len(text) <= NAME and text.isascii() else encodable(text[:NAME])


encodable = mended
"""Text without halves of surrogate pairs: one in a span's name makes the exporter lose its whole batch."""
