"""Lets a prompt cache go when a rollback has moved a prompt: the SDK would use what it holds for a minute more."""

from __future__ import annotations

from typing import Protocol, TypeVar

from truegreen.containment import flags
from truegreen.containment.model import PROMPTS_MOVED
from truegreen.instrumentation import failures
from truegreen.instrumentation.locks import Lock


class Cached(Protocol):
    """A client that keeps prompts, such as Langfuse's."""

    def clear_prompt_cache(self) -> None:
        """Forget all prompts."""


C = TypeVar("C", bound=Cached)

_lock = Lock()
_seen: dict[str, str] = {}


def fresh(client: C, project: str = "") -> C:
    """The client, its prompt cache emptied once for each moment that flag `prompts_moved` names: `fresh(langfuse).get_prompt("support")`.

    The first `get_prompt` after that asks the server and waits for it; its own `fallback` is for a server that does not answer.

    Args:
        client: Langfuse's, or another with `clear_prompt_cache`.
        project: a word for each project, where one process has clients of several; clients of one project share a cache.
    """
    moved = flags.string(PROMPTS_MOVED).strip()
    if not moved:
        return client
    with _lock:
        if _seen.get(project) == moved:
            return client
        _seen[project] = moved
    try:
        client.clear_prompt_cache()
    except Exception as error:
        failures.count("prompt cache", error)
    return client
