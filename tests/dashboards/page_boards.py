"""Small boards and what is answered to them, for the tests of the preview's page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from truegreen.dashboards.preview import site
from truegreen.dashboards.preview.recording import Recording

Json = dict[str, Any]

READY = "document.documentElement.dataset.ready"

START, END = 1_764_280_000, 1_764_280_120
"""Two minutes, a point a second."""
ONSET = START + 60
WINDOW = (START * 1000, END * 1000)
LIMIT = [{"color": "green", "value": None}, {"color": "red", "value": 0.05}]
TIMES = range(START, END + 1)


def target(expr: str, legend: str = "", ref: str = "A", *, instant: bool = False) -> Json:
    """A query of a panel."""
    return {"expr": expr, "legendFormat": legend, "refId": ref, "interval": "1s", "instant": instant, "range": not instant}


def panel(identity: int, kind: str, title: str, targets: Sequence[Json], *, steps: Sequence[Json] = (), unit: str = "percentunit", width: int = 12,
          height: int = 8, **more: Any) -> Json:  # fmt: skip
    """A panel; `more` is laid over it, `defaults` over its field options."""
    defaults = {"unit": unit, "noValue": "no data", "thresholds": {"mode": "absolute", "steps": list(steps)}} | more.pop(
        "defaults", {}
    )
    return {
        "id": identity, "type": kind, "title": title, "description": f"Why {title} is there.", "targets": list(targets), "options": {},
        "gridPos": {"x": 12 * (identity % 2), "y": 8 * (identity // 2), "w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
    } | more  # fmt: skip


def board(*panels: Json, uid: str = "tiny", variables: Sequence[str] = ("service",), annotations: Sequence[Json] = ()) -> Json:
    """A board of these panels."""
    return {
        "uid": uid, "title": f"truegreen / {uid}", "description": "Does it draw?", "refresh": "off", "time": {"from": "now-5m", "to": "now"},
        "panels": list(panels), "annotations": {"list": list(annotations)},
        "templating": {"list": [{"name": name, "label": name.capitalize(), "type": "query", "query": f"label_values(up, {name})"} for name in variables]},
    }  # fmt: skip


def answer(*series: tuple[Mapping[str, str], Sequence[float | None]], start: int = START) -> Json:
    """What a recording holds for one query: (labels, a value for each second)."""
    return {"start": start, "step": 1, "series": [{"labels": dict(labels), "values": list(values)} for labels, values in series]}


def recorded(answers: Mapping[str, Json], *boards: Json, marks: Sequence[Json] = (), **variables: list[str]) -> site.Site:
    """A recording of boards; `answers` are by expression, for ranges and instants alike."""
    queries = {f"{expr}|1s|{kind}": one for expr, one in answers.items() for kind in ("range", "instant")}
    held = {one["uid"]: {"queries": queries, "variables": variables, "exemplars": {}} for one in boards}
    found = Recording(of="", start=START, end=END, scrape=1.0, time_scale=60, marks=tuple(marks), slos=(), boards=held)
    return site.recorded({one["uid"]: one for one in boards}, found, "a test")


def step(before: float, after: float, at: int = ONSET) -> list[float]:
    """A value that changes at a second."""
    return [before if t < at else after for t in TIMES]


def growing(rows: Mapping[tuple[tuple[str, str], ...], float], name: str) -> list[tuple[str, Mapping[str, str], str, float]]:
    """Rows of `synthetic.openmetrics`: counters that grow by so much a step."""
    return [(name, dict(labels), "counter", rate) for labels, rate in rows.items()]


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else math.pow((part + 0.055) / 1.055, 2.4) for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def shown(browser: Any, url: str, uid: str = "tiny", query: str = "") -> None:
    """Open a board and wait until all that is in sight is drawn."""
    browser.open(f"{url}/d/{uid}{query}")
    browser.until(READY)


def words(browser: Any, identity: int) -> Any:
    """What stands in a panel."""
    return browser.run("return document.querySelector(`[data-id='${arguments[0]}'] .body`).innerText", identity)
