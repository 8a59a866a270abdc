"""Further detectors, switched on for an SLO by name: tickets on what burn rates, cohorts and the frozen baseline do not see, or see late.

What each found in simulation that the default did not, and how often it is wrong: `benchmarks/alerting_detectors.py`, docs/slos.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import sli
from truegreen.alert_rules.annotations import for_watcher, hypotheses, triage_of
from truegreen.alert_rules.ladder import Label
from truegreen.alert_rules.model import Alert, Judged, Record, Rule
from truegreen.alert_rules.recording import IDENTITY
from truegreen.alert_rules.text import literal, number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import catalogue, records
from truegreen.core.words.boards import board_of
from truegreen.core.words.slo import BASELINE, EvaluationSli, MinuteSli, Slo
from truegreen.core.words.terms import CALIBRATED, RELATIVE

SCORES_FELL: Final = "TruegreenScoresFell"
SERVED_MIX: Final = "TruegreenServedMixShifted"
COHORTS_DIFFER: Final = "TruegreenCohortsDiffer"
BURN_ADDS_UP: Final = "TruegreenBurnAddsUp"
BUDGET_FORECAST: Final = "TruegreenBudgetForecast"

_BY: Final = "by (slo, service, environment)"
"""Of what looks back: before its layer was changed, an SLO's series had other labels."""

SCORE: Final = "truegreen:slo_score"
MEAN: Final = f"{SCORE}:mean1d"
STDERR: Final = f"{SCORE}:stderr1d"
BASELINE_MEAN: Final = "truegreen:slo_baseline:mean_score"
FELL_Z, FELL_BY, FELL_EVENTS = 4, Decimal("0.05"), 100
"""Standard errors, and ranks: a random answer of the day beats one of the baseline in under 45 of 100 pairs."""

SERVED: Final = "truegreen:slo_served"
COUNTS, SHARE, DISTANCE = f"{SERVED}:increase1h", f"{SERVED}:share1h", f"{SERVED}:distance1h"
MIX_OVER, MIX_EVENTS = Decimal("0.3"), 100
"""Total variation distance of two hours; with 100 requests in each, four standard errors of a half-and-half mix."""

EXPECTED: Final = "truegreen:slo_cohort:expected_bad1d"
CHI: Final = "truegreen:slo_cohort:chi2_1d"
DIFFER: Final = "truegreen:slo_cohort:heterogeneity_z1d"
DIFFER_Z, LEAST_EXPECTED = 4, 1

EVIDENCE: Final = "truegreen:slo_cusum:llr"
CUSUM_BURN, CUSUM_OVER, CUSUM_MOST = 3, 12, 24
"""Log likelihood of three budgets against one (Page 1954). It is held at twice the threshold, so that it ends after the burn does."""

FORECAST_DAYS, FORECAST_EXPECTED, FORECAST_POINTS = 14, 120, 150
"""A line through a week of daily ratios, two weeks on. With fewer bad events a day (at the budget) it is noise."""
FORECAST_SPREAD: Final = 7
"""Two standard errors of the line: each 3.3 x that of a day's ratio, 17.5 days from the middle of seven days."""


@dataclass(frozen=True, slots=True)
class Making:
    """What a detector's rules are made with."""

    what: Judged
    clock: Clock
    severities: Label
    routes: Routes

    def of(self, record: str) -> str:
        """The record of this SLO."""
        return selector(record, f"slo={quoted(self.what.slo.name)}")

    def record(self, name: str, expr: str) -> Record:
        """A record with the SLO's labels."""
        return Record(name, expr, self.what.identity)

    def alert(self, name: str, expr: str, wait: str, says: str, description: str) -> Alert:
        """A ticket."""
        what = self.what
        summary = f"{what.slo.name} of {{{{ $labels.service }}}} in {{{{ $labels.environment }}}}: {says}"
        notes = for_watcher(
            self.routes,
            name,
            summary,
            f"{literal(what.slo.description)}. {description}",
            triage_of(what.slo.name),
            self.clock,
            board_of("drift"),
        )
        labels = {**what.marks, **self.severities("3"), **what.identity, "burn_tier": "none", "mode": what.slo.mode}
        return Alert(
            name,
            expr,
            labels,
            {**notes, "hypotheses": hypotheses("drift", what.slo.pillar)},
            wait=self.clock.text(wait) if wait else "",
        )


def rules(what: Judged, clock: Clock, severities: Label, routes: Routes) -> tuple[Rule, ...]:
    """The rules of the SLO's detectors, for a group that is evaluated every five minutes."""
    making = Making(what, clock, severities, routes)
    return tuple(rule for name in what.slo.detectors for rule in BY_NAME[name].make(making))


def alerts(every: Sequence[Judged]) -> tuple[str, ...]:
    """The names of the alerts of all detectors that are switched on."""
    asked = {name for what in every for name in what.slo.detectors}
    return tuple(sorted(each.alert for name, each in BY_NAME.items() if name in asked))


def refused(slo: Slo) -> Mapping[str, tuple[str, str]]:
    """The detectors that the SLO names and cannot carry: why, and what to write instead."""
    return {name: found for name in slo.detectors if (found := BY_NAME[name].refuses(slo))[0]}


