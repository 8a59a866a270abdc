"""Promtool tests that look once at each recorded number of an SLO: what is counted, and what follows from the counts; see `edges`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from itertools import accumulate
from typing import Final

from truegreen.alert_rules import budgets, oracle
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.promtool import Check, Test, about
from truegreen.alert_rules.recording import EVIDENCE, SHORT, long_windows
from truegreen.alert_rules.ruletests import ELSEWHERE, SERVICE, home
from truegreen.alert_rules.sli import BAD_MINUTE, CANARY, some_services
from truegreen.alert_rules.streams import MINUTE, Series, inside, narrowed, noise, of_slo, outside, without_bad
from truegreen.alert_rules.text import number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import records
from truegreen.core.words.records import SECONDS
from truegreen.core.words.slo import FreshnessSli, MinuteSli

DAY: Final = 1_440
"""In minutes."""
OVER: Final = Decimal("1.02")
UNDER: Final = Decimal("0.98")
EXACT: Final = "0.00001"
_AGES: Final = (
    (9, 600, "0.1"),
    (21, 1_200, "0.5"),
    (42, 300, "0.25"),
    (85, 900, "0.8"),
    (208, 240, "0.25"),
    (600, 480, "0.125"),
    (DAY, 150, "0.6"),
)
"""Up to so many minutes ago: events an hour and the share of bad ones. Rates change halfway between windows, never at the edge of one."""
_SPANS: Final[tuple[tuple[int, int, str], ...]] = (
    (2_796, 0, "0"),
    (300, 3, "0.9"),
    (700, 0, "0"),
    (300, 3, "0.9"),
    (6_800, 0, "0"),
    (700, 7, "2"),
    (500, 5, "1"),
)
"""So many times 5 min, the oldest first: events and bad ones; 42 days."""
_OTHERWISE: Final = {"layer": "another", "failure_mode": "another", "pillar": "another"}
"""What an SLO said of itself before it was changed: its series of then have these labels."""
_NEW: Final = 3
"""Spells of `_AGES` since the change."""


def tests(config: Config, what: Judged, clock: Clock) -> list[Test]:
    """The tests of one SLO's records."""
    made = [_derived(config, what), _counts(config, what, clock), _long_counts(what, clock)]
    return [*made, _bad_minute(what, clock, what.slo.sli)] if isinstance(what.slo.sli, MinuteSli) else made


def given(what: Judged, record: str, service: str, environment: str, *values: Decimal | int) -> Series:
    """A recorded series of the SLO, a value for each evaluation after the first."""
    labels = {"service": service, "environment": environment, **what.identity}
    return Series(record, labels, values_of(values))


def values_of(values: Iterable[Decimal | int]) -> str:
    """A value for each evaluation after the first, in promtool's words."""
    return " ".join(["_", *map(number, values)])


def named_by(what: Judged, record: str, environment: str = "") -> str:
    """The selector of a record of the SLO."""
    return selector(record, f"slo={quoted(what.slo.name)}", f"environment={quoted(environment)}" if environment else "")


def of_service(record: str, environment: str, service: str, failure_mode: str = "") -> str:
    """The selector of a record of one service."""
    mode = f"failure_mode={quoted(failure_mode)}" if failure_mode else ""
    return selector(record, f"service={quoted(service)}", f"environment={quoted(environment)}", mode)


