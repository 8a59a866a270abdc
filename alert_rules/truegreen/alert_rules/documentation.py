"""The reference page of SLOs, written from the ready-made SLOs, the ladder and the record names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from truegreen.alert_rules import budgets, cohorts, detectors, feasibility, statement
from truegreen.alert_rules.ladder import TIERS, Rung
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.alert_rules.text import number
from truegreen.core.words import ready_made, records
from truegreen.core.words.slo import BASELINE, BoundSli, EvaluationSli, EventSli, FreshnessSli, Sli, Slo, ThresholdSli
from truegreen.core.words.terms import SEVERITIES

PAGE: Final = Path(__file__).parents[3] / "docs" / "slos.md"


def slos_page() -> str:
    """`docs/slos.md`."""
    lines = [
        "# Service level objectives",
        "",
        "Written by `python -m truegreen.alert_rules.documentation --write` from `core/truegreen/core/words/ready_made.py` and the ladder of",
        "`alert_rules/`. What can be written in `truegreen.yaml` is in its schema, `core/truegreen/core/config/truegreen.schema.json`.",
        "",
        "## Ready-made",
        "",
        "`- name: NAME` under `slos:` (which replaces the default three) switches one on, in shadow: it writes tickets that say what would have paged. `mode: live` makes it page. Without",
        f"any file {', '.join(f'`{name}`' for name in ready_made.DEFAULT)} are on, in shadow, for all services.",
        "",
        "| name | good | bad events / all events | objective | layer | failure mode | pillar |",
        "|---|---|---|---|---|---|---|",
        *(_row(slo) for slo in ready_made.READY_MADE),
        "",
        f"An objective of `{BASELINE}` is 1 - {number(budgets.MARGIN)} x the frozen baseline's bad ratio, and allows never less than",
        f"{budgets.RULE_OF_THREE} / N (N: events behind the baseline; where none of N was bad, the true ratio may still be that). It needs a calibration file for",
        "the service, environment and signal: the SLO's evaluation, or else the SLO's own name. A service without one never alerts on it, and",
        "`TruegreenNoBaseline` says so.",
        "",
        "A floor that is a number reads the scores of the calibrated scale only; a score at the floor itself counts as bad. Freshness is judged by the",
        "oldest data source of a service. The app states its date with each retrieval, and a day (2,880 scrapes) after the last it is forgotten: one that is",
        "retired pages no longer than that. A gauge of your own leaves only with `expires` in its entry; without it an SLO over a timestamp or a bound judges",
        "what is retired for ever.",
        "",
        "## Who is told, and when",
        "",
        "Each rung is two windows. It fires when the bad ratio of *both* exceeds the factor times the budget (or the cap, whichever is lower), and when",
        "the lower confidence bound of the long window's bad ratio (Byar, z standard errors, widened by the root of the measured design effect) exceeds the",
        "budget itself. The rungs of a tier are OR-ed.",
        "",
        "| tier | sev | rungs: long & short window, threshold, z | holds for |",
        "|---|---|---|---|",
        *(f"| `{t.name}` | {t.sev} | {'<br>'.join(_rung(rung) for rung in t.rungs)} | {t.keep} |" for t in TIERS),
        "",
        *(f"- sev {s.sev}: {s.says}." for s in SEVERITIES),
        "",
        "In shadow, and in environments that the SLO does not name, every tier is a sev 3 with `mode: shadow`. A service that is not `customer_facing`",
        "gets a sev 2 where others get a sev 1. While a live business SLO of the same service burns, a ticket of it too (such signals are slow), a sev 2 of",
        "a live quality SLO is a sev 1; a service that never pages is not raised. A page within an hour for a burn of ten budgets (P 0.9) needs",
        f"{number(feasibility.LAW)} / (1 - objective)",
        "events an hour; `truegreen generate rules` prints the number for each SLO.",
        "",
        "`severities` gives a tier of a live SLO another sev; a ticket's evidence is not enough for a sev 1. `owner` and `labels` are on the alerts, not on",
        "the recorded series.",
        "",
        "`unit: session`: the answers of a session repeat each other, so z grows by the root of the design effect that `baseline take` measured (the largest",
        "one for services that have none of their own). Until one is measured such an SLO stays in shadow. `unit: answer` applies none.",
        "",
        f"`cohorts: true`: each cohort by itself too, over {', '.join(cohorts.WINDOWS)}. `{records.COHORT_BURN}` is a ticket (sev 2 with `severities: {{ticket: 2}}`) where its",
        f"bad ratio exceeds {cohorts.TIMES} x budget (at most {number(cohorts.CAP)}) and its lower bound the budget, at z = sqrt({cohorts.Z**2} + 2 ln C) for C cohorts of the last day: looking at many",
        f"finds no more by chance than looking at one. Answers without a cohort, and those beyond the label's limit, are in none. It costs {_COHORT_SERIES} series for each cohort of a service.",
        "",
        "## Further detectors",
        "",
        "`detectors: [NAME, ...]` of an SLO. All of them write tickets (sev 3). The numbers are printed by `benchmarks/alerting_detectors.py`; [all of them](alerting_detectors.md).",
        "",
        "| name | for | what it found that the default did not | false tickets in 30 days, at most |",
        "|---|---|---|---|",
        *(f"| `{name}` | {' | '.join(row)} |" for name, row in _FOUND.items()),
        "",
        "## How soon, by volume",
        "",
        "Median minutes from a step to ten budgets (to all events bad where ten budgets are more) until the sev 1, and the share of such steps that page within an",
        "hour; simulated by `benchmarks/alerting.py --only table` for independent events. A design effect of 3 makes 300 events worth 100. `-`: over a day.",
        "Freshness is not in it: its minutes depend on nothing but the objective.",
        "",
        "| objective | needs an hour | " + " | ".join(f"{n}/h" for n in _VOLUMES) + " | false pages in 30 days, at most |",
        "|---|---|" + "---|" * len(_VOLUMES) + "---|",
        *(_outlooks(Decimal(objective)) for objective in _OBJECTIVES),
        "",
        "False pages: sev 1 and 2 of one service while its bad ratio is the budget itself, at the volume where they are most.",
        "",
        "## Recorded series",
        "",
        f"Labels: `service`, `environment`, `slo`, `layer`, `failure_mode`, `pillar`. W is one of {', '.join(records.WINDOWS)}; the name keeps the nominal",
        "window when `--time-scale` divides the real one.",
        "",
        "| series | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in _SERIES),
    ]
    return "\n".join(lines) + "\n"


_FOUND: Final = {
    "mean_score": (
        "evaluations with the floor `baseline`",
        "Answers that all pass and lose a fifth of their rank: found in 15 to 19 h from 20 evaluated answers an hour on, where ladder and drift see nothing, because none more failed.",
        "0.03",
    ),
    "mix": (
        "any SLO; it looks at the service's requests",
        "A router that moves requests from one known model to another: found in 50 min from 200 requests an hour on, where `TruegreenServedModelChanged` is silent, because no model is new.",
        "0.02; a mix that follows the hour of the day is compared with the same hour",
    ),
    "heterogeneity": (
        "SLOs with `cohorts: true`",
        "4 of 20 cohorts that fail twice as often, none above twice the budget: found in 19 h at 500 evaluated answers an hour, where the ladder never speaks and the cohorts' own ticket asks for more than twice the budget.",
        "0.07; cohorts that always differed do too: leave it out for them",
    ),
    "cusum": (
        "SLOs over events",
        "A burn of three budgets at 95 % and 100 events an hour: found in 85 min, where the ladder's first ticket takes 12.9 h. Under one expected bad event an hour it is slower than the ladder.",
        "0.02 at the budget itself",
    ),
    "forecast": (
        "SLOs over events",
        "From half a budget to two in 28 days, at 95 % and 500 events an hour: found after 6.0 days, before the budget was reached, where the ladder's ticket takes 12.1. Drift, with a frozen baseline, takes 4.1: it is for who has none.",
        "0.00 at 0.8 of the budget; silent under 120 expected bad events a day",
    ),
}
"""Detector to what can carry it, one sentence, and how often it is wrong."""
_SERIES: Final = (
    (records.events("W"), "how many events were judged"),
    (records.bad("W"), "how many of them were bad; 0, not absent, when none was"),
    (records.bad_ratio("W"), "bad over judged; absent without events"),
    (records.bad_lower_bound("W"), f"its lower confidence bound; W is one of {', '.join(EVIDENCE)}"),
    (records.burn_rate("W"), f"the ratio as a multiple of the error budget; W is one of {', '.join(records.BURN_WINDOWS)}"),
    (records.ERROR_BUDGET, "the error budget, 1 - objective, of this service"),
    (records.BUDGET_REMAINING, "share of the budget of the SLO's window that is left; negative when overspent"),
    (
        records.DESIGN_EFFECT,
        "for `unit: session`: variance inflation of correlated events, measured by `baseline take`, the largest where a service has none of its own; else 1",
    ),
    (
        records.STATE,
        "by service, environment and failure mode: 2 a sev 1 or 2 burns, 1 a ticket, 0 quiet, absent without an event for an hour; an alert counts for 10 min after it was written last",
    ),
    (records.DRIFT_Z, "three days against the frozen baseline, in standard errors; only with a baseline"),
    (records.BASELINE_BAD_RATIO, "bad ratio of the frozen baseline"),
    (records.BASELINE_EVENTS, "events behind it"),
    (
        f"{records.cohort_events('W')}, {records.cohort_bad('W')}",
        "with `cohorts: true`: judged and failed answers of each cohort, the label `cohort` beside the others; W is one of 5m, 1h, 6h, 1d",
    ),
    (records.cohort_bad_lower_bound("W"), "lower confidence bound of a cohort's bad ratio; W is one of 1h, 6h, 1d"),
    (records.COHORT_Z, "its standard errors: sqrt(9 + 2 ln C) for C cohorts, widened by the design effect"),
    (detectors.MEAN, "for `mean_score`: mean score of a day, a rank within the frozen baseline"),
    (detectors.STDERR, "its standard error"),
    (detectors.BASELINE_MEAN, "mean score of the frozen baseline itself"),
    (detectors.SHARE, "for `mix`: share of a model's requests that each `served` model answered in an hour"),
    (detectors.DISTANCE, "how far these shares are from those of a day ago: total variation distance, 0 to 1"),
    (detectors.DIFFER, "for `heterogeneity`: standard errors by which the bad ratios of the cohorts differ more than by chance"),
    (detectors.EVIDENCE, "for `cusum`: log likelihood of three budgets against one, added up, 0 to 24"),
    (records.CALIBRATION_INFO, "1, with the `evaluation` and the `digest` that the app should judge with"),
    (records.NOT_CUSTOMER_FACING, "1 for a service that never pages"),
    (
        records.BUSINESS_BURNING,
        "1 for a service of which a live business SLO burns: a sev 2 of its quality SLOs is a sev 1 meanwhile",
    ),
    (records.SLO_INFO, "1, with what may change in labels: objective, mode, period, unit, sampling, owner"),
)


_COHORT_SERIES: Final = 2 + 3 * len(cohorts.WINDOWS)
"""Two counts of 5 min; two counts and a bound for each window."""
_VOLUMES: Final = (5, 20, 60, 100, 500, 2_000)
_OBJECTIVES: Final = ("0.85", "0.9", "0.95", "0.99", "0.995", "0.999")


def _outlooks(objective: Decimal) -> str:
    budget = 1 - objective

    def cell(per_hour: int) -> str:
        found = feasibility.outlook(budget, Decimal(per_hour))
        return "-" if found.median_minutes is None else f"{statement.minutes(found.median_minutes)} ({number(found.within_60)})"

    delays = " | ".join(cell(n) for n in _VOLUMES)
    return (
        f"| {statement.percent(objective)} | {feasibility.needs(budget)} | {delays} | {number(feasibility.false_pages(budget))} |"
    )


def _row(slo: Slo) -> str:
    objective = BASELINE if slo.objective == BASELINE else f"{number(100 * Decimal(slo.objective))}%"
    return f"| `{slo.name}` | {slo.description} | {in_words(slo.sli)} | {objective} | {slo.layer} | {slo.failure_mode} | {slo.pillar} |"


def in_words(sli: Sli) -> str:
    """What is bad, out of what."""
    match sli:
        case EvaluationSli(evaluation, floor) if floor == BASELINE:
            return f"answers labelled `fail` / `pass` and `fail`, evaluation `{evaluation}`"
        case EvaluationSli(evaluation, floor):
            return f"answers scored up to {floor} / scored answers, evaluation `{evaluation}`, calibrated scale"
        case EventSli(metric, label, bad, among, total, where):
            every = f"`{total}`" if total else ", ".join(f"`{value}`" for value in among) or "all"
            return f"`{metric}`{f' with {label} ' if label else ''}{', '.join(f'`{value}`' for value in bad)} / {every}{_only(where)}"
        case ThresholdSli(metric, threshold, where):
            return f"`{metric}` over {number(threshold)} / all{_only(where)}"
        case BoundSli(metric, least, most, where):
            sides = ((most, "over"), (least, "under"))
            beyond = " or ".join(f"{word} {number(side)}" for side, word in sides if side is not None)
            return f"minutes with `{metric}` {beyond} / minutes{_only(where)}"
        case FreshnessSli(metric, seconds):
            return f"minutes with `{metric}` older than {seconds // 3_600} h / minutes"


def _only(where: Mapping[str, str]) -> str:
    return "".join(f" ({key} `{value}`)" for key, value in sorted(where.items()))


def _rung(rung: Rung) -> str:
    asked = "budget" if rung.factor == 1 else f"{rung.factor} x budget"
    asked = asked if rung.cap is None else f"min({asked}, {number(rung.cap)})"
    return f"{rung.long} & {rung.short} over {asked}, z {EVIDENCE[rung.long]}"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(slos_page(), "utf-8")
    else:
        sys.stdout.write(slos_page())
