"""Cohorts: a part of the traffic that is served badly hides in the ratio of all; each is judged by itself, with evidence for many looks."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from truegreen.alert_rules import sli
from truegreen.alert_rules.annotations import for_cohort
from truegreen.alert_rules.ladder import TIERS, Label, sev
from truegreen.alert_rules.model import Alert, Judged, Record
from truegreen.alert_rules.recording import IDENTITY
from truegreen.alert_rules.text import matcher, number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import catalogue, records
from truegreen.core.words.slo import BASELINE, LIVE, SHADOW, EvaluationSli
from truegreen.core.words.terms import FAIL, OVERFLOW, PASS

WINDOWS: Final = ("1h", "6h", "1d")
Z: Final = 3
"""Of one cohort. Of C cohorts sqrt(9 + 2 ln C), nearly Bonferroni's: simulated at most 0.1 false tickets in 30 days, with 3 for each up to 24."""
TIMES: Final = 2
"""A cohort burns at twice the budget: beyond chance alone would find every cohort that is a little harder than the others."""
CAP: Final = Decimal("0.9")
NO_COHORT: Final = ("unknown", OVERFLOW)
"""Answers without a cohort, and those of all cohorts beyond the label's limit: no cohort of which somebody could do something."""
KEEP: Final = "6h"
_BY: Final = "by (service, environment, cohort)"
_TICKET: Final = TIERS[-1]


def rules(what: Judged, clock: Clock, severities: Label, routes: Routes) -> tuple[Record | Alert, ...]:
    """Counts, bounds and the ticket of each cohort, for a group that is evaluated every five minutes; nothing where the SLO does not ask."""
    asked = what.slo.sli
    if not what.slo.cohorts or not isinstance(asked, EvaluationSli) or asked.floor != BASELINE:
        return ()
    made = [*_counted(what, asked.evaluation, clock)]
    for window in WINDOWS:
        for record in (records.cohort_events, records.cohort_bad):
            over = f"sum {_BY} (sum_over_time({_of(what, record('5m'))}[{clock.text(window)}:{clock.text('5m')}]))"
            made.append(Record(record(window), over, what.identity))
    many = f"count by (slo, service, environment) ({_of(what, records.cohort_events(WINDOWS[-1]))} > 0)"
    z = f"sqrt(\n  ({Z**2} + 2 * ln({many}))\n  * {IDENTITY} {_of(what, records.DESIGN_EFFECT)}\n)"
    made.append(Record(records.COHORT_Z, z, what.identity))
    made += [Record(records.cohort_bad_lower_bound(window), _lower_bound(what, window), what.identity) for window in WINDOWS]
    return (*made, *_alerts(what, clock, severities, routes))


def _counted(what: Judged, evaluation: str, clock: Clock) -> tuple[Record, Record]:
    # Base sample only: a cohort that is evaluated in full would weigh more than it has answers.
    only = (
        sli.services(what.slo),
        f"evaluation={quoted(evaluation)}",
        'sampled="base"',
        matcher("cohort", NO_COHORT, negate=True),
    )

    def count(*results: str) -> str:
        counter = selector(catalogue.EVALUATIONS.prometheus, *only, matcher("result", results))
        return f"sum {_BY} (increase({counter}[{clock.text('5m')}]))"

    every = count(PASS, FAIL)
    return (
        Record(records.cohort_events("5m"), every, what.identity),
        Record(records.cohort_bad("5m"), f"{count(FAIL)}\nor 0 * {every}", what.identity),
    )


def _lower_bound(what: Judged, window: str) -> str:
    # Byar's, as of the SLO itself, with the z of all cohorts; `group_left ()` with a space, else the bracket would name labels.
    bad, events = _of(what, records.cohort_bad(window)), _of(what, records.cohort_events(window))
    return (
        f"{bad}\n* clamp_min(\n    1 - 1 / (9 * {bad})\n"
        f"    - (1 / (3 * sqrt({bad}))) * {IDENTITY} group_left () {_of(what, records.COHORT_Z)},\n    0\n  ) ^ 3\n/ ({events} > 0)"
    )


def _alerts(what: Judged, clock: Clock, severities: Label, routes: Routes) -> list[Alert]:
    slo, level = what.slo, sev(what.slo, _TICKET)

    def alert(at: str, mode: str, where: str) -> Alert:
        labels = {**what.marks, **severities(at), **what.identity, "burn_tier": "cohort", "mode": mode}
        notes = for_cohort(routes, what, WINDOWS, mode, clock)
        return Alert(records.COHORT_BURN, expression(what, where), labels, notes, keep_firing_for=clock.text(KEEP))

    if slo.mode != LIVE:
        return [alert("3", SHADOW, "")]
    return [
        alert(level, LIVE, matcher("environment", slo.environments)),
        alert("3", SHADOW, matcher("environment", slo.environments, negate=True)),
    ]


def expression(what: Judged, where: str) -> str:
    """The alert's expression; its value is the cohort's bad ratio in the first window that burns."""
    budget = _of(what, records.ERROR_BUDGET)

    def one(window: str) -> str:
        bad, events, bound = (
            selector(record(window), f"slo={quoted(what.slo.name)}", where)
            for record in (records.cohort_bad, records.cohort_events, records.cohort_bad_lower_bound)
        )
        return (
            f"(\n  {bad} / ({events} > 0)\n    > {IDENTITY} group_left () clamp_max({TIMES} * {budget}, {number(CAP)})\n"
            f"  and\n    {bound}\n      > {IDENTITY} group_left () {budget}\n)"
        )

    return "\nor\n".join(map(one, WINDOWS))


def _of(what: Judged, record: str) -> str:
    return selector(record, f"slo={quoted(what.slo.name)}")
