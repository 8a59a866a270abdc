"""The demo's own incident as a file: every series of its Prometheus, a value a second, with the story's moments beside them."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import http, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.clients.prometheus import Series
from truegreen.core.errors import Failed

FORMAT: Final = "truegreen-recording/1"
STEP: Final = 1
SELECTOR: Final = '{__name__=~"truegreen.*|ALERTS|process_(cpu|resident).*|up"}'
MARKS: Final = {
    "INCIDENT": "onset", "PAGE": "page", "contain": "contain", "rollback": "rollback", "validate": "validated", "closed": "closed",
    "drill": "drilled",
}  # fmt: skip
"""A step of the story to the name of its mark."""
_DIGITS: Final = 6
_TRACE: Final = re.compile(r"[0-9a-f]{32}")


def marks(steps: Iterable[Mapping[str, Any]], began: float) -> list[dict[str, Any]]:
    """The story's moments, oldest first.

    Args:
        steps: what was told; `seconds` since the story began.
        began: when that was, unix seconds.
    """
    return [
        {"at": round(began + step["seconds"], 3), "name": MARKS[step["step"]], "text": step["text"]}
        for step in steps
        if step["step"] in MARKS
    ]


def content(
    series: Sequence[Series], start: int, end: int, *, time_scale: int, scrape: float, moments: Sequence[Mapping[str, Any]],
    exemplars: Sequence[Any], rules: Sequence[prometheus.Rule],
) -> dict[str, Any]:  # fmt: skip
    """The recording as JSON: each series from its first value on, `null` where it was absent or no number, whole numbers as such and others to six digits."""
    return {
        "format": FORMAT,
        "start": start,
        "end": end,
        "step": STEP,
        "time_scale": time_scale,
        "scrape": scrape,
        "marks": list(moments),
        "series": [_series(one) for one in sorted(series, key=lambda one: sorted(one.labels.items())) if one.points],
        "exemplars": [one for one in map(_exemplars, exemplars) if one["exemplars"]],
        "rules": {rule.name: {"kind": rule.kind, "group": rule.group} for rule in rules},
    }


def take(url: str, start: int, end: int, time_scale: int, moments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Ask the Prometheus at `url` for everything between two times, unix seconds.

    Raises:
        Failed: it does not answer, or has nothing.
    """
    server = prometheus.connect(url, environ={})
    series = prometheus.query_range(server, SELECTOR, start, end, STEP)
    if not series:
        raise Failed(f"nothing to record: {url} has no series of truegreen")
    scrapes = [target.interval for target in prometheus.targets(server)]
    return content(
        series, start, end, time_scale=time_scale, scrape=min(scrapes, default=1.0), moments=moments,
        exemplars=_asked(server, start, end), rules=prometheus.rules(server),
    )  # fmt: skip


def write(path: Path, made: Mapping[str, Any]) -> None:
    """Write a recording, gzipped, the same bytes for the same content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(made, separators=(",", ":")).encode(), 9, mtime=0))


def _asked(server: Server, start: int, end: int) -> Sequence[Any]:
    path = "/api/v1/query_exemplars"
    answer = http.get(server, path, [("query", '{__name__=~"truegreen.*"}'), ("start", str(start)), ("end", str(end))])
    return http.shaped(server, path, answer, lambda told: list(told["data"] or ()))


def _series(one: Series) -> dict[str, Any]:
    first, last = (round(one.points[at][0]) for at in (0, -1))
    found = {round(at): value for at, value in one.points}
    values = [_value(found[at]) if at in found else None for at in range(first, last + STEP, STEP)]
    return {"labels": dict(one.labels), "start": first, "values": values}


def _exemplars(one: Mapping[str, Any]) -> dict[str, Any]:
    """Of each exemplar its trace id, and nothing else that may be on it."""
    kept = [
        {"at": round(float(e["timestamp"]), 3), "value": _value(float(e["value"])), "trace_id": e["labels"]["trace_id"]}
        for e in one["exemplars"]
        if _TRACE.fullmatch(e["labels"].get("trace_id", ""))
    ]
    return {"labels": one["seriesLabels"], "exemplars": kept}


def _value(number: float) -> float | int | None:
    if not math.isfinite(number):
        return None
    # Six digits, and three decimals where these say more: a time in seconds has ten digits before its point.
    short = round(number, max(3, _DIGITS - 1 - math.floor(math.log10(abs(number) or 1))))
    return int(short) if short.is_integer() else short
