"""The flagd file, changed one switch at a time: what else a team keeps in it stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from truegreen.containment.document import document, read
from truegreen.containment.model import FLAGS
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import argv, freeze
from truegreen.runbook.times import iso

WAIT: Final = 30.0
"""Seconds to wait for another command that holds the flag file."""


class Unanswered(Failed):
    """The team's own flag system gave no answer: the flag may have changed or not."""


@dataclass(frozen=True, slots=True)
class Switch:
    """How a flag stands; `expires` is unix seconds, None when it does not expire or is off."""

    value: str
    expires: float | None


def load(path: Path) -> Mapping[str, Any]:
    """The document; an empty one when there is no file yet.

    Raises:
        BadInput: it is not a flagd document.
        Failed: it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return document({})
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path}: cannot be read: {error}") from None
    try:
        data = json.loads(text)
        read(data)
    except ValueError as error:
        raise BadInput(f"{path}: is not a flagd document: {error}") from None
    checked: Mapping[str, Any] = data
    return checked


def state(data: Mapping[str, Any], flag: str) -> Switch:
    """How one flag stands."""
    metadata = data["flags"].get(flag, {}).get("metadata", {})
    expires = metadata.get("expires_unix") if isinstance(metadata, Mapping) else None
    value = read(data).get(flag, "")
    return Switch(value, float(expires) if value and isinstance(expires, int | float) else None)


def turned(data: Mapping[str, Any], flag: str, to: Switch) -> Mapping[str, Any]:
    """The document with one flag at another value; an expiry is kept in the flag's metadata, for flagd has none of its own."""
    made = dict(document({flag: to.value})["flags"][flag])
    if to.expires is not None and to.value:
        made["metadata"] = {"expires": iso(to.expires), "expires_unix": to.expires}
    return {**data, "flags": {**data["flags"], flag: made}}


def evidence(content: bytes) -> Mapping[str, Any]:
    """What of the file is evidence: our own flags, and the SHA-256 of all of it. What else a team keeps in it stays there."""
    try:
        found = json.loads(content)["flags"]
        ours: Any = {name: found[name] for name in sorted(FLAGS) if name in found}
    except (ValueError, TypeError, KeyError):
        ours = "not a flagd document"
    return {"sha256": hashlib.sha256(content).hexdigest(), "flags": ours}


def save(path: Path, data: Mapping[str, Any]) -> None:
    """Write the file in one step.

    Raises:
        Failed: it cannot be written; the old one is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        freeze.replace(path, _written(data))
    except OSError as error:
        raise Failed(f"{path}: the switch cannot be written: {error.strerror or error}; nothing was changed") from None


def _written(data: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can hold as an escape alone
        return (json.dumps(data, indent=1) + "\n").encode()


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else changes the flag file meanwhile; a process that is killed lets go of it.

    Raises:
        Failed: another command holds it, or it cannot be locked.
    """
    try:
        path = Path(os.path.realpath(path))  # who comes by a link waits too
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=WAIT)
        lock.acquire()
    except Timeout:
        raise Failed(f"{path}: another command has held it for {WAIT:g} s; nothing was changed, try again") from None
    except OSError as error:
        raise Failed(f"{path}: cannot be locked: {error.strerror or error}; nothing was changed") from None
    try:
        yield
    finally:
        lock.release()


def put(path: Path, command: Sequence[str], flag: str, to: Switch) -> None:
    """Set one flag: in the file, or by the team's command where there is one.

    Raises:
        BadInput: the file is no flagd document, or a value would become an option of the command.
        Failed: it cannot be set; it is as it was.
        Unanswered: the command did not end in time.
    """
    if command:
        ran(elsewhere(command, flag, to), "containment.command", flag)
    else:
        save(path, turned(load(path), flag, to))


def elsewhere(command: Sequence[str], flag: str, to: Switch) -> list[str]:
    """The arguments that set a flag in another system; raises `BadInput` where a value would become an option."""
    values = {"flag": flag, "value": to.value, "expires": iso(to.expires) if to.value and to.expires is not None else ""}
    return argv.fill(command, values, "containment.command")


def ran(command: Sequence[str], key: str, flag: str) -> None:
    """Run a command that sets a flag; `key` is where it is configured; raises as `put`."""
    ended = argv.run(command)
    if ended.late:
        raise Unanswered(
            f"{key}: {ended.said}: whether {flag} changed is not known; look there, then give the command again or undo it"
        )
    if ended.code != 0:
        how_so = "could not be started" if ended.code is None else f"ended with exit code {ended.code}"
        raise argv.CommandFailed(
            f"{key} {how_so} ({ended.said}); it is taken as not changed", f"{key} {how_so}; it is taken as not changed"
        )