def _derived(config: Config, what: Judged) -> Test:
    # Counts are given, a few bad of many, other ones for each window: ratio, lower bound, burn rate, budget and its balance follow from them.
    slo = what.slo
    service, environment = home(what, budgets.not_customer_facing(config))
    budget, effect = budgets.budget(what, service, environment), budgets.design_effect(what, service, environment)
    series: list[Series] = []
    checks: list[Check] = []
    for at, window in enumerate((*SHORT, *long_windows(slo))):
        bad = math.ceil(23 * effect) + at  # enough for a lower bound over 0
        events = math.ceil(Decimal(bad) / (budget or Decimal("0.1")) * 2) + 11 * at
        # Of 5 min the long windows are added up, so they stand elsewhere.
        who = (service, environment) if window != "5m" else (f"{SERVICE}-{slo.name}-5m", environment)
        only = tuple(f"{key}={quoted(value)}" for key, value in (("slo", slo.name), ("service", who[0]), ("environment", who[1])))
        series += [given(what, records.bad(window), *who, bad), given(what, records.events(window), *who, events)]
        checks.append(about(DAY, selector(records.bad_ratio(window), *only), bad / events, EXACT))
        if window in EVIDENCE:
            bound = oracle.byar(bad, EVIDENCE[window] * math.sqrt(effect)) / events
            checks.append(about(DAY, selector(records.bad_lower_bound(window), *only), bound, EXACT))
        if window == "5m" and isinstance(slo.objective, Decimal):
            series.append(given(what, records.events("6h"), *who, 1))
            checks.append(about(DAY, selector(records.ERROR_BUDGET, *only), 1 - slo.objective, EXACT))
        if budget is not None and window in records.BURN_WINDOWS:
            checks.append(about(DAY, selector(records.burn_rate(window), *only), bad / events / float(budget), EXACT))
        if budget is not None and window == slo.window:
            checks.append(about(DAY, selector(records.BUDGET_REMAINING, *only), 1 - bad / events / float(budget), EXACT))
        # One event is enough for a ratio.
        alone = f"{SERVICE}-{slo.name}-one{'-5m' if window == '5m' else ''}"
        lone = (f"slo={quoted(slo.name)}", f"service={quoted(alone)}")
        series += [given(what, record(window), alone, environment, 1) for record in (records.bad, records.events)]
        checks.append(about(DAY, selector(records.bad_ratio(window), *lone), 1, EXACT))
        checks += [Check(f"count({selector(records.bad_lower_bound(window), *lone)})", DAY, 1)] if window in EVIDENCE else []
    named = {(name, slo.environments[0]) for name in slo.objectives} | {(b.service, b.environment) for b in what.baselines}
    if isinstance(slo.objective, Decimal):
        rare = f"{SERVICE}-{slo.name}-6h"
        named.add((rare, environment))  # events in no shorter window: what has stopped is not quiet
        series.append(given(what, records.events("1h"), rare, environment, 0))
        checks.append(Check(f"max({of_service(records.STATE, environment, rare)})", DAY, None))
    for other in sorted(named - {(service, environment)}):
        series.append(given(what, records.events("6h"), *other, 1))
    for known in sorted(named | {(service, environment)}):
        its = (f"slo={quoted(slo.name)}", f"service={quoted(known[0])}", f"environment={quoted(known[1])}")
        allowed = budgets.budget(what, *known)
        checks += [] if allowed is None else [about(DAY, selector(records.ERROR_BUDGET, *its), allowed, EXACT)]
        checks.append(about(DAY, selector(records.DESIGN_EFFECT, *its), budgets.design_effect(what, *known), EXACT))
    for b in what.baselines:
        its = (f"slo={quoted(slo.name)}", f"service={quoted(b.service)}", f"environment={quoted(b.environment)}")
        checks += (
            [Check(f"count({selector(records.CALIBRATION_INFO, *its)} == 1)", DAY, 1)] if budgets.signal(slo) != slo.name else []
        )
        told = b in what.frozen
        checks += [about(DAY, selector(records.BASELINE_BAD_RATIO, *its), b.bad_ratio, EXACT),
                   Check(f"sum({selector(records.BASELINE_EVENTS, *its)})", DAY, b.events)] if told else []  # fmt: skip
        checks += [] if told else [Check(f"count({selector(records.BASELINE_BAD_RATIO, *its)})", DAY, None)]
    for name in budgets.not_customer_facing(config):
        series += (
            []
            if (name, environment) == (service, environment)
            else [given(what, records.events("6h"), name, f"{ELSEWHERE}-spared", 1)]
        )
    spared = selector(records.NOT_CUSTOMER_FACING, f"environment={quoted(f'{ELSEWHERE}-spared')}")
    names = [n for n in budgets.not_customer_facing(config) if (n, environment) != (service, environment)]
    checks += [Check(f"count({spared} == 1)", DAY, len(names))] if names else []
    checks.append(Check(f"max({of_service(records.STATE, environment, service, slo.failure_mode)})", DAY, 0))
    checks.append(Check(f"max({named_by(what, records.SLO_INFO)})", DAY, 1))
    return Test(f"{slo.name}: what follows from the counts", tuple(series), tuple(checks), DAY * MINUTE)


