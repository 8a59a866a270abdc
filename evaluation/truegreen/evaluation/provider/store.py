"""The file of changelog entries: JSON, whole or not at all, never overwritten when it cannot be read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from truegreen.core import whole
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider.model import MODEL, Entry

FORMAT: Final = 1
MOST: Final = 5_000
"""Entries that are kept: the newest, and those whose models have yet to stop."""
FOLDER: Final = "provider"
CHANGES: Final = "changes.json"
PROBES: Final = "probes.jsonl"
VARIABLE: Final = "TRUEGREEN_PROVIDER"


def folder(given: Path | None, config: Path | None) -> Path:
    """The folder of a provider's changes and probes: the one given, else TRUEGREEN_PROVIDER, else `provider` beside the configuration file."""
    beside = config.parent if config else Path()
    return given or Path(os.environ.get(VARIABLE) or beside / FOLDER)


def read(path: Path) -> tuple[Entry, ...]:
    """The entries, the newest first; none where there is no file.

    Raises:
        BadInput: the file is not what this module writes. It stays as it is.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); name the file that `truegreen provider changes` writes") from None
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise BadInput(f"{path}: format: found {data['format']!r}, this version reads {FORMAT}")
        return tuple(_entry(row) for row in data["entries"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"{path}: no file of changes ({type(error).__name__}: {str(error)[:80]}); it is left as it is: mend it, or move it away"
        ) from None


def merge(path: Path, entries: Iterable[Entry], now: float) -> tuple[tuple[Entry, ...], int]:
    """Write what is new into the file; gives the entries that it did not have, and how many it holds now.

    An entry that it has is brought up to date; its time stays, for that is when the provider said it first.

    Raises:
        BadInput: the file cannot be read; it is left as it is.
        Failed: it cannot be written.
    """
    with _locked(path):
        known = {entry.id: entry for entry in read(path)}
        new = []
        for entry in entries:
            before = known.get(entry.id)
            if before is None:
                new.append(entry)
            known[entry.id] = entry if before is None else replace(entry, time=min(entry.time, before.time))
        newest = sorted(known.values(), key=lambda e: (-e.time, e.id))
        kept = newest[:MOST] + [e for e in newest[MOST:] if e.retires and e.retires > now]
        text = json.dumps({"format": FORMAT, "entries": [asdict(entry) for entry in kept]}, ensure_ascii=False, indent=1)
        whole.write(path, text)
        return tuple(new), len(kept)


def _entry(row: Any) -> Entry:
    models, retires = row.pop("models"), row.pop("retires")
    if not all(isinstance(name, str) for name in models):
        raise TypeError("models")
    made = Entry(**row, models=tuple(filter(MODEL.fullmatch, models)), retires=None if retires is None else float(retires))
    if not all(isinstance(text, str) for text in (made.id, made.provider, made.kind, made.title, made.link, made.source)):
        raise TypeError("an entry of other kinds")
    return replace(made, time=float(made.time))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(path.name + ".lock").open("a") as lock:
            try:
                import fcntl
            except ImportError:  # no such locks on this system: the last writer wins
                yield
                return
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from None
