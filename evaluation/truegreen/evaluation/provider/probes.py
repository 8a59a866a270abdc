"""Files of probes: the questions, the reference answers, and the history of rounds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider.model import Probe, Round, Seen

MOST: Final = 200
"""Questions of one file."""
LONGEST: Final = 20_000
"""Characters of one question."""
KEPT: Final = 5_000
"""Rounds that are read of the history: half a year by the hour."""


def questions(path: Path) -> tuple[Probe, ...]:
    """The questions of a JSONL file: `id` and `prompt` on each line.

    Raises:
        BadInput: with file, line and key.
    """
    made: dict[str, Probe] = {}
    for at, row in _rows(path, "name a JSONL file of probes"):
        name, prompt = (_text(row, key, path, at) for key in ("id", "prompt"))
        if name in made:
            raise BadInput(f"{path}:{at}: id: {name[:60]!r} was there before; give each probe an id of its own")
        if len(prompt) > LONGEST:
            raise BadInput(f"{path}:{at}: prompt: found {len(prompt)} characters, write at most {LONGEST}")
        made[name] = Probe(name, prompt)
    if not 0 < len(made) <= MOST:
        raise BadInput(
            f"{path}: found {len(made)} probes, write 1 to {MOST}; twenty with three reference answers each are plenty"
        )
    return tuple(made.values())


def with_references(probes: Sequence[Probe], path: Path, model: str) -> tuple[Probe, ...]:
    """The probes with the answers that were recorded for them.

    Raises:
        BadInput: there is no such file, or it is of another model.
    """
    known: dict[str, tuple[str, ...]] = {}
    for at, row in _rows(path, "record the reference answers first: add --record 3"):
        answers = row.get("answers")
        if not isinstance(answers, list) or not all(isinstance(text, str) for text in answers):
            raise BadInput(f"{path}:{at}: answers: found {type(answers).__name__}, write the list of texts that --record makes")
        if row.get("model") != model:
            raise BadInput(
                f"{path}:{at}: model: recorded from {str(row.get('model'))[:60]!r}, asked is {model!r}; record them anew with --record 3"
            )
        known[_text(row, "id", path, at)] = tuple(answers)
    return tuple(replace(probe, references=known.get(probe.id, ())) for probe in probes)


def write_references(path: Path, answers: Mapping[str, Sequence[str]], model: str, now: float) -> None:
    """Write recorded answers, one probe a line; raises `Failed` where that cannot be done."""
    taken = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    lines = [
        json.dumps({"id": name, "model": model, "recorded": taken, "answers": list(texts)}, ensure_ascii=False)
        for name, texts in answers.items()
    ]
    made = path.with_name(f".{path.name}.tmp")
    try:
        made.write_text("\n".join(lines) + "\n", "utf-8")
        made.replace(path)
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from None


def history(path: Path) -> tuple[tuple[Round, ...], int]:
    """The rounds, the oldest first, and how many lines are none of ours; nothing where there is no file."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()[-KEPT:]
    except FileNotFoundError:
        return (), 0
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    made, broken = [], 0
    for line in filter(str.strip, lines):
        try:
            row = json.loads(line)
            found = tuple(Seen(str(one["by"]), float(one["distance"]), float(one["p"])) for one in row.pop("found"))
            served, prints = tuple(map(str, row.pop("served"))), tuple(map(str, row.pop("fingerprints")))
            made.append(
                Round(
                    **{**row, "time": float(row["time"]), "calls": int(row["calls"])},
                    found=found,
                    served=served,
                    fingerprints=prints,
                )
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            broken += 1
    return tuple(sorted(made, key=lambda one: one.time)), broken


def append(path: Path, one: Round) -> None:
    """Add a round to the history; raises `Failed` where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as stream:
            stream.write(("\n" if torn else "") + json.dumps(asdict(one)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from None


def spent(rounds: Sequence[Round], now: float) -> int:
    """Calls since midnight UTC."""
    return sum(one.calls for one in rounds if one.time // 86_400 == now // 86_400)


def _rows(path: Path, otherwise: str) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"{path}: cannot be read: {reason}; {otherwise}") from None
    made: list[tuple[int, Mapping[str, Any]]] = []
    for at, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput(f"{path}:{at}: no JSON; write one JSON object a line") from None
        if not isinstance(row, dict):
            raise BadInput(f"{path}:{at}: found {type(row).__name__}, write one JSON object a line")
        made.append((at, row))
    return made


def _text(row: Mapping[str, Any], key: str, path: Path, at: int) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{path}:{at}: {key}: found {'nothing' if value is None else type(value).__name__}, write a text")
    return value
