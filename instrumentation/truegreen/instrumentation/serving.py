"""Which versions serve a call: the snapshot attributes of a span, and the name of its prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.instrumentation.model import State
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.snapshot import Snapshots

Read = Callable[[str], Any]
"""A normalised field of the span to its value."""


def nothing(_: str) -> None:
    """The fields of a span that has no dialect."""


class Serving:
    """Puts together what the configuration, the code and the span itself say about versions."""

    def __init__(self, settings: Settings, snapshots: Snapshots) -> None:
        self._settings = settings
        self._snapshots = snapshots

    def attributes(self, state: State, read: Read = nothing) -> Mapping[str, Any]:
        """Snapshot attributes; the model is what was served, else what was served last for the name asked for, else that name."""
        versions = {**self._settings.snapshot, **state.versions}
        prompt = self.prompt(state, read)
        if prompt:
            versions.setdefault("prompt", prompt)
        if "model" not in versions and read("operation") in names.LLM_OPERATIONS:
            model = self._snapshots.served(read("request_model") or "", read("response_model") or "")
            versions.update({"model": model} if model else {})
        return self._snapshots.attributes(versions)

    def prompt(self, state: State, read: Read) -> str:
        """The prompt of a call: as the code or the configuration says, else as the span does."""
        told = state.versions.get("prompt") or self._settings.snapshot.get("prompt")
        if told:
            return told
        name, version = read("prompt_name"), read("prompt_version")
        return f"{name}@{version}" if name and version else name or read("prompt_template") or ""
