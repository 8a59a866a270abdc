"""Lets a prompt cache go when a rollback has moved a prompt: the SDK would use what it holds for a minute more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from truegreen.containment import flags
from truegreen.containment.model import PROMPTS_MOVED
from truegreen.instrumentation import failures
from truegreen.instrumentation.locks import Lock

SETTLES_SECONDS = 10.0
"""Twice the time-out of Langfuse's SDK: no fetch that began before the prompt was moved can still come in and be kept."""


class Cached(Protocol):
    """A client that keeps prompts, such as Langfuse's."""

    def clear_prompt_cache(self) -> None:
        """Forget all prompts."""


class Seen(NamedTuple):
    """A moment of the flag, and until when (seconds of the clock) an older fetch may come in; None when the last of them is over."""

    moved: str
    until: float | None


C = TypeVar("C", bound=Cached)

_lock = Lock()
_seen: dict[str, Seen] = {}


def fresh(client: C, project: str = "", *, settles: float = SETTLES_SECONDS, clock: Callable[[], float] = time.monotonic) -> C:
    """The client, its prompt cache emptied for each moment that flag `prompts_moved` names: `fresh(langfuse).get_prompt("support")`.

    A fetch that was under way, in another thread or the SDK's own, would put the old prompt back. So the cache is emptied at each use for
    the first `settles` seconds, and once after them. `get_prompt` asks the server then and waits for it; its own `fallback` is for a server
    that does not answer.

    Args:
        client: Langfuse's, or another with `clear_prompt_cache`.
        project: a word for each project, where one process has clients of several; clients of one project share a cache.
        settles: seconds that a fetch may take, more than the client's time-out.
        clock: seconds that only rise.
    """
    moved = flags.string(PROMPTS_MOVED).strip()
    if not moved:
        return client
    with _lock:  # also while it is emptied: another thread would take what is in it
        now = clock()
        seen = _seen.get(project)
        if seen is None or seen.moved != moved:
            seen = Seen(moved, now + settles)
        if seen.until is None:
            return client
        try:
            client.clear_prompt_cache()
            _seen[project] = seen if now < seen.until else Seen(moved, None)
        except Exception as error:
            failures.count("prompt cache", error)
    return client
