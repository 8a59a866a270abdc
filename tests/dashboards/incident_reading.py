"""What a recorded incident shows on boards: which questions got no data, and when a panel's colour says that something is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from truegreen.dashboards import check, promql
from truegreen.dashboards.preview import recording

Json = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One series of one target of a panel, with the steps of colour that its board gives it."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
    steps: tuple[Json, ...]

    def colours(self, start: float, end: float) -> list[str]:
        """The colour of each value from `start` to `end`, as Grafana takes it: of the last step that the value reaches."""
        return [_colour(value, self.steps) for at, value in self.points if start <= at <= end]


def _colour(value: float, steps: Collection[Json]) -> str:
    return [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]


def panel(boards: Mapping[str, Json], uid: str, title: str) -> Json:
    """The panel of a board by its title; a test that names one that is not there must fail."""
    (found,) = [one for one in check.panels(boards[uid]) if one.get("title") == title and one["type"] != "row"]
    return found


def lines(boards: Mapping[str, Json], found: recording.Recording, uid: str, title: str) -> list[Line]:
    """The recorded series of a panel; the dashed lines of budgets are not among them."""
    shown = panel(boards, uid, title)
    steps = shown["fieldConfig"]["defaults"].get("thresholds", {"steps": [{"color": "", "value": None}]})["steps"]
    targets = [one for one in shown["targets"] if not one["legendFormat"].startswith("budget")]
    made = []
    for query in recording.asked({"panels": [{**shown, "targets": targets}], "annotations": {"list": []}}):
        answer = found.boards[uid]["queries"][query.key]
        for one in answer["series"]:
            times = (answer["start"] + index * answer["step"] for index in range(len(one["values"])))
            points = tuple((at, value) for at, value in zip(times, one["values"], strict=True) if value is not None)
            made.append(Line(one["labels"], points, tuple(steps)))
    return made


def without_data(boards: Mapping[str, Json], found: recording.Recording, waiting: Collection[str]) -> Iterator[tuple[str, str]]:
    """Board and question of everything that is asked and has no data, unless it reads a metric that nothing in the demo makes (`waiting`)."""
    for uid, board in boards.items():
        answers = found.boards[uid]["queries"]
        for query in recording.asked(board):
            series = answers.get(query.key, {"series": []})["series"]
            if not any(value is not None for one in series for value in one["values"]) and not promql.names(query.expr) & {
                *waiting
            }:
                yield uid, query.expr
