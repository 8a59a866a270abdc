"""What serves right now: the versions of the seven components, and one id over the five that serve."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.core.words.calibration import canonical
from truegreen.core.words.terms import SERVING_COMPONENTS
from truegreen.instrumentation import context, failures, notices
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.text import template

KEPT = 1_000
NAME_CHARACTERS, NAME_WORDS = 128, 8
"""What is longer than this is a prompt's text and not its name."""


@contextmanager
def use(
    *,
    prompt: Any = None,
    model: str | None = None,
    retrieval_index: str | None = None,
    tool_schema: str | None = None,
    eval_dataset: str | None = None,
    guardrail: str | None = None,
    provider_changelog: str | None = None,
) -> Iterator[None]:
    """Say which versions serve inside the block; what is not given stays as the configuration or an outer block says.

    Args:
        prompt: `name@version`, or an object with `name` and `version` such as a Langfuse prompt; never the prompt's text.
        model: a version of the model; by default the model that the provider says it served.
    """
    try:
        given = {
            "prompt": version_of(prompt), "model": model, "retrieval_index": retrieval_index, "tool_schema": tool_schema,
            "eval_dataset": eval_dataset, "guardrail": guardrail, "provider_changelog": provider_changelog,
        }  # fmt: skip
        versions = {component: str(version) for component, version in given.items() if version}
    except Exception as error:
        failures.count("snapshot.use", error)
        versions = {}
    with context.carry(versions_=versions):
        yield


def version_of(prompt: Any) -> str:
    """`name@version` of a prompt: a string as it is, an object by its `name` and `version`, empty for None.

    What is no name but the prompt's own text (a line break, over 128 characters or over 8 words) is hashed, with a notice.
    """
    if prompt is None or isinstance(prompt, str):
        said = prompt or ""
    else:
        name, version = getattr(prompt, "name", None), getattr(prompt, "version", None)
        said = f"{name}@{version}" if name and version is not None else str(name or "")
    if len(said) <= NAME_CHARACTERS and len(said.split()) <= NAME_WORDS and len(said.splitlines()) < 2:
        return said
    notices.once("prompt text", "snapshot.use(prompt=...) was given a prompt's text and keeps its hash only: give `name@version`")
    return template(said)


def digest(versions: Mapping[str, str]) -> str:
    """12 hex digits of SHA-256 over the canonical JSON of the five serving components, absent ones as empty text."""
    serving = {component: versions.get(component, "") for component in SERVING_COMPONENTS}
    return hashlib.sha256(canonical(serving).encode()).hexdigest()[:12]


class Snapshots:
    """The snapshots that this process has served, with the time at which it first did.

    Args:
        clock: unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._made: OrderedDict[tuple[tuple[str, str], ...], Mapping[str, str | int]] = OrderedDict()
        self._served: OrderedDict[str, str] = OrderedDict()
        self._since: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def served(self, asked: str, served: str = "") -> str:
        """The model that answers for `asked`: the one named now, else the last one that was, else `asked` itself."""
        with self._lock:
            if served and asked:
                self._served[asked] = served
                _bound(self._served)
            return served or self._served.get(asked, asked)

    def attributes(self, versions: Mapping[str, str]) -> Mapping[str, str | int]:
        """The attributes of a snapshot; without a model only the versions, for a span that calls no model serves no snapshot."""
        key = tuple(sorted(versions.items()))
        with self._lock:
            made = self._made.get(key)
        if made is not None:
            return made
        found: dict[str, str | int] = {names.version_of(component): version for component, version in key}
        identity, now = digest(versions) if versions.get("model") else "", int(self._clock())
        with self._lock:
            if identity:
                found[names.SNAPSHOT_ID] = identity
                found[names.SNAPSHOT_SINCE] = self._since.setdefault(identity, now)
                _bound(self._since)
            self._made[key] = found
            _bound(self._made)
        return found


def _bound(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)
