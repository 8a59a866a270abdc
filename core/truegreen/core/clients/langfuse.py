"""What Langfuse is asked: its prompts and their labels (the contract that the Langfuse SDK 5.0 speaks)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed

CLOUD: Final = "https://cloud.langfuse.com"
"""Where the SDK goes when no address is named."""
PRODUCTION: Final = "production"
RESERVED: Final = "latest"
HINT: Final = "start it or name another with LANGFUSE_BASE_URL"
PROMPTS: Final = "/api/public/v2/prompts"
_PAGE: Final = 100
_SAID: Final = {
    401: "the keys are not known there: check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and that they belong to this address",
    403: "the keys may not do this: use keys of the prompt's project",
    409: "another change was made at the same time: look at the labels and try again",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt; `kind` is `text` (`body` is a string) or `chat` (a list of messages)."""

    name: str
    version: int
    kind: str
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    message: str
    body: Any = field(repr=False)
    config: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """One prompt of the list: its versions, oldest first, and every label in use."""

    name: str
    kind: str
    versions: tuple[int, ...]
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    updated: str


def connect(
    url: str | None = None, public_key: str | None = None, secret_key: str | None = None, environ: Mapping[str, str] = os.environ
) -> Server:
    """The Langfuse at `url`.

    What is not given comes from LANGFUSE_BASE_URL or LANGFUSE_HOST, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY (each key also
    from the file that its name with _FILE names), as in the SDK.

    Raises:
        BadInput: a key is missing.
    """
    address = url or environ.get("LANGFUSE_BASE_URL") or environ.get("LANGFUSE_HOST") or CLOUD
    keys = []
    for name, given in (("LANGFUSE_PUBLIC_KEY", public_key), ("LANGFUSE_SECRET_KEY", secret_key)):
        key = given or http.secret(name, environ)
        if not key:
            raise BadInput(f"Langfuse wants keys and {name} is not set: set it, or {name}_FILE to a file that has it")
        keys.append(key)
    return Server("Langfuse", address, HINT, auth=(keys[0], keys[1]))


def get_prompt(server: Server, name: str, *, label: str | None = None, version: int | None = None) -> Prompt:
    """The version that has `label` (default `production`), or `version`.

    Raises:
        BadInput: both are given.
        Failed: no such prompt or version, keys refused, or Langfuse does not answer.
    """
    if label is not None and version is not None:
        raise BadInput(f"prompt {name!r} is asked for by label {label!r} and by version {version}; name one of them")
    params = [("version", str(version))] if version is not None else [("label", label or PRODUCTION)]
    path = _path(name)
    what = f"version {version}" if version is not None else f"a version with label {label or PRODUCTION!r}"
    try:
        answer = http.get(server, path, params)
    except http.HttpFailed as error:
        raise _explained(server, error, f"prompt {name!r} with {what}") from None
    return http.shaped(server, path, answer, _prompt)


def list_prompts(server: Server, name: str | None = None) -> list[Listed]:
    """Every prompt, or the one of that name (an empty list when there is none); raises as `get_prompt`."""
    found: list[Listed] = []
    page = 1
    while True:
        params = [("page", str(page)), ("limit", str(_PAGE)), *([("name", name)] if name else [])]
        try:
            answer = http.get(server, PROMPTS, params)
        except http.HttpFailed as error:
            raise _explained(server, error, "its list of prompts") from None
        more, pages = http.shaped(server, PROMPTS, answer, _page)
        found += more
        page += 1
        if page > pages or not more:
            return found


def set_labels(server: Server, name: str, version: int, labels: Sequence[str]) -> Prompt:
    """Give `version` these labels; Langfuse takes each away from the version that had it. Returns the version as it is then.

    Sent again on a lost connection and on 429, 502, 503 and 504 (with the server's Retry-After): the same labels twice change nothing.

    Raises:
        BadInput: `labels` has the reserved `latest`.
        Failed: as `get_prompt`.
    """
    if RESERVED in labels:
        raise BadInput(f"label {RESERVED!r} is Langfuse's own and marks the newest version; give another label")
    path = f"{_path(name)}/versions/{version}"
    try:
        answer = http.send(server, "PATCH", path, {"newLabels": list(labels)}, tries=http.TRIES)
    except http.HttpFailed as error:
        raise _explained(server, error, f"prompt {name!r} with version {version}") from None
    return http.shaped(server, path, answer, _prompt)


def _path(name: str) -> str:
    return f"{PROMPTS}/{quote(name, safe='')}"  # A folder is part of the name: `support/answer` is one path segment.


def _explained(server: Server, error: http.HttpFailed, what: str) -> Failed:
    where = http.bare(server.url)
    if error.status == http.NOT_FOUND:
        return http.HttpFailed(
            f"Langfuse at {where} has no {what}: check the name, and that the keys are of its project", error.status
        )
    if error.status in _SAID:
        return http.HttpFailed(f"Langfuse at {where} answered {error.status} for {what}: {_SAID[error.status]}", error.status)
    return error


def _page(answer: Any) -> tuple[list[Listed], int]:
    pages = int(answer.get("meta", {}).get("totalPages", 1))
    return [_listed(item) for item in answer["data"]], pages


def _listed(item: Any) -> Listed:
    return Listed(
        name=str(item["name"]),
        kind=str(item.get("type", "text")),
        versions=tuple(sorted(int(version) for version in item["versions"])),
        labels=tuple(item["labels"]),
        tags=tuple(item.get("tags") or ()),
        updated=str(item.get("lastUpdatedAt", "")),
    )


def _prompt(answer: Any) -> Prompt:
    return Prompt(
        name=str(answer["name"]),
        version=int(answer["version"]),
        kind=str(answer.get("type", "text")),
        labels=tuple(answer["labels"]),
        tags=tuple(answer.get("tags") or ()),
        message=str(answer.get("commitMessage") or ""),
        body=answer["prompt"],
        config=answer.get("config"),
    )
