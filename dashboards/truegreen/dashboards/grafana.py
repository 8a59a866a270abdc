"""The one module that touches grafanalib 0.7.1: it lets it write a panel, then mends what it writes wrongly.

The mistakes and their effects in Grafana are listed in the plugin's README. Boards never import this module; `kit` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import grafanalib.core as g
from grafanalib._gen import DashboardEncoder

from truegreen.dashboards.model import Json

SCHEMA_VERSION: Final = 42
"""The last one of the classic model. grafanalib writes 12, which Grafana no longer migrates."""
PLUGIN_VERSION: Final = "11.6.0"
"""Over 8.0: switches Grafana's migration of old panels off."""
NO_DATA: Final = "no data"
REFS: Final = "ABCDEFGH"
"""The names of a panel's queries."""

_DEAD: Final = (
    "cacheTimeout", "columns", "color", "editable", "error", "fontSize", "height", "hideTimeOverride", "mappings", "maxDataPoints", "minSpan",
    "span", "timeFrom", "timeShift", "repeat", "repeatDirection", "maxPerRow", "interval", "id", "gridPos",
)  # fmt: skip
_DEAD_BOARD: Final = ("rows", "style", "sharedCrosshair", "hideControls", "gnetId", "__inputs", "id", "version")
_DEAD_TARGET: Final = ("query", "target", "metric", "step", "intervalFactor", "interval")
_DEAD_VARIABLE: Final = ("useTags", "tagsQuery", "tagValuesQuery", "auto", "auto_min", "auto_count", "current")
_LEGEND: Final = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
_REDUCE: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_FILL: Final[Mapping[str, Json]] = {  # what Grafana's own editor always writes
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {"wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard"},
    "state-timeline": {"legend": _LEGEND, "perPage": 20, "tooltip": {"mode": "single", "sort": "none"}},
    "table": {"cellHeight": "sm", "footer": {"show": False, "countRows": False, "reducer": ["sum"], "fields": ""}},
    "text": {"code": {"language": "plaintext", "showLineNumbers": False, "showMiniMap": False}},
}


def threshold(color: str, value: float | None = None) -> Json:
    """A threshold's step; the base is JSON null. grafanalib writes the text "null", and then no threshold ever fires."""
    return {"color": color, "value": value}


def plain(thing: Any) -> Any:
    """A grafanalib object as plain JSON data."""
    return json.loads(json.dumps(thing, cls=DashboardEncoder))


def prune(data: Any) -> Any:
    """The data without nulls, save those of threshold bases."""
    if isinstance(data, dict):
        keep_null = set(data) == {"color", "value"}
        return {key: prune(value) for key, value in data.items() if value is not None or keep_null}
    return [prune(each) for each in data] if isinstance(data, list) else data


def mended(panel: Any, options: Json | None = None, defaults: Json | None = None, custom: Json | None = None) -> Json:
    """A grafanalib panel in Grafana's present model.

    Args:
        options: laid over the panel's options.
        defaults: laid over `fieldConfig.defaults`.
        custom: laid over `fieldConfig.defaults.custom`.
    """
    made: Json = plain(panel)
    for key in _DEAD:
        made.pop(key, None)
    made["pluginVersion"] = PLUGIN_VERSION
    made["options"] = _laid_over(_laid_over(_FILL.get(made["type"], {}), made.get("options", {})), options or {})
    field = made["fieldConfig"]["defaults"]
    field.update(defaults or {})
    if custom is not None:
        field["custom"] = {**field.get("custom", {}), **custom}
    if not field.get("thresholds", {}).get("steps"):
        field.pop("thresholds", None)
    made["fieldConfig"].setdefault("overrides", [])
    made["transformations"] = made.get("transformations", [])
    pruned: Json = prune(made)
    return pruned


def _laid_over(below: Json, above: Json) -> Json:
    both = {key: _laid_over(below[key], above[key]) for key in below.keys() & above.keys() if isinstance(below[key], dict)}
    return {**below, **above, **both}


def target(expression: str, legend: str, ref: str, *, instant: bool, form: str, exemplar: bool, source: Json) -> Json:
    """A Prometheus query of a panel. grafanalib gives it a step of its own and lacks `range`, `exemplar` and `editorMode`."""
    made: Json = plain(
        g.Target(expr=expression, legendFormat=legend or "__auto", refId=ref, instant=instant, format=form, datasource=source)
    )
    for key in _DEAD_TARGET:
        made.pop(key)
    return {**made, "range": not instant, "exemplar": exemplar, "editorMode": "code"}


def bar_gauge(common: Json, defaults: Json) -> Json:
    """Bars in the present model; grafanalib's are of Grafana 6."""
    options = {
        "displayMode": "basic", "orientation": "horizontal", "reduceOptions": _REDUCE, "showUnfilled": True, "valueMode": "text",
        "namePlacement": "auto", "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300,
        "legend": {**_LEGEND, "showLegend": False},
    }  # fmt: skip
    return mended(_Bare("bargauge", common), options, defaults)


