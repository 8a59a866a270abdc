"""Promtool tests that look once at each number of the detectors, a little above and a little under it, and at silence without traffic; see `edges`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import budgets, detectors, sli
from truegreen.alert_rules.edges_of_records import DAY, EXACT, OVER, UNDER, given, named_by, of_service
from truegreen.alert_rules.model import Baseline, Judged
from truegreen.alert_rules.promtool import Check, Test, about, fires, seen
from truegreen.alert_rules.ruletests import SERVICE, home
from truegreen.alert_rules.sli import CANARY
from truegreen.alert_rules.streams import MINUTE, Series, steady
from truegreen.alert_rules.text import quoted, selector
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue, records
from truegreen.core.words.terms import RELATIVE

STEP: Final = 5
"""Minutes between two evaluations of a real group."""
LOW: Final = Decimal("0.02")
WEEK: Final = 7
Cases = tuple[list[Series], list[Check]]


def tests(config: Config, every: tuple[Judged, ...]) -> list[Test]:
    """Each number once; rules are evaluated once a day."""
    made = []
    for what in every:
        for name, step, make in _EDGES:
            if name in what.slo.detectors:
                series, checks = make(config, what)
                made.append(Test(f"{what.slo.name}: each number of {name}", tuple(series), tuple(checks), step * MINUTE))
    return made


def service_of(what: Judged, name: str) -> str:
    """A service of the tests."""
    return f"{SERVICE}-{what.slo.name}-{name}"


def shaped(what: Judged, record: str, service: str, environment: str, values: str, **more: str) -> Series:
    """A recorded series of the SLO in promtool's own words."""
    made = given(what, record, service, environment)
    return Series(made.metric, {**made.labels, **more}, values)


def _seen(what: Judged, alert: str, name: str, cases: Mapping[str, bool]) -> list[Check]:
    labels = {"slo": what.slo.name, "service": service_of(what, name)}
    return [seen(DAY, alert, 1 if loud else None, **labels, environment=where) for where, loud in cases.items()]


def _mean_score(_: Config, what: Judged) -> Cases:
    # The upper bound a little over and under the baseline's mean; far under it, and too little under it.
    service, half, error = service_of(what, "mean"), Decimal("0.5"), Decimal("0.001")
    cases = {
        "fell": (half - detectors.FELL_BY - error, error, True),
        "unsure": (Decimal("0.3"), Decimal("0.0502"), False),
        "sure": (Decimal("0.3"), Decimal("0.0498"), True),
        "little": (half - detectors.FELL_BY + error, error, False),
    }
    series: list[Series] = []
    for where, (mean, spread, _loud) in cases.items():
        values = {detectors.MEAN: mean, detectors.STDERR: spread, detectors.BASELINE_MEAN: half}
        series += [given(what, record, service, where, value) for record, value in values.items()]
    return series, _seen(what, detectors.SCORES_FELL, "mean", {where: loud for where, (_m, _s, loud) in cases.items()})


_PARTS: Final = {"sum": Decimal("0.4"), "count": Decimal(1), "squared": Decimal("0.2")}
"""Of each answer, where half of them score .2 and half .6."""


