"""Samples as text (OpenMetrics): written, looked through, and imported into a database."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from truegreen.core.clients import engines, processes, prometheus
from truegreen.core.errors import BadInput, Failed

END: Final = "# EOF\n"
_BLOCK: Final = "4380h"
"""The longest block: promtool reads the whole file once for each block, so the usual two hours would take minutes for a month."""
_IMPORT_SECONDS: Final = 3_600.0
_SAMPLE: Final = re.compile(
    r'([A-Za-z_:][A-Za-z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)(?:[ \t]+(\S+))?(?:[ \t]+#.*)?\s*'
)


@dataclass(slots=True)
class Extent:
    """What a file of samples has: the first and the last moment (unix seconds) and the names of its series."""

    begin: float = math.inf
    end: float = -math.inf
    names: set[str] = field(default_factory=set)
    samples: int = 0


def head(name: str, labels: Mapping[str, str]) -> str:
    """A series as text; labels without a value are no labels."""
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()) if key != "__name__" and value)
    return f"{name}{{{inside}}}" if inside else name


def number(value: float) -> str:
    """A value as text."""
    return repr(value) if math.isfinite(value) else "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def series(one: prometheus.Series) -> str:
    """The series of a Prometheus as text."""
    return head(one.labels["__name__"], one.labels)


def lines(many: Iterable[prometheus.Series]) -> Iterator[str]:
    """All points of series, line by line."""
    for one in many:
        named = series(one)
        for time, value in one.points:
            yield f"{named} {number(value)} {time:.3f}\n"


def extent(path: Path) -> Extent:
    """Look through a file.

    Raises:
        BadInput: a line is no sample or has no time (with its number), or there is no sample, or the file cannot be read.
    """
    found = Extent()
    try:
        with path.open(encoding="utf-8") as stream:
            for place, line in enumerate(stream, start=1):
                if line.startswith("#") or not line.strip():
                    continue
                _look(found, line, f"{path}:{place}")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 ({error.reason}); write OpenMetrics text, or a replay file (JSONL)") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    if not found.samples:
        raise BadInput(f'{path}: has no sample; write OpenMetrics text with times, such as `name{{label="value"}} 1 1767225600`')
    return found


def _look(found: Extent, line: str, where: str) -> None:
    read = _SAMPLE.fullmatch(line)
    if read is None:
        raise BadInput(
            f'{where}: no sample; write OpenMetrics text (`name{{label="value"}} 1 1767225600`), or a replay file (JSONL)'
        )
    try:
        time = float(read[4])
    except (TypeError, ValueError):
        raise BadInput(
            f"{where}: found no time after the value; a backtest needs samples with their times in unix seconds"
        ) from None
    if not math.isfinite(time):
        raise BadInput(f"{where}: found {read[4]} as the time; write unix seconds")
    found.begin, found.end = min(found.begin, time), max(found.end, time)
    found.names.add(read[1])
    found.samples += 1


def add(path: Path, database: Path) -> None:
    """Import a file of samples into a database that nobody has open.

    Raises:
        Failed: no promtool, or it refuses the file (with its words).
    """
    program = engines.require("promtool")
    command = [
        str(program), "tsdb", "create-blocks-from", "openmetrics", "--quiet", f"--max-block-duration={_BLOCK}", str(path), str(database),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="truegreen-promtool-") as scratch:
        log = Path(scratch) / "promtool.log"
        code = processes.run("promtool", command, log, _IMPORT_SECONDS)
        said = log.read_text("utf-8", "replace").strip().splitlines()
    if code is None:
        raise Failed(f"promtool did not import {path} within {_IMPORT_SECONDS:.0f} s; take less: --start, --slo")
    if code != 0:
        raise Failed(f"promtool does not import {path}: {said[-1] if said else f'code {code}'}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
