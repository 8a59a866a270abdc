"""The hallucination board: what a grounding alert opens. Symptom, budget, where, what changed, distribution, evidence, runbook."""

from __future__ import annotations

from truegreen.core.words import boards, records
from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Board, View, Where

_MODE = "hallucination"


def board(view: View) -> Board:
    """What to look at when a grounding SLO burns."""
    slos, evaluations = view.judged(_MODE), view.evaluations(_MODE)
    mine: Where = {"failure_mode": _MODE, "slo": tuple(slo.name for slo in slos)}
    judged: Where = {**rows.JUDGED, "evaluation": evaluations}
    within = kit.within(*slos)
    symptom = (
        *symptoms.judged(view, _MODE, "Ungrounded, 15 min", "15m", width=5, why="Share of judged answers that are not supported by what was retrieved."),
        rows.affected(evaluations, width=5),
        rows.contained(),
        kit.graph("Ungrounded answers by service", ("*", e.record(records.bad_ratio("15m"), rows.by_slo(slos), mine)),
                  ("budget *", e.record(records.ERROR_BUDGET, rows.by_slo(slos), mine)), unit="percentunit", reference="/^budget/", width=16,
                  why="Base sample over 15 min, all models; the dashed lines are each service's error budget, by SLO."),
        kit.graph("Judged answers", ("*", e.rate(c.EVALUATED_ANSWERS, (*rows.apart(judged), "result"), {"evaluation": evaluations}, 60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Judged answers a minute, by verdict: a stalled evaluator must not look like a healthy model."),
    )  # fmt: skip
    distribution = (
        *rows.scores(evaluations),
        *rows.by_label("Ungrounded by cohort", c.EVALUATIONS, {"result": "fail"}, judged, "cohort", counted="Judged answers", steps=within),
        kit.graph("Marked answers", ("*", e.rate(c.ANSWER_MARKERS, ("marker",), factor=60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Overconfident, refusing, empty, truncated answers a minute. Wording does not predict a wrong answer: shown, never paged on."),
        kit.graph("Drift from the frozen baseline, z over 3 d", ("*", e.record(records.DRIFT_Z, rows.EVERY, mine)), unit="short", low=None,
                  why="A slow decline that never burns fast: standard errors between the last three days and the baseline."),
    )  # fmt: skip
    return Board(
        boards.BOARDS[_MODE], "Hallucination", "Which answers are not supported by what was retrieved, where, and since which change?",
        (
            kit.row("Symptom", *symptom),
            rows.budget_of(view, _MODE),
            rows.where(c.EVALUATIONS, {"result": "fail"}, judged, ("model", "snapshot"), bad="Ungrounded", counted="Judged answers", steps=within,
                       why="Base sample over the range shown. One bad version points at us, all versions of one model at the provider.",
                       graphs={"model": "Ungrounded by model"}),
            rows.changed(),
            kit.row("Distribution", *distribution, collapsed=True),
            rows.evidence(view, evaluations),
            rows.runbook(view, _MODE),
        ),
    )  # fmt: skip
