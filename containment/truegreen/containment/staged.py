"""The application's side of a staged rollout: which version a call uses, and which calls are mirrored."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from truegreen.containment import flags
from truegreen.containment.model import ROLLOUT, Choice
from truegreen.instrumentation import failures

WRITE = '{"component": "model", "to": VERSION, "percent": 5, "shadow": 0}'


def rollout(component: str, current: str, key: str) -> Choice:
    """Which version of a component this call uses while flag `rollout` brings in another one.

    A key stays with its version: who is in at 5 % is in at 20 %. Another rollout takes other keys first.

    Args:
        component: `model`, `prompt` or `guardrail`.
        current: the version in use.
        key: the session or user; an empty one always has `current` and is never mirrored.
    """
    try:
        found = _of(component)
        if found is None or not key or found["to"] == current:
            return Choice(current)
        to, percent, mirrored = found["to"], found["percent"], found["shadow"]
        if place(component, to, key) < percent:
            return Choice(to, candidate=to)
        return Choice(current, place(f"{component} shadow", to, key) < mirrored, to)
    except Exception as error:
        failures.count("rollout", error)
        return Choice(current)


def place(component: str, to: str, key: str) -> float:
    """Where a key stands in a rollout, from 0 up to 100: equal for equal words, even over keys."""
    digest = sha256(f"{component}\0{to}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48 * 100


def _of(component: str) -> dict[str, Any] | None:
    """The rollout of this component; None while there is none, and where the flag's value is not one, which is said once."""
    value = flags.string(ROLLOUT).strip()
    if not value:
        return None
    try:
        found = json.loads(value)
        whole = {"shadow": 0, "percent": 0, **found}
        right = isinstance(whole["component"], str) and isinstance(whole["to"], str) and whole["to"] != ""
        right = right and all(_share(whole[part]) for part in ("percent", "shadow"))
    except (ValueError, TypeError, KeyError, RecursionError):
        right, whole = False, {}
    if not right:
        flags.nonsense(ROLLOUT, value, WRITE)
        return None
    return whole if whole["component"] == component else None


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
