"""What every board has around its panels: positions, variables, annotations, the dropdown; and the whole of it as Grafana's JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.core.words import catalogue, records
from truegreen.core.words.metric import IDENTITY
from truegreen.dashboards import expressions, grafana, kit
from truegreen.dashboards.model import Board, Json, Row, Tile

TAG: Final = "truegreen"
COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Clock:
    """How a board keeps time.

    Args:
        scrape: seconds between two scrapes, as Prometheus does it.
        start: the start of the range shown at first, such as `now-3h`.
        refresh: how often it is renewed, such as `1m`.
        scaled: whether a demonstration's time scale divides it.
    """

    scrape: int
    start: str
    refresh: str
    scaled: bool = False


def clock(scrape_interval_seconds: float, time_scale: int) -> Clock:
    """The clock of production, or of a demonstration in which all windows are divided by `time_scale` (1 to 60)."""
    scrape = max(1, round(scrape_interval_seconds / time_scale))
    return Clock(scrape, "now-3h", "1m") if time_scale == 1 else Clock(scrape, "now-5m", "5s", scaled=True)


def whole(board: Board, clock: Clock) -> Json:
    """A board as Grafana's JSON. A demonstration is over before a range of its own begins."""
    panels = placed(board, clock)
    start = clock.start if clock.scaled else board.start or clock.start
    return grafana.board(
        uid=board.uid, title=f"truegreen / {board.title}", description=board.question, tag=TAG, panels=panels,
        variables=variables(panels), annotations=events(clock), refresh=clock.refresh, start=start,
    )  # fmt: skip


def placed(board: Board, clock: Clock) -> list[Json]:
    """The panels with ids, 1 upwards, and places: no two overlap, none is wider than the grid."""
    panels: list[Json] = [_panel(_heading(board.question), 1, grafana.position(0, 0, COLUMNS, 2), clock)]
    y, identity = 2, 2
    for row in board.rows:
        own = identity
        below: list[Json] = []
        places, height = _places(row)
        for tile, (x, down) in places:
            identity += 1
            at = grafana.position(x, y + 1 + down, min(tile.width, COLUMNS // len(row.columns)), tile.height)
            below.append(_panel(tile, identity, at, clock))
        identity += 1
        panels.append(grafana.row(row.title, grafana.position(0, y, COLUMNS, 1), own, below, row.collapsed))
        panels += [] if row.collapsed else below
        y += 1 if row.collapsed else 1 + height
    return panels


def _places(row: Row) -> tuple[list[tuple[Tile, tuple[int, int]]], int]:
    # Places within the row, and its height. A column is filled line by line; a line is as high as its highest tile.
    width = COLUMNS // len(row.columns)
    places: list[tuple[Tile, tuple[int, int]]] = []
    bottom = 0
    for index, column in enumerate(row.columns):
        x = top = tallest = 0
        for tile in column:
            wide = min(tile.width, width)
            if x + wide > width:
                x, top, tallest = 0, top + tallest, 0
            places.append((tile, (index * width + x, top)))
            x, tallest = x + wide, max(tallest, tile.height)
        bottom = max(bottom, top + tallest)
    return places, bottom


def _panel(tile: Tile, identity: int, position: Json, clock: Clock) -> Json:
    step = {"interval": f"{tile.scrapes * clock.scrape}s"}
    targets = [{**target, **step} for target in tile.panel.get("targets", [])]
    return {**tile.panel, **({"targets": targets} if targets else {}), "id": identity, "gridPos": position}


def _heading(question: str) -> Tile:
    return kit.text("", f"**{question}**", why="The question that this board answers.", width=COLUMNS, height=2)


def variables(panels: list[Json]) -> list[Json]:
    """The same variables on every board, so that a link carries them all; `model` only where a panel is narrowed by it."""
    made = [
        grafana.variable("datasource", "datasource", "Data source", "prometheus"),
        grafana.variable("datasource", "traces", "Traces", "tempo"),
    ]
    known: tuple[str, ...] = ()
    text = json.dumps(panels)
    for name in (*IDENTITY, *(("model",) if "$model" in text or "${model" in text else ())):
        # Of a service whose SLO reads a metric of its own only the records know.
        series = (catalogue.LLM_REQUESTS.prometheus, *([records.events("6h")] if name in IDENTITY else []))
        query = expressions.label_values(name, series, *known)
        made.append(grafana.variable("query", name, name.capitalize(), query, kit.PROMETHEUS))
        known = (*known, name)
    return made


def events(clock: Clock) -> list[Json]:
    """Lines on every graph: the moments at which a version began to serve, what a provider announced, and the alerts while they fire."""
    # Of several replicas the first: one that sees a version late has not changed it.
    since = expressions.gauge(catalogue.SNAPSHOT_SINCE_TIMESTAMP, (*IDENTITY, "snapshot"), fold="min")
    versions = expressions.milliseconds(expressions.with_versions(since))
    announced = expressions.milliseconds(
        expressions.gauge(catalogue.PROVIDER_CHANGE_TIMESTAMP, ("provider", "model"), {"model": expressions.PRESENT})
    )
    told = expressions.firing((*IDENTITY, "slo", "alertname", "sev"), where=expressions.TOLD)
    return [
        _annotation("Version changes", versions.text, "blue", clock, "{{service}} {{environment}}: snapshot {{snapshot}}",
                    "model {{model_version}}, prompt {{prompt_version}}, index {{retrieval_index_version}}, guardrail {{guardrail_version}}",
                    ("service", "snapshot"), at_value=True),
        _annotation("Provider's announcements", announced.text, "purple", clock, "{{provider}} announced: {{model}}", "truegreen provider changes has the entry",
                    ("provider", "model"), at_value=True),
        _annotation("Firing alerts", told.text, "red", clock, "{{alertname}} {{slo}} sev {{sev}}", "{{service}} {{environment}}",
                    ("service", "slo"), at_value=False),
    ]  # fmt: skip


def _annotation(
    name: str, expr: str, color: str, clock: Clock, title: str, text: str, tags: Sequence[str], at_value: bool
) -> Json:
    return {
        "name": name, "datasource": kit.PROMETHEUS, "enable": True, "hide": False, "iconColor": color, "expr": expr, "step": f"{2 * clock.scrape}s",
        "titleFormat": title, "textFormat": text, "tagKeys": ",".join(tags), "useValueForTime": at_value,
    }  # fmt: skip
