"""The promtool tests of the business raise, of old baselines and of drills: each number once, and how long each waits."""

from __future__ import annotations

from typing import Final

from truegreen.alert_rules import budgets, business, changes, watchers
from truegreen.alert_rules.edges_of_records import DAY, OVER, UNDER
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.promtool import Check, Test, fires, seen
from truegreen.alert_rules.ruletests import ELSEWHERE, SERVICE
from truegreen.alert_rules.sli import CANARY
from truegreen.alert_rules.streams import MINUTE, Series
from truegreen.alert_rules.text import number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue, records
from truegreen.core.words.slo import LIVE, SHADOW


def edges(config: Config, every: tuple[Judged, ...], clock: Clock) -> list[Test]:
    """Each number once; rules are evaluated once a day."""
    made = [*_ages(config, every, clock), _lately()]
    return [*made, _business(config), *_raised_lately()] if business.raises(what.slo for what in every) else made


def _ages(config: Config, every: tuple[Judged, ...], clock: Clock) -> list[Test]:
    # How old a baseline may be, when each was frozen, and when the next drill is due: calendar time, whatever the scale.
    now, oldest, due = clock.seconds(DAY * MINUTE), config.alerting.baseline_age_seconds, config.alerting.drill_every_seconds
    made = []
    if any(what.baselines for what in every):
        series = [
            Series(
                records.BASELINE_TIMESTAMP,
                {"service": SERVICE, "environment": where, "signal": "test"},
                f"_ {number(now - oldest * times)}",
            )
            for where, times in (("old", OVER), ("young", UNDER))
        ]
        checks = [
            seen(DAY, watchers.BASELINE_OLD, value, service=SERVICE, environment=where)
            for where, value in (("old", 1), ("young", None))
        ]
        for record in budgets.record_ages(every):
            its = selector(record.record, *(f"{key}={quoted(value)}" for key, value in record.labels.items()))
            checks.append(Check(f"sum({its})", DAY, int(record.expr.removeprefix("vector(").removesuffix(")"))))
        made.append(Test("how old a baseline may be", tuple(series), tuple(checks), DAY * MINUTE))
    if due and every:
        home, requests, done = (
            watchers.drilled(every)[0],
            catalogue.LLM_REQUESTS.prometheus,
            catalogue.DRILL_COMPLETED_TIMESTAMP.prometheus,
        )
        cases = (
            ("never", home, None, 1),
            ("late", home, OVER, 1),
            ("in time", home, UNDER, None),
            ("never", ELSEWHERE, None, None),
            ("never and busy", home, None, 1),
            ("never and retired", home, None, None),
        )
        # The day before, if it was there at all.
        counted = {"never and busy": "1 2", "never and retired": "1 1"}
        series, checks = [], []
        for case, where, times, value in (*cases, (CANARY, home, None, None)):
            who = {"service": case if case == CANARY else f"{SERVICE}-drilled {case}", "environment": where}
            series.append(Series(requests, {**who, "outcome": "ok"}, counted.get(case, "_ 1")))
            series += [] if times is None else [Series(done, who, f"_ {number(now - due * times)}")]
            checks.append(seen(DAY, watchers.DRILL_OVERDUE, value, **who))
        made.append(Test("when a drill is due", tuple(series), tuple(checks), DAY * MINUTE))
    return made


_WRITTEN: Final = ((8, 1), (12, None))
"""Minutes since an alert was written last, and whether it counts."""


def _lately() -> Test:
    # A ticket's group is evaluated every five minutes, and late at times: the state holds over one that is missing.
    series: list[Series] = []
    checks: list[Check] = []
    for sev, state in (("3", 1), ("2", 2)):
        for age, counts in _WRITTEN:
            who = {"service": SERVICE, "environment": f"sev {sev} of {age} min ago", "failure_mode": "drift"}
            fired = {"alertname": records.BUDGET_BURN, "alertstate": "firing", "sev": sev}
            series.append(Series("ALERTS", {**fired, **who}, f"_x{DAY - age} 1"))
            found = selector(records.STATE, *(f"{key}={quoted(value)}" for key, value in who.items()))
            checks.append(Check(f"max({found})", DAY, state if counts else None))
    return Test("the state between two evaluations of a ticket", tuple(series), tuple(checks))


