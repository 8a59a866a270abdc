"""Panels of the drift board."""

from __future__ import annotations

from truegreen.alert_rules.drift import Z
from truegreen.core.words import catalogue as c
from truegreen.core.words import records
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Row, Tile, View, Where


def symptom(view: View) -> tuple[Tile, ...]:
    """How far, in ratio and in standard errors."""
    slos = tuple(slo for mode in FAILURE_MODES for slo in view.judged(mode))
    mine: Where = {"slo": tuple(slo.name for slo in slos)}
    return (
        *kit.ratio("Failed, 3 d", ("*", e.of_worst(records.bad_ratio("3d"), "3d", mine)),
                   ("judged *", e.scaled(e.of_worst(records.events("3d"), "3d", mine), symptoms.evaluation_of(slos))), counted="Judged answers, 3 d", width=8,
                   why=f"Share of judged answers that failed over three days; what it was in the baseline is dashed below. {symptoms.OF_WORST}"),
        kit.stat("Furthest from its baseline", ("z", e.record(records.DRIFT_Z, ())), unit="short", steps=kit.under(Z), width=8,
                 why=f"Standard errors between three days and the frozen baseline, the largest of all SLOs: over {Z} and a quarter more is a ticket."),
        kit.graph("Failed beside the baseline, 3 d", ("*", e.record(records.bad_ratio("3d"), rows.EVERY, mine)),
                  ("baseline *", e.record(records.BASELINE_BAD_RATIO, rows.EVERY, mine)), unit="percentunit", reference="/^baseline/", width=12,
                  why="A slow decline shows here long before it burns: the frozen baseline does not absorb it as a moving one would."),
        kit.graph("Distance from the baseline", ("*", e.record(records.DRIFT_Z, rows.EVERY)), unit="short", low=None, steps=kit.under(Z), width=12,
                  why="The same for every SLO with a baseline, in standard errors, so that different SLOs can be compared."),
    )  # fmt: skip


def where(view: View) -> Row:
    """Which model and cohort."""
    judged: Where = {**rows.JUDGED, "evaluation": evaluations(view)}
    return rows.where(c.EVALUATIONS, {"result": "fail"}, judged, ("model", "cohort"), bad="Failed", counted="Judged answers", graphs={"cohort": "Failed by cohort"},
                       why="Base sample over the range shown. One cohort points at its questions, one model at us or the provider.")  # fmt: skip


def who_asks() -> Tile:
    """Another mix moves every ratio although no answer is worse."""
    return kit.graph("Who asks", ("*", e.rate(c.ANSWERS, ("cohort",), factor=60)), unit="cpm", width=12, scrapes=kit.SPARSE,
                    why="Answers a minute by cohort: another mix of questions moves every ratio although no answer is worse.")  # fmt: skip


def what_is_asked() -> Tile:
    """Tasks and how they end."""
    return kit.graph("What is asked", ("*", e.rate(c.TASKS, ("task", "outcome"), factor=60)), unit="cpm", width=12, scrapes=kit.SPARSE,
                      why="Tasks a minute and how they end: the first signal that users give, and the last.")  # fmt: skip


def distribution(view: View) -> tuple[Tile, ...]:
    """Scores, their means, wording and embeddings."""
    return (
        *rows.scores(evaluations(view)),
        kit.graph("Mean score", ("*", e.mean(c.EVALUATION_SCORE, ("evaluation", "scale", "model"), {"evaluation": evaluations(view)})), unit="short", width=12,
                  scrapes=kit.SPARSE, why="On a relative scale the baseline's mean is 0.5: many answers may be a little worse, none under the floor."),
        kit.graph("Wording and embeddings", ("*", e.gauge(c.DRIFT_ZSCORE, (*rows.WHO, "signal", "template"))), unit="short", low=None, width=12,
                  why="z of each signal by prompt template, where `truegreen watch` runs. No data means that nothing watches."),
        kit.graph("Templates that changed", ("*", e.gauge(c.DRIFT_CHANGED, (*rows.WHO, "change", "template"))), unit="short", width=12,
                  why="1 where questions (input), answers to the same questions (output) or both are no longer as their baseline: a change, not a failure."),
        kit.graph("Answers compared", ("*", e.gauge(c.DRIFT_ANSWERS, (*rows.WHO, "signal", "template"))), unit="short", width=12,
                  why="N behind each z: a window of 25 shows a great change at once, one of 100 a small one."),
    )  # fmt: skip


def evaluations(view: View) -> tuple[str, ...]:
    """Those that any failure mode reads."""
    return tuple(dict.fromkeys(each for mode in FAILURE_MODES for each in view.evaluations(mode)))
