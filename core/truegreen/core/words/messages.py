"""Messages and documents of any library in one form.

A message is `{"role", "parts"}` as the GenAI conventions have it; a part is a text `{"type": "text", "content"}`, a call
`{"type": "tool_call", "id", "name", "arguments"}`, a result `{"type": "tool_call_response", "id", "response"}`, or what else was written, as it
was. A message that holds nothing but results has the role `tool`. A document is `{"id", "score", "text"}`, without what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from truegreen.core.words.view import data, mended, number

TEXT, CALL, RESULT = "text", "tool_call", "tool_call_response"
SYSTEM_ROLES: Final = ("system", "developer")
_ROLES: Final = {"human": "user", "ai": "assistant", "model": "assistant", "unknown": "assistant", "AIMessageChunk": "assistant"}
_TEXTS: Final = (TEXT, "output_text", "input_text", None)
_WRAPPED: Final = ("messages", "choices", "output", "input", "contents")
"""Keys under which an API's request or response holds its messages."""


def messages(value: Any, role: str) -> list[dict[str, Any]] | None:
    """Messages in the normal form, None where there are none.

    Args:
        value: a text, one message, a list of them, or a request or response that holds them.
        role: whose a bare text is.
    """
    if isinstance(value, str):
        return [{"role": role, "parts": [_text(value)]}] if value else None
    if isinstance(value, Mapping):
        return next((messages(value[key], role) for key in _WRAPPED if value.get(key) is not None), None) or _several(
            (value,), role
        )
    return _several(value, role) if isinstance(value, list | tuple) else None


def system(value: Any, role: str) -> list[dict[str, Any]] | None:
    """The parts of the system's messages; a list of parts is one message of `role`."""
    if isinstance(value, list | tuple) and value and not any(isinstance(item, Mapping) and "role" in item for item in value):
        return _parts(value) or None
    told = value.get("instructions") if isinstance(value, Mapping) else None
    if isinstance(told, str) and told:
        return [_text(told)]
    found = messages(value, role) or ()
    return [part for message in found if message["role"] in SYSTEM_ROLES for part in message["parts"]] or None


def documents(value: Any) -> list[dict[str, Any]] | None:
    """Documents in the normal form, from a list of texts or of mappings; an empty list is an empty result."""
    if not isinstance(value, list | tuple):
        return None
    return [_document(item) for item in value]


def of_indexed(flat: Mapping[str, Any]) -> dict[str, Any]:
    """A message or document of OpenInference from its attributes, without what comes up to the index: `message.role`, `document.content`."""
    made: dict[str, Any] = {}
    lists: dict[str, dict[int, dict[str, Any]]] = {}
    for key, value in flat.items():
        name = key.partition(".")[2]  # `message.` or `document.`
        kind, _, rest = name.partition(".")
        index, _, inner = rest.partition(".")
        if kind in ("tool_calls", "contents") and index.isdecimal():
            lists.setdefault(kind, {}).setdefault(int(index), {})[inner.partition(".")[2]] = value
        else:
            made[name] = value
    for kind, found in lists.items():
        ordered = [found[i] for i in sorted(found)]
        if kind == "tool_calls":
            made[kind] = [
                {"id": c.get("id"), "name": c.get("function.name"), "arguments": c.get("function.arguments")} for c in ordered
            ]
        else:
            made["content"] = [{"type": c.get("type"), TEXT: c.get("text")} for c in ordered]
    return made


def _several(items: Iterable[Any], role: str) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, str):
            found.append({"role": role, "parts": [_text(item)]})
        elif isinstance(item, list | tuple) and not (len(item) == 2 and all(isinstance(part, str) for part in item)):
            found += _several(item, role) or ()
        elif (made := _message(item, role)) is not None:
            found.append(made)
    return found or None


def _message(item: Any, role: str) -> dict[str, Any] | None:
    if isinstance(item, list | tuple):  # LangChain's ("user", "text")
        return {"role": _ROLES.get(item[0], item[0]), "parts": [_text(item[1])]}
    if not isinstance(item, Mapping):
        return None
    inner = item.get("message") or item.get("kwargs") or item.get("data")
    if isinstance(inner, Mapping):
        return _message(inner, role)
    kind = item.get("role") or item.get("type")
    kind = _ROLES.get(kind, kind) if isinstance(kind, str) and kind != "message" else role
    content, call = item.get("content"), item.get("tool_call_id")
    if isinstance(content, Mapping) and "function" in content:
        return None  # Langfuse writes the definition of a tool as a message
    parts = _parts(item["parts"]) if isinstance(item.get("parts"), list | tuple) else _content(content)
    if call and isinstance(call, str):
        parts = [{"type": RESULT, "id": call, "response": _joined(parts)}]
    for one in _list(item.get("tool_calls")):
        parts.append(_call(one))
    if not parts:
        return None
    if all(part.get("type") == RESULT for part in parts):
        kind = "tool"
    return {"role": kind, "parts": parts}


def _content(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [_text(content)] if content else []
    return _parts(content if isinstance(content, list | tuple) else (content,)) if content else []


def _parts(items: Iterable[Any]) -> list[dict[str, Any]]:
    return [part for part in map(_part, items) if part]


def _part(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return _text(item) if item else {}
    if not isinstance(item, Mapping):
        return {}
    kind = item.get("type")
    if kind in _TEXTS:
        content = item.get("text", item.get("content"))
        return _text(content) if isinstance(content, str) and content else {}
    if kind in (CALL, "tool_use", "function_call"):
        return _call(item)
    if kind in (RESULT, "tool_result", "function_call_output"):
        said = next((item[key] for key in ("response", "result", "content", "output") if item.get(key) is not None), None)
        identity = item.get("id") or item.get("tool_use_id") or item.get("call_id")
        return {"type": RESULT, "id": identity, "response": said if isinstance(said, str) else _joined(_content(said)) or said}
    return {key: value for key, value in item.items() if value is not None}


def _call(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return {"type": CALL, "id": None, "name": None, "arguments": item}
    function = item.get("function")
    made = function if isinstance(function, Mapping) else item
    given = next((made[key] for key in ("arguments", "args", "input") if made.get(key) is not None), None)
    return {"type": CALL, "id": item.get("call_id") or item.get("id"), "name": made.get("name"), "arguments": data(given)}


def _document(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return {"text": item} if isinstance(item, str) else {}
    inner = item.get("document")
    item = {**item, **inner} if isinstance(inner, Mapping) else item
    more = data(item.get("metadata"))
    more = more if isinstance(more, Mapping) else {}
    identity = next((v for v in (item.get("id"), more.get("id"), more.get("document_id")) if isinstance(v, str | int)), None)
    score = next((v for v in (item.get("score"), more.get("score"), more.get("relevance_score")) if number(v) is not None), None)
    text = next((v for key in ("text", "page_content", "content") if isinstance(v := item.get(key), str) and v), None)
    found = {"id": None if identity is None else str(identity), "score": score, "text": text}
    return {key: value for key, value in found.items() if value is not None}


def _text(content: Any) -> dict[str, Any]:
    return {"type": TEXT, "content": mended(content) if isinstance(content, str) else content}


def _joined(parts: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(part["content"] for part in parts if part.get("type") == TEXT and isinstance(part.get("content"), str))


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()
