"""PromQL for panels, built from catalogue metrics and record names: what is misspelt fails here, at import.

Every selection is narrowed by the board's variables. A share divides by `den > 0`, so that it is absent, never NaN or 0, without events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from truegreen.core.words import catalogue, records
from truegreen.core.words.metric import IDENTITY, External, Metric
from truegreen.core.words.promql import any_of, quoted
from truegreen.core.words.terms import CALIBRATED, RELATIVE, SERVING_COMPONENTS
from truegreen.dashboards.known import ALERTS, EXTERNAL_LABELS, SERIES
from truegreen.dashboards.model import Expression, Where

RATE: Final = "$__rate_interval"
RANGE: Final = "$__range"
PRESENT: Final = ".+"
"""As a label's value: whatever it is, if it is there."""
VARIABLES: Final = (*IDENTITY, "model")
"""The labels that have a variable on the board: whatever has the label is narrowed by it."""
EXPORTED: Final = (*EXTERNAL_LABELS, "mode", "gpu")
"""The labels of other exporters' metrics that a board may use."""
VERSIONS: Final = tuple(f"{component}_version" for component in SERVING_COMPONENTS)


def rate(metric: Metric, by: tuple[str, ...] = (), where: Where | None = None, factor: int = 1) -> Expression:
    """Events a second of a counter, times `factor` (60 makes them events a minute)."""
    times = f" * {factor}" if factor != 1 else ""
    return Expression(_sum(metric.prometheus, by, where or {}, "rate", RATE) + times, by)


def increase(metric: Metric, by: tuple[str, ...] = (), where: Where | None = None, over: str = RANGE) -> Expression:
    """Events of a counter over the range that the board shows, or (`RATE`) over the window of a share: its sample size."""
    return Expression(_sum(metric.prometheus, by, where or {}, "increase", over), by)


def share(metric: Metric, part: Where, whole: Where | None = None, by: tuple[str, ...] = (), over: str = RATE) -> Expression:
    """The share, 0 to 1, of a counter's events that `part` selects among those that `whole` selects.

    Args:
        part, whole: label to values; `whole` stays in force where `part` does not say otherwise.
        by: the labels of the result.
        over: `RATE` for a graph, `RANGE` for a table over all that the board shows.
    """
    function = "rate" if over == RATE else "increase"
    every = _sum(metric.prometheus, by, whole or {}, function, over)
    chosen = _sum(metric.prometheus, by, {**(whole or {}), **part}, function, over)
    return Expression(f"({chosen} or 0 * {every}) / ({every} > 0)", by)


def quantile(q: float, metric: Metric, by: tuple[str, ...] = (), where: Where | None = None) -> Expression:
    """A quantile (0 to 1) of a histogram of what is never negative, in the metric's unit; absent, not NaN, without observations."""
    return Expression(f"histogram_quantile({q}, {_sum(metric.bucket, ('le', *by), where or {}, 'rate', RATE)}) >= 0", by)


def mean(metric: Metric, by: tuple[str, ...] = (), where: Where | None = None, over: str = RATE) -> Expression:
    """The mean of what a histogram observed, in the metric's unit; absent without observations. `over` as in `share`."""
    function = "rate" if over == RATE else "increase"
    every = _sum(metric.count, by, where or {}, function, over)
    return Expression(f"{_sum(metric.sum, by, where or {}, function, over)} / ({every} > 0)", by)


def deviation(by: tuple[str, ...]) -> Expression:
    """The standard deviation of scores: the square root of the mean square less the squared mean."""
    square = ratio(
        rate(catalogue.EVALUATION_SCORE_SQUARED, by), Expression(_sum(catalogue.EVALUATION_SCORE.count, by, {}, "rate", RATE), by)
    )
    return Expression(f"sqrt(clamp_min({square.text} - ({mean(catalogue.EVALUATION_SCORE, by).text}) ^ 2, 0))", by)


def ratio(part: Expression, whole: Expression) -> Expression:
    """One expression over another of the same labels: 0 where only the part is missing, absent without the whole."""
    if part.labels != whole.labels:
        raise ValueError(f"a ratio is by the same labels; found {part.labels} over {whole.labels}")
    return Expression(f"({part.text} or 0 * ({whole.text})) / ({whole.text} > 0)", part.labels)


def per(part: Expression, whole: Expression) -> Expression:
    """One expression for each of another, whose labels are among its own: the tokens of a call, by type."""
    if not set(whole.labels) <= set(part.labels):
        raise ValueError(f"per: {whole.labels} are not among {part.labels}")
    return Expression(f"({part.text}) / on ({', '.join(whole.labels)}) group_left () (({whole.text}) > 0)", part.labels)


def either(first: Expression, second: Expression) -> Expression:
    """What the first has, and what only the second has."""
    return Expression(f"{first.text} or {second.text}", first.labels)


def rest(expression: Expression) -> Expression:
    """1 less a share."""
    return Expression(f"1 - ({expression.text})", expression.labels)


def distribution(metric: Metric, where: Where | None = None) -> Expression:
    """Observations per bucket of a histogram, for a heatmap."""
    return Expression(_sum(metric.bucket, ("le",), where or {}, "increase", RATE), ("le",))


