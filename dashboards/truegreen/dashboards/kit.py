"""What boards are written with. Every panel must state its unit and why it is there; thresholds come from the SLO that the alert uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import grafanalib.core as g

from truegreen.core.words import catalogue
from truegreen.core.words.metric import Read
from truegreen.core.words.slo import Slo
from truegreen.dashboards import grafana
from truegreen.dashboards.model import Expression, Json, Row, Tile, View, budget

PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
_DURATION: Final = Read("computed", ("duration",))
_SCORE: Final = Read("evaluation", ("score",))
SPARSE: Final = 4
"""Judged answers are few: their rates are taken over at least 4 x 4 scrapes (8 min at 30 s), others over 4."""
UNITS: Final = (
    "percentunit",
    "percent",
    "s",
    "dtdurations",
    "short",
    "none",
    "cpm",
    "bytes",
    "mbytes",
    "dateTimeAsIso",
    "dateTimeFromNow",
    "locale",
)
"""Grafana's names; `board.schema.json` has the same list."""
STATES: Final = ((0, "quiet", "green"), (1, "ticket", "orange"), (2, "burning", "red"))
"""`truegreen:slo_state` in words."""

EXEMPLARS: Final = (*(m.bucket for m in catalogue.ALL if m.kind == "histogram" and m.value and m.value.read in (_DURATION, _SCORE)),
                    catalogue.EVALUATED_ANSWERS.prometheus, catalogue.EVALUATIONS.prometheus)  # fmt: skip
"""What the collector hangs traces on: how long something took, how it scored, and that it failed."""
COUNTED: Final = "The sample size behind the ratio: 1 of 3 is not 33 %. No data means that nothing was counted."

Series = tuple[str, Expression]
"""Legend, such as `{{service}}`, and what is drawn. `*` stands for every label of the expression: each must be in the legend."""
Steps = Sequence[Json]


def row(title: str, *tiles: Tile, collapsed: bool = False) -> Row:
    """A row of panels, filled from left to right."""
    return Row(title, (tiles,), collapsed)


def side_by_side(title: str, *columns: Sequence[Tile]) -> Row:
    """A row of columns of equal width."""
    return Row(title, tuple(tuple(column) for column in columns))


def within(*slos: Slo | None) -> Steps:
    """Green within the error budget that all the SLOs have, red over it; nothing without one, or where SLOs or services have different budgets."""
    limits = {budget(slo) for slo in slos if slo}
    limit = limits.pop() if len(limits) == 1 else None
    return () if limit is None else (grafana.threshold("green"), grafana.threshold("red", round(limit, 9)))


def under(limit: float) -> Steps:
    """Green under a limit, red from it on."""
    return (grafana.threshold("green"), grafana.threshold("red", limit))


def over(limit: float) -> Steps:
    """Red under a limit, green from it on."""
    return (grafana.threshold("red"), grafana.threshold("green", limit))


def drill(uid: str, title: str) -> Json:
    """A link to another board with the time and every variable of this one."""
    return grafana.link(title, address(uid, "${__url_time_range}"))


def address(uid: str, time: str = "from=${__from}&to=${__to}") -> str:
    """The address of another board with every variable of this one; `time` as it stands in a text."""
    kept = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "traces", "service", "environment", "model"))
    return f"/d/{uid}?{time}&{kept}"


def drill_mode() -> Json:
    """A link to the board of the failure mode of the series that was clicked."""
    return drill("truegreen-${__field.labels.failure_mode}", "Open the board of ${__field.labels.failure_mode}")


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
    if unit == "percentunit":
        raise ValueError("a ratio as a number is written by ratio(), which puts the sample size beside it")
    return _stat(title, series, unit, why, steps, links, width, height, scrapes, "name" if names else "auto")


def ratio(title: str, share: Series, of: Series, *, counted: str, why: str, steps: Steps = (), links: Sequence[Json] = (),
          proved: Series | None = None, also: Sequence[Series] = (), unit: str = "locale", width: int = 4, height: int = 4,
          scrapes: int = SPARSE) -> tuple[Tile, ...]:  # fmt: skip
    """A ratio and how many events stand behind it: tiles that never part. A legend with labels in it is shown: whose number it is.

    Args:
        share: the ratio, 0 to 1, and its legend.
        of: how many events, and its legend, with the scale where there is one.
        counted: the title of the sample size.
        proved: the lower bound of the ratio, shown between the two.
        also: sample sizes of ratios beside it, which stand in the same tile.
        unit: of the sample size: `locale` for a number of events, `cpm` for events a minute.
    """
    bound = "What the counts prove: the page waits until this bound, not the ratio, is over the budget."
    return (
        _stat(title, (share,), "percentunit", why, steps, links, width, height, scrapes, _form(share)),
        *(
            [_stat(f"{title}, at least", (proved,), "percentunit", bound, steps, (), width, height, scrapes, _form(proved))]
            if proved
            else []
        ),
        _stat(counted, _rounded((*also, of), unit), unit, COUNTED, (), (), width, height, scrapes, _form(of)),
    )


