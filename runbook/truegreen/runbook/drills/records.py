"""The records of drills: one JSON file each in the folder `incidents.drills`, and what a quarter of them says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from truegreen.core.config import Config
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import freeze
from truegreen.runbook.clean import clean
from truegreen.runbook.drills.model import SIMULATED, Drill, Timings, Verdict
from truegreen.runbook.times import iso, span

_QUARTER: Final = re.compile(r"(20[0-9]{2})[Qq]([1-4])")
_ODD: Final = re.compile(r"[^A-Za-z0-9.-]")
_LATEST: Final = 4e9
"""Unix seconds: of the year 2096. No time of a record is later, and no duration or seed larger."""
_LARGEST: Final = 256_000
"""Bytes of a record that is read; ours have some two thousand."""


def folder(config: Config) -> Path:
    """Where records lie: `incidents.drills`, beside the configuration where it is relative."""
    named = Path(config.incidents.drills)
    return named if named.is_absolute() or config.source is None else config.source.parent / named


def write(folder: Path, drill: Drill) -> Path:
    """Keep a record; the file, whose name says when and what.

    Raises:
        Failed: the folder or the file cannot be written.
    """
    moment = iso(drill.completed).replace(":", "").replace("-", "")
    path = folder / f"{moment}-{'+'.join(drill.modes)}-{drill.how.replace(' ', '_')}-{_ODD.sub('_', drill.service)[:60]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        freeze.replace(path, (json.dumps({**asdict(drill), "ok": drill.ok}, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}; name another folder: incidents.drills") from None
    return path


def owe(folder: Path, heal: Sequence[str], who: tuple[str, str], now: float) -> Path:
    """Say that a fault is planted and with which command it is taken away; whoever takes it away removes the file.

    Raises:
        Failed: the file cannot be written: then nothing may be planted.
    """
    path = folder / f"{iso(now).replace(':', '').replace('-', '')}-{_ODD.sub('_', who[0])[:60]}.planted"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        freeze.replace(path, (json.dumps({"heal": list(heal), "service": who[0], "environment": who[1]}) + "\n").encode())
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}; nothing was planted") from None
    return path


def owed(folder: Path) -> tuple[str, ...]:
    """What is planted and was not taken away, in words: a drill that runs now, or one whose machine stopped."""
    found = []
    for path in sorted(folder.glob("*.planted")) if folder.is_dir() else ():
        try:
            said = _parsed(path)
            found.append(
                f"{path}: a fault is planted in {clean(str(said['service']), 80)}; unless a drill runs, run: {clean(shlex.join(map(str, said['heal'])), 400)}"
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            found.append(f"{path}: a fault is planted, and the file cannot be read")
    return tuple(found)


def read(folder: Path) -> tuple[tuple[Drill, ...], tuple[str, ...]]:
    """The records of a folder, oldest first, and what is wrong with files that are none."""
    found: list[Drill] = []
    broken: list[str] = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            found.append(_drill(_parsed(path)))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            broken.append(f"{path}: is no record of a drill ({clean(f'{type(error).__name__}: {error}', 120)}); remove it")
    return tuple(sorted(found, key=lambda drill: drill.completed)), tuple(broken)


def held(drills: Sequence[Drill]) -> Mapping[tuple[str, str], float]:
    """When a drill was last completed, by service and environment; one in simulated time drills rules and nobody else, so it does not count."""
    last: dict[tuple[str, str], float] = {}
    for drill in drills:
        if drill.how != SIMULATED:
            key = (drill.service, drill.environment)
            last[key] = max(last.get(key, 0.0), drill.completed)
    return last


def quarter(text: str) -> tuple[float, float]:
    """`2026Q4` as [from, to) in unix seconds, UTC.

    Raises:
        BadInput: it is no quarter.
    """
    read = _QUARTER.fullmatch(text.strip())
    if not read:
        raise BadInput(f"--quarter: found {text!r}; write a year and a quarter, such as 2026Q4")
    year, part = int(read[1]), int(read[2])
    first = datetime(year, 3 * part - 2, 1, tzinfo=UTC)
    after = datetime(year + part // 4, 3 * part % 12 + 1, 1, tzinfo=UTC)
    return first.timestamp(), after.timestamp()


def quarter_of(time: float) -> str:
    """The quarter of a moment, such as `2026Q4`."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment.year}Q{(moment.month + 2) // 3}"


