"""Panels of the hallucination board."""

from __future__ import annotations

from truegreen.core.words import catalogue as c
from truegreen.core.words import records
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Row, Tile, View, Where

_MODE = "hallucination"


def symptom(view: View) -> tuple[Tile, ...]:
    """How bad, for how many, and whether anybody judges."""
    slos, evaluations = view.judged(_MODE), view.evaluations(_MODE)
    mine, judged = _mine(view), _judged(view)
    return (
        *symptoms.judged(view, _MODE, "Ungrounded, 15 min", "15m", width=5, why="Share of judged answers that are not supported by what was retrieved."),
        rows.affected(evaluations, width=5),
        rows.contained(),
        kit.graph("Ungrounded answers by service", ("*", e.record(records.bad_ratio("15m"), rows.by_slo(slos), mine)),
                  ("budget *", e.record(records.ERROR_BUDGET, rows.by_slo(slos), mine)), unit="percentunit", reference="/^budget/", width=16,
                  why="Base sample over 15 min, all models; the dashed lines are each service's error budget, by SLO."),
        kit.graph("Judged answers", ("*", e.rate(c.EVALUATED_ANSWERS, (*rows.apart(judged), "result"), {"evaluation": evaluations}, 60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Judged answers a minute, by verdict: a stalled evaluator must not look like a healthy model."),
    )  # fmt: skip


def where(view: View) -> Row:
    """Which model, and which version of ours."""
    within = kit.within(*view.judged(_MODE))
    return rows.where(c.EVALUATIONS, {"result": "fail"}, _judged(view), ("model", "snapshot"), bad="Ungrounded", counted="Judged answers", steps=within,
                       why="Base sample over the range shown. One bad version points at us, all versions of one model at the provider.",
                       graphs={"model": "Ungrounded by model"})  # fmt: skip


def distribution(view: View) -> tuple[Tile, ...]:
    """Scores, cohorts, wording and drift."""
    within = kit.within(*view.judged(_MODE))
    return (
        *rows.scores(view.evaluations(_MODE)),
        *rows.by_label("Ungrounded by cohort", c.EVALUATIONS, {"result": "fail"}, _judged(view), "cohort", counted="Judged answers", steps=within),
        kit.graph("Marked answers", ("*", e.rate(c.ANSWER_MARKERS, ("marker",), factor=60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Overconfident, refusing, empty, truncated answers a minute. Wording does not predict a wrong answer: shown, never paged on."),
        kit.graph("Drift from the frozen baseline, z over 3 d", ("*", e.record(records.DRIFT_Z, rows.EVERY, _mine(view))), unit="short", low=None,
                  why="A slow decline that never burns fast: standard errors between the last three days and the baseline."),
    )  # fmt: skip


def _mine(view: View) -> Where:
    return {"failure_mode": _MODE, "slo": tuple(slo.name for slo in view.judged(_MODE))}


def _judged(view: View) -> Where:
    return {**rows.JUDGED, "evaluation": view.evaluations(_MODE)}
