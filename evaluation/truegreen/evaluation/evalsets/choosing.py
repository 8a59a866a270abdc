"""Which kept run speaks for a set: the newest of it, of one endpoint, and none where something newer cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.errors import BadInput
from truegreen.evaluation.evalsets import keeping

_MOMENT: Final = re.compile(r"-(\d{8}T\d{6})\d*Z-[0-9a-f]{12}$")
"""When a run ended, in the name of its file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What run is looked for.

    Args:
        evalset: the version of the set.
        since, until: it began after the one and not after the other (unix seconds).
        endpoint, model: who was asked; empty: any, where all runs are of one.
    """

    evalset: str
    since: float
    until: float = inf
    endpoint: str = ""
    model: str = ""


def newest(path: Path, wanted: Wanted) -> tuple[Mapping[str, Any] | None, str]:
    """The newest run of a live endpoint in a folder, or in a file; else why there is none that speaks for the set.

    Raises:
        BadInput: the file is no run, or was edited.
    """
    found = []
    for file in sorted(path.glob("*.json")) if path.is_dir() else (path,):
        try:
            found.append(keeping.load(file))
        except BadInput as error:
            if file == path:
                raise
            if _moment(file) > wanted.since:
                return None, f"it may be newer than every run that can be read: {error}"
    of_set = [run for run in found if run["evalset"] == wanted.evalset]
    inside = [run for run in of_set if wanted.since < datetime.fromisoformat(run["started"]).timestamp() <= wanted.until]
    fits = [
        run
        for run in inside
        if run["live"]
        and wanted.model in ("", run["model"])
        and (not wanted.endpoint or http.bare(wanted.endpoint) == run["endpoint"])
    ]
    asked = sorted({f"{run['endpoint']} {run['model']}".rstrip() for run in fits})
    if len(asked) > 1:
        return None, f"{path}: runs of {wanted.evalset} asked {', '.join(asked)}: say whose counts"
    if not fits:
        live = " of a live endpoint" if inside and not any(run["live"] for run in inside) else ""
        return None, f"{path}: no run{live} of {wanted.evalset}{_who(wanted)} began {_when(wanted)}"
    return max(fits, key=lambda run: datetime.fromisoformat(run["started"])), ""


def _who(wanted: Wanted) -> str:
    return "".join(f" {text}" for text in (wanted.endpoint and http.bare(wanted.endpoint), wanted.model) if text)


def _when(wanted: Wanted) -> str:
    moments = [
        datetime.fromtimestamp(one, UTC).isoformat(timespec="seconds") for one in (wanted.since, wanted.until) if one < inf
    ]
    return f"after {moments[0]}" + (f" and by {moments[1]}" if moments[1:] else "")


def _moment(file: Path) -> float:
    """When a file that cannot be read may be from: the later of its name's moment and its last change (unix seconds)."""
    named = _MOMENT.search(file.stem)
    try:
        ended = datetime.strptime(named[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp() + 1 if named else 0.0
        return max(ended, file.stat().st_mtime)
    except (ValueError, OSError):
        return inf
