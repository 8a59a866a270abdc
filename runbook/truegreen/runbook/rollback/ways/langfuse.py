"""A prompt in Langfuse: the label `production` moves to another of its versions."""

from __future__ import annotations

from typing import Final

from truegreen.core.clients import langfuse
from truegreen.core.clients.http import NOT_FOUND, HttpFailed, Server
from truegreen.core.errors import BadInput
from truegreen.runbook.rollback.model import Kind, Place


def current(place: Place) -> str:
    """The version that has the label."""
    try:
        return str(langfuse.get_prompt(_server(place), place.name).version)
    except HttpFailed as error:
        if error.status != NOT_FOUND:
            raise
        return ""


def versions(place: Place) -> tuple[str, ...]:
    """All versions of the prompt, oldest first.

    Raises:
        BadInput: Langfuse has no prompt of that name.
    """
    listed = langfuse.list_prompts(_server(place), place.name)
    found = next((one for one in listed if one.name == place.name), None)
    if found is None:
        raise BadInput(
            f"Langfuse has no prompt {place.name!r}: check the name, and that the keys are of its project (--name P, or incidents.prompt)"
        )
    return tuple(str(number) for number in found.versions)


def ready(place: Place, to: str) -> str:
    """The keys are known and the prompt is there; whether they may write shows only when they do."""
    there = versions(place)
    now = current(place)
    if to:
        langfuse.get_prompt(_server(place), place.name, version=int(to))
    return f"Langfuse has {place.name} with {len(there)} versions, {langfuse.PRODUCTION} on {now or 'none'}"


def move(place: Place, to: str, _: str) -> None:
    """Give the version the label; its other labels stay."""
    server = _server(place)
    wanted = langfuse.get_prompt(server, place.name, version=int(to))
    kept = [label for label in wanted.labels if label not in (langfuse.RESERVED, langfuse.PRODUCTION)]
    langfuse.set_labels(server, place.name, wanted.version, [*kept, langfuse.PRODUCTION])


def _server(place: Place) -> Server:
    return langfuse.connect(place.way.url or None, environ=place.environ)


KIND: Final = Kind(current, versions, ready, move)
