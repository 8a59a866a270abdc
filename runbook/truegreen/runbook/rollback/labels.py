"""A version to what spans say of it: the labels of `truegreen_snapshot_info`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from truegreen.runbook.rollback.model import LABELS, Place
from truegreen.runbook.watch import OTHER, Key

OLD: Final = "the version wanted"
KINDS: Final = (OLD,)
COMPONENTS: Final = {
    "prompt": "prompt", "model": "model", "index": "retrieval_index", "guardrail": "guardrail", "tools": "tool_schema",
}  # fmt: skip
"""Component to its name in a triage's changes."""


def is_version(place: Place, label: str, version: str) -> bool:
    """Whether a label of the component speaks of that version.

    A prompt is `name@version`, an index `alias@index#label` or `index@version`, everything else the version itself or `name@version`.
    """
    if not label or not version:
        return False
    same = {version, PurePath(version).stem} if place.way.type == "folder" else {version}
    if label in same:
        return True
    if place.component == "prompt":
        head, _, tail = label.rpartition("@")
        return head == place.name and tail in same
    return any(part in same for part in re.split("[@#]", label))


def version_in(place: Place, label: str) -> str:
    """The version that a label names, empty where it is another thing's."""
    head, at, tail = label.rpartition("@")
    if place.component == "prompt":
        return tail if head == place.name else ""
    if place.component != "index" or not at:
        return label
    return tail.partition("#")[0] if head == place.name else head


def classifier(place: Place, version: str, old: str) -> Callable[[Key], str]:
    """Tells answers of the version wanted from those of others of the same thing; what else the service uses is not looked at.

    Args:
        old: the version that was set before; empty: unknown, then every other one is another of the same thing.
    """

    def classify(key: Key) -> str:
        label = str(key[1])
        if is_version(place, label, version):
            return OLD
        if not label:
            return "ignored"
        if place.component == "prompt" and "@" in label:
            return OTHER if label.rpartition("@")[0] == place.name else "ignored"
        return OTHER if not old or is_version(place, label, old) else "ignored"

    return classify


def label_of(place: Place) -> str:
    """The label that tells which version of the component serves."""
    return LABELS[place.component]
