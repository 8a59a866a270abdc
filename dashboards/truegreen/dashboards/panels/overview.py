"""Panels of the overview."""

from __future__ import annotations

from dataclasses import replace

from truegreen.core.words import boards, records
from truegreen.core.words import catalogue as c
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Tile, View, Where

_MODE = "hallucination"


def states() -> Tile:
    """One band for each failure mode."""
    return kit.states("State of each failure mode", ("*", e.record(records.STATE, (*rows.WHO, "failure_mode"), {"failure_mode": FAILURE_MODES})), links=[kit.drill_mode()],
                        why="Quiet, ticket or burning, as the alerts see it; absent without events. A click opens the mode's board.")  # fmt: skip


def infrastructure(view: View) -> tuple[Tile, ...]:
    """Calls, their time and their tokens: may be green while quality is not."""
    *calls, counted = symptoms.calls(view, "1h", 3, "latency")
    return (
        *calls,
        replace(counted, width=2),
        symptoms.durations(view, 8),
        kit.graph("Tokens", ("*", e.rate(c.LLM_TOKENS, ("type",), factor=60)), unit="cpm",
                  why="Tokens a minute: cached is part of input, reasoning of output. Growth comes before cost and latency."),
    )  # fmt: skip


def quality(view: View) -> tuple[Tile, ...]:
    """Ungrounded answers, and what is left of the budgets."""
    grounding = view.judged(_MODE)
    mine: Where = {"failure_mode": _MODE, "slo": tuple(slo.name for slo in grounding)}
    by = rows.by_slo(grounding)
    open_mode = [kit.drill(boards.BOARDS[_MODE], "Hallucination: where, since when, which version")]
    return (
        *symptoms.judged(view, _MODE, "Ungrounded answers, 1 h", "1h", links=open_mode, proved=False,
                     why="Share of judged answers that are not supported by what was retrieved."),
        kit.graph("Ungrounded answers by service", ("*", e.record(records.bad_ratio("1h"), by, mine)),
                  ("budget *", e.record(records.ERROR_BUDGET, by, mine)), unit="percentunit", reference="/^budget/", links=open_mode,
                  why="Base sample over 1 h, all models; the dashed lines are each service's error budget, by SLO."),
        rows.left({}),
    )  # fmt: skip


def business(view: View) -> tuple[Tile, ...]:
    """What users feel, some time after."""
    return (
        *symptoms.ratio(view, "task_completion", "Tasks not completed", ("not completed", e.share(c.TASKS, {"outcome": ("abandoned", "escalated", "failed")})),
                        ("tasks", e.increase(c.TASKS, over=e.RATE)), window="1h", counted="Tasks", why="Share of tasks abandoned, escalated or failed."),
        kit.graph("Business signals", ("tasks not completed", e.share(c.TASKS, {"outcome": ("abandoned", "escalated", "failed")})),
                  ("feedback negative", e.share(c.FEEDBACK, {"sentiment": "negative"})), ("records invalid", e.share(c.DOWNSTREAM_RECORDS, {"outcome": "invalid"})),
                  unit="percentunit", scrapes=kit.SPARSE, why="Shares that move some time after answers went wrong; their sample sizes are below."),
        kit.graph("Behind the business signals", ("tasks", e.rate(c.TASKS, factor=60)), ("feedback", e.rate(c.FEEDBACK, factor=60)),
                  ("records", e.rate(c.DOWNSTREAM_RECORDS, factor=60)), ("escalated: *", e.rate(c.ESCALATIONS, ("reason",), factor=60)), unit="cpm",
                  scrapes=kit.SPARSE, why="Events a minute: few users give feedback. Conversations handed to a person carry the cost of a wrong answer."),
    )  # fmt: skip


def traffic() -> tuple[Tile, ...]:
    """What every ratio is taken of."""
    return (
        kit.graph("Calls", ("*", e.rate(c.LLM_REQUESTS, (*rows.WHO, "model"), factor=60)), unit="cpm", width=12,
                  why="Calls a minute by service and model: the traffic behind every ratio on this page."),
        kit.graph("Answers", ("*", e.rate(c.ANSWERS, (*rows.WHO, "cohort"), factor=60)), unit="cpm", width=12,
                  why="Answers a minute by cohort, judged or not: what a sample is taken of."),
    )  # fmt: skip


def machines() -> tuple[Tile, ...]:
    """Other exporters' metrics, where they are scraped."""
    busy = e.rest(e.external(c.NODE_CPU_SECONDS_TOTAL, ("instance",), "avg", {"mode": "idle"}))
    free = (e.external(c.NODE_MEMORY_MEMAVAILABLE_BYTES, ("instance",)), e.external(c.NODE_MEMORY_MEMTOTAL_BYTES, ("instance",)))
    where = (
        "From the standard exporters, where they are scraped; not narrowed by the variables. Quality incidents do not show here."
    )
    return (
        kit.graph("CPU of processes", ("*", e.external(c.PROCESS_CPU_SECONDS_TOTAL, fold="sum")), unit="short", why=f"Cores in use by job. {where}"),
        kit.graph("Memory of processes", ("*", e.external(c.PROCESS_RESIDENT_MEMORY_BYTES)), unit="bytes", why=f"The largest process of each job. {where}"),
        kit.graph("Machines", ("CPU *", busy), ("memory *", e.rest(e.ratio(*free))), unit="percentunit", why=f"Share in use by machine. {where}"),
        kit.graph("GPU", ("*", e.external(c.DCGM_FI_DEV_GPU_UTIL, ("instance", "gpu"))), unit="percent", why=f"Utilisation by card. {where}"),
        kit.graph("GPU memory", ("*", e.external(c.DCGM_FI_DEV_FB_USED, ("instance", "gpu"))), unit="mbytes", why=f"In use by card. {where}"),
        kit.table("Targets", ("Up", e.external(c.UP, ("job", "instance"), "min")), columns={"job": "Job", "instance": "Instance", "Up": "Up"}, unit="none",
                  steps=kit.over(1), width=8, why="Whether the last scrape of each target worked: what is not scraped cannot burn."),
    )  # fmt: skip