def observations(metric: Metric, by: tuple[str, ...], where: Where | None = None) -> Expression:
    """How many values a histogram observed over the range that the board shows, where there were any."""
    return Expression(f"{_sum(metric.count, by, where or {}, 'increase', RANGE)} > 0", by)


def gauge(metric: Metric, by: tuple[str, ...], where: Where | None = None, fold: str = "max") -> Expression:
    """A gauge, folded over processes."""
    if metric.kind != "gauge":
        raise ValueError(f"{metric.prometheus} is a {metric.kind}: write rate, share or quantile, not gauge")
    return Expression(_folded(metric.prometheus, by, where or {}, fold), by)


def age(metric: Metric, by: tuple[str, ...], where: Where | None = None) -> Expression:
    """Seconds since the latest of the moments that a gauge names."""
    return Expression(f"time() - {gauge(metric, by, where).text}", by)


def record(name: str, by: tuple[str, ...], where: Where | None = None, fold: str = "max") -> Expression:
    """A generated recording rule, by its name in `core.words.records`."""
    if name not in SERIES or SERIES[name].kind != "record":
        raise ValueError(f"{name} is no generated recording rule; the names are in truegreen.core.words.records")
    return Expression(_folded(name, by, where or {}, fold), by)


def scaled(counted: Expression, evaluations: Mapping[str, str]) -> Expression:
    """A number of judged answers of one SLO of one service, under the scales of that service's scores; under none where no score is known.

    Args:
        evaluations: SLO to the evaluation that it reads. Whatever the model: the records of SLOs have none.
    """
    who = (*IDENTITY, "slo")
    on = ", ".join(who)
    scales = [
        f'label_replace(group by ({", ".join(IDENTITY)}, scale) ({_selected(catalogue.EVALUATION_SCORE.count, where, variables=IDENTITY)}), "slo", "{slo}", "", "")'
        for slo, evaluation in evaluations.items()
        for where in [dict[str, str | tuple[str, ...]](evaluation=evaluation, scale=(RELATIVE, CALIBRATED))]
    ]
    if not scales:
        return folded(counted, ())
    text = f"({' or '.join(scales)}) * on ({on}) group_left () ({counted.text}) or on ({on}) ({counted.text})"
    return folded(Expression(text, (*who, "scale")), ("scale",))


def of_worst(name: str, window: str, where: Where) -> Expression:
    """A record of the one SLO of one service that burns most by what its counts prove: ratio, bound and sample size are of the same answers.

    The highest ratio would be that of the fewest answers: 1 of 3 is 33 %. The highest bound would be that of the largest budget.
    """
    on = (*IDENTITY, "slo")
    bound, budget = (record(each, on, where).text for each in (records.bad_lower_bound(window), records.ERROR_BUDGET))
    matched = f"on ({', '.join(on)})"
    return Expression(f"{record(name, on, where).text} and {matched} topk(1, {bound} / {matched} {budget})", on)


def folded(expression: Expression, by: tuple[str, ...], fold: str = "max") -> Expression:
    """An expression by fewer of its labels: the largest value, or (`sum`) all of them together."""
    if not set(by) <= set(expression.labels):
        raise ValueError(f"folded: {by} are not all among {expression.labels}")
    group = f" by ({', '.join(by)})" if by else ""
    return Expression(f"{fold}{group} ({expression.text})", by)


def external(metric: External, by: tuple[str, ...] = ("job",), fold: str = "max", where: Where | None = None) -> Expression:
    """A metric of another exporter, a counter as its rate; the board's variables do not reach it."""
    if wrong := [label for label in (*by, *(where or {})) if label not in EXPORTED]:
        raise ValueError(f"{metric.prometheus}: by {wrong[0]!r}; write one of {', '.join(EXPORTED)}")
    inside = ",".join(f'{label}="{value}"' for label, value in (where or {}).items())
    chosen = metric.prometheus + (f"{{{inside}}}" if inside else "")
    return Expression(f"{fold} by ({', '.join(by)}) ({f'rate({chosen}[{RATE}])' if metric.kind == 'counter' else chosen})", by)


def with_versions(expression: Expression, components: tuple[str, ...] = VERSIONS) -> Expression:
    """The expression with the serving versions of its snapshot as labels; without them where the snapshot is not known.

    `max by` is needed: two processes of one version would otherwise be many-to-many.

    Args:
        components: labels of `VERSIONS`. The other two are no part of a snapshot's identity: a join over them is many-to-many.
    """
    on = (*IDENTITY, "snapshot")
    if not set(on) <= set(expression.labels):
        raise ValueError(f"versions join on {', '.join(on)}; the expression has {', '.join(expression.labels)}")
    if not set(components) <= set(VERSIONS):
        raise ValueError(f"versions: found {', '.join(components)}; write some of {', '.join(VERSIONS)}")
    info = gauge(catalogue.SNAPSHOT_INFO, (*on, *components)).text
    joined = f"({expression.text}) * on ({', '.join(on)}) group_left ({', '.join(components)}) {info}"
    return Expression(f"{joined} or on ({', '.join(expression.labels)}) ({expression.text})", (*expression.labels, *components))


