"""The rules of PromQL on a board: it parses, names what exists with the labels that it has, and reads counters as counters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final

from truegreen.core.words.metric import IDENTITY
from truegreen.dashboards import promql
from truegreen.dashboards.known import ALERTS, Series
from truegreen.dashboards.lint_board import Found, Query, World, queries
from truegreen.dashboards.model import Json
from truegreen.dashboards.promql import ANY_SECONDS, OVER_COUNTERS, SECONDS, UNKNOWN, Selector

_COUNTED: Final = frozenset(
    {"count", "group", "absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp", "resets", "changes"}
)
"""What may read a counter as it is: it asks whether and when, not how many."""
_AGGREGATIONS: Final = frozenset({"sum", "avg", "min", "max", "quantile", "topk", "bottomk"})
_OURS: Final = "truegreen"
_NAMED: Final = 5
"""Names of others that are listed."""
_UNITS: Final = {"s": "s", "By": "bytes", "MiBy": "mbytes", "%": "percent", "1": "percentunit"}
"""UCUM, as metrics have it, to Grafana's names."""


def parses(board: Json, _: World) -> Iterator[Found]:
    """PromQL parses, with Grafana's variables filled in."""
    for query in queries(board):
        if error := promql.read(query.expr).error:
            yield Found(query.path, f"not PromQL: {error}")


def metrics(board: Json, world: World) -> Iterator[Found]:
    """A name that nothing emits draws an empty panel that looks like a quiet night."""
    foreign: dict[str, Query] = {}
    for query, selector in _selectors(board):
        name = selector.name
        if name in ("", UNKNOWN) and not world.ours:
            yield from (Found(query.path, says) for says in _of_nothing(selector, world))
        elif _exists(name, world):
            continue
        elif world.scraped is None and not world.ours and not name.startswith(_OURS):
            foreign.setdefault(name, query)
        else:
            yield Found(query.path, _unknown(name, world))
    if foreign:
        some = ", ".join([*list(foreign)[:_NAMED], *(["…"] if len(foreign) > _NAMED else [])])
        are = "name is" if len(foreign) == 1 else "names are"
        says = f"{len(foreign)} {are} not ours ({some}): whether they exist only their Prometheus knows; ask it with --prometheus-url"
        yield Found(next(iter(foreign.values())).path, says, warning=True)


def _exists(name: str, world: World) -> bool:
    found = name in world.series or name in (world.scraped or ())
    return found or (world.allowed is not None and world.allowed.fullmatch(name) is not None)


def _of_nothing(selector: Selector, world: World) -> Iterator[str]:
    # A pattern of our names that none of them fits.
    for label, op, value in selector.matchers:
        if label != "__name__" or op != "Re" or not value.startswith(_OURS):
            continue
        try:
            fits = any(re.fullmatch(value, name) for name in (*world.series, *(world.scraped or ())))
        except re.error:
            continue
        if not fits:
            yield f"no name that is known fits {value!r}"


def _series(selector: Selector, world: World) -> Series | None:
    # Alerts of somebody else have the labels that they chose.
    said = {label: value for label, _, value in selector.matchers}
    if selector.name == ALERTS and not world.ours and "slo" not in said and _OURS not in said.get("alertname", "").lower():
        return None
    return world.series.get(selector.name)


def _unknown(name: str, world: World) -> str:
    near = get_close_matches(name, [*world.series, *(world.scraped or ())], 1, 0.8)
    where = (
        "the catalogue, the generated records and this Prometheus"
        if world.scraped is not None
        else "the catalogue and the generated records"
    )
    return f"{name or 'a selector without a name'} is not known to {where}" + (f"; write {near[0]}" if near else "")


def labels(board: Json, world: World) -> Iterator[Found]:
    """Labels and values are those that the metric has."""
    for query, selector in _selectors(board):
        series = _series(selector, world)
        if series is not None and series.labels is not None:
            for label, op, value in selector.matchers:
                for says in _matcher(selector.name, series, label, op, value):
                    yield Found(query.path, says)
    for query in queries(board):
        for grouping in promql.read(query.expr).groupings:
            below = [series.labels if (series := _series(each, world)) else None for each in grouping.below]
            if not below or None in below:
                continue
            have = {label for each in below for label in each or ()} | grouping.made
            for label in grouping.labels:
                if label not in have and label != UNKNOWN:
                    yield Found(query.path, f"no series below has the label {label}; they have {', '.join(sorted(have))}")


def _matcher(name: str, series: Series, label: str, op: str, value: str) -> Iterator[str]:
    known = series.labels or ()
    if label not in known:
        near = get_close_matches(label, known, 1, 0.6)
        yield f"{name} has no label {label}; it has {', '.join(known)}" + (f"; write {near[0]}" if near else "")
        return
    closed = series.values.get(label)
    for one in (value.split("|") if op in ("Re", "NotRe") else [value]) if closed else ():
        if closed and one not in (*closed, ".*", ".+", ""):
            yield f"{name}: {label}={one!r} does not occur; it is one of {', '.join(closed)}"