def heatmap(common: Json, defaults: Json, unit: str) -> Json:
    """A heatmap of Prometheus buckets in the present model; grafanalib's is the one before Grafana 9.1."""
    options = {
        "calculate": False, "cellGap": 1, "showValue": "never", "filterValues": {"le": 1e-9}, "rowsFrame": {"layout": "auto"},
        "color": {"mode": "scheme", "scheme": "Blues", "fill": "blue", "scale": "exponential", "exponent": 0.5, "steps": 64, "reverse": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"}, "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }  # fmt: skip
    custom = {"hideFrom": {"tooltip": False, "viz": False, "legend": False}, "scaleDistribution": {"type": "linear"}}
    return mended(_Bare("heatmap", common), options, defaults, custom)


class _Bare:
    """A panel of a type that grafanalib lacks: its generic panel with a type and options."""

    def __init__(self, kind: str, common: Json) -> None:
        self.kind = kind
        self.common = common

    def to_json_data(self) -> Json:
        made: Json = g.Panel(**self.common).panel_json({"type": self.kind, "options": {}})
        return made


def variable(kind: str, name: str, label: str, query: str, source: Json | None = None) -> Json:
    """A variable of the board.

    Args:
        kind: `datasource` (query is the plugin's name) or `query` (several values, All, renewed with the time range).
    """
    several = kind == "query"
    made: Json = plain(
        g.Template(name=name, query=query, type=kind, label=label, dataSource=source, includeAll=several, multi=several)
    )
    for key in _DEAD_VARIABLE:
        made.pop(key)
    made |= {"hide": 0, "regex": "", "options": []}
    if several:  # grafanalib writes "All" where Grafana reads "$__all"
        made |= {
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "allValue": ".*",
            "refresh": 2,
            "sort": 1,
            "definition": query,
        }
    else:
        made |= {"current": {}, "refresh": 1}
        made.pop("sort")
    pruned: Json = prune(made)
    return pruned


def row(title: str, position: Json, identity: int, below: Sequence[Json], collapsed: bool) -> Json:
    """A row; the panels of a collapsed one are inside it."""
    made: Json = plain(g.RowPanel(title=title, collapsed=collapsed, panels=list(below) if collapsed else []))
    kept = {key: made[key] for key in ("title", "type", "collapsed", "panels")}
    return {**kept, "id": identity, "gridPos": position}


def position(x: int, y: int, width: int, height: int) -> Json:
    """A place in Grafana's grid of 24 columns."""
    made: Json = plain(g.GridPos(h=height, w=width, x=x, y=y))
    return made


def link(title: str, url: str, new_tab: bool = False) -> Json:
    """A data link."""
    made: Json = plain(g.DataLink(title=title, linkUrl=url, isNewTab=new_tab))
    return made


def dashed(legend: str) -> Json:
    """An override: the series of a legend (a regular expression) are limits, drawn dashed and grey."""
    properties = [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}},
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
    ]
    return {"matcher": {"id": "byRegexp", "options": legend}, "properties": properties}


def column(heading: str, key: str, value: object) -> Json:
    """An override: a property of a table's column."""
    return {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": key, "value": value}]}


def arranged(columns: Mapping[str, str], legends: Sequence[str]) -> list[Json]:
    """Transformations: the queries of a table merged on their common labels, named and ordered as `columns` has them."""
    # One query's value is the field "Value"; several merged ones are "Value #A", "Value #B", ...
    values = {legend: f"Value #{ref}" if len(legends) > 1 else "Value" for ref, legend in zip(REFS, legends, strict=False)}
    names = {values.get(name, name): heading for name, heading in columns.items()}
    organize: Json = {
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": names,
        "includeByName": dict.fromkeys(names, True),
    }
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": {"excludeByName": {"Time": True}, **organize}}]


def board(*, uid: str, title: str, description: str, tag: str, panels: list[Json], variables: list[Json], annotations: list[Json],
          refresh: str, start: str) -> Json:  # fmt: skip
    """A whole dashboard."""
    dropdown = g.DashboardLink(title="truegreen", tags=[tag], asDropdown=True, includeVars=True, keepTime=True)
    made: Json = plain(
        g.Dashboard(
            uid=uid, title=title, description=description, tags=[tag], panels=panels, templating=g.Templating(list=variables),
            annotations=g.Annotations(list=annotations), links=[dropdown], refresh=refresh, time=g.Time(start, "now"), timezone="browser",
            editable=False, graphTooltip=1, schemaVersion=SCHEMA_VERSION,
        )
    )  # fmt: skip
    for key in _DEAD_BOARD:
        made.pop(key)
    made["timepicker"] = {"refresh_intervals": made["timepicker"]["refresh_intervals"], "hidden": False}
    made["links"] = [{**each, "icon": "dashboard"} for each in made["links"]]
    made |= {"fiscalYearStartMonth": 0, "liveNow": False}
    pruned: Json = prune(made)
    return pruned
