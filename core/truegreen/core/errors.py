"""The two ways in which a command ends without a result."""

from __future__ import annotations

from collections.abc import Mapping


class BadInput(Exception):
    """What the user gave cannot be used (exit code 2): says where, what was found and what to write instead."""


class Failed(Exception):
    """The command worked and the answer is no, or something it needs failed (exit code 1).

    Args:
        facts: what `--json` says beside the error: what stands all the same.
    """

    def __init__(self, message: str, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.facts = facts or {}