def _scores(config: Config, what: Judged) -> Cases:
    # From the counters on; an answer too few, and one more; and other series of the same counters, which are not counted.
    service, at_home = service_of(what, "mean"), home(what, budgets.not_customer_facing(config))
    metrics = {"sum": f"{sli.SCORE}_sum", "count": f"{sli.SCORE}_count", "squared": catalogue.EVALUATION_SCORE_SQUARED.prometheus}
    series: list[Series] = []

    def add(rate: Decimal | int, where: str, at: str = at_home[0], **other: str) -> None:
        labels = {
            "service": at,
            "environment": where,
            "evaluation": budgets.signal(what.slo),
            "evaluator": "test",
            "scale": RELATIVE,
            **other,
        }
        series.extend(steady(metrics[part], labels, (DAY, step * rate)) for part, step in _PARTS.items())

    # A time scale that does not divide five minutes makes the window up to a fiftieth shorter.
    few, counted = Decimal(detectors.FELL_EVENTS) / STEP, f"{service}-counted"
    for where, rate in (
        (counted, Decimal(100)),
        (f"{service}-few", few * Decimal("0.95")),
        (f"{service}-enough", few * Decimal("1.05")),
    ):
        add(rate, where)
    add(7, counted, evaluation="another")
    add(7, counted, scale="raw")
    add(7, f"{service}-canary", CANARY)
    of = {part: f"{detectors.SCORE}:{part}5m" for part in _PARTS}
    checks = [
        *(about(DAY, named_by(what, of[part], counted), 100 * STEP * step, "0.03") for part, step in _PARTS.items()),
        *(Check(f"count({named_by(what, each, f'{service}-canary')})", DAY, None) for each in of.values()),
        Check(f"count({named_by(what, detectors.MEAN, f'{service}-few')})", DAY, None),
        Check(f"count({named_by(what, detectors.MEAN, f'{service}-enough')})", DAY, 1),
    ]
    # And from records of two days, of which one is looked at: 1,440 answers, 600 behind the baseline, a design effect of 2.
    known = {
        **{of[part]: f"{step:f}" for part, step in _PARTS.items()},
        records.BASELINE_EVENTS: "600",
        records.DESIGN_EFFECT: "2",
    }
    series += [shaped(what, record, service, "days", f"{value}x{2 * DAY}") for record, value in known.items()]
    error = math.sqrt(0.04 * (1 / DAY + 1 / 600) * 2)
    checks += [
        about(2 * DAY, named_by(what, detectors.MEAN, "days"), _PARTS["sum"], "0.01"),
        about(2 * DAY, named_by(what, detectors.STDERR, "days"), error, "0.01"),
        *(about(DAY, _at(what, detectors.BASELINE_MEAN, b), b.mean_score, EXACT) for b in what.baselines if b.mean_score),
    ]
    return series, checks


def _at(what: Judged, record: str, b: Baseline) -> str:
    named = (("slo", what.slo.name), ("service", b.service), ("environment", b.environment))
    return selector(record, *(f"{key}={quoted(value)}" for key, value in named))


def _mix(_: Config, what: Judged) -> Cases:
    service = service_of(what, "mix")
    series: list[Series] = []
    for where, distance in (("shifted", detectors.MIX_OVER * OVER), ("steady", detectors.MIX_OVER * UNDER)):
        series.append(shaped(what, detectors.DISTANCE, service, where, f"_ {distance:f}", model="large"))
    checks = _seen(what, detectors.SERVED_MIX, "mix", {"shifted": True, "steady": False})
    # .7, .2, none and .1 a day ago, then .3, .6, .1 and none: half of .4 + .4 + .1 + .1. And a day with a request too few.
    for where, first in (("counted", 20), ("few", 19)):
        for served, counts in (("a", "70 30"), ("b", f"{first} 60"), ("c", "_ 10"), ("d", "10 _")):
            series.append(shaped(what, detectors.COUNTS, service, where, f"_ {counts}", model="large", served=served))
    checks += [
        about(2 * DAY, named_by(what, detectors.DISTANCE, "counted"), Decimal("0.5"), EXACT),
        about(2 * DAY, f'{detectors.SHARE}{{slo="{what.slo.name}",environment="counted",served="a"}}', Decimal("0.3"), EXACT),
        Check(f"count({named_by(what, detectors.SHARE, 'counted')})", DAY, 3),
        *(
            Check(f"count({named_by(what, record, 'few')})", at * DAY, None)
            for record, at in ((detectors.SHARE, 1), (detectors.DISTANCE, 2))
        ),
        Check(f"count({named_by(what, detectors.DISTANCE, 'counted')})", DAY, None),
    ]
    return series, checks


