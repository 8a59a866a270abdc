"""What boards are written with. Every panel must state its unit and why it is there; thresholds come from the SLO that the alert uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import grafanalib.core as g

from truegreen.core.words.slo import Slo, ThresholdSli
from truegreen.dashboards import grafana
from truegreen.dashboards.model import Expression, Json, Row, Tile, View, budget

PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
SPARSE: Final = 4
"""Judged answers are few: their rates are taken over at least 4 x 4 scrapes (8 min at 30 s), others over 4."""
UNITS: Final = ("percentunit", "s", "short", "none", "cpm", "dateTimeAsIso", "locale")
"""Grafana's names; `board.schema.json` has the same list."""
REFS: Final = "ABCDEFGH"
STATES: Final = ((0, "quiet", "green"), (1, "ticket", "orange"), (2, "burning", "red"))
"""`truegreen:slo_state` in words."""

Series = tuple[str, Expression]
"""Legend, such as `{{service}}`, and what is drawn."""
Steps = Sequence[Json]


def row(title: str, *tiles: Tile, collapsed: bool = False) -> Row:
    """A row of panels, filled from left to right."""
    return Row(title, (tiles,), collapsed)


def side_by_side(title: str, *columns: Sequence[Tile]) -> Row:
    """A row of columns of equal width."""
    return Row(title, tuple(tuple(column) for column in columns))


def within(*slos: Slo) -> Steps:
    """Green within the error budget that all the SLOs have, red over it; nothing where SLOs or services have different budgets."""
    limits = {budget(slo) for slo in slos}
    limit = limits.pop() if len(limits) == 1 else None
    return () if limit is None else (grafana.threshold("green"), grafana.threshold("red", round(limit, 9)))


def bound(slo: Slo) -> Steps:
    """Green under the threshold of a histogram SLO, in its metric's unit; red from it on."""
    return under(float(slo.sli.threshold)) if isinstance(slo.sli, ThresholdSli) else ()


def under(limit: float) -> Steps:
    """Green under a limit, red from it on."""
    return (grafana.threshold("green"), grafana.threshold("red", limit))


def over(limit: float) -> Steps:
    """Red under a limit, green from it on."""
    return (grafana.threshold("red"), grafana.threshold("green", limit))


def drill(uid: str, title: str) -> Json:
    """A link to another board with the time and every variable of this one."""
    kept = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "traces", "service", "environment", "model"))
    return grafana.link(title, f"/d/{uid}?${{__url_time_range}}&{kept}")


def trace(view: View) -> Json:
    """A link from a trace id to the trace: the configured address, else Explore with the board's traces."""
    if view.trace_url:
        return grafana.link("Open the trace", view.trace_url.replace("{trace_id}", "${__value.raw}"), new_tab=True)
    pane = (
        '{"t":{"datasource":"${traces}","queries":[{"refId":"A","datasource":{"type":"tempo","uid":"${traces}"},'
        '"queryType":"traceql","query":"${__value.raw}"}],"range":{"from":"${__from}","to":"${__to}"}}}'
    )
    return grafana.link("Open the trace", f"/explore?schemaVersion=1&orgId=1&panes={quote(pane, safe='${}:,._')}", new_tab=True)


def stat(title: str, *series: Series, unit: str, why: str, steps: Steps = (), links: Sequence[Json] = (),
         width: int = 4, height: int = 4, scrapes: int = SPARSE, names: bool = False) -> Tile:  # fmt: skip
    """A number as of now: an instant query, so that what has stopped reads "no data" and not its last value.

    Args:
        steps: colour by state; without any the number is neutral.
        names: show the legend instead of the number (for a label such as the scale).
    """
    panel = g.Stat(
        **_common(title, why, _targets(series, instant=True), steps), format=_unit(unit), noValue=grafana.NO_DATA, reduceCalc="lastNotNull",
        colorMode="value" if steps else "none", graphMode="none", textMode="name" if names else "auto",
    )  # fmt: skip
    return Tile(
        grafana.mended(panel, defaults=_defaults(unit, links, "thresholds" if steps else "fixed")), width, height, scrapes
    )


def graph(title: str, *series: Series, unit: str, why: str, steps: Steps = (), links: Sequence[Json] = (), width: int = 8,
          height: int = 8, scrapes: int = 1, exemplars: bool = False, reference: str = "", low: float | None = 0) -> Tile:  # fmt: skip
    """Lines over time.

    Args:
        steps: drawn as dashed lines.
        exemplars: draw the traces that the metric carries.
        reference: legend (a regular expression) of series that are limits, drawn dashed and grey.
        low: where the axis begins; None where values may be negative.
    """
    panel = g.TimeSeries(
        **_common(title, why, _targets(series, exemplar=exemplars), steps), unit=_unit(unit), fillOpacity=0, showPoints="auto",
        legendDisplayMode="table", legendCalcs=["mean", "lastNotNull", "max"], tooltipMode="multi", tooltipSort="desc",
        thresholdsStyleMode="dashed" if steps else "off", overrides=[_dashed(reference)] if reference else [],
    )  # fmt: skip
    custom = {"stacking": {"mode": "none", "group": "A"}, "scaleDistribution": {"type": "linear"}, "axisColorMode": "text"}
    defaults = {**_defaults(unit, links, "palette-classic"), "min": low}
    return Tile(grafana.mended(panel, None, defaults, custom), width, height, scrapes)


