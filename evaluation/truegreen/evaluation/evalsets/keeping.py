"""Where runs are kept: whole ones for good, interrupted ones until the same command goes on from there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

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

    def done(self, now: float) -> tuple[float, dict[str, Verdict]]:
        """When the run began (unix seconds), and what it has; a broken last line, as a crash leaves it, is left out."""
        try:
            head, *rest = self.path.read_text("utf-8").splitlines()
            began = float(json.loads(head)["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return now, {}
        if not 0 <= now - began <= RESUMED_SECONDS:
            return now, {}
        found = (_verdict(line) for line in rest)
        return began, {one.id: one for one in found if one is not None and one.verdict != "error"}

    def write(self, began: float, verdicts: Mapping[str, Verdict], more: Iterator[Verdict]) -> Iterator[Verdict]:
        """Write what there is and each verdict that comes, and pass it on; raises `Failed` where the disk does not take it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("w", encoding="utf-8") as file:
                file.write(json.dumps({"started": began}) + "\n")
                file.writelines(_line(one) for one in verdicts.values())
                for one in more:
                    file.write(_line(one))
                    file.flush()
                    yield one
        except OSError as error:
            raise Failed(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def end(self) -> None:
        """The run is whole and kept elsewhere."""
        self.path.unlink(missing_ok=True)


def write(path: Path, content: str) -> None:
    """Write a file whole or not at all; raises `Failed`."""
    made = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(made).chmod(0o644)
        Path(made).replace(path)
    except OSError as error:
        if made is not None:
            Path(made).unlink(missing_ok=True)
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from None


def keep(folder: Path, run: Mapping[str, Any]) -> Path:
    """Keep a run under its version, moment and digest; returns its file."""
    moment = "".join(letter for letter in run["ended"].partition("+")[0] if letter.isalnum())
    path = folder / f"{run['evalset']}-{moment}Z-{run['digest']}.json"
    write(path, json.dumps(run, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
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


def _line(one: Verdict) -> str:
    return json.dumps(asdict(one), ensure_ascii=False) + "\n"


def _verdict(line: str) -> Verdict | None:
    try:
        data = json.loads(line)
        one = Verdict(**{**data, "failed": tuple(data["failed"])})
    except (ValueError, KeyError, TypeError):
        return None
    return one if one.verdict in VERDICTS else None
