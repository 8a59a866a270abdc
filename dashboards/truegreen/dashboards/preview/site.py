"""What the preview shows: boards, and where their data come from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from truegreen.core.clients import http
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.boards import ALL
from truegreen.core.words.metric import Metric
from truegreen.dashboards import boards, frame
from truegreen.dashboards.model import Json, View
from truegreen.dashboards.preview import recording
from truegreen.dashboards.preview.proxy import Upstream
from truegreen.dashboards.preview.recording import Recording
from truegreen.dashboards.preview.server import Site

_BOARD: Final = {
    "description": "",
    "annotations": {"list": []},
    "templating": {"list": []},
    "time": {"from": "now-6h", "to": "now"},
}
_PLACE: Final = {"x": 0, "y": 0, "w": 12, "h": 8}
_FIELDS: Final[Json] = {"defaults": {}, "overrides": []}
"""What Grafana takes where a dashboard says nothing."""
_NOT_YET: Final = {
    "watch": "does not run here: `truegreen watch` makes it",
    "canary": "does not run here: `truegreen canary` makes it",
    "drill": "does not run here: `truegreen incident serve` shows it, of what `truegreen drill` kept",
    "incident": "does not run here: `truegreen incident serve` makes it",
    "changelog": "no feed is read: `truegreen provider changes --feed URL` reads one, `truegreen collect --provider-changes FILE` shows it",
}


def generated(config: Config, time_scale: int) -> Mapping[str, Json]:
    """The boards of a configuration, by uid, the overview first."""
    clock = frame.clock(config.scrape_interval_seconds, time_scale)
    return _ordered(frame.whole(board, clock) for board in boards.every(View(config)).values())


def own(path: Path) -> Mapping[str, Json]:
    """Boards from a JSON file or all those of a folder, by uid.

    Raises:
        BadInput: there is none, or one is no dashboard.
    """
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    read = [_read(each) for each in paths]
    found = _ordered(read)
    if not found:
        raise BadInput(f"{path}: has no .json file; name a dashboard's JSON or a folder of them")
    if twice := [board["uid"] for board in read if sum(other["uid"] == board["uid"] for other in read) > 1]:
        raise BadInput(f"{path}: more than one board has the uid {twice[0]!r}; give each one of its own")
    return found


def _read(path: Path) -> Json:
    try:
        board = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read as JSON: {error}; name a dashboard's JSON, as Grafana exports it") from None
    board = board.get("dashboard", board) if isinstance(board, dict) else board
    if not isinstance(board, dict) or not isinstance(board.get("panels"), list):
        raise BadInput(f"{path}: is no dashboard: it has no list `panels`; name a dashboard's JSON, as Grafana exports it")
    empty = {"title": path.stem, "uid": re.sub(r"[^A-Za-z0-9_-]", "-", path.stem)[:40], **_BOARD}
    read = {**empty, **{key: value for key, value in board.items() if value not in (None, "")}}
    if not (isinstance(read["uid"], str) and re.fullmatch(r"[A-Za-z0-9_-]{1,40}", read["uid"])):
        raise BadInput(f"{path}: the uid {read['uid']!r} is none: write at most 40 letters, digits, `-` and `_`, as Grafana does")
    return {**read, "panels": [_panel(panel, path) for panel in read["panels"]]}


def _panel(panel: Json, path: Path) -> Json:
    # With all that the page reads of one without asking.
    if not isinstance(panel, dict):
        raise BadInput(f"{path}: a panel is {panel!r}; name a dashboard's JSON, as Grafana exports it")
    made = {
        **panel,
        "gridPos": {**_PLACE, **(panel.get("gridPos") or {})},
        "fieldConfig": {**_FIELDS, **(panel.get("fieldConfig") or {})},
    }
    return {**made, "panels": [_panel(each, path) for each in panel["panels"]]} if panel.get("panels") else made


def _ordered(found: Iterable[Json]) -> Mapping[str, Json]:
    rank = {uid: number for number, uid in enumerate(ALL)}
    return {board["uid"]: board for board in sorted(found, key=lambda board: (rank.get(board["uid"], len(ALL)), board["title"]))}


def live(config: Config, time_scale: int, shown: Mapping[str, Json], upstream: Upstream) -> Site:
    """Boards on a Prometheus."""
    scrape = frame.clock(config.scrape_interval_seconds, time_scale).scrape
    facts = {
        "mode": "live",
        "source": http.bare(upstream.server.url),
        "time_scale": time_scale,
        "scrape": scrape,
        "range": None,
        "marks": [],
    }
    return Site(_about(facts, config.routes.trace_url, shown), shown, upstream)


def recorded(shown: Mapping[str, Json], found: Recording, source: str) -> Site:
    """Boards on a recording; a board that was not recorded is shown with what it asks for missing."""
    facts = {
        "mode": "recorded", "source": source, "time_scale": found.time_scale, "scrape": found.scrape,
        "range": {"start": found.start, "end": found.end}, "marks": list(found.marks),
    }  # fmt: skip
    nothing: Json = {"queries": {}, "variables": {}, "exemplars": {}}
    answers = {uid: recording.packed(dict(found.boards.get(uid, nothing))) for uid in shown}
    return Site(_about(facts, "", shown), shown, None, answers)


def _about(facts: Json, trace_url: str, shown: Mapping[str, Json]) -> Json:
    """`/boards.json`: mode, the kind of time, the boards; `waiting` says of metrics that may be absent whom they wait for."""
    rows = [{"uid": uid, "title": board["title"], "question": board.get("description", "")} for uid, board in shown.items()]
    return {**facts, "trace_url": trace_url, "boards": rows, "waiting": waiting()}


def waiting() -> Mapping[str, str]:
    """Name of a series to what makes it, for those that neither the collector nor the rules make."""
    made = {name: _NOT_YET[metric.source] for metric in catalogue.ALL if metric.source in _NOT_YET for name in _names(metric)}
    made[catalogue.EVALUATOR_ERROR_RATE.prometheus] = "no labels: `truegreen evaluator measure FILE --out DIR` gives them"
    return {**made, **{metric.name: f"waiting for {metric.exporter}" for metric in catalogue.EXTERNAL}}


def _names(metric: Metric) -> tuple[str, ...]:
    return (metric.bucket, metric.sum, metric.count) if metric.kind == "histogram" else (metric.prometheus,)
