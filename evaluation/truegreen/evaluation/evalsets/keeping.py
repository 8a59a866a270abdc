"""Where runs are kept: whole ones for good, interrupted ones until the same command goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from truegreen.core import whole
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets import result
from truegreen.evaluation.evalsets.model import VERDICTS, Verdict
from truegreen.evaluation.evalsets.result import Target

FOLDER: Final = "evalset-runs"
RESUMED_SECONDS: Final = 86_400.0
"""What was asked longer ago is asked again: the model behind a name may be another by then."""


class Partial:
    """A run under way, one verdict a line, on disk as soon as it is known.

    Args:
        path: its file, named after the set's version and the target.
        keep: whether answers are kept; a run without them does not go on from one with them, nor the other way round.
    """

    def __init__(self, folder: Path, version: str, target: Target, keep: bool) -> None:
        self.path = folder / f"{version}-{target.digest}{'-answers' if keep else ''}.partial.jsonl"

    def done(self, now: float, ids: Collection[str]) -> tuple[float, dict[str, Verdict]]:
        """When the run began (unix seconds), and what it has of these cases; a line that a crash tore or that was edited is left out."""
        try:
            head, *rest = self.path.read_text("utf-8").splitlines()
            began = float(_told(head)["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return now, {}
        if not 0 <= now - began <= RESUMED_SECONDS:
            return now, {}
        found = (_verdict(text) for text in rest)
        return began, {one.id: one for one in found if one is not None and one.verdict != "error" and one.id in ids}

    def write(self, began: float, verdicts: Mapping[str, Verdict], more: Iterator[Verdict]) -> Iterator[Verdict]:
        """Write what there is and each verdict that comes, and pass it on; raises `Failed` where the disk does not take it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("w", encoding="utf-8") as file:
                file.write(line({"started": began}))
                file.writelines(line(asdict(one)) for one in verdicts.values())
                for one in more:
                    file.write(line(asdict(one)))
                    file.flush()
                    yield one
        except OSError as error:
            raise Failed(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def end(self) -> None:
        """The run is whole and kept elsewhere."""
        self.path.unlink(missing_ok=True)


@contextmanager
def alone(path: Path, busy: str = "") -> Iterator[None]:
    """Hold a file from its reading to its writing, by a lock on a hidden file beside it; where there are no such locks the last writer wins.

    Args:
        busy: what to say when another process has it; empty: wait.

    Raises:
        Failed: the lock cannot be had.
    """
    beside = path.with_name(f".{path.name}.held")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(beside, wait=not busy)
    except BlockingIOError:
        raise Failed(busy) from None
    except OSError as error:
        raise Failed(f"{beside}: cannot be locked: {error.strerror or error}") from None
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):
                beside.unlink()


def _locked(beside: Path, *, wait: bool) -> IO[str]:
    """The open file with its lock, taken again where its last holder had removed it meanwhile."""
    while True:
        lock = beside.open("a")
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if beside.exists() and beside.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock
        except ImportError:
            return lock
        except FileNotFoundError:
            pass
        except OSError:
            lock.close()
            raise
        lock.close()


def keep(folder: Path, run: Mapping[str, Any]) -> Path:
    """Keep a run under its version, moment and digest; returns its file."""
    moment = "".join(letter for letter in run["ended"].partition("+")[0] if letter.isalnum())
    path = folder / f"{run['evalset']}-{moment}Z-{run['digest']}.json"
    whole.write(path, json.dumps(run, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def load(path: Path) -> Mapping[str, Any]:
    """One run; raises `BadInput` where it cannot be read or was edited."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    return result.parse(text, str(path))


def runs(folder: Path) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
    """The runs of a folder, newest first, and what is wrong with the files that are none."""
    found: list[Mapping[str, Any]] = []
    wrong: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(load(path))
        except BadInput as error:
            wrong.append(str(error))
    return sorted(found, key=lambda run: str(run["started"]), reverse=True), wrong


def line(data: Mapping[str, Any]) -> str:
    """A line of a run under way, with its digest."""
    return json.dumps({**data, "digest": result.digest(data)}, ensure_ascii=False) + "\n"


def _told(text: str) -> dict[str, Any]:
    """What a line says, without its digest; raises ValueError, KeyError or TypeError where it is another's."""
    data: dict[str, Any] = json.loads(text)
    if data.pop("digest") != result.digest(data):
        raise ValueError("edited")
    return data


def _verdict(text: str) -> Verdict | None:
    try:
        data = _told(text)
        one = Verdict(**{**data, "failed": tuple(data["failed"])})
    except (ValueError, KeyError, TypeError):
        return None
    return one if one.verdict in VERDICTS else None