def report(name: str, drills: Sequence[Drill], modes: Sequence[str]) -> Iterator[str]:
    """The record of a quarter, in Markdown.

    Args:
        name: of the quarter.
        drills: those of it, oldest first.
        modes: every failure mode; one without a drill is named.
    """
    yield f"# Incident drills, {name}"
    yield ""
    good = sum(drill.ok for drill in drills)
    yield f"{len(drills)} drill{'s' * (len(drills) != 1)}, {good} inside every target." if drills else "No drill was held."
    missing = [mode for mode in modes if not any(mode in drill.modes for drill in drills)]
    if missing:
        yield f"Not drilled: {', '.join(missing)}."
    yield ""
    if drills:
        yield "| when | what | how | service | detected | triaged | contained | recovered | triage said | outside its target |"
        yield "|---|---|---|---|---|---|---|---|---|---|"
    for drill in drills:
        outside = "; ".join(f"{v.name}: {v.found} ({v.target})" for v in drill.verdicts if not v.ok) or "nothing"
        cells = (
            iso(drill.completed), " and ".join(drill.modes), drill.how, f"{drill.service}/{drill.environment}",
            *(_time(drill.timings, part) for part in ("detected", "triaged", "contained", "recovered")), drill.triage, outside,
        )  # fmt: skip
        yield "| " + " | ".join(clean(cell, 300).replace("|", "\\|") for cell in cells) + " |"
    yield ""
    yield "Times are counted from the moment at which the fault was planted, in production time."


def lines(drills: Sequence[Drill]) -> Iterator[tuple[bool, str]]:
    """For each drill, whether it held, and one line for people."""
    for drill in drills:
        outside = ", ".join(v.name for v in drill.verdicts if not v.ok)
        yield (
            drill.ok,
            (
                f"{iso(drill.completed)}  {' and '.join(drill.modes):<14}  {drill.how:<9}  {drill.service}/{drill.environment}  "
                f"detected {_time(drill.timings, 'detected')}, recovered {_time(drill.timings, 'recovered')}"
                + (f"; outside: {outside}" if outside else "")
            ),
        )


def _time(timings: Timings, name: str) -> str:
    seconds: float | None = getattr(timings, name)
    return "never" if seconds is None else span(seconds)


def _parsed(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.stat().st_size} bytes")
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _drill(found: dict[str, Any]) -> Drill:
    def words(name: str) -> str:
        return clean(str(found[name]), 200)

    def number(value: object, most: float = _LATEST) -> float:
        made = float(str(value))
        if not 0 <= made <= most:
            raise ValueError(f"{made:g} is no time")
        return made

    def seconds(name: str) -> float | None:
        value = found["timings"][name]
        return None if value is None else number(value)

    def verdict(each: dict[str, Any]) -> Verdict:
        name, target, said = (clean(str(each[key]), 200) for key in ("name", "target", "found"))
        return Verdict(name, target, said, bool(each["ok"]))

    return Drill(
        tuple(clean(str(mode), 40) for mode in found["modes"]), words("how"), words("service"), words("environment"),
        number(found["started"]), number(found["completed"]), int(number(found["seed"])),
        Timings(*(seconds(name) for name in ("detected", "triaged", "contained", "recovered"))),
        words("triage"), words("because"), words("command"), tuple(map(verdict, found["verdicts"])),
        tuple(clean(str(note), 400) for note in found["notes"]), words("version"),
    )  # fmt: skip