def _form(series: Series) -> str:
    return "value_and_name" if "{{" in series[0] or "*" in series[0] else "auto"


def _stat(title: str, series: Sequence[Series], unit: str, why: str, steps: Steps, links: Sequence[Json], width: int, height: int,
          scrapes: int, form: str) -> Tile:  # fmt: skip
    panel = g.Stat(
        **_common(title, why, _targets(series, instant=True), steps), format=_unit(unit), noValue=grafana.NO_DATA, reduceCalc="lastNotNull",
        colorMode="value" if steps else "none", graphMode="none", textMode=form,
    )  # fmt: skip
    return Tile(
        grafana.mended(panel, defaults=_defaults(unit, links, "thresholds" if steps else "fixed")), width, height, scrapes
    )


def _rounded(series: Sequence[Series], unit: str) -> tuple[Series, ...]:
    # Prometheus extrapolates an increase: 12.3 answers were 12.
    return tuple((legend, Expression(f"round({one.text})", one.labels) if unit == "locale" else one) for legend, one in series)


def graph(title: str, *series: Series, unit: str, why: str, steps: Steps = (), links: Sequence[Json] = (), width: int = 8,
          height: int = 8, scrapes: int = 1, reference: str = "", low: float | None = 0) -> Tile:  # fmt: skip
    """Lines over time, with the traces that the metric carries.

    Args:
        steps: drawn as dashed lines.
        reference: legend (a regular expression) of series that are limits, drawn dashed and grey.
        low: where the axis begins; None where values may be negative.
    """
    panel = g.TimeSeries(
        **_common(title, why, _targets(series), steps), unit=_unit(unit), fillOpacity=0, showPoints="auto",
        legendDisplayMode="table", legendCalcs=["mean", "lastNotNull", "max"], tooltipMode="multi", tooltipSort="desc",
        thresholdsStyleMode="dashed" if steps else "off", overrides=[grafana.dashed(reference)] if reference else [],
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
    return _bands(title, (series,), why, [{"type": "value", "options": options}], links, width, height)


def timeline(title: str, *series: Series, why: str, width: int = 24, height: int = 8) -> Tile:
    """A neutral band for each series, as long as it is there: what served when."""
    return _bands(title, series, why, [], (), width, height)


def _bands(
    title: str, series: Sequence[Series], why: str, mappings: list[Json], links: Sequence[Json], width: int, height: int
) -> Tile:
    panel = g.StateTimeline(**_common(title, why, _targets(series), ()), mappings=mappings, fillOpacity=80, showValue="never")
    return Tile(grafana.mended(panel, defaults=_defaults("none", links, "thresholds" if mappings else "fixed")), width, height)


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
    drawn = [pair for one in series for pair in _rounded((one,), (units or {}).get(columns.get(one[0], ""), unit))]
    overrides = [grafana.column(heading, "unit", _unit(one)) for heading, one in (units or {}).items()]
    overrides += [grafana.column(heading, "links", [one]) for heading, one in (links or {}).items()]
    if steps:
        first = columns[series[0][0]]
        overrides += [grafana.column(first, "thresholds", {"mode": "absolute", "steps": list(steps)}),
                      grafana.column(first, "custom.cellOptions", {"type": "color-text"})]  # fmt: skip
    panel = g.Table(
        **_common(title, why, _targets(drawn, instant=True, form="table"), ()), unit=_unit(unit), overrides=overrides,
        transformations=grafana.arranged(columns, [legend for legend, _ in series]), sortBy=[g.TableSortByField(displayName=sort, desc=True)] if sort else [],
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


def _targets(drawn: Sequence[Series], *, instant: bool = False, form: str = "time_series") -> list[Json]:
    made = []
    for ref, (legend, expression) in zip(grafana.REFS, drawn, strict=False):
        if not isinstance(expression, Expression):
            raise TypeError(f"a panel draws what truegreen.dashboards.expressions makes, found {expression!r}")
        exemplar = not instant and any(f"{name}{{" in expression.text for name in EXEMPLARS)
        words = legend if form == "table" else _legend(legend, expression)
        made.append(grafana.target(expression.text, words, ref, instant=instant, form=form, exemplar=exemplar, source=PROMETHEUS))
    if len(drawn) > len(grafana.REFS):
        raise ValueError(f"a panel has at most {len(grafana.REFS)} queries, found {len(drawn)}")
    return made


def _legend(legend: str, expression: Expression) -> str:
    words = legend.replace("*", " ".join(f"{{{{{label}}}}}" for label in expression.labels))
    if hidden := [label for label in expression.labels if f"{{{{{label}}}}}" not in words]:
        raise ValueError(
            f"legend: found {legend!r}; write {{{{{hidden[0]}}}}} in it too, or * for every label: lines of one name cannot be told apart"
        )
    return words


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
