"""Replay files are read here, calibration files written: all disk access of the plugin."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from truegreen.core import whole
from truegreen.core.errors import BadInput
from truegreen.core.words import calibration
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import ReplayRecord

LINE_BYTES: Final = 16 * 1024 * 1024
NAMED: Final = 5
"""So many broken lines are named; all are counted."""
_KEYS: Final = ("query", "context", "answer", "model", "id", "time", "y")


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that cannot be used. `found` never holds its text."""

    file: str
    line: int
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        return f"{self.file}:{self.line}:{key} found {self.found}; write {self.expected}"


@dataclass(slots=True)
class Broken:
    """The broken lines of a file: how many, and the first few by name."""

    count: int = 0
    first: list[BrokenLine] = field(default_factory=list)

    def add(self, line: BrokenLine) -> None:
        """Count a line, and keep it among the first."""
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(line)


def read_replay(path: Path, broken: Broken) -> Iterator[ReplayRecord]:
    """The usable records of a replay file (JSONL, gzip told by its first bytes), one at a time.

    Args:
        broken: receives the lines that cannot be used, while the file is read.

    Raises:
        BadInput: the file cannot be opened, its gzip data is damaged, or no line of it is usable (said at its end).
    """
    usable = line = 0
    try:
        with path.open("rb") as raw, _unpacked(raw) as stream:
            for line, text in enumerate(_lines(stream), start=1):
                if text is not None and not text.strip():
                    continue
                found = _record(text, str(path), line)
                if isinstance(found, BrokenLine):
                    broken.add(found)
                else:
                    usable += 1
                    yield found
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BadInput(f"{path}: the gzip data is damaged after line {line}; write the file again") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    if not usable:
        first = f"; the first: {broken.first[0]}" if broken.first else ""
        raise BadInput(f"{path}: no usable line ({broken.count} broken){first}")


def broken_lines(broken: Broken) -> list[str]:
    """What to say of them: the first few, and how many there are."""
    said = [str(line) for line in broken.first]
    return [*said, f"{broken.count} broken lines in all"] if broken.count > len(said) else said


def write_calibration(folder: Path, frozen: Calibration) -> Path:
    """Write a calibration below a folder, whole or not at all, and return its path.

    Raises:
        Failed: the folder or the file cannot be written (no permission, disk full).
    """
    target = folder / calibration.file_name(frozen.service, frozen.environment, frozen.signal)
    whole.write(target, calibration.to_text(frozen))
    return target


def read_calibration(folder: Path, service: str, environment: str, signal: str) -> Calibration | None:
    """The calibration that lies in a folder for a service, None where there is none.

    Raises:
        BadInput: there is a file, and it cannot be read or is no calibration; it is left as it is.
    """
    path = folder / calibration.file_name(service, environment, signal)
    try:
        return calibration.from_text(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return None
    except (calibration.CalibrationError, UnicodeDecodeError) as error:
        raise BadInput(f"{error}; or move it away: it is not overwritten") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None


def _unpacked(raw: io.BufferedReader) -> gzip.GzipFile | io.BufferedReader:
    return gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw


def _lines(stream: gzip.GzipFile | io.BufferedReader) -> Iterator[bytes | None]:
    """The lines; None stands for one over the limit, which is never held whole."""
    while line := stream.readline(LINE_BYTES):
        if len(line) < LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES)
        yield None


def _record(text: bytes | None, file: str, line: int) -> ReplayRecord | BrokenLine:
    if text is None:
        return BrokenLine(file, line, "", f"a line over {LINE_BYTES // 1024 // 1024} MiB", "one call a line, shorter")
    try:
        data = json.loads(text.decode("utf-8-sig"), parse_constant=_refuse)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent
    except UnicodeError:
        return BrokenLine(file, line, "", "bytes or characters that are not UTF-8", "the line in UTF-8")
    except (ValueError, RecursionError) as error:
        reason = (
            f"{error.msg} at column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "a number or depth out of range"
        )
        return BrokenLine(file, line, "", f"no JSON ({reason})", "one JSON object a line")
    wrong = sorted(_validator().iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    if wrong:
        return _broken(wrong[0], data, file, line)
    label = data.get("y")
    return ReplayRecord(
        query=data["query"],
        context=tuple(data["context"]),
        answer=data["answer"],
        model=data["model"],
        id=str(data.get("id", "")),
        time=data.get("time"),
        wrong=None if label is None else bool(label),
        extra={key: value for key, value in data.items() if key not in _KEYS},
    )


def _broken(error: Any, data: Any, file: str, line: int) -> BrokenLine:
    schema = _validator().schema
    if error.validator == "required":
        key = next(name for name in error.validator_value if name not in data)
        return BrokenLine(file, line, key, "nothing", schema["properties"][key]["description"])
    key = _dotted(list(error.absolute_path))
    return BrokenLine(file, line, key, _kind(error.instance), error.schema.get("description", "one JSON object a line"))


def _dotted(path: Sequence[Any]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _kind(value: Any) -> str:
    """What a value is, without the text in it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return f"the number {value}"[:40]
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return "a list" if isinstance(value, list) else "an object"


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    text = (resources.files("truegreen.core.words") / "replay.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))