def by_version(metric: Metric, part: Where, whole: Where, component: str, by: tuple[str, ...] = ()) -> Expression:
    """The share of a counter's events that `part` selects among `whole`, by one serving version, such as `prompt_version`, and more labels."""
    on = (*IDENTITY, "snapshot", *by)
    sides = (
        _versioned(Expression(_sum(metric.prometheus, on, {**whole, **more}, "rate", RATE), on), component) for more in (part, {})
    )
    return ratio(*sides)


def serving(component: str) -> Expression:
    """1 for each version of a serving component that answers now: the info gauge alone would linger for a day."""
    on = (*IDENTITY, "snapshot")
    answers = Expression(f"{rate(catalogue.ANSWERS, on).text} > 0", on)
    made = _versioned(answers, component)
    return Expression(made.text.replace("sum by", "group by", 1), made.labels)


def _versioned(expression: Expression, component: str) -> Expression:
    # Summed over the snapshots of one version.
    if component not in VERSIONS:
        raise ValueError(f"versions: found {component}; write one of {', '.join(VERSIONS)}")
    on = (*IDENTITY, "snapshot")
    by = (*IDENTITY, component, *(label for label in expression.labels if label not in on))
    info = gauge(catalogue.SNAPSHOT_INFO, (*on, component)).text
    return Expression(
        f"sum by ({', '.join(by)}) (({expression.text}) * on ({', '.join(on)}) group_left ({component}) {info})", by
    )


def milliseconds(expression: Expression) -> Expression:
    """Unix seconds as Grafana's milliseconds."""
    return Expression(f"({expression.text}) * 1000", expression.labels)


TOLD: Final[Where] = {"sev": ("1", "2", "3")}
"""Alerts that say something: the watchdog fires always, without a severity."""


def firing(by: tuple[str, ...] = (), name: str = "Truegreen.+", where: Where | None = None) -> Expression:
    """The firing alerts of truegreen whose name matches, folded to 1 by labels where some are given."""
    chosen = _selected(ALERTS, {"alertstate": "firing", **(where or {})}, f'alertname=~"{name}"')
    return Expression(f"max by ({_by(ALERTS, by)}) ({chosen})" if by else chosen, by or SERIES[ALERTS].labels or ())


def gravest(by: tuple[str, ...]) -> Expression:
    """The firing alerts by labels, `sev` among them; of those that differ in `sev` alone the gravest: the tiers of one burn are one line."""
    same = f"unless on ({', '.join(label for label in by if label != 'sev')})"
    first, second, third = (firing(by, where={"sev": sev}).text for sev in TOLD["sev"])
    graver = firing(by, where={"sev": TOLD["sev"][:2]}).text
    return Expression(f"{first} or ({second} {same} {first}) or ({third} {same} {graver})", by)


def label_values(label: str, names: tuple[str, ...], *narrowed: str) -> str:
    """A variable's query: the values of a label in some series, narrowed by other variables."""
    for name in names:
        _by(name, (label,))
    inside = ",".join([f'__name__=~"{"|".join(names)}"', *(f'{name}=~"${name}"' for name in narrowed)])
    return f"label_values({{{inside}}}, {label})"


def _sum(name: str, by: tuple[str, ...], where: Where, function: str, over: str) -> str:
    if SERIES[name].kind != "counter":
        raise ValueError(f"{name} is a {SERIES[name].kind}: {function} is for counters; write gauge")
    group = f" by ({_by(name, by)})" if by else ""
    return f"sum{group} ({function}({_selected(name, where)}[{over}]))"


def _folded(name: str, by: tuple[str, ...], where: Where, fold: str) -> str:
    group = f" by ({_by(name, by)})" if by else ""
    return f"{fold}{group} ({_selected(name, where)})"


def _by(name: str, by: tuple[str, ...]) -> str:
    for label in by:
        _label(name, label)
    return ", ".join(by)


def _label(name: str, label: str) -> None:
    labels = SERIES[name].labels or ()
    if label not in labels:
        raise ValueError(f"{name} has no label {label!r}; it has {', '.join(labels)}")


def _selected(name: str, where: Where, *more: str, variables: tuple[str, ...] = VARIABLES) -> str:
    series = SERIES[name]
    matchers = [f'{label}=~"${label}"' for label in variables if label in (series.labels or ()) and label not in where]
    for label, wanted in where.items():
        _label(name, label)
        values = (wanted,) if isinstance(wanted, str) else wanted
        closed = series.values.get(label)
        if closed and (wrong := [value for value in values if value not in closed]):
            raise ValueError(f"{name}: {label}={wrong[0]!r} does not occur; it is one of {', '.join(closed)}")
        if wanted == PRESENT:
            matchers.append(f'{label}!=""')
        else:
            matchers.append(f"{label}={quoted(wanted)}" if isinstance(wanted, str) else f"{label}=~{quoted(any_of(wanted))}")
    return f"{name}{{{','.join([*matchers, *more])}}}"
