"""Panels of the incident board."""

from __future__ import annotations

from typing import Final

from truegreen.core.words import boards, records
from truegreen.core.words import catalogue as c
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Row, Tile, View

_FIRED: Final = {
    "alertname": "Alert",
    "sev": "Sev",
    "slo": "SLO",
    "cohort": "Cohort",
    "failure_mode": "Failure mode",
    "mode": "Mode",
    "service": "Service",
    "environment": "Environment",
}
_COMMANDS: Final = (
    ("what broke, since when, us or them, of the gravest alert; the alert's `next` line names its own", "truegreen triage"),
    ("stop the harm", "truegreen contain pin-model MODEL --expires 60m"),
    ("remove the cause when it is ours", "truegreen rollback prompt"),
    ("before you close: six checks", "truegreen validate"),
)


def symptom() -> tuple[Tile, ...]:
    """What fires, whom it touches, which SLO rose first."""
    return (
        kit.table("Firing alerts", ("Firing", e.gravest(tuple(_FIRED))), columns=_FIRED, unit="none", width=14, height=6,
                  why="What fires now for this service; shadow tickets say what would have paged. Empty is good."),
        rows.affected((), width=5, height=6),
        rows.contained(width=5, height=6),
        kit.graph("Bad ratio by SLO, 15 min", ("*", e.record(records.bad_ratio("15m"), rows.EVERY)), unit="percentunit", width=12,
                  why="Every SLO of the service, whatever its failure mode: which rose first? Their budgets are in the table below."),
        kit.graph("Events by SLO, 15 min", ("*", e.record(records.events("15m"), rows.EVERY)), unit="short", width=12,
                  why="The sample sizes of the ratios beside it. A line that ends is a stall, no recovery."),
    )  # fmt: skip


def calls(view: View) -> Tile:
    """A wrong answer may come fast, a slow one may be right."""
    q, line = symptoms.tail(view.slo("latency"))
    return kit.graph("Call duration by provider and model", (f"{symptoms.pth(q)} *", e.quantile(q, c.LLM_DURATION, ("provider", "model", *rows.WHO), {**symptoms.CHAT, **rows.ANY_MODEL})), unit="s", steps=line,
                      width=12, scrapes=kit.SPARSE, why="By provider and model, whichever is chosen above: a wrong answer may come fast, a slow one may be right.")  # fmt: skip


def where(view: View) -> Row:
    """Which model, and which version of ours."""
    return rows.where(
        c.EVALUATIONS, {"result": "fail"}, symptoms.answers(view), ("model", "snapshot"), bad="Ungrounded", counted="Judged answers",
        steps=symptoms.within(view), graphs={"model": "Ungrounded by model"}, more=(calls(view),),
        why="Base sample over the range shown. One bad version points at us, all versions of one model at the provider.",
    )  # fmt: skip


def distribution(view: View) -> tuple[Tile, ...]:
    """Scores, durations, cohorts, models."""
    return (
        kit.heat("Scores", e.distribution(c.EVALUATION_SCORE), unit="none", width=12, why="All scores of the base sample: a new band low down is another population."),
        kit.heat("Call duration", e.distribution(c.LLM_DURATION, symptoms.CHAT), unit="s", width=12, why="Chat calls: two bands are two models, or a cache."),
        *rows.by_label("Ungrounded by cohort", c.EVALUATIONS, {"result": "fail"}, symptoms.answers(view), "cohort", counted="Judged answers", steps=symptoms.within(view)),
        *rows.by_label("Calls failed by model", c.LLM_REQUESTS, symptoms.FAILED, {}, "model", counted="Calls"),
    )  # fmt: skip


def runbook(view: View) -> tuple[Tile, ...]:
    """The commands in their order, and the boards behind this one."""
    commands = "\n".join(f"- {says}: `{command}`" for says, command in _COMMANDS)
    uids = {mode: boards.BOARDS[mode] for mode in FAILURE_MODES} | {
        "agent pillars": boards.PILLARS,
        "versions": boards.VERSIONS,
        "health of the watching": boards.HEALTH,
    }
    links = "\n".join(f"- [{name}]({kit.address(uid)})" for name, uid in uids.items())
    return (
        kit.text("What to do", f"{commands}\n\n[Runbook]({view.runbook(records.BUDGET_BURN)}), [of one cohort]({view.runbook(records.COHORT_BURN)})", width=14, height=7, why="The commands in their order; each writes to the incident's log."),
        kit.text("Look closer", links, width=10, height=7, why="The boards behind this one, with its time and its variables."),
    )  # fmt: skip
