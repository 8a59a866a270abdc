"""From a chart to the numbers of its drawing: paths, ticks, places of marks. Pure; the template writes them out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from truegreen.runbook.page.sli import Chart, Points

WIDTH, HEIGHT, VOLUME = 400.0, 200.0, 40.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 22.0, 22.0
CLOSE: Final = 16.0
"""Marks that are nearer than this stand one above the other."""
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


def drawing(chart: Chart) -> dict[str, Any]:
    """All that the template draws: of the ratio, its budget and the volume under it."""
    top = _top(chart)

    def x(time: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (time - chart.start) / max(chart.end - chart.start, 1.0), 1)

    def y(ratio: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(ratio, top) / top), 1)

    most = max((value for _, value in chart.volume), default=0.0)

    def up(value: float) -> float:
        return round(VOLUME * (1 - value / most), 1) if most else VOLUME

    return {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM, "volume": VOLUME,
        "line": " ".join(_path([(x(t), y(v)) for t, v in run]) for run in _runs(chart.ratio, chart.step)),
        "area": " ".join(_area([(x(t), y(v)) for t, v in run], HEIGHT - BOTTOM) for run in _runs(chart.ratio, chart.step)),
        "bars": " ".join(_area([(x(t), up(v)) for t, v in run], VOLUME) for run in _runs(chart.volume, chart.step)),
        "budget": y(chart.budget) if chart.budget is not None and chart.budget <= top else None,
        "ys": [{"at": y(top * part), "says": _percent(top * part)} for part in (0.0, 0.5, 1.0)],
        "xs": [{"at": x(t), "says": _clock(t)} for t in _times(chart)],
        "marks": list(_marks(chart, x)),
        "now": chart.ratio[-1][1] if chart.ratio else None,
        "worst": max((v for _, v in chart.ratio), default=None),
        "most": most,
    }  # fmt: skip


def _marks(chart: Chart, x: Any) -> Iterator[dict[str, Any]]:
    last, row = -math.inf, 0
    for mark in chart.marks:
        if not chart.start <= mark.time <= chart.end:
            continue
        at = x(mark.time)
        row = (row + 1) % 3 if at - last < CLOSE else 0
        last = at
        yield {"at": at, "row": row, "letter": mark.letter}


def _top(chart: Chart) -> float:
    highest = max([*(v for _, v in chart.ratio), 1.5 * (chart.budget or 0.0), 0.01])
    return next((step for step in _STEPS if step >= highest), 1.0)


def _runs(points: Points, step: float) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for time, value in points:
        if run and time - run[-1][0] > 1.5 * step:
            yield run
            run = []
        run.append((time, value))
    if run:
        yield run


def _path(run: list[tuple[float, float]]) -> str:
    # One point alone is a dot: a line of no length with a round end.
    return "M" + " L".join(f"{x:g},{y:g}" for x, y in (run if len(run) > 1 else run * 2))


def _area(run: list[tuple[float, float]], floor: float) -> str:
    return f"{_path(run)} L{run[-1][0]:g},{floor:g} L{run[0][0]:g},{floor:g} Z"


def _times(chart: Chart) -> list[float]:
    whole = next(
        s for s in (300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 10**9) if (chart.end - chart.start) / s <= 5
    )
    first = math.ceil(chart.start / whole) * whole
    return [float(t) for t in range(first, int(chart.end) + 1, whole)]


def _clock(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%H:%M")


def _percent(value: float) -> str:
    return f"{value * 100:.3g} %"
