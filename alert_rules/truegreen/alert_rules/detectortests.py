"""The promtool tests of the detectors: each number once, a little above and a little under it, how long each waits, and silence without traffic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import budgets, detectors, sli
from truegreen.alert_rules.edges_of_records import DAY, EXACT, OVER, UNDER, given, named_by
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.promtool import Check, Test, about, fires, seen
from truegreen.alert_rules.ruletests import SERVICE, home
from truegreen.alert_rules.streams import MINUTE, Series, of_slo, steady
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue, records
from truegreen.core.words.terms import RELATIVE

STEP: Final = 5
"""Minutes between two evaluations of the slow file."""
HOUR: Final = 60
LOW: Final = Decimal("0.02")

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


def slow(config: Config, every: tuple[Judged, ...], clock: Clock) -> list[Test]:
    """How long each waits, and the ones with a memory; rules are evaluated every five minutes."""
    made = []
    for what in every:
        made += [_waits(what, name) for name in _WAITS if name in what.slo.detectors]
        if "cusum" in what.slo.detectors and budgets.budget(what, *home(what, budgets.not_customer_facing(config))) is not None:
            made.append(_adds_up(config, what, clock))
    return made


def _service(what: Judged, name: str) -> str:
    return f"{SERVICE}-{what.slo.name}-{name}"


def _seen(what: Judged, alert: str, name: str, cases: Mapping[str, bool]) -> list[Check]:
    labels = {"slo": what.slo.name, "service": _service(what, name)}
    return [seen(DAY, alert, 1 if loud else None, **labels, environment=where) for where, loud in cases.items()]


def _mean_score(_: Config, what: Judged) -> Cases:
    service = _service(what, "mean")
    # The upper bound a little over and under the baseline's mean; far under it, and too little under it.
    half, error = Decimal("0.5"), Decimal("0.001")
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


def _scores(config: Config, what: Judged) -> Cases:
    # Half of the answers scored .2 and half .6: from the counters on. And an answer too few, and one more.
    service, at_home = _service(what, "mean"), home(what, budgets.not_customer_facing(config))
    series: list[Series] = []
    few = Decimal(detectors.FELL_EVENTS) / STEP
    b = next((b for b in what.baselines if (b.service, b.environment) == at_home), None)
    for where, rate in ((at_home[1], Decimal(100)), (f"{service}-few", few * UNDER), (f"{service}-enough", few * OVER)):
        labels = {
            "service": at_home[0],
            "environment": where,
            "evaluation": budgets.signal(what.slo),
            "evaluator": "test",
            "scale": RELATIVE,
        }
        parts = (f"{sli.SCORE}_sum", "0.4"), (f"{sli.SCORE}_count", "1"), (catalogue.EVALUATION_SCORE_SQUARED.prometheus, "0.2")
        series += [steady(metric, labels, (DAY, Decimal(step) * rate)) for metric, step in parts]
    checks = [
        about(DAY, named_by(what, detectors.MEAN, at_home[1]), Decimal("0.4"), "0.01"),
        Check(f"count({named_by(what, detectors.MEAN, f'{service}-few')})", DAY, None),
        Check(f"count({named_by(what, detectors.MEAN, f'{service}-enough')})", DAY, 1),
    ]
    if b:
        effect = budgets.design_effect(what, *at_home)
        known = given(what, records.DESIGN_EFFECT, *at_home)
        series.append(Series(known.metric, known.labels, f"{effect:f}x{DAY}"))
        error_of = math.sqrt(0.04 * (1 / (100 * STEP) + 1 / b.events) * float(effect))
        checks += [
            about(DAY, named_by(what, detectors.STDERR, at_home[1]), error_of, "0.01"),
            about(DAY, named_by(what, detectors.BASELINE_MEAN, at_home[1]), b.mean_score, EXACT),
        ]
    return series, checks


def _mix(_: Config, what: Judged) -> Cases:
    service = _service(what, "mix")
    series: list[Series] = []
    for where, distance in (("shifted", detectors.MIX_OVER * OVER), ("steady", detectors.MIX_OVER * UNDER)):
        made = given(what, detectors.DISTANCE, service, where, distance)
        series.append(Series(made.metric, {**made.labels, "model": "large"}, made.values))
    checks = _seen(what, detectors.SERVED_MIX, "mix", {"shifted": True, "steady": False})
    # Shares of .8 and .2 yesterday, .3 and .6 and a new one of .1 today: half of .5 + .4 + .1. And one hour with a request too few.
    for where, days in (("counted", ((80, 20, 0), (30, 60, 10))), ("few", ((80, 19, 0), (30, 60, 10)))):
        for served, counts in zip(("a", "b", "c"), zip(*days, strict=True), strict=True):
            made = given(what, detectors.COUNTS, service, where, *counts)
            values = " ".join("_" if value == "0" else value for value in made.values.split())
            series.append(Series(made.metric, {**made.labels, "model": "large", "served": served}, values))
    checks += [
        about(2 * DAY, named_by(what, detectors.DISTANCE, "counted"), Decimal("0.5"), EXACT),
        Check(f"count({named_by(what, detectors.DISTANCE, 'few')})", 2 * DAY, None),
    ]
    return series, checks


def _served(config: Config, what: Judged) -> Cases:
    service = _service(what, "mix")
    who = {
        "service": home(what, budgets.not_customer_facing(config))[0],
        "environment": service,
        "model": "large",
        "served": "a",
        "fingerprint": "none",
    }
    series = [steady(catalogue.MODEL_SERVED.prometheus, who, (DAY, 3))]
    return series, [about(DAY, named_by(what, detectors.COUNTS, service), Decimal(180))]


def _heterogeneity(_: Config, what: Judged) -> Cases:
    service = _service(what, "cohorts")
    over = {"differ": detectors.DIFFER_Z * OVER, "alike": detectors.DIFFER_Z * UNDER}
    series = [given(what, detectors.DIFFER, service, where, value) for where, value in over.items()]
    checks = _seen(what, detectors.COHORTS_DIFFER, "cohorts", {"differ": True, "alike": False})
    # The published vector: 20 cohorts of 600, 120 bad in one and 24 in each other. And a small cohort, of which less than one is expected.
    cohorts = [(600, 120), *((600, 24) for _ in range(19)), (10, 9)]
    for where, used in (("unequal", cohorts[:20]), ("small", cohorts)):
        for at, (events, bad) in enumerate(used):
            for record, count in ((records.cohort_events("1d"), events), (records.cohort_bad("1d"), bad)):
                made = given(what, record, service, where, count)
                series.append(Series(made.metric, {**made.labels, "cohort": f"c{at}"}, made.values))
        series.append(given(what, records.events("6h"), service, where, 1))
    # 319.328 and z 14.547 without a design effect; Wilson and Hilferty (1931).
    chi = 319.328 / float(budgets.default_effect(what))
    z = ((chi / 19) ** (1 / 3) - (1 - 2 / (9 * 19))) / math.sqrt(2 / (9 * 19))
    checks += [
        about(DAY, named_by(what, detectors.CHI, "unequal"), chi, EXACT),
        about(DAY, named_by(what, detectors.DIFFER, "unequal"), z, "0.0001"),
        Check(f"count({named_by(what, detectors.EXPECTED, 'small')})", DAY, 20),
    ]
    return series, checks


def _cusum(_: Config, what: Judged) -> Cases:
    service, threshold = _service(what, "cusum"), detectors.CUSUM_OVER
    series: list[Series] = []
    cases = (("adds-up", OVER, 1, True), ("not-yet", UNDER, 1, False), ("no-traffic", OVER, 0, False))
    for where, share, events, _loud in cases:
        series += [
            given(what, detectors.EVIDENCE, service, where, threshold * share),
            given(what, records.events("1h"), service, where, events),
        ]
    checks = _seen(what, detectors.BURN_ADDS_UP, "cusum", {where: loud for where, _s, _e, loud in cases})
    # 40 of 50 bad at a budget of .02, where .06 is the worse one; at a budget of .4 it is .9.
    for where, budget, worse in (("counted", LOW, 0.06), ("capped", Decimal("0.4"), 0.9)):
        values: Mapping[str, Decimal | int] = {
            records.bad("5m"): 40,
            records.events("5m"): 50,
            records.ERROR_BUDGET: budget,
            records.DESIGN_EFFECT: 8,
        }
        series += [given(what, record, service, where, value) for record, value in values.items()]
        p = float(budget)
        ratio = (40 * math.log(worse / p) + 10 * math.log((1 - worse) / (1 - p))) / 8
        checks.append(about(DAY, named_by(what, detectors.EVIDENCE, where), ratio, "0.0001"))
    return series, checks


def _forecast(_: Config, what: Judged) -> Cases:
    # A line from .01 on that passes the budget within the two weeks after its week, or stays a little under it; few events, or six days, tell nothing.
    service, checks = _service(what, "forecast"), []
    series: list[Series] = []
    least, slope, a_day = detectors.FORECAST_EXPECTED, Decimal("0.000008"), DAY // STEP
    reach = Decimal("0.01") + (7 + detectors.FORECAST_DAYS) * a_day * slope
    for where, edge, expected, days in (
        ("will", UNDER, least * OVER, 7),
        ("will-not", OVER, least * OVER, 7),
        ("few", UNDER, least * UNDER, 7),
        ("young", UNDER, least * OVER, 6),
    ):
        # The line less its spread is the budget: reach - spread x budget / root of the expected bad events = budget.
        budget = (edge * reach / (1 + detectors.FORECAST_SPREAD / expected.sqrt())).quantize(Decimal("0.000001"))
        values = {
            records.bad_ratio("1d"): f"_x{(9 - days) * a_day - 1} 0.01+{slope:f}x{days * a_day}",
            records.ERROR_BUDGET: f"{budget:f}x{9 * a_day}",
            records.events("1d"): f"{(expected / budget).quantize(Decimal(1)):f}x{9 * a_day}",
        }
        for record, shape in values.items():
            made = given(what, record, service, where)
            series.append(Series(made.metric, made.labels, shape))
        labels = {"slo": what.slo.name, "service": service, "environment": where}
        checks.append(seen(9 * DAY, detectors.BUDGET_FORECAST, 1 if where == "will" else None, **labels))
    return series, checks


_EDGES: Final[tuple[tuple[str, int, Callable[[Config, Judged], Cases]], ...]] = (
    ("mean_score", DAY, _mean_score), ("mean_score", 1, _scores), ("mix", DAY, _mix), ("mix", 1, _served), ("heterogeneity", DAY, _heterogeneity),
    ("cusum", DAY, _cusum), ("forecast", STEP, _forecast),
)  # fmt: skip
"""Detector, minutes between two values of its series, and what must be seen."""
_WAITS: Final[Mapping[str, tuple[str, int, tuple[tuple[str, str, str], ...]]]] = {
    "mean_score": (
        detectors.SCORES_FELL,
        HOUR,
        ((detectors.MEAN, "0.3", "0.5"), (detectors.STDERR, "0.01", "0.01"), (detectors.BASELINE_MEAN, "0.5", "0.5")),
    ),
    "mix": (detectors.SERVED_MIX, 10, ((detectors.DISTANCE, "0.9", "0.1"),)),
    "heterogeneity": (detectors.COHORTS_DIFFER, HOUR, ((detectors.DIFFER, "9", "1"),)),
}
"""Detector to its alert, how many minutes it waits, and what its records are in a storm and after it."""


def _waits(what: Judged, name: str) -> Test:
    # From minute 5 on, for a quarter of an hour more than it waits.
    alert, minutes, values = _WAITS[name]
    service = _service(what, f"{name}-waits")
    more = {"model": "large"} if name == "mix" else {}
    series = []
    for record, loud, quiet in values:
        made = given(what, record, service, "storm")
        series.append(Series(made.metric, {**made.labels, **more}, f"_ {loud}x{minutes // STEP + 3} {quiet}x{HOUR}"))
    labels = {"slo": what.slo.name, "service": service, **more}
    checks = [
        fires(at, alert, value, **labels) for at, value in ((minutes, None), (minutes + STEP, 1), (minutes + 5 * STEP, None))
    ]
    return Test(f"{what.slo.name}: how long {name} waits", tuple(series), tuple(checks), STEP * MINUTE)


def _adds_up(config: Config, what: Judged, clock: Clock) -> Test:
    # Four budgets for as long as it takes, then half of one until the evidence is gone; a healthy neighbour; one that ceases in its burn.
    slo = what.slo
    service, environment = home(what, budgets.not_customer_facing(config))
    budget = budgets.budget(what, service, environment) or Decimal("0.05")
    effect = budgets.design_effect(what, service, environment)
    burn = min(4 * budget, Decimal("0.9"))
    events = Decimal(60 * math.ceil(Decimal(20) / budget / 60))
    gain = float(events) / 60 * _gain(float(budget), float(burn)) / float(effect)
    minutes = math.ceil(detectors.CUSUM_OVER / gain / STEP) * STEP + 4 * STEP
    loss = float(events) / 60 * -_gain(float(budget), 0) / float(effect)
    rest = max(2 * HOUR, math.ceil(detectors.CUSUM_MOST / loss / STEP) * STEP + 4 * STEP)
    storm = [Phase(30, events, budget / 2), Phase(minutes, events, burn), Phase(rest, events, Decimal(0))]
    total = sum(phase.minutes for phase in storm)
    ceased = [storm[0], storm[1], Phase(rest, Decimal(0), Decimal(0))]
    series: list[Series] = []
    metrics = config.metrics.by_name
    for where, phases in (("adds-up", storm), ("calm", [Phase(total, events, budget / 2)]), ("ceased", ceased)):
        series += of_slo(slo, metrics, service, where if where != "adds-up" else environment, phases, clock)
    labels = {"slo": slo.name, "service": service}
    named = {**labels, "environment": environment}
    checks = [
        fires(30, detectors.BURN_ADDS_UP, None, **labels),
        fires(30 + minutes, detectors.BURN_ADDS_UP, 1, **named),
        fires(total, detectors.BURN_ADDS_UP, None, **labels),
        fires(30 + minutes, detectors.BURN_ADDS_UP, None, **labels, environment="calm"),
    ]
    return Test(f"{slo.name}: a small burn adds up, and its evidence goes", tuple(series), tuple(checks), MINUTE)


def _gain(budget: float, ratio: float) -> float:
    worse = min(detectors.CUSUM_BURN * budget, 0.9)
    return ratio * math.log(worse / budget) + (1 - ratio) * math.log((1 - worse) / (1 - budget))
