"""Unit tests in promtool's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import NamedTuple

from truegreen.alert_rules.streams import MINUTE, Series
from truegreen.alert_rules.text import entry, quoted, scalar
from truegreen.alert_rules.windows import Clock


class Check(NamedTuple):
    """What an expression gives at a minute; None: nothing."""

    expr: str
    minute: int
    value: int | None


@dataclass(frozen=True, slots=True)
class Test:
    """Input series, a value every `interval` nominal seconds, and what must be seen of them."""

    __test__ = False  # pytest looks for classes of this name

    name: str
    series: tuple[Series, ...]
    checks: tuple[Check, ...]
    interval: int = MINUTE


def fires(minute: int, name: str, value: int | None = 1, **labels: str) -> Check:
    """That an alert fires at a minute, or with `value` None that it does not."""
    return seen(minute, name, value, alertstate="firing", **labels)


def seen(minute: int, name: str, value: int | None = 1, **labels: str) -> Check:
    """That an alert's expression gives something at a minute, whether the alert waits or fires."""
    wanted = "".join([f",{key}={quoted(label)}" for key, label in labels.items()])
    return Check(f"count(ALERTS{{alertname={quoted(name)}{wanted}}})", minute, value)


def about(minute: int, expr: str, value: Decimal | float, within: str = "0.02") -> Check:
    """That an expression, added up over all its series, is a value, within a share of it; 0 is just 0."""
    if not value:
        return Check(f"sum({expr})", minute, 0)
    times = 1_000
    while -1 < value * times < 1:
        times *= 1_000
    many = f"{value * times:.6f}".rstrip("0").rstrip(".")
    return Check(f"abs({times} * sum({expr}) / {many} - 1) < bool {within}", minute, 1)


def merged(tests: Sequence[Test]) -> list[Test]:
    """Tests that do not touch each other's series run as one: promtool evaluates every rule of the file for each test."""
    rooms: list[tuple[list[Test], set[tuple[str, str, str]]]] = []
    for each in tests:
        touched = {series.counted_as for series in each.series}
        room = next((r for r in rooms if r[0][0].interval == each.interval and r[1].isdisjoint(touched)), None)
        if room is None:
            rooms.append(([each], touched))
        else:
            room[0].append(each)
            room[1].update(touched)
    return [
        Test(
            "; ".join(t.name for t in room),
            tuple(s for t in room for s in t.series),
            tuple(c for t in room for c in t.checks),
            room[0].interval,
        )
        for room, _ in rooms
    ]


def written(tests: Sequence[Test], clock: Clock) -> str:
    """The YAML of test groups, as `tests` of promtool's file has them. They are most of what is generated, so no tree is made of them first."""
    at = cache(lambda minute: scalar(clock.exact(MINUTE * minute)))
    out: list[str] = ["tests:" if tests else "tests: []"]
    for each in tests:
        out += [f"  - name: {scalar(each.name)}", f"    interval: {scalar(clock.exact(each.interval))}"]
        out.append("    input_series:" if each.series else "    input_series: []")
        for series in each.series:
            out.append(f"      - series: {scalar(series.series)}\n        values: {scalar(series.values)}")
        out.append("    promql_expr_test:" if each.checks else "    promql_expr_test: []")
        for expr, minute, value in sorted(each.checks, key=attrgetter("minute")):
            if "\n" in expr:
                entry("      - expr:", expr, "          ", out)
            else:
                out.append(f"      - expr: {scalar(expr)}")
            samples = " []" if value is None else f'\n          - labels: "{{}}"\n            value: {value}'
            out.append(f"        eval_time: {at(minute)}\n        exp_samples:{samples}")
    return "\n".join([*out, ""])