def counters(board: Json, world: World) -> Iterator[Found]:
    """A counter is read by its growth, a gauge as it is."""
    for query, selector in _selectors(board):
        name, series = selector.name, world.series.get(selector.name)
        functions = [function for function, _ in selector.around]
        counted = [function for function in functions if function in OVER_COUNTERS]
        inner = functions[-1] if functions else ""
        counter = series.kind == "counter" if series else name.endswith("_total")
        if series is None and name.startswith(_OURS) and not _exists(name, world):
            continue  # `metrics` says so
        if counter and counted:
            below = [each for each in functions[-functions[::-1].index(counted[-1]) or len(functions) :] if each in _AGGREGATIONS]
            if below:
                says = f"{name}: {counted[-1]} of a {below[-1]} jumps at every restart of one process"
                yield Found(query.path, f"{says}; write {below[-1]}({counted[-1]}({name}[$__rate_interval]))")
        elif counter and inner not in _COUNTED and query.kind != "variable":
            yield Found(query.path, f"{name} is a counter: read it by rate or increase, such as rate({name}[$__rate_interval])")
        elif series and not counter and counted:
            yield Found(query.path, f"{name} is a {series.kind}: {counted[0]} is for counters; read it as it is")


def quantiles(board: Json, _: World) -> Iterator[Found]:
    """A quantile of a histogram is between 0 and 1, and needs the buckets: without them it is empty, or always +Inf."""
    for query in queries(board):
        for each in promql.read(query.expr).quantiles:
            buckets = [selector.name for selector in each.below if selector.name.endswith("_bucket")]
            if each.wanted is not None and not 0 <= each.wanted <= 1:
                likely = f"{each.wanted / 100:g}" if 1 < each.wanted <= 100 else "a number from 0 to 1, such as 0.95"
                yield Found(query.path, f"histogram_quantile({each.wanted:g}, …) is always infinite; write {likely}")
            if buckets and each.labels is not None and not each.labels & {"le", UNKNOWN}:
                kept = ", ".join(["le", *sorted(each.labels)])
                yield Found(
                    query.path,
                    f"histogram_quantile without the label le is always empty; write sum by ({kept}) (rate({buckets[0]}[$__rate_interval]))",
                )


def rate_interval(board: Json, _: World) -> Iterator[Found]:
    """A rate is taken over what Grafana knows to hold four scrapes."""
    for query, selector in _selectors(board):
        for function, seconds in selector.around:
            if function in ("rate", "irate") and seconds and seconds != SECONDS["$__rate_interval"]:
                yield Found(
                    query.path,
                    f"{selector.name}: {function} over {_range(seconds)}; write [$__rate_interval], which knows the scrape interval",
                )


def _range(seconds: int) -> str:
    named = {number: name for name, number in SECONDS.items()}
    return named.get(seconds, "a variable" if seconds == ANY_SECONDS else f"{seconds} s")


def narrowed(board: Json, world: World) -> Iterator[Found]:
    """Each of our series is narrowed by the board's service and environment; on a user's board, by whatever he chose."""
    for query, selector in _selectors(board):
        series = _series(selector, world)
        if series is None or query.kind == "variable":
            continue
        given = {label for label, _, _ in selector.matchers}
        for label in IDENTITY if world.ours else IDENTITY[:1]:
            written = f'{label}=~"${label}"'
            if label in (series.labels or ()) and (label not in given or (world.ours and written not in query.expr)):
                yield Found(query.path, f"{selector.name} is not narrowed by the board's variable: write {written}")


def unit_of(expression: str, world: World) -> str:
    """The unit that fits an expression, in Grafana's words; `short` where nobody can tell."""
    read = promql.read(expression)
    means = any(selector.name.endswith("_sum") for selector in read.selectors)
    if read.ratio and not means:
        return "percentunit"
    for selector in read.selectors:
        series = world.series.get(selector.name)
        if found := _UNITS.get(series.unit, "") if series else _named(selector.name):
            return found
        if selector.name.endswith("_total") and any(function in ("rate", "irate") for function, _ in selector.around):
            return "cpm" if "* 60" in expression else "reqps"
    return "short"


def _named(name: str) -> str:
    return "s" if "_seconds" in name else "bytes" if "_bytes" in name else ""


def _selectors(board: Json) -> Iterator[tuple[Query, Selector]]:
    for query in queries(board):
        for selector in promql.read(query.expr).selectors:
            yield query, selector


RULES: Final[dict[str, Callable[[Json, World], Iterator[Found]]]] = {
    "promql": parses,
    "metrics": metrics,
    "labels": labels,
    "counters": counters,
    "quantiles": quantiles,
    "rate-interval": rate_interval,
    "narrowed": narrowed,
}


def problems(expression: str, narrowed: bool = True) -> tuple[str, ...]:
    """What is wrong with an expression of a board of ours; without `narrowed` it may be of every service."""
    board: Json = {"panels": [{"targets": [{"expr": expression}]}]}
    rules = [rule for name, rule in RULES.items() if narrowed or name != "narrowed"]
    return tuple(found.says for rule in rules for found in rule(board, World(ours=True)))
