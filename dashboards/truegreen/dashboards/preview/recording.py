"""A recorded incident as the preview reads it: for every board, the answers to all that it asks. No I/O.

    {"format": "truegreen-preview/1", "of": digest of what it was made from, "start": s, "end": s, "scrape": s, "time_scale": N,
     "marks": [{"at": s, "name": "…", "text": "…"}], "slos": [{"name": "…", "mode": "…", "objective": "95%"}],
     "boards": {uid: {"queries": {"EXPR|INTERVAL|range": {"start": s, "step": s, "series": [{"labels": {…}, "values": [number or null, …]}]},
                                  "EXPR|INTERVAL|instant": {…}},
                      "variables": {name: [value, …]},
                      "exemplars": {"EXPR": [{"labels": {…}, "exemplars": [{"at": s, "value": v, "trace_id": "…"}]}]}}}}

Times are seconds since 1970. A key has the expression as the board writes it, with its variables, and the shortest step of its target (an annotation's
`step`). `slos` are those that were recorded, as `truegreen.yaml` writes them: thresholds follow from them. Instant queries are recorded over time, so that a number is right at any end of the range. What an infinity or NaN would be is null.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.dashboards import check
from truegreen.dashboards.model import Json

FORMAT: Final = "truegreen-preview/1"
RAW: Final = "truegreen-recording/1"
"""What `truegreen demo --record` writes: series, not answers."""
_HELP: Final = "write one with `make recorded`, or leave --recording out to see the incident that is shipped"


@dataclass(frozen=True, slots=True)
class Recording:
    """The fields of the format above; `boards` by uid."""

    of: str
    start: float
    end: float
    scrape: float
    time_scale: int
    marks: tuple[Json, ...]
    slos: tuple[Json, ...]
    boards: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Query:
    """One thing that a board asks.

    Args:
        key: under which its answer is recorded.
        expr: PromQL with Grafana's variables in it.
        step: the shortest step, seconds.
        instant: asked as of now, not over time.
        exemplars: whether traces are asked for as well.
    """

    key: str
    expr: str
    step: int
    instant: bool
    exemplars: bool


def asked(board: Json) -> Iterator[Query]:
    """All that the targets and annotations of a board ask."""
    for panel in check.panels(board):
        for target in panel.get("targets", []):
            yield _query(target["expr"], target.get("interval", ""), bool(target.get("instant")), bool(target.get("exemplar")))
    for one in board["annotations"]["list"]:
        yield _query(one["expr"], one.get("step", ""), instant=False, exemplars=False)


def _query(expr: str, interval: str, instant: bool, exemplars: bool) -> Query:
    key = f"{expr}|{interval}|{'instant' if instant else 'range'}"
    return Query(key, expr, int(interval.removesuffix("s") or 1), instant, exemplars)


def load(data: bytes, where: str) -> Recording:
    """Read a recording, gzipped or not.

    Args:
        data: the file's content.
        where: the file's name, for messages.

    Raises:
        BadInput: it is none; the message says what was found.
    """
    try:
        found = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{where}: is no recording, neither JSON nor gzipped JSON ({error}); {_HELP}") from None
    kind = found.get("format") if isinstance(found, dict) else None
    if kind == RAW:
        raise BadInput(
            f"{where}: holds the series of a demo; `make recorded` asks them what the boards ask, and writes what is read here"
        )
    if kind != FORMAT:
        raise BadInput(f"{where}: its format is {kind!r}, and {FORMAT!r} is read; {_HELP}")
    try:
        return _checked(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInput(f"{where}: {said}; {_HELP}") from None


def _checked(found: Json) -> Recording:
    read = Recording(
        str(found["of"]), float(found["start"]), float(found["end"]), float(found["scrape"]), int(found["time_scale"]), tuple(found["marks"]), tuple(found["slos"]),
        dict(found["boards"]),
    )  # fmt: skip
    if not read.start < read.end:
        raise ValueError(f"it ends at {read.end:g} and begins at {read.start:g}")
    _ = [(float(mark["at"]), str(mark["name"]), str(mark["text"])) for mark in read.marks]
    for uid, board in read.boards.items():
        for key, answer in board["queries"].items():
            if not answer["step"] > 0:
                raise ValueError(f"the answer of {uid} to {key} has the step {answer['step']!r}")
            _ = [(float(answer["start"]), dict(one["labels"]), list(one["values"])) for one in answer["series"]]
    return read


def dump(recording: Recording) -> bytes:
    """The gzipped file; the same bytes for the same recording."""
    return packed({"format": FORMAT, **asdict(recording)})


def packed(value: Json) -> bytes:
    """Gzipped JSON without a time in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)