def carried(slo: Slo) -> tuple[str, ...]:
    """The detectors that an SLO of this kind can carry."""
    return tuple(name for name, each in BY_NAME.items() if not each.refuses(slo)[0])


def _mean_score(m: Making) -> tuple[Rule, ...]:
    # Scores are ranks within the frozen baseline, so their mean is the rank-sum statistic of Mann and Whitney (1947), over its standard error.
    if not isinstance(m.what.slo.sli, EvaluationSli):
        return ()
    who = (sli.services(m.what.slo), f"evaluation={quoted(m.what.slo.sli.evaluation)}", f'scale=~"{CALIBRATED}|{RELATIVE}"')
    parts = {"sum": f"{sli.SCORE}_sum", "count": f"{sli.SCORE}_count", "squared": catalogue.EVALUATION_SCORE_SQUARED.prometheus}
    counted = [
        m.record(f"{SCORE}:{part}5m", f"sum {sli.BY} (increase({selector(metric, *who)}[{m.clock.text('5m')}]))")
        for part, metric in parts.items()
    ]
    total, count, squared = (f"sum {_BY} (sum_over_time({m.of(f'{SCORE}:{part}5m')}[{m.clock.text('1d')}]))" for part in parts)
    mean, error, base = m.of(MEAN), m.of(STDERR), m.of(BASELINE_MEAN)
    known = [
        Record(
            BASELINE_MEAN,
            f"vector({number(b.mean_score)})",
            {"service": b.service, "environment": b.environment, **m.what.identity},
        )
        for b in m.what.baselines
    ]
    return (
        *known,
        *counted,
        m.record(MEAN, f"{total}\n/ ({count} >= {FELL_EVENTS})"),
        m.record(
            STDERR,
            f"sqrt(\n  clamp_min({squared} / {IDENTITY} {count} - {IDENTITY} {mean} ^ 2, 0)\n"
            f"  * {IDENTITY} (1 / {count} + {IDENTITY} 1 / {m.of(records.BASELINE_EVENTS)})\n  * {IDENTITY} {m.of(records.DESIGN_EFFECT)}\n)",
        ),
        m.alert(
            SCORES_FELL,
            f"{mean} + {IDENTITY} {FELL_Z} * {error}\n  < {IDENTITY} {base}\nand {IDENTITY}\n  {mean} < {IDENTITY} {base} - {number(FELL_BY)}",
            "1h",
            "scores have fallen as a whole",
            'Over a day the mean score, even with four standard errors added ({{ $value | printf "%.2f" }}), lies under the frozen baseline\'s: many answers '
            "are a little worse, whether or not any is under the floor.",
        ),
    )


def _mix(m: Making) -> tuple[Rule, ...]:
    by = "slo, service, environment, model"
    each = f"on ({by}, served)"
    now, share = m.of(COUNTS), m.of(SHARE)
    then = f"{share} offset {m.clock.text('1d')}"
    served = selector(catalogue.MODEL_SERVED.prometheus, sli.services(m.what.slo))
    return (
        m.record(COUNTS, f"sum by (service, environment, model, served) (increase({served}[{m.clock.text('1h')}]))"),
        m.record(SHARE, f"{now}\n/ on ({by}) group_left () (sum by ({by}) ({now}) >= {MIX_EVENTS})"),
        m.record(
            DISTANCE,
            f"0.5 * sum by ({by}) (\n  abs({share} - {each} {then})\n  or {each}\n  {share}\n  or {each}\n  {then}\n)\n"
            f"and on ({by}) {share}\nand on ({by}) {then}",
        ),
        m.alert(
            SERVED_MIX,
            f"{m.of(DISTANCE)} > {number(MIX_OVER)}",
            "10m",
            "{{ $labels.model }} is served by another mix of models",
            "{{ $value | humanizePercentage }} of the requests are served by another model than at this hour yesterday, though each of the models may have been seen before.",
        ),
    )


def _heterogeneity(m: Making) -> tuple[Rule, ...]:
    # A cohort of which less than one bad event is expected has no normal spread; leaving it out looks at what was expected only, so it biases nothing.
    by = "slo, service, environment"
    bad, events, expected = m.of(records.cohort_bad("1d")), m.of(records.cohort_events("1d")), m.of(EXPECTED)
    pooled = f"(sum by ({by}) ({bad}) / sum by ({by}) ({events}))"
    more = f"(count by ({by}) ({expected}) - 1 > 0)"
    each = f"on ({by}, cohort)"
    return (
        m.record(EXPECTED, f"{events} * {IDENTITY} group_left () {pooled} >= {LEAST_EXPECTED}"),
        m.record(
            CHI,
            f"sum by ({by}) (({bad} - {each} {expected}) ^ 2 / {each} {expected})\n/ {IDENTITY} (1 - {pooled} > 0)\n/ {IDENTITY} {m.of(records.DESIGN_EFFECT)}",
        ),
        m.record(
            DIFFER,
            f"(\n  ({m.of(CHI)} / {IDENTITY} {more}) ^ (1 / 3)\n  - {IDENTITY} (1 - 2 / (9 * {more}))\n)\n/ {IDENTITY} sqrt(2 / (9 * {more}))",
        ),
        m.alert(
            COHORTS_DIFFER,
            f"{m.of(DIFFER)} > {DIFFER_Z}",
            "1h",
            "cohorts fail differently",
            'The bad ratios of its cohorts over a day differ by more than chance (z {{ $value | printf "%.1f" }}): some are served worse than others, even where no single one stands out.',
        ),
    )


