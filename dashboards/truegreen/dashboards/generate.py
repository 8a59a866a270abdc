"""`truegreen generate dashboards`: every board as Grafana's JSON, the provisioning that it needs, and both as ConfigMaps."""

from __future__ import annotations

import json
from collections.abc import Mapping

from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Generated
from truegreen.dashboards import boards, check, configmaps, frame, promql, provision
from truegreen.dashboards.model import Json, View


def files(config: Config, time_scale: int) -> Generated:
    """The boards and their provisioning, as files and as ConfigMaps.

    Args:
        config: thresholds, dashed lines and links come from it.
        time_scale: 1 to 60; over 1 the boards keep the time of a demonstration.

    Raises:
        BadInput: a board breaks one of the rules of `check`.
    """
    clock = frame.clock(config.scrape_interval_seconds, time_scale)
    made = {f"{name}.json": frame.whole(board, clock) for name, board in boards.every(View(config)).items()}
    if name := _unknown_variable(config.routes.trace_url, made):
        raise BadInput(
            f"routes.trace_url: Grafana reads ${name} as a variable, which no board has; write %24 for a dollar sign of the address"
        )
    known = {board["uid"] for board in made.values()}
    if found := [f"{name}: {problem}" for name, board in made.items() for problem in check.problems(board, known)]:
        raise BadInput("\n".join(found))
    sources = provision.sources(config, clock.scrape)
    provisioning = {
        "provisioning/datasources/truegreen.yaml": sources,
        "provisioning/dashboards/truegreen.yaml": provision.provider(),
        "kubernetes/boards.yaml": configmaps.file(made, sources),
    }
    panels = {name: _count(board) for name, board in made.items()}
    statement = tuple(f"{name}: {board['title']}, {panels[name]} panels" for name, board in made.items())
    statement += tuple(
        f"passwords are not written: Grafana reads {name} of its own environment" for name in provision.passwords(config)
    )
    return Generated({**{name: _text(board) for name, board in made.items()}, **provisioning}, statement, {"panels": panels})


def _unknown_variable(address: str, made: Mapping[str, Json]) -> str:
    defined = {variable["name"] for board in made.values() for variable in board["templating"]["list"]}
    used = ("".join(found) for found in promql.VARIABLE.findall(address))
    return next((name for name in used if name not in defined and not name.startswith("__")), "")


def _text(board: Json) -> str:
    return json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _count(board: Json) -> int:
    return sum(1 for panel in check.panels(board) if panel["type"] not in ("row", "text"))
