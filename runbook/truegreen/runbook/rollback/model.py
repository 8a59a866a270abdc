"""What a rollback speaks of: the place of a component, the way that moves it, and what was found. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from truegreen.core.config.response import Way
from truegreen.core.errors import BadInput
from truegreen.runbook.clean import clean

LABELS: Final[Mapping[str, str]] = {
    "prompt": "prompt_version", "model": "model_version", "index": "retrieval_index_version",
    "guardrail": "guardrail_version", "tools": "tool_schema_version",
}  # fmt: skip
"""Component to the label of `truegreen_snapshot_info` that tells which version of it serves."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one component is moved.

    Args:
        component: one of `LABELS`.
        name: what moves: a prompt, an alias, a flag, a model, a file.
        environ: for keys and addresses.
        flags: the flagd file that the application reads.
        flag_command: sets a flag elsewhere in place of the file, empty where the file is used.
    """

    component: str
    way: Way
    name: str
    environ: Mapping[str, str] = field(repr=False)
    flags: Path
    flag_command: tuple[str, ...] = ()

    @property
    def blind(self) -> bool:
        """Whether only our own note tells the version: the team's flag system is set by a command, and cannot be asked."""
        return self.way.type == "flag" and bool(self.flag_command)

    def __str__(self) -> str:
        return f"{self.component} {self.name}" if self.name != self.component else self.component


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of way moves a component.

    Args:
        current: the version that is set now, empty for none; raises `BadInput` or `Failed`.
        versions: those that there are, None where nobody can list them; raises as `current`.
        ready: whether a move would work, in words, nothing changed; raises as `current`. Its version is empty where none is meant.
        move: (place, to, from); raises as `current`.
        empty: whether it can go back to no version at all.
    """

    current: Callable[[Place], str]
    versions: Callable[[Place], tuple[str, ...] | None]
    ready: Callable[[Place, str], str]
    move: Callable[[Place, str, str], None]
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Args:
        current: the version that is set now, empty for none.
        moves: false when it is the wanted one already.
        seen: whether the wanted one is known to have served or to have passed; None when that cannot be known.
        because: how that is known, or why not.
    """

    place: Place
    to: str
    current: str
    moves: bool
    seen: bool | None
    because: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether the way back of a component would work."""

    component: str
    ok: bool
    says: str


def version(option: str, text: str) -> str:
    """A version that can be handed to a server, a file system or a command.

    Raises:
        BadInput: it is empty, longer than 200 characters, has control characters, or would be an option of a command.
    """
    if not text or text != clean(text, 200) or text.startswith("-") or text != text.strip():
        raise BadInput(
            f"{option}: found {clean(text, 60)!r}, expected a version in one line of at most 200 characters that does not begin with '-'"
        )
    return text
