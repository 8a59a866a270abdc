"""A folder of versions: the file that the application reads is a link to one, holds the name of one, or is a copy of one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput, Failed
from truegreen.instrumentation import prompts
from truegreen.runbook import freeze
from truegreen.runbook.rollback.model import Kind, Place

_LINK: Final = "link"
_POINTER: Final = "pointer"
_COPY: Final = "copy"
_MOST: Final = 4 * 1024 * 1024
"""Bytes of a version that is compared or copied."""


def current(place: Place) -> str:
    """The version that the file stands for.

    Raises:
        BadInput: the file is not there, or holds what none of the versions is: a move would lose it.
        Failed: it cannot be read.
    """
    return _state(place)[1]


def versions(place: Place) -> tuple[str, ...]:
    """The names of the other files and folders beside it, hidden ones left out, the newest last; raises as `current`."""
    folder, file = _folder(place), place.way.file
    try:
        found = [(one.stat().st_mtime_ns, one.name) for one in folder.iterdir() if one.name != file and one.name[:1] != "."]
    except OSError as error:
        raise Failed(f"{folder}: cannot be read: {error.strerror or error}") from None
    names = [name for _, name in sorted(found)]
    # The folder that `truegreen.instrumentation.prompts` keeps: versions are named without their ending there.
    return tuple(name.removesuffix(prompts.SUFFIX) if file == prompts.POINTER else name for name in names)


def ready(place: Place, _: str) -> str:
    """The file stands for one of the versions and the folder can be written."""
    how, now = _state(place)
    folder = _folder(place)
    if not os.access(folder, os.W_OK):
        raise Failed(f"{folder}: cannot be written; make it writable for who rolls back")
    return f"{folder / place.way.file}: a {how} of {now}, of {len(versions(place))} versions"


def move(place: Place, to: str, _: str) -> None:
    """Put another version in its place, in one step: a reader sees the old one or the new one."""
    how, _now = _state(place)
    folder = _folder(place)
    path = folder / place.way.file
    if to not in versions(place):
        raise BadInput(f"{folder}: has no version {to!r}")
    try:
        if how == _LINK:
            _relink(path, to)
        elif how == _COPY:
            freeze.replace(path, _bytes(folder / to))
        elif place.way.file == prompts.POINTER:
            prompts.activate(folder.name, to, folder=folder.parent)
        else:
            freeze.replace(path, f"{to}\n".encode())
    except prompts.PromptError as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}; it is as it was") from None


def _state(place: Place) -> tuple[str, str]:
    folder, there = _folder(place), versions(place)
    path = folder / place.way.file
    if path.is_symlink():
        target = path.readlink()
        if len(target.parts) == 1 and target.name in there:
            return _LINK, target.name
        raise BadInput(f"{path}: is a link to {target}, expected one to a name in the same folder, such as {', '.join(there[-3:]) or 'v1'}")  # fmt: skip
    content = _bytes(path)
    named = content.decode("utf-8", "replace").strip() if len(content) <= 300 else ""
    if named in there:
        return _POINTER, named
    same = [name for name in there if (one := folder / name).is_file() and one.stat().st_size == len(content) and _bytes(one) == content]  # fmt: skip
    if same:
        return _COPY, same[-1]
    raise BadInput(f"{path}: is neither the name nor a copy of a version in {folder}: a rollback would lose it; keep it as a version there first")  # fmt: skip


def _relink(path: Path, to: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as beside:
        draft = Path(beside) / path.name
        # Relative to where the link will be, not to where it is made.
        draft.symlink_to(to)
        draft.replace(path)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; name the file or link that the application reads") from None
    except OSError as error:
        raise Failed(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > _MOST:
        raise BadInput(f"{path}: is longer than {_MOST:,} bytes; make the file a link to its version")
    return content


def _folder(place: Place) -> Path:
    file = place.way.file
    if Path(file).name != file or file in ("", ".", ".."):
        raise BadInput(
            f"incidents.rollback.{place.component}.file: found {file!r}, expected a name in the folder, without a slash"
        )
    folder = place.way.path or Path()
    with suppress(OSError):
        if folder.is_dir():
            return folder
    raise BadInput(f"incidents.rollback.{place.component}.path: {folder} is no folder")


KIND: Final = Kind(current, versions, ready, move)
