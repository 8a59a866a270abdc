"""The promtool tests of cohorts: each number once, a little above and a little under it, and streams in time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import budgets, cohorts, oracle
from truegreen.alert_rules.edges_of_records import DAY, EXACT, OVER, UNDER
from truegreen.alert_rules.ladder import TIERS, sev
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.promtool import Check, Test, about, fires, seen
from truegreen.alert_rules.ruletests import ELSEWHERE, SERVICE, home
from truegreen.alert_rules.sli import CANARY
from truegreen.alert_rules.streams import MINUTE, Series, steady
from truegreen.alert_rules.text import number, quoted, selector
from truegreen.alert_rules.windows import parse
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue, records
from truegreen.core.words.slo import LIVE, SHADOW, EvaluationSli
from truegreen.core.words.terms import FAIL, PASS, SKIPPED

HOUR: Final = 60
STEP: Final = 5
"""Minutes between two evaluations of the slow file."""
LOW: Final = Decimal("0.02")
HIGH: Final = Decimal("0.49")
"""Two budgets: at one a cohort burns at twice it, at the other at the cap."""


def slow(config: Config, every: Iterable[Judged]) -> list[Test]:
    """Streams in time; rules are evaluated every five minutes."""
    asked = _with_cohorts(every)
    streams = [_burns(config, what, what.slo.sli.evaluation) for what in asked if isinstance(what.slo.sli, EvaluationSli)]
    return [*streams, *map(_holds, asked)]


def edges(config: Config, every: Iterable[Judged]) -> list[Test]:
    """Each number once; rules are evaluated once a day."""
    made = []
    for what in _with_cohorts(every):
        made += [_numbers(what), _vector(what), _windows(what)]
        if isinstance(what.slo.sli, EvaluationSli):
            made.append(_counts(config, what, what.slo.sli.evaluation))
    return made


def _with_cohorts(every: Iterable[Judged]) -> list[Judged]:
    return [what for what in every if what.slo.cohorts]


def _series(what: Judged, record: str, who: Mapping[str, str], values: str) -> Series:
    return Series(record, {**who, **what.identity}, f"_ {values}")


def _judged(evaluation: str, who: Mapping[str, str], result: str, *steps: tuple[int, Decimal], sampled: str = "base") -> Series:
    labels = {**who, "evaluation": evaluation, "evaluator": "test", "result": result, "sampled": sampled}
    return steady(catalogue.EVALUATIONS.prometheus, labels, *steps)


def _burns(config: Config, what: Judged, evaluation: str) -> Test:
    # Two cohorts, one of which goes bad after an hour and is well again after another; those that are none fail throughout, as does a
    # boosted sample; a cohort that nobody asks any more says nothing.
    slo = what.slo
    service, environment = home(what, budgets.not_customer_facing(config))
    budget = budgets.budget(what, service, environment) or Decimal("0.05")
    each, bad, length = Decimal(10 * max(1, math.ceil(Decimal("0.05") / budget))), min(8 * budget, cohorts.CAP + LOW), 9 * HOUR
    phases = [(HOUR, budget / 2), (HOUR, bad), (length - 2 * HOUR, budget / 2)]
    who = {"service": service, "environment": environment}
    series: list[Series] = []

    def add(
        cohort: str, shares: Iterable[tuple[int, Decimal]], events: Decimal = each, sampled: str = "base", **more: str
    ) -> None:
        told = {**who, "cohort": cohort, **more}
        shares = list(shares)
        series.append(_judged(evaluation, told, PASS, *((m, events * (1 - share)) for m, share in shares), sampled=sampled))
        series.append(_judged(evaluation, told, FAIL, *((m, events * share) for m, share in shares), sampled=sampled))

    add("ill", phases)
    add("well", [(length, budget / 2)])
    add("well", [(length, Decimal(1))], sampled="boost")
    for none in cohorts.NO_COHORT:
        add(none, [(length, Decimal(1))])
    add("canary", [(length, Decimal(1))], service=CANARY)
    add("ceased", [(length, Decimal(1))], Decimal(0), environment=ELSEWHERE)
    # What the SLO itself counts, for its budget; without it no cohort has one.
    series.append(
        steady(
            catalogue.EVALUATED_ANSWERS.prometheus,
            {**who, "evaluation": evaluation, "evaluator": "test", "result": PASS},
            (length, each),
        )
    )
    burning = _burning(phases, each, budget, budgets.design_effect(what, service, environment))
    named = {"slo": slo.name, "service": service, "environment": environment}
    level = sev(slo, TIERS[-1]) if slo.mode == LIVE else "3"
    checks = [fires(length, records.COHORT_BURN, None, **{**named, "cohort": cohort}) for cohort in ("well", *cohorts.NO_COHORT)]
    checks += [fires(length, records.COHORT_BURN, None, slo=slo.name, service=CANARY),
               fires(length, records.COHORT_BURN, None, slo=slo.name, service=service, environment=ELSEWHERE)]  # fmt: skip
    if burning and budgets.budget(what, service, environment) is not None:
        checks += [
            fires(max(burning[0] - 2 * STEP, 1), records.COHORT_BURN, None, slo=slo.name),
            fires(burning[0] + 2 * STEP, records.COHORT_BURN, 1, **named, cohort="ill", sev=level),
        ]
    return Test(f"{slo.name}: one cohort is served badly", tuple(series), tuple(checks))


def _burning(phases: Iterable[tuple[int, Decimal]], each: Decimal, budget: Decimal, effect: Decimal) -> list[int]:
    # By plain counting: the minutes, every five, in which one of the windows burns for one of two cohorts.
    z = math.sqrt((cohorts.Z**2 + 2 * math.log(2)) * float(effect))
    bad = [0.0]
    for minutes, share in phases:
        bad += [bad[-1] + float(each * share) * n for n in range(1, minutes + 1)]
    least = float(min(cohorts.TIMES * budget, cohorts.CAP))

    def burns(at: int, window: str) -> bool:
        start = max(at - parse(window) // MINUTE, 0)
        count, events = bad[at] - bad[start], float(each) * (at - start)
        return count / events > least and oracle.byar(count, z) / events > float(budget)

    return [at for at in range(STEP, len(bad), STEP) if any(burns(at, window) for window in cohorts.WINDOWS)]


def _numbers(what: Judged) -> Test:
    # A day each: ratio and bound of a window a little too small, the ratio again where the cap counts; then both a little above, two days to
    # resolve, and both above where the cap counts. One answer is enough for a ratio.
    slo = what.slo
    series: list[Series] = []
    checks: list[Check] = []
    days = [(LOW, 0, 1), (LOW, 1, 0), (HIGH, 0, 1), (LOW, 1, 1), (LOW, 0, 0), (LOW, 0, 0), (HIGH, 1, 1)]
    for where, live in ((slo.environments[0], slo.mode == LIVE), (ELSEWHERE, False)):
        for window in cohorts.WINDOWS:
            series += _given(what, window, {"service": f"{SERVICE}-{slo.name}-cohort-{window}", "environment": where}, days)
        level = sev(slo, TIERS[-1]) if live else "3"
        labels = {"slo": slo.name, "environment": where, "burn_tier": "cohort", "mode": LIVE if live else SHADOW}
        checks += [seen(DAY * day, records.COHORT_BURN, len(cohorts.WINDOWS), **labels, sev=level) for day in (4, 7)]
        checks += [seen(DAY * day, records.COHORT_BURN, None, **labels) for day in (1, 2, 3, 6)]
        checks += [seen(DAY * 4, records.COHORT_BURN, None, **{**labels, "mode": SHADOW})] if live else []
        state = selector(records.STATE, f"environment={quoted(where)}", f"service={quoted(f'{SERVICE}-{slo.name}-cohort-1h')}")
        checks.append(Check(f"max({state})", 4 * DAY, 2 if level != "3" else 1))
    return Test(f"{slo.name}: each number of its cohorts", tuple(series), tuple(checks), DAY * MINUTE)


def _given(what: Judged, window: str, who: Mapping[str, str], days: Sequence[tuple[Decimal, int, int]]) -> list[Series]:
    values = {
        records.cohort_events(window): [Decimal(1)] * len(days),
        records.cohort_bad(window): [
            min(cohorts.TIMES * budget, cohorts.CAP) * (OVER if ratio else UNDER) for budget, ratio, _ in days
        ],
        records.cohort_bad_lower_bound(window): [budget * (OVER if bound else UNDER) for budget, _, bound in days],
    }
    budget = _series(what, records.ERROR_BUDGET, who, " ".join(number(budget) for budget, *_ in days))
    told = {**who, "cohort": "gold"}
    return [budget, *(_series(what, record, told, " ".join(map(number, given))) for record, given in values.items())]


def _holds(what: Judged) -> Test:
    # After one evaluation in which a cohort burns.
    slo = what.slo
    series: list[Series] = []
    checks: list[Check] = []
    ends = 2 * STEP + parse(cohorts.KEEP) // MINUTE
    for where in (slo.environments[0], ELSEWHERE):
        who = {"service": f"{SERVICE}-{slo.name}-cohort-holds", "environment": where}
        series += _given(what, cohorts.WINDOWS[0], who, [(LOW, 1, 1), (LOW, 0, 0)])
        for at, value in ((STEP, 1), (ends - 2 * STEP, 1), (ends + STEP, None)):
            checks.append(fires(at, records.COHORT_BURN, value, slo=slo.name, **who))
    return Test(f"{slo.name}: how long the ticket of a cohort holds", tuple(series), tuple(checks), STEP * MINUTE)


def _vector(what: Judged) -> Test:
    # As published: 20 cohorts of 600, 24 bad in each but one of 120; z is 3.872 and its lower bound .13688 while answers are independent,
    # and as many times the answers where they are not, or nothing would be left of the bound.
    # Shorter windows have other counts, of fewer cohorts; and one answer in a day is enough for a cohort.
    who = {"service": f"{SERVICE}-{what.slo.name}", "environment": "vector"}
    effect = float(budgets.default_effect(what))
    z, times = math.sqrt((cohorts.Z**2 + 2 * math.log(20)) * effect), math.ceil(effect)
    series = [_series(what, records.events("6h"), {**who, "environment": where}, "1") for where in ("vector", "one")]
    checks = [
        about(DAY, _at(records.COHORT_Z, what), z, EXACT),
        about(DAY, _at(records.COHORT_Z, what, "one"), cohorts.Z * math.sqrt(effect), EXACT),
    ]
    for window, (many, events, bad) in zip(reversed(cohorts.WINDOWS), ((20, 600, 120), (10, 301, 91), (5, 102, 53)), strict=True):
        counts = [(who, f"c{n}", events * times, (bad if n == 0 else 24) * times) for n in range(many)]
        counts.append(({**who, "environment": "one"}, "c0", 1, 1))
        for at, cohort, every, failed in counts:
            series += [_series(what, record(window), {**at, "cohort": cohort}, str(count))
                       for record, count in ((records.cohort_events, every), (records.cohort_bad, failed))]  # fmt: skip
        bound = records.cohort_bad_lower_bound(window)
        first = selector(bound, f"cohort={quoted('c0')}")
        checks.append(about(DAY, f"{_at(bound, what)} and {first}", oracle.byar(bad * times, z) / (events * times), EXACT))
        checks.append(Check(f"sum({_at(bound, what, 'one')})", DAY, 0))
    return Test(f"{what.slo.name}: the bound of its cohorts", tuple(series), tuple(checks), DAY * MINUTE)


def _windows(what: Judged) -> Test:
    # Five days of recorded counts of 5 min: no window may be mistaken for another.
    who = {"service": f"{SERVICE}-{what.slo.name}", "environment": "days", "cohort": "gold"}
    counts = {records.cohort_events: 10, records.cohort_bad: 3}
    series = [_series(what, record("5m"), who, f"{count}+0x{5 * DAY // 5}") for record, count in counts.items()]
    checks = [
        about(5 * DAY, _at(record(window), what, "days"), count * parse(window) // 300, "0.1")
        for record, count in counts.items()
        for window in cohorts.WINDOWS
    ]
    return Test(f"{what.slo.name}: the windows of its cohorts", tuple(series), tuple(checks), 5 * MINUTE)


def _counts(config: Config, what: Judged, evaluation: str) -> Test:
    # Ten a minute until ten minutes ago and twice that since; one cohort without a failure; and what must not be counted.
    who = {"service": home(what, budgets.not_customer_facing(config))[0], "environment": "cohorts"}
    gold = {**who, "cohort": "gold"}
    steps, noise = [(DAY - 10, Decimal(10)), (10, Decimal(20))], (DAY, Decimal(77))
    series = [
        _judged(evaluation, gold, PASS, *steps),
        _judged(evaluation, gold, FAIL, *steps),
        _judged(evaluation, gold, SKIPPED, noise),
        _judged(evaluation, gold, FAIL, noise, sampled="boost"),
        _judged(f"not {evaluation}", gold, FAIL, noise),
        _judged(evaluation, {**who, "cohort": "clean"}, PASS, *steps),
        *(_judged(evaluation, {**who, "cohort": none}, FAIL, noise) for none in cohorts.NO_COHORT),
        _judged(evaluation, {**gold, "service": CANARY}, FAIL, noise),
    ]

    def of(record: str, *more: str) -> str:
        return selector(record, f"slo={quoted(what.slo.name)}", 'environment="cohorts"', *more)

    counted = [
        (records.cohort_events("5m"), "gold", 200),
        (records.cohort_bad("5m"), "gold", 100),
        (records.cohort_events("5m"), "clean", 100),
    ]
    checks = [about(DAY, of(record, f"cohort={quoted(cohort)}"), value, "0.25") for record, cohort, value in counted]
    clean = of(records.cohort_bad("5m"), f"cohort={quoted('clean')}")
    checks += [
        Check(f"sum({clean})", DAY, 0),
        *(Check(f"count({of(record('5m'))})", DAY, 2) for record in (records.cohort_events, records.cohort_bad)),
    ]
    return Test(f"{what.slo.name}: what its cohorts count", tuple(series), tuple(checks))


def _at(record: str, what: Judged, environment: str = "vector") -> str:
    return selector(record, f"slo={quoted(what.slo.name)}", f"environment={quoted(environment)}")