def _served(config: Config, what: Judged) -> Cases:
    service, at_home = service_of(what, "mix"), home(what, budgets.not_customer_facing(config))[0]
    served = {"environment": service, "model": "large", "served": "a", "fingerprint": "none"}
    rates = ((at_home, 3), (CANARY, 5))
    series = [steady(catalogue.MODEL_SERVED.prometheus, {"service": at, **served}, (DAY, rate)) for at, rate in rates]
    return series, [about(DAY, named_by(what, detectors.COUNTS, service), Decimal(180))]


def _heterogeneity(_: Config, what: Judged) -> Cases:
    service = service_of(what, "cohorts")
    over = {"differ": detectors.DIFFER_Z * OVER, "alike": detectors.DIFFER_Z * UNDER}
    series = [given(what, detectors.DIFFER, service, where, value) for where, value in over.items()]
    checks = _seen(what, detectors.COHORTS_DIFFER, "cohorts", {"differ": True, "alike": False})
    # The published vector: 20 cohorts of 600, 120 bad in one and 24 in each other. Two; one; and small ones of which just more and just less than one is expected.
    edge = [(Decimal(20) * share, share) for share in (OVER, UNDER)]
    cases: Mapping[str, Sequence[tuple[Decimal | int, Decimal | int]]] = {
        "unequal": [(600, 120), *((600, 24) for _ in range(19))], "two": [(1000, 80), (1000, 20)], "alone": [(1000, 80)], "small": [(1000, 50), (1000, 50), *edge],
    }  # fmt: skip
    for where, cohorts in cases.items():
        for at, counts in enumerate(cohorts):
            for record, count in zip((records.cohort_events("1d"), records.cohort_bad("1d")), counts, strict=True):
                series.append(shaped(what, record, service, where, f"_ {count}", cohort=f"c{at}"))
        series.append(given(what, records.events("6h"), service, where, 1))
    effect = float(budgets.default_effect(what))
    # 319.328 and z 14.547 without a design effect; Wilson and Hilferty (1931).
    for where, chi, others in (("unequal", 319.328 / effect, 19), ("two", 36 / 0.95 / effect, 1)):
        spread = 2 / (9 * others)
        z = ((chi / others) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
        checks += [
            about(DAY, named_by(what, detectors.CHI, where), chi, EXACT),
            about(DAY, named_by(what, detectors.DIFFER, where), z, "0.0001"),
        ]
    checks += [
        Check(f"count({named_by(what, detectors.DIFFER, 'alone')})", DAY, None),
        Check(f"count({named_by(what, detectors.EXPECTED, 'small')})", DAY, 3),
    ]
    return series, checks


def _cusum(_: Config, what: Judged) -> Cases:
    service, threshold = service_of(what, "cusum"), detectors.CUSUM_OVER
    series: list[Series] = []
    cases = (("adds-up", OVER, 1, True), ("not-yet", UNDER, 1, False), ("no-traffic", OVER, 0, False))
    for where, share, events, _loud in cases:
        series += [
            given(what, detectors.EVIDENCE, service, where, threshold * share),
            given(what, records.events("1h"), service, where, events),
        ]
    checks = _seen(what, detectors.BURN_ADDS_UP, "cusum", {where: loud for where, _s, _e, loud in cases})
    # It waits for nothing, so its ticket shows in the state at once.
    return series, [*checks, Check(f"max({of_service(records.STATE, 'adds-up', service, what.slo.failure_mode)})", DAY, 1)]


def _evidence(_: Config, what: Judged) -> Cases:
    # 40 of 50 bad at a budget of .02, where .06 is the worse one; at a budget of .4 it is .9; none bad, and all of many. Its value 13 and 17 minutes before.
    service, checks = service_of(what, "cusum"), []
    series: list[Series] = []
    for where, budget, bad, every, age in (
        ("counted", LOW, 40, 50, 0), ("capped", Decimal("0.4"), 40, 50, 0), ("least", LOW, 0, 50, 0), ("most", LOW, 500, 500, 0),
        ("remembered", LOW, 40, 50, 13), ("forgotten", LOW, 40, 50, 17),
    ):  # fmt: skip
        values = {records.bad("5m"): bad, records.events("5m"): every, records.ERROR_BUDGET: budget, records.DESIGN_EFFECT: 8}
        series += [shaped(what, record, service, where, f"_x{DAY - 2} {value:f}x1") for record, value in values.items()]
        series += [shaped(what, detectors.EVIDENCE, service, where, f"_x{DAY - age - 1} 7")] if age else []
        p = float(budget)
        worse = min(detectors.CUSUM_BURN * p, 0.9)
        more = (bad * math.log(worse / p) + (every - bad) * math.log((1 - worse) / (1 - p))) / 8
        value = min(max(more + (7 if where == "remembered" else 0), 0), detectors.CUSUM_MOST)
        found = named_by(what, detectors.EVIDENCE, where)
        checks.append(about(DAY, found, value, "0.0001") if value else Check(f"sum({found})", DAY, 0))
    return series, checks


def _forecast(_: Config, what: Judged) -> Cases:
    # Two bad days, then a week that rises, and faster in its second half: a line through more of it or less would be another one.
    service, checks = service_of(what, "forecast"), []
    series: list[Series] = []
    least, slow, fast, a_day = detectors.FORECAST_EXPECTED, Decimal("0.000004"), Decimal("0.000012"), DAY // STEP
    half = WEEK * a_day // 2
    week = [Decimal("0.01") + min(at, half) * slow + max(at - half, 0) * fast for at in range(WEEK * a_day + 1)]
    for where, edge, expected, days in (
        ("will", UNDER, least * OVER, WEEK), ("will-not", OVER, least * OVER, WEEK), ("few", UNDER, least * UNDER, WEEK), ("young", UNDER, least * OVER, WEEK - 1),
    ):  # fmt: skip
        missing = (WEEK - days) * a_day
        reach = _line([float(each) for each in week[missing :: 60 // STEP]])
        # The line less its spread is the budget: reach - spread x budget / root of the expected bad events = budget.
        budget = (edge * reach / (1 + detectors.FORECAST_SPREAD / expected.sqrt())).quantize(Decimal("0.000001"))
        # An hour less where days are missing: a look at the beginning of the week would see five minutes back.
        before = f"0.03x{2 * a_day - 13} _x{missing + 12} " if missing else f"0.03x{2 * a_day - 1} "
        first = f"{week[missing]:f}+{slow:f}x{half - missing - 1} " if half > missing else ""
        values = {
            records.bad_ratio("1d"): f"{before}{first}{week[half]:f}+{fast:f}x{half + a_day}",
            records.ERROR_BUDGET: f"{budget:f}x{10 * a_day}",
            records.events("1d"): f"{(expected / budget).quantize(Decimal(1)):f}x{10 * a_day}",
        }
        series += [shaped(what, record, service, where, shape) for record, shape in values.items()]
        labels = {"slo": what.slo.name, "service": service, "environment": where}
        checks.append(seen(9 * DAY, detectors.BUDGET_FORECAST, 1 if where == "will" else None, **labels))
        if where == "will":
            checks += [fires(at * DAY, detectors.BUDGET_FORECAST, value, **labels) for at, value in ((9, None), (10, 1))]
    return series, checks


def _line(hourly: Sequence[float]) -> Decimal:
    # Least squares over the hours, two weeks after the last.
    n = len(hourly)
    middle, mean = (n - 1) / 2, sum(hourly) / n
    slope = sum((at - middle) * (value - mean) for at, value in enumerate(hourly)) / sum((at - middle) ** 2 for at in range(n))
    return Decimal(str(mean + slope * (middle + detectors.FORECAST_DAYS * 24)))


_EDGES: Final[tuple[tuple[str, int, Callable[[Config, Judged], Cases]], ...]] = (
    ("mean_score", DAY, _mean_score), ("mean_score", 1, _scores), ("mix", DAY, _mix), ("mix", 1, _served), ("heterogeneity", DAY, _heterogeneity),
    ("cusum", DAY, _cusum), ("cusum", 1, _evidence), ("forecast", STEP, _forecast),
)  # fmt: skip
"""Detector, minutes between two values of its series, and what must be seen."""