def _raised_lately() -> list[Test]:
    fired = {"alertname": records.BUDGET_BURN, "alertstate": "firing", "layer": business.BUSINESS, "mode": LIVE, "sev": "3"}
    series = [
        Series("ALERTS", {**fired, "service": SERVICE, "environment": f"raised {age} min ago"}, f"_x{DAY - age} 1")
        for age, _ in _WRITTEN
    ]
    raised = [selector(records.BUSINESS_BURNING, f"environment={quoted(each.labels['environment'])}") for each in series]
    checks = [Check(f"count({each})", DAY, counts) for each, (_, counts) in zip(raised, _WRITTEN, strict=True)]
    return [Test("a business signal between two evaluations of its ticket", tuple(series), tuple(checks))]


def slow(config: Config, every: tuple[Judged, ...]) -> list[Test]:
    """How long each waits; rules are evaluated every five minutes."""
    made = []
    if any(what.baselines for what in every):
        who = {"service": SERVICE, "environment": "very old"}
        series = [
            Series(records.BASELINE_TIMESTAMP, {**who, "signal": "test"}, f"{-2 * config.alerting.baseline_age_seconds}x40")
        ]
        checks = [fires(minute, watchers.BASELINE_OLD, value, **who) for minute, value in ((10, None), (25, 1))]
        made.append(Test("a baseline that is old", tuple(series), tuple(checks)))
    if config.alerting.drill_every_seconds and every:
        who = {"service": f"{SERVICE}-never drilled", "environment": watchers.drilled(every)[0]}
        series = [Series(catalogue.LLM_REQUESTS.prometheus, {**who, "outcome": "ok"}, "1x90")]
        checks = [fires(minute, watchers.DRILL_OVERDUE, value, **who) for minute, value in ((50, None), (75, 1))]
        made.append(Test("a drill that nobody held", tuple(series), tuple(checks)))
    if every:
        who = {"service": SERVICE, "environment": "stopping", "model": "stopping"}
        series = [Series(catalogue.LLM_REQUESTS.prometheus, {**who, "outcome": "ok"}, "0+1x60"),
                  Series(catalogue.PROVIDER_DEPRECATION_TIMESTAMP.prometheus, {"provider": "p", "model": "stopping"}, "86400x60")]  # fmt: skip
        checks = [fires(minute, watchers.MODEL_DEPRECATION, value, **who) for minute, value in ((15, None), (28, 1))]
        made.append(Test("a model that will stop", tuple(series), tuple(checks)))
    who = {"service": SERVICE, "environment": "changed", "template": "t", "change": "output"}
    checks = [fires(minute, changes.ANSWERS_CHANGED, value, **who) for minute, value in ((50, None), (75, 1))]
    return [*made, Test("answers that changed", (Series(catalogue.DRIFT_CHANGED.prometheus, who, "1x90"),), tuple(checks))]


def _business(config: Config) -> Test:
    # Which alerts raise: given as Prometheus writes them.
    who = {"service": SERVICE, "environment": "raising"}
    labels = {"alertname": records.BUDGET_BURN, "alertstate": "firing", "layer": business.BUSINESS, "mode": LIVE, "sev": "3"}
    others = {"alertname": records.COHORT_BURN, "alertstate": "pending", "layer": business.QUALITY, "mode": SHADOW}
    series = [Series("ALERTS", {**who, **labels}, "_ 1")]
    series += [
        Series("ALERTS", {**who, **labels, "environment": f"not by {key}", key: value}, "_ 1") for key, value in others.items()
    ]
    spared = budgets.not_customer_facing(config)
    for name in spared[:1]:
        it = {"service": name, "environment": "never raised"}
        series.append(Series("ALERTS", {**it, **labels}, "_ 1"))
    every = "|".join(["raising", "never raised", *(f"not by {key}" for key in others)])
    found = selector(records.BUSINESS_BURNING, f"environment=~{quoted(every)}")
    right = selector(records.BUSINESS_BURNING, f"service={quoted(SERVICE)}", 'environment="raising"')
    checks = [Check(f"count({found})", DAY, 1), Check(f"count({right} == 1)", DAY, 1)]
    return Test("which business signals raise a sev 2", tuple(series), tuple(checks), DAY * MINUTE)