def _counts(config: Config, what: Judged, clock: Clock) -> Test:
    # Counted from the raw series: one whose rates differ from window to window; one that begins anew and one that is born in the last hour;
    # one in which nothing was bad; and what must not be counted.
    slo, metrics = what.slo, config.metrics.by_name
    service = home(what, budgets.not_customer_facing(config))[0]
    fresh = isinstance(slo.sli, MinuteSli)
    edges = [0, *(age for age, _, _ in _AGES)]
    phases = [
        Phase(age - before, Decimal(rate), Decimal(share)) for before, (age, rate, share) in zip(edges, _AGES, strict=False)
    ][::-1]
    series: list[Series] = []
    checks: list[Check] = []
    if fresh:
        # Whether a minute is bad is a record itself, written every minute.
        spells = [f"{at % 2}+0x{p.minutes - 1}" for at, p in enumerate(phases)]
        labels = {"service": service, "environment": "counts", **what.identity}
        earlier = sum(p.minutes for p in phases[:-_NEW])
        series.append(Series(BAD_MINUTE, {**labels, **_OTHERWISE}, f"0 {' '.join(spells[:-_NEW])} stale"))
        series.append(Series(BAD_MINUTE, labels, f"_x{earlier + 1} {' '.join(spells[-_NEW:])}"))
        phases = [Phase(p.minutes, Decimal(60), Decimal(at % 2)) for at, p in enumerate(phases)]
    else:
        series += of_slo(slo, metrics, service, "counts", phases, clock) + noise(slo, service, "counts", DAY)
        series += of_slo(slo, metrics, CANARY, "counts", [Phase(DAY, Decimal(5_940), Decimal("0.5"))], clock)
        counted = "|".join(record(window) for record in (records.events, records.bad) for window in SHORT)
        checks.append(Check(f'count({{__name__=~"{counted}",service="{CANARY}"}})', DAY, None))
        calm = [Phase(DAY, Decimal(600), Decimal(0))]
        series += without_bad(slo, of_slo(slo, metrics, service, "clean", calm, clock))
        checks += [Check(f"sum({named_by(what, records.bad(w), 'clean')})", DAY, 0) for w in SHORT]
        half = [Phase(30, Decimal(600), Decimal("0.5"))]
        for environment, before in (("anew", [Phase(DAY - 30, Decimal(600), Decimal("0.5"))]), ("born", [])):
            born, anew = (0, 1) if before else (DAY - 30, -1)
            series += of_slo(slo, metrics, service, environment, [*before, *half], clock, born, anew)
            minutes = 60 if before else 30
            checks += [
                about(DAY, named_by(what, r("1h"), environment), n * minutes, "0.05")
                for r, n in ((records.events, 10), (records.bad, 5))
            ]
    events, bad = oracle.cumulative(phases)
    for window in SHORT:
        minutes = SECONDS[window] // MINUTE
        # Prometheus 3 leaves the sample at the edge out, and takes the rest for the whole.
        within = "0.25" if fresh else "0.12" if MINUTE % clock.scale == 0 else "0.2"
        for record, total in ((records.events, events), (records.bad, bad)):
            value = total[-1] - total[-1 - minutes]
            checks.append(about(DAY, named_by(what, record(window), "counts"), value, within) if value else
                          Check(f"sum({named_by(what, record(window), 'counts')}) <= bool 1", DAY, 1))  # fmt: skip
    return Test(f"{slo.name}: what is counted", tuple(series), tuple(checks))


def _long_counts(what: Judged, clock: Clock) -> Test:
    # Recorded counts of 5 min. A test may not load more than 10,000 samples for a query: there are some in each window only.
    environment, service = "days", f"{SERVICE}-{what.slo.name}"
    labels = {"service": service, "environment": environment, **what.identity}
    # At a scale that does not divide 5 min a window holds more steps than it should.
    within = "0.02" if clock.seconds(300) * clock.scale == 300 else "0.1"
    series: list[Series] = []
    checks: list[Check] = []
    for record, column in ((records.events, 0), (records.bad, 1)):
        old, new, sums = _long_stream(column)
        series += [Series(record("5m"), {**labels, **_OTHERWISE}, old), Series(record("5m"), labels, new)]
        checks += [
            about(
                (len(sums) - 1) * 5,
                named_by(what, record(window), environment),
                sums[-1] - sums[-1 - SECONDS[window] // 300],
                within,
            )
            for window in long_windows(what.slo)
        ]
    return Test(f"{what.slo.name}: the long windows", tuple(series), tuple(checks), 5 * MINUTE)


@cache
def _long_stream(column: int) -> tuple[str, str, tuple[Decimal, ...]]:
    # The values as promtool reads them, all but the last span under the labels that the SLO had before; and their sums up to each.
    text: list[str] = []
    values: list[Decimal] = []
    for length, *pair in _SPANS:
        count = Decimal(str(pair[column]))
        text.append(f"{number(count)}+0x{length - 1}" if count else f"stale _x{length - 1}")
        values += [count] * length
    new = f"_x{len(values) - _SPANS[-1][0] + 1} {text[-1]}"
    return f"_ {' '.join(text[:-1])} stale", new, tuple(accumulate(values, initial=Decimal(0)))


def _bad_minute(what: Judged, clock: Clock, sli: MinuteSli) -> Test:
    slo = what.slo
    fine, wrong = (
        ((fresh_at(clock, sli, UNDER),), (fresh_at(clock, sli, OVER),))
        if isinstance(sli, FreshnessSli)
        else (inside(sli), outside(sli))
    )
    cases = {"fine": (fine[0], fine[-1]), **{f"wrong{at}": (fine[0], value) for at, value in enumerate(wrong)}}
    cases |= {"wrong twice": (wrong[0], wrong[-1])} if len(wrong) > 1 else {}
    series = [
        Series(sli.metric, {"service": service, "environment": where, "of": of, **narrowed(sli)}, f"_ {number(value)}")
        for service in (some_services(slo, f"{SERVICE}-{slo.name}")[0], CANARY)
        for where, values in cases.items()
        for of, value in zip("ab", values, strict=True)
    ]
    expected = [(where, 0 if where == "fine" else 1) for where in cases]
    checks = [Check(f"sum({named_by(what, BAD_MINUTE, where)})", DAY, value) for where, value in expected]
    return Test(f"{slo.name}: which minute is bad", tuple(series), tuple(checks), DAY * MINUTE)


def fresh_at(clock: Clock, sli: FreshnessSli, age: Decimal) -> Decimal:
    """A timestamp that is so many times the bound old at the end of a day."""
    return Decimal(clock.seconds(DAY * MINUTE)) - clock.seconds(sli.seconds) * age
