"""A folder of prompts without a prompt server: each version is a file named by its content, and one pointer says which serves.

prompts/support-answer/3f2a9c1b77de.txt      a version: never changed, never written twice
prompts/support-answer/active                the name of the version that serves; a rollback writes another one into it
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from truegreen.instrumentation.locks import Lock

FOLDER = "prompts"
POINTER = "active"
SUFFIX = ".txt"
KEPT = 1_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[0-9a-f]{12}")


class PromptError(ValueError):
    """A prompt cannot be had: the message says which file, what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt, as `snapshot.use(prompt=…)` takes it; `version` is 12 hex digits of the text's SHA-256."""

    name: str
    version: str
    text: str


def load(name: str, *, folder: str | Path = FOLDER, version: str = "") -> Prompt:
    """The version that serves, or the one asked for. Cheap enough for every request: the text is read once, then only the pointer is looked at.

    Args:
        version: 12 hex digits; by default what the pointer says.

    Raises:
        PromptError: there is no such prompt or version, or a stored file is not what it was.
    """
    home = _home(name, folder)
    version = version or _active(home)
    if not _VERSION.fullmatch(version):
        raise PromptError(f"{home / POINTER}: found {version!r:.60}; write the 12 hex digits of a version, with prompts.activate")
    with _lock:
        known = _texts.get((home, version))
    if known is None:
        known = _read(home / f"{version}{SUFFIX}", version)
        with _lock:
            _texts[home, version] = known
            while len(_texts) > KEPT:
                _texts.popitem(last=False)
    return Prompt(name, version, known)


def add(name: str, text: str, *, folder: str | Path = FOLDER, activate: bool = False) -> Prompt:
    """Store a version; the same text again changes nothing. It serves once it is activated, or at once when it is the first.

    Raises:
        PromptError: the file of this version is there and holds something else, or the name cannot be a folder's.
    """
    home = _home(name, folder)
    data = text.encode()
    version = _hash(data)
    path = home / f"{version}{SUFFIX}"
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _write(path, data, replace=False)
    _read(path, version)
    if activate or not (home / POINTER).exists():
        _write(home / POINTER, f"{version}\n".encode(), replace=True)
    return Prompt(name, version, text)


def activate(name: str, version: str, *, folder: str | Path = FOLDER) -> Prompt:
    """Make a stored version the one that serves: how a prompt is rolled out, and rolled back. Running processes see it with their next `load`.

    Raises:
        PromptError: there is no such version, or its file is not what it was.
    """
    home = _home(name, folder)
    if not _VERSION.fullmatch(version):
        raise PromptError(
            f"{home}: found version {version!r:.60}; write 12 hex digits, one of {', '.join(versions(name, folder=folder))}"
        )
    text = _read(home / f"{version}{SUFFIX}", version)
    _write(home / POINTER, f"{version}\n".encode(), replace=True)
    return Prompt(name, version, text)


def versions(name: str, *, folder: str | Path = FOLDER) -> tuple[str, ...]:
    """The stored versions, oldest first."""
    home = _home(name, folder)
    try:
        found = [(path.stat().st_mtime_ns, path.stem) for path in home.glob(f"*{SUFFIX}") if _VERSION.fullmatch(path.stem)]
    except OSError:
        return ()
    return tuple(version for _, version in sorted(found))


_texts: OrderedDict[tuple[Path, str], str] = OrderedDict()
_pointers: dict[Path, tuple[tuple[int, int, int], str]] = {}
_lock = Lock()


def _home(name: str, folder: str | Path) -> Path:
    if not _NAME.fullmatch(name):
        raise PromptError(
            f"{name!r:.60} cannot name a prompt; write letters, digits, '.', '_' and '-', beginning with a letter or digit"
        )
    return Path(folder) / name


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _active(home: Path) -> str:
    path = home / POINTER
    try:
        seen = path.stat()
        stamp = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
        known = _pointers.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        version = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise PromptError(
            f"{path}: {error.strerror}; store the prompt with prompts.add, or name a version with prompts.activate"
        ) from error
    if len(_pointers) < KEPT:
        _pointers[path] = (stamp, version)
    return version


def _read(path: Path, version: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PromptError(f"{path}: {error.strerror}; store it with prompts.add, or activate another version") from error
    if (found := _hash(data)) != version:
        raise PromptError(
            f"{path}: the file was changed, its content is version {found}; put it back and store the new text with prompts.add"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: it is not UTF-8; store the text with prompts.add") from error


def _write(path: Path, data: bytes, *, replace: bool) -> None:
    """Write a file whole or not at all; without `replace` one that is there stays."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644 if replace else 0o444)
        if replace:
            Path(temporary).replace(path)
        else:
            with contextlib.suppress(FileExistsError):  # another process was faster; what it wrote is checked by the caller
                os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
