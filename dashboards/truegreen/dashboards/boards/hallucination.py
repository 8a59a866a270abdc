"""The hallucination board: what a grounding alert opens. Symptom, budget, where, what changed, distribution, evidence, runbook."""

from __future__ import annotations

from truegreen.core.words import boards, records, triage
from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit
from truegreen.dashboards.model import Board, Tile, View, Where

_WHO = ("service", "environment")
_MODE = {"failure_mode": "hallucination"}
_JUDGED: Where = {"result": ("pass", "fail"), "sampled": "base"}
_VERSIONS = {"model_version": "Model version", "prompt_version": "Prompt", "retrieval_index_version": "Index", "tool_schema_version": "Tools",
             "guardrail_version": "Guardrail"}  # fmt: skip


def board(view: View) -> Board:
    """What to look at when a grounding SLO burns."""
    within, evaluations = kit.within(*view.slos("hallucination")), view.evaluations("hallucination")
    of_mine: Where = {**_JUDGED, "evaluation": evaluations}
    slices = (*_WHO, "model", "snapshot")
    every = (*_WHO, "slo")
    symptom = (
        kit.stat("Ungrounded, 15 min", ("ungrounded", e.record(records.bad_ratio("15m"), (), _MODE)), unit="percentunit", steps=within,
                 why="The worst service's share of judged answers that are not supported by what was retrieved."),
        kit.stat("Lower bound, 15 min", ("at least", e.record(records.bad_lower_bound("15m"), (), _MODE)), unit="percentunit", steps=within,
                 why="What the counts prove: the page waits until this bound, not the ratio, is over the budget."),
        kit.stat("Judged answers, 15 min", ("judged", e.most(records.events("15m"), _WHO, _MODE)), unit="short",
                 why="The sample size behind the ratio: 1 of 3 is not 33 %. No data means that nothing is judged."),
        kit.stat("Scale of the scores", ("{{scale}}", e.observations(c.EVALUATION_SCORE, ("scale",), {"evaluation": evaluations})), unit="none", names=True,
                 why="Relative: a quantile of a frozen baseline, shows change only. Calibrated: the absolute level is known."),
        kit.stat("Sessions affected", ("sessions", e.gauge(c.AFFECTED_SESSIONS, ("evaluation",), {"evaluation": evaluations})), unit="short",
                 why="Estimate for the current hour from hashed session ids: whom to think of first."),
        kit.stat("Contained calls", ("{{containment}}", e.rate(c.CONTAINED_REQUESTS, ("containment",), factor=60)), unit="cpm",
                 why="Calls a minute that are served under a containment switch; no data means that none is on."),
        kit.graph("Ungrounded answers by service", ("{{service}} {{slo}}", e.record(records.bad_ratio("15m"), every, _MODE)),
                  ("budget {{service}} {{slo}}", e.record(records.ERROR_BUDGET, every, _MODE)), unit="percentunit", reference="/^budget/", width=16,
                  why="Base sample over 15 min, all models; the dashed lines are each service's error budget, by SLO."),
        kit.graph("Judged answers", ("{{result}}", e.rate(c.EVALUATED_ANSWERS, ("result",), {"evaluation": evaluations}, 60)), unit="cpm",
                  scrapes=kit.SPARSE, exemplars=True, why="Judged answers a minute, by verdict: a stalled evaluator must not look like a healthy model."),
    )  # fmt: skip
    burn = (
        kit.bars("Budget left", ("{{service}} {{slo}}", e.record(records.BUDGET_REMAINING, every, _MODE, "min")), unit="percentunit",
                 steps=kit.over(0), why="Share of the error budget that is left in its window; under 0 the objective is missed."),
        kit.graph("Burn rate, 15 min and 1 h", *[(f"{{{{service}}}} {{{{slo}}}} {window}", e.record(records.burn_rate(window), every, _MODE))
                  for window in ("15m", "1h")], unit="short", steps=kit.under(1), why="Bad ratio as a multiple of the budget. At 1 the budget lasts exactly its window."),
        kit.graph("Drift from the frozen baseline, z over 3 d", ("{{service}} {{slo}}", e.record(records.DRIFT_Z, every, _MODE)), unit="short", low=None,
                  why="A slow decline that never burns fast: standard errors between the last three days and the baseline."),
    )  # fmt: skip
    where = (
        kit.table("By service, model and version",
                  ("Ungrounded", e.with_versions(e.share(c.EVALUATIONS, {"result": "fail"}, of_mine, slices, e.RANGE))),
                   ("Judged", e.with_versions(e.increase(c.EVALUATIONS, slices, of_mine))),
                  columns={"service": "Service", "environment": "Environment", "model": "Model", **_VERSIONS, "snapshot": "Snapshot", "Ungrounded": "Ungrounded",
                   "Judged": "Judged answers"}, unit="percentunit", units={"Judged answers": "locale"}, steps=within, sort="Ungrounded",
                  why="Base sample over the range shown. One bad version points at us, all versions of one model at the provider."),
        kit.graph("Ungrounded by model", ("{{model}}", e.share(c.EVALUATIONS, {"result": "fail"}, of_mine, ("model",))), unit="percentunit",
                  steps=within, scrapes=kit.SPARSE, width=12, why="Is one model worse than the others?"),
        kit.graph("Ungrounded by cohort", ("{{cohort}}", e.share(c.EVALUATIONS, {"result": "fail"}, of_mine, ("cohort",))), unit="percentunit",
                  steps=within, scrapes=kit.SPARSE, width=12, why="Does one cohort ask what the corpus does not know?"),
    )  # fmt: skip
    changed = (
        kit.table("Versions and since when they serve", ("Since", e.milliseconds(e.with_versions(e.gauge(c.SNAPSHOT_SINCE_TIMESTAMP, (*_WHO, "snapshot"))))),
                  columns={"Since": "Since", "service": "Service", "environment": "Environment", "snapshot": "Snapshot", **_VERSIONS}, unit="dateTimeAsIso",
                  sort="Since", width=12, why="The newest first: a change of ours just before the onset is the first suspect."),
        kit.graph("Served model", ("{{model}} → {{served}} {{fingerprint}}", e.rate(c.MODEL_SERVED, ("model", "served", "fingerprint"), factor=60)), unit="cpm",
                  width=12, why="Requested and served model: a new line under the same request is a silent update by the provider."),
    )  # fmt: skip
    scores = kit.heat("Scores", e.distribution(c.EVALUATION_SCORE, {"evaluation": evaluations}), unit="none",
                      why="All scores of the base sample: a new band low down is another population, a shifted band a general decline.")  # fmt: skip
    evidence = kit.table("Failing traces", ("Seen", e.gauge(c.FAILING_TRACE_INFO, (*_WHO, "evaluation", "slot", "trace_id"), {"evaluation": evaluations})),
                         columns={"service": "Service", "environment": "Environment", "evaluation": "Evaluation", "trace_id": "Trace"}, unit="none",
                         links={"Trace": kit.trace(view)}, why="Three answers that failed, by trace: read them before you believe the number.")  # fmt: skip
    return Board(
        boards.BOARDS["hallucination"], "Hallucination", "Which answers are not supported by what was retrieved, where, and since which change?",
        (kit.row("Symptom", *symptom), kit.row("Budget and burn", *burn), kit.row("Where", *where), kit.row("What changed", *changed),
         kit.row("Distribution", scores), kit.row("Evidence", evidence, collapsed=True), kit.row("Runbook", _runbook(view))),
    )  # fmt: skip


def _runbook(view: View) -> Tile:
    row = triage.BY_FAILURE_MODE["hallucination"]
    suspects = "\n".join(f"{n}. {h.says} ({h.whose})" for n, h in enumerate(row.hypotheses, 1))
    moves = "\n".join(f"- {move.says}{f': `{move.command}`' if move.command else ''}" for move in (row.contain, row.rollback))
    words = f"**Suspect, likeliest first**\n\n{suspects}\n\n**Do**\n\n- ask for the verdict: the command in the alert's `next` line\n{moves}\n"
    return kit.text(
        "What to do",
        f"{words}\n[Runbook]({view.runbook(records.BUDGET_BURN)})",
        why="The first moves for this failure mode; the runbook has them all.",
    )