def _cusum(m: Making) -> tuple[Rule, ...]:
    # Its own value before, as far back as a restart lasts: five minutes exactly are outside the look-back of Prometheus 3.
    budget, bad, events = m.of(records.ERROR_BUDGET), m.of(records.bad("5m")), m.of(records.events("5m"))
    worse = f"clamp_max({CUSUM_BURN} * {budget}, 0.9)"
    before = f"(max {_BY} (last_over_time({m.of(EVIDENCE)}[{m.clock.text('15m')}])) or {IDENTITY} 0 * {events})"
    return (
        m.record(
            EVIDENCE,
            f"clamp(\n  {before}\n  + {IDENTITY} (\n    {bad} * {IDENTITY} ln({worse} / {budget})\n"
            f"    + {IDENTITY} ({events} - {bad}) * {IDENTITY} ln((1 - {worse}) / (1 - {budget}))\n  ) / {IDENTITY} {m.of(records.DESIGN_EFFECT)},\n"
            f"  0, {CUSUM_MOST}\n)",
        ),
        m.alert(
            BURN_ADDS_UP,
            f"{m.of(EVIDENCE)} > {CUSUM_OVER}\nand {IDENTITY}\n  {m.of(records.events('1h'))} > 0",
            "",
            "a burn of a few budgets adds up",
            'Evidence of three budgets against one has added up (log likelihood {{ $value | printf "%.1f" }}): bad events come too often for too long, whatever the window.',
        ),
    )


def _forecast(m: Making) -> tuple[Rule, ...]:
    daily = f"max {_BY} ({m.of(records.bad_ratio('1d'))})[{m.clock.text('7d')}:{m.clock.text('1h')}]"
    budget = m.of(records.ERROR_BUDGET)
    return (
        m.alert(
            BUDGET_FORECAST,
            f"predict_linear({daily}, {m.clock.seconds(FORECAST_DAYS * 86_400)})\n"
            f"  - {IDENTITY} {FORECAST_SPREAD} * sqrt({budget} / {IDENTITY} {m.of(records.events('1d'))})\n  > {IDENTITY} {budget}\n"
            f"and {IDENTITY}\n  count_over_time({daily}) > {FORECAST_POINTS}\n"
            f"and {IDENTITY}\n  {m.of(records.events('1d'))} * {IDENTITY} {budget} > {FORECAST_EXPECTED}",
            "1d",
            f"in {FORECAST_DAYS} days it would burn its budget",
            "A line through the daily bad ratios of a week passes the budget within two weeks ({{ $value | humanizePercentage }} with two standard errors taken off). It is a guess: look at the week, not at the number.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector.

    Args:
        alert: its name.
        says: what it finds, in a few words.
        make: its rules.
        refuses: why an SLO cannot carry it, and what to write instead; empty where it can.
    """

    alert: str
    says: str
    make: Callable[[Making], tuple[Rule, ...]]
    refuses: Callable[[Slo], tuple[str, str]]


def _anything(_: Slo) -> tuple[str, str]:
    return "", ""


def _needs_ranks(slo: Slo) -> tuple[str, str]:
    ranked = isinstance(slo.sli, EvaluationSli) and slo.sli.floor == BASELINE
    return (
        ("", "")
        if ranked
        else (
            "mean_score reads scores as ranks within a frozen baseline",
            "it on an SLO whose sli has an evaluation with the floor baseline",
        )
    )


def _needs_cohorts(slo: Slo) -> tuple[str, str]:
    return (
        ("", "") if slo.cohorts else ("heterogeneity compares cohorts, which this SLO does not judge", "cohorts: true beside it")
    )


def _needs_events(slo: Slo) -> tuple[str, str]:
    minutes = isinstance(slo.sli, MinuteSli)
    return (
        ("cusum and forecast need events, and this SLO counts minutes, one after the other alike", "mix, or nothing")
        if minutes
        else ("", "")
    )


BY_NAME: Final[Mapping[str, Detector]] = {
    "mean_score": Detector(SCORES_FELL, "scores that fall as a whole", _mean_score, _needs_ranks),
    "mix": Detector(SERVED_MIX, "another mix of served models", _mix, _anything),
    "heterogeneity": Detector(COHORTS_DIFFER, "cohorts that fail differently", _heterogeneity, _needs_cohorts),
    "cusum": Detector(BURN_ADDS_UP, "a burn of two budgets or more that goes on", _cusum, _needs_events),
    "forecast": Detector(BUDGET_FORECAST, "a week whose line passes the budget within two", _forecast, _needs_events),
}
