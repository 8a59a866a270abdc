"""The overview: the three layers side by side. Infrastructure may be green while quality is not."""

from __future__ import annotations

from truegreen.core.words import boards, records
from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit
from truegreen.dashboards.model import Board, View

_WHO = ("service", "environment")
_CHAT = {"operation": "chat"}


def board(view: View) -> Board:
    """The first board to open."""
    latency, availability = view.slo("latency"), view.slo("availability")
    tasks, negative = view.slo("task_completion"), view.slo("satisfaction")
    hallucination = [kit.drill(boards.BOARDS["hallucination"], "Hallucination: where, since when, which version")]
    failed = {"outcome": ("error", "throttled", "timeout")}
    worst = {"failure_mode": "hallucination"}
    infrastructure = (
        kit.stat("Calls p99", ("p99", e.quantile(0.99, c.LLM_DURATION, where=_CHAT)), unit="s", steps=kit.bound(latency),
                 why="Time of chat calls, 99th percentile. It can be green while answers are wrong."),
        kit.stat("Calls failed", ("failed", e.share(c.LLM_REQUESTS, failed)), unit="percentunit", steps=kit.within(availability),
                 why="Share of calls that failed, were throttled or timed out, against the availability budget."),
        kit.graph("Call duration", *[(f"p{round(100 * q)}", e.quantile(q, c.LLM_DURATION, where=_CHAT)) for q in (0.5, 0.95, 0.99)], unit="s",
                  steps=kit.bound(latency), exemplars=True, why="Chat calls: the dashed line is the bound of the latency SLO."),
        kit.graph("Tokens", ("{{type}}", e.rate(c.LLM_TOKENS, ("type",), factor=60)), unit="cpm",
                  why="Tokens a minute: cached is part of input, reasoning of output. Growth comes before cost and latency."),
        kit.graph("CPU of the busiest jobs", ("{{job}}", e.busiest(c.PROCESS_CPU_SECONDS_TOTAL)), unit="percentunit",
                  why="From the processes' own exporters; not narrowed by the variables. Quality incidents do not show here."),
    )  # fmt: skip
    quality = (
        kit.stat("Ungrounded answers, 1 h", ("ungrounded", e.record(records.bad_ratio("1h"), (), worst)), unit="percentunit",
                 steps=kit.within(*view.slos("hallucination")), links=hallucination, why="The worst service's share of judged answers that are not supported by what was retrieved."),
        kit.stat("Judged answers, 1 h", ("judged", e.most(records.events("1h"), _WHO, worst)), unit="short",
                 why="The sample size behind the ratio: 1 of 3 is not 33 %. No data means that nothing is judged."),
        kit.graph("Ungrounded answers by service", ("{{service}} {{slo}}", e.record(records.bad_ratio("1h"), (*_WHO, "slo"), worst)),
                  ("budget {{service}} {{slo}}", e.record(records.ERROR_BUDGET, (*_WHO, "slo"), worst)), unit="percentunit", reference="/^budget/",
                  links=hallucination, why="Base sample over 1 h, all models; the dashed lines are each service's error budget, by SLO."),
        kit.graph("Burn rate by SLO, 1 h", ("{{slo}}", e.record(records.burn_rate("1h"), ("slo",), {"layer": "quality"})), unit="short",
                  steps=kit.under(1), why="Bad ratio as a multiple of the budget, worst service. At 1 the budget lasts exactly its window."),
        kit.graph("Relevant chunks", ("{{data_source}}", e.share(c.RETRIEVAL_CHUNKS, {"relevance": "above"}, by=("data_source",))),
                  unit="percentunit", scrapes=kit.SPARSE, why="Share of retrieved chunks above the similarity floor: wrong passages make wrong answers."),
    )  # fmt: skip
    business = (
        kit.stat("Tasks not completed", ("not completed", e.share(c.TASKS, {"outcome": ("abandoned", "escalated", "failed")})), unit="percentunit",
                 steps=kit.within(tasks), why="Share of tasks abandoned, escalated or failed, against the budget of task_completion."),
        kit.stat("Sessions with a wrong answer", ("sessions", e.gauge(c.AFFECTED_SESSIONS, ("evaluation",))), unit="short",
                 why="Estimate for the current hour from hashed session ids: how many people an incident touches."),
        kit.graph("Task outcomes", ("{{outcome}}", e.rate(c.TASKS, ("outcome",), factor=60)), unit="cpm", scrapes=kit.SPARSE,
                  why="How tasks end, a minute. Users give up or ask for a person some time after answers went wrong."),
        kit.graph("Negative feedback", ("{{task}}", e.share(c.FEEDBACK, {"sentiment": "negative"}, by=("task",))), unit="percentunit",
                  steps=kit.within(negative), scrapes=kit.SPARSE, why="Share of feedback with a score under 0; few users give any."),
        kit.graph("Escalations", ("{{reason}}", e.rate(c.ESCALATIONS, ("reason",), factor=60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Conversations handed to a person, by reason: the cost of a wrong answer arrives here."),
    )  # fmt: skip
    return Board(
        boards.OVERVIEW, "Overview", "Which layer is not green, on which service, and what changed before it?",
        (
            kit.row("Failure modes", kit.states("State of each failure mode", ("{{service}} {{failure_mode}}", e.record(records.STATE, (*_WHO, "failure_mode"))),
                    links=hallucination, why="Quiet, ticket or burning, as the alerts see it; absent without events.")),
            kit.side_by_side("Infrastructure | Quality | Business", infrastructure, quality, business),
            kit.row("Error budgets", kit.bars("Budget left", ("{{service}} {{slo}}", e.record(records.BUDGET_REMAINING, (*_WHO, "slo"), fold="min")),
                    unit="percentunit", steps=kit.over(0), width=12, why="Share of the error budget that is left in its window; under 0 the objective is missed."),
                    kit.graph("Calls", ("{{service}} {{model}}", e.rate(c.LLM_REQUESTS, ("service", "model"), factor=60)), unit="cpm", width=12,
                              why="Calls a minute by service and model: the traffic behind every ratio on this page.")),
        ),
    )  # fmt: skip
