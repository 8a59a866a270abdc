"""The lock file of models: the pin of a model goes back to another version, with the evidence that the file has of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets import keeping, pinning
from truegreen.runbook.rollback.model import Kind, Place


def current(place: Place) -> str:
    """The version that the model is pinned to, empty where it is not.

    Raises:
        BadInput: it is no lock file, or the name is of more than one provider's model.
    """
    found = _pin(place, pinning.load(_path(place))[0])
    return str(found["version"]) if found else ""


def versions(_: Place) -> None:
    """A provider has more than the file has seen."""
    return


def validated(place: Place, to: str) -> bool:
    """Whether the file has a passing run of that version."""
    models, history = pinning.load(_path(place))
    return any(one["version"] == to and one["evidence"] for one in _of(place, (*models, *history)))


def ready(place: Place, _: str) -> str:
    """The file is whole and can be written."""
    path, now = _path(place), current(place)
    models, history = pinning.load(path)
    if not _of(place, (*models, *history)):
        known = ", ".join(f"{one['provider']}:{one['model']}" for one in models) or "nothing"
        raise BadInput(f"{path}: {place.name} was never pinned; pinned: {known} (truegreen model pin)")
    if not os.access(path.absolute().parent, os.W_OK):
        raise Failed(f"{path.parent}: cannot be written; make it writable for who rolls back")
    return f"{path}: {place.name} is {'pinned to ' + now if now else 'not pinned'}"


def move(place: Place, to: str, _: str) -> None:
    """Pin the version; what was pinned goes into the history. An empty version lets the model go."""
    path = _path(place)
    with keeping.alone(path):
        models, history = pinning.load(path)
        pin = _pin(place, models)
        known = [one for one in reversed((*history, *models)) if one in _of(place, (one,))]
        if not known:
            raise BadInput(f"{path}: {place.name} was never pinned, so nobody knows its provider; first: truegreen model pin")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        rest = [one for one in models if one is not pin]
        past = [*history, *([{**pin, "until": now}] if pin else [])]
        pinning.save(path, [*rest, _entry(known, to, now)] if to else rest, past)


def _entry(known: list[pinning.Entry], to: str, now: str) -> pinning.Entry:
    """The newest entry of that version with evidence, else one without, in the place of the newest of all."""
    same = [one for one in known if one["version"] == to]
    like = next((one for one in same if one["evidence"]), same[0] if same else {**known[0], "evidence": None})
    kept = {key: value for key, value in like.items() if key not in ("until", "let_go_by")}
    return {**kept, "version": to, "pinned": now, "reason": "rollback"}


def _pin(place: Place, models: Any) -> pinning.Entry | None:
    found = _of(place, models)
    if len(found) > 1:
        named = ", ".join(f"{one['provider']}:{one['model']}" for one in found)
        raise BadInput(f"{place.way.path}: {place.name} is pinned at more than one provider: write one of {named} as the name")
    return found[0] if found else None


def _of(place: Place, entries: Any) -> list[pinning.Entry]:
    return [one for one in entries if place.name in (one["model"], f"{one['provider']}:{one['model']}")]


def _path(place: Place) -> Path:
    return place.way.path or Path(pinning.LOCK)


KIND: Final = Kind(current, versions, ready, move, empty=True)
