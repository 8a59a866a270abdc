"""Puts a question to a live endpoint: the OpenAI contract, or any JSON over HTTP by a template; or to what was recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.shapes import ReplayRecord
from truegreen.evaluation.evalsets.model import Answer, Case
from truegreen.evaluation.plain import plain

TIMEOUT: Final = 60.0
"""Seconds for one answer."""
BYTES: Final = 1_000_000
"""A longer answer is none."""
NAME: Final = 128
"""So many characters of a model's name are kept."""
CHAT: Final = "/chat/completions"
HINT: Final = "start it or name another with --endpoint"
QUERY, CONTEXT, MODEL = "{query}", "{context}", "{model}"
_ENDLESS: Final = 1e12
_TEMPLATE: Final = ("path", "body", "answer", "passages", "model", "tokens")
Ask = Callable[[Case], Answer]
"""Raises `Failed` when there is no answer."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a plain HTTP endpoint is asked, and where its JSON has what (JSON pointers, RFC 6901; empty: nowhere).

    Args:
        body: JSON; a text `{query}` or `{model}` in it is filled, and a value that is `{context}` alone becomes the list of passages.
        passages: of a list of texts, or of objects with `text`.
    """

    body: Any
    answer: str
    path: str = ""
    passages: str = ""
    model: str = ""
    tokens: str = ""

    @property
    def asks_for_model(self) -> bool:
        """Whether a request names the model."""
        return MODEL in json.dumps(self.body)


@dataclass(frozen=True, slots=True)
class Chat:
    """How a chat is asked.

    Args:
        system: the system message; empty: none.
        parameters: of the request; None takes one away. `temperature` is 0 unless it says otherwise.
    """

    model: str
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


def chat(url: str, token: str | None, told: Chat, clock: Callable[[], float] = time.monotonic, timeout: float = TIMEOUT) -> Ask:
    """Asks an endpoint of the OpenAI contract (`POST …/chat/completions`): one user message, after the system message where there is one.

    A lost connection, 429, 502, 503 and 504 are tried again, twice, as Retry-After says.

    Args:
        url: the base address; without a path, `/v1` is added.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix(CHAT) or ("" if parts.path.rstrip("/").endswith(CHAT) else "/v1")
    server = Server(
        "the endpoint", urlunsplit((parts.scheme, parts.netloc, path, "", "")), HINT, token=token, timeout=timeout, most=BYTES
    )

    def ask(case: Case) -> Answer:
        body = {"model": told.model, "messages": messages(case, told.system), "temperature": 0, **told.parameters}
        began = clock()
        given = http.send(server, "POST", CHAT, {key: value for key, value in body.items() if value is not None}, http.TRIES)
        seconds = clock() - began
        return http.shaped(server, CHAT, given, lambda found: _of_chat(found, seconds))

    return ask


def templated(
    url: str,
    token: str | None,
    template: Template,
    model: str = "",
    clock: Callable[[], float] = time.monotonic,
    timeout: float = TIMEOUT,
) -> Ask:
    """Asks any endpoint that takes and gives JSON; retries as `chat`."""
    server = Server("the endpoint", url, HINT, token=token, timeout=timeout, most=BYTES)

    def ask(case: Case) -> Answer:
        began = clock()
        given = http.send(server, "POST", template.path, filled(template.body, case, model), http.TRIES)
        seconds = clock() - began
        return http.shaped(server, template.path, given, lambda found: _of_template(found, template, seconds))

    return ask


def recorded(records: Iterable[ReplayRecord]) -> Ask:
    """Answers from what was recorded: the record with the case's id, else the first one with its question."""
    by_id: dict[str, ReplayRecord] = {}
    by_query: dict[str, ReplayRecord] = {}
    for record in records:
        by_query.setdefault(record.query, record)
        if record.id:
            by_id.setdefault(record.id, record)

    def ask(case: Case) -> Answer:
        found = by_id.get(case.id) or by_query.get(case.query)
        if found is None:
            raise Failed("no recorded answer has this id or this question")
        return Answer(found.answer, plain(found.model, NAME), passages=found.context or None)

    return ask


def messages(case: Case, system: str = "") -> list[dict[str, str]]:
    """The messages of one case in the OpenAI contract; where it brings passages, they are numbered and stand before the question."""
    passages = "\n\n".join(f"[{at}] {passage}" for at, passage in enumerate(case.context, start=1))
    text = f"Answer from these passages.\n\n{passages}\n\nQuestion: {case.query}" if passages else case.query
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]


def filled(body: Any, case: Case, model: str = "") -> Any:
    """The body of a request with the case in it."""
    if isinstance(body, Mapping):
        return {key: filled(value, case, model) for key, value in body.items()}
    if isinstance(body, list):
        return [filled(value, case, model) for value in body]
    if body == CONTEXT:
        return list(case.context)
    return body.replace(MODEL, model).replace(QUERY, case.query) if isinstance(body, str) else body


def read_template(path: Path) -> Template:
    """The template in a JSON file; raises `BadInput` where it is none."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}:{getattr(error, 'lineno', 1)}: found no JSON; write an object with body and answer") from None
    if not isinstance(data, dict) or not {"body", "answer"} <= set(data) or not set(data) <= set(_TEMPLATE):
        raise BadInput(f"{path}:1: found another shape; write an object with body and answer, and {', '.join(_TEMPLATE)} alone")
    if QUERY not in json.dumps(data["body"]):
        raise BadInput(f"{path}: body: found no {QUERY}; write it where the question belongs")
    for key in _TEMPLATE:
        if key != "body" and key in data and not (isinstance(data[key], str) and (not data[key] or data[key].startswith("/"))):
            raise BadInput(
                f"{path}: {key}: found no text that begins with /; write a path or a JSON pointer such as /choices/0/text"
            )
    return Template(**data)


def pointed(value: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) points to; raises KeyError, IndexError, TypeError or ValueError where there is nothing."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def _of_chat(found: Any, seconds: float) -> Answer:
    choice = found["choices"][0]
    said = choice["message"]
    content = said.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    used = found.get("usage") or {}
    finish = choice.get("finish_reason")
    return Answer(
        str(content if content is not None else said.get("refusal") or ""), plain(str(found.get("model") or ""), NAME),
        _count(used.get("total_tokens")), seconds, finish=(str(finish),) if finish else (),
    )  # fmt: skip


def _of_template(found: Any, template: Template, seconds: float) -> Answer:
    def at(pointer: str, otherwise: Any) -> Any:
        return pointed(found, pointer) if pointer else otherwise

    text, passages = at(template.answer, ""), at(template.passages, None)
    if not isinstance(text, str):
        raise TypeError(template.answer)
    return Answer(
        text, plain(str(at(template.model, "")), NAME), _count(at(template.tokens, 0)), seconds,
        None if passages is None else _texts(passages),
    )  # fmt: skip


def _count(value: Any) -> int:
    """A number of tokens; 0 for what is none, so that no endpoint gives back what was spent."""
    return int(value) if isinstance(value, int | float) and 0 <= value < _ENDLESS else 0


def _texts(passages: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(one["text"]) if isinstance(one, Mapping) else str(one) for one in passages)