def bars(title: str, *series: Series, unit: str, why: str, steps: Steps = (), links: Sequence[Json] = (),
         width: int = 8, height: int = 8, low: float = 0, high: float = 1) -> Tile:  # fmt: skip
    """One bar for each series, as of now, from `low` to `high`."""
    defaults = {**_defaults(unit, links, "thresholds" if steps else "fixed"), "min": low, "max": high}
    return Tile(grafana.bar_gauge(_common(title, why, _targets(series, instant=True), steps), defaults), width, height)


def states(title: str, series: Series, *, why: str, links: Sequence[Json] = (), width: int = 24, height: int = 6) -> Tile:
    """A band for each series of `truegreen:slo_state`: quiet, ticket, burning."""
    options = {str(value): {"text": word, "color": color, "index": value} for value, word, color in STATES}
    panel = g.StateTimeline(
        **_common(title, why, _targets((series,)), ()), mappings=[{"type": "value", "options": options}], fillOpacity=80, showValue="never",
    )  # fmt: skip
    return Tile(grafana.mended(panel, defaults=_defaults("none", links, "thresholds")), width, height)


def heat(
    title: str, expression: Expression, *, unit: str, why: str, width: int = 24, height: int = 8, scrapes: int = SPARSE
) -> Tile:
    """A histogram over time: `expression` is a distribution by `le`."""
    targets = _targets((("{{le}}", expression),), form="heatmap")
    return Tile(
        grafana.heatmap(_common(title, why, targets, ()), {"noValue": grafana.NO_DATA}, _unit(unit)), width, height, scrapes
    )


def table(title: str, *series: Series, columns: Mapping[str, str], unit: str, why: str, steps: Steps = (),
          units: Mapping[str, str] | None = None, links: Mapping[str, Json] | None = None, sort: str = "", width: int = 24,
          height: int = 8) -> Tile:  # fmt: skip
    """A table as of now; several queries are merged on their common labels, their values become columns named after the legends.

    Args:
        columns: label or legend to heading, in order; what is not named is not shown.
        units: heading to its unit, where it is not `unit`.
        links: heading to the link that its cells are.
        sort: the heading to sort by, largest first.
    """
    overrides = [_column(heading, "unit", _unit(one)) for heading, one in (units or {}).items()]
    overrides += [_column(heading, "links", [one]) for heading, one in (links or {}).items()]
    if steps:
        first = columns[series[0][0]]
        overrides += [_column(first, "thresholds", {"mode": "absolute", "steps": list(steps)}),
                      _column(first, "custom.cellOptions", {"type": "color-text"})]  # fmt: skip
    panel = g.Table(
        **_common(title, why, _targets(series, instant=True, form="table"), ()), unit=_unit(unit), overrides=overrides,
        transformations=_arranged(columns, [legend for legend, _ in series]), sortBy=[g.TableSortByField(displayName=sort, desc=True)] if sort else [],
    )  # fmt: skip
    made = grafana.mended(panel, defaults=_defaults(unit, (), "thresholds"), custom={})
    made["fieldConfig"]["defaults"]["custom"] = {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "filterable": True,
        "inspect": False,
    }
    return Tile(made, width, height)


def text(title: str, markdown: str, *, why: str, width: int = 24, height: int = 8) -> Tile:
    """Markdown; Grafana fills in the board's variables."""
    made = grafana.mended(g.Text(title=title, description=_why(why), content=markdown, mode="markdown"))
    for key in ("fieldConfig", "targets", "transformations"):
        made.pop(key, None)
    return Tile(made, width, height)


def _targets(drawn: Sequence[Series], *, instant: bool = False, form: str = "time_series", exemplar: bool = False) -> list[Json]:
    made = []
    for ref, (legend, expression) in zip(REFS, drawn, strict=False):
        if not isinstance(expression, Expression):
            raise TypeError(f"a panel draws what truegreen.dashboards.expressions makes, found {expression!r}")
        made.append(
            grafana.target(expression.text, legend, ref, instant=instant, form=form, exemplar=exemplar, source=PROMETHEUS)
        )
    return made


def _common(title: str, why: str, targets: list[Json], steps: Steps) -> Json:
    return {"title": title, "description": _why(why), "dataSource": PROMETHEUS, "targets": targets, "thresholds": list(steps)}


def _defaults(unit: str, links: Sequence[Json], color: str) -> Json:
    made: Json = {"unit": _unit(unit), "noValue": grafana.NO_DATA, "color": {"mode": color}, "links": list(links)}
    if color == "fixed":
        made["color"]["fixedColor"] = "text"
    return made


def _unit(unit: str) -> str:
    if unit not in UNITS:
        raise ValueError(f"unit: found {unit!r}; write one of {', '.join(UNITS)}")
    return unit


def _why(why: str) -> str:
    if len(why) < 20:
        raise ValueError(f"why: found {why!r}; say in a sentence what the panel is for")
    return why


def _dashed(legend: str) -> Json:
    properties = [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}},
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
    ]
    return {"matcher": {"id": "byRegexp", "options": legend}, "properties": properties}


def _column(heading: str, key: str, value: object) -> Json:
    return {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": key, "value": value}]}


def _arranged(columns: Mapping[str, str], legends: Sequence[str]) -> list[Json]:
    # One query's value is the field "Value"; several merged ones are "Value #A", "Value #B", ...
    values = {legend: f"Value #{ref}" if len(legends) > 1 else "Value" for ref, legend in zip(REFS, legends, strict=False)}
    names = {values.get(name, name): heading for name, heading in columns.items()}
    organize: Json = {
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": names,
        "includeByName": dict.fromkeys(names, True),
    }
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": {"excludeByName": {"Time": True}, **organize}}]
