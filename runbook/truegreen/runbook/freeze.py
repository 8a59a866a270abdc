"""The evidence bundle: what was known before anything was changed, hashed, in one deterministic .tar.gz.

EU AI Act, Art. 73(6): no investigation that alters the system in a way that may affect a later evaluation of the causes. Every
command that changes something writes a bundle first. It holds labels, numbers and versions, never the text of a prompt or an answer.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import Failed
from truegreen.runbook.clean import clean

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle: its file, its SHA-256, what is in it and what could not be had."""

    path: Path
    sha256: str
    files: tuple[str, ...]
    missing: tuple[str, ...]


def pack(parts: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """The bytes of a bundle: the same for the same content.

    Args:
        parts: file name to its content, bytes as they are, anything else as JSON.
        about: what the manifest says beside the SHA-256 of each file.
    """
    files = {name: part if isinstance(part, bytes) else _json(part) for name, part in sorted(parts.items())}
    manifest = {**about, "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in {MANIFEST: _json(manifest), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def write(folder: Path, incident: int, when: str, content: bytes) -> tuple[Path, str]:
    """Put a bundle on disk for good (synced), under a name that holds the start of its hash.

    Raises:
        Failed: it cannot be written; nothing was changed then.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"incident-{incident}-{when.replace(':', '').replace('-', '')}-{sha256[:12]}.tar.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(path, content)
    except OSError as error:
        raise Failed(
            f"{path}: the evidence cannot be written ({error.strerror or error}), so nothing was changed; name a folder with room: --evidence DIR"
        ) from None
    return path, sha256


def replace(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old content or the new one, also after a crash.

    A link stays one, and who could read the old file can read the new one: its mode, and its owner where we may set that.

    Raises:
        OSError: the old file is untouched, and no half-written one is left.
    """
    path = Path(os.path.realpath(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            with suppress(FileNotFoundError):
                _like(file.fileno(), path.stat())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _like(file: int, old: os.stat_result) -> None:
    for user, group in ((old.st_uid, -1), (-1, old.st_gid)):
        with suppress(PermissionError):
            os.fchown(file, user, group)
    os.fchmod(file, stat.S_IMODE(old.st_mode))


def verify(path: Path) -> tuple[str, ...]:
    """What does not fit the manifest, file by file; empty when all is as it was frozen.

    Raises:
        Failed: it is not a bundle.
    """
    try:
        with tarfile.open(path, mode="r:gz") as tar:
            files = {entry.name: found.read() for entry in tar.getmembers() if (found := tar.extractfile(entry)) is not None}
        listed = dict(json.loads(files.pop(MANIFEST))["files"])
    except (OSError, tarfile.TarError, zlib.error, EOFError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise Failed(f"{path}: is not an evidence bundle, or a damaged one ({clean(error, 200)})") from None
    wrong = [f"{name}: altered" for name in sorted(files) if listed.get(name) != hashlib.sha256(files[name]).hexdigest()]
    return (*wrong, *(f"{name}: missing" for name in sorted(set(listed) - set(files))))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")
