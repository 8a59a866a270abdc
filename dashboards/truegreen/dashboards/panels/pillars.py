"""Panels of the board of the agent's pillars: a row for each."""

from __future__ import annotations

from typing import Final

from truegreen.core.words import catalogue as c
from truegreen.core.words import ready_made, triage
from truegreen.core.words.metric import Metric
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Expression, Row, Tile, View, Where

_HEIGHT: Final = 10
_AGENT: Final = (*rows.WHO, "agent")
_SOURCE: Final = (*rows.WHO, "data_source")
_TOOL: Final = (*rows.WHO, "tool")
_UNITS: Final = {
    "p95": "s",
    "Index age": "s",
    "Steps": "short",
    "Tokens": "short",
    "Stopped": "percentunit",
    "Silently": "percentunit",
}


def autonomy(view: View) -> Row:
    """Whether the agent does more than it may."""
    return _pillar(view, "autonomy", "authorization", "Not approved", *_shares(c.AGENT_ACTIONS, {"authorization": ("unapproved", "denied")}, _AGENT),
            {"Actions": e.increase(c.AGENT_ACTIONS, _AGENT)}, "Actions that nobody approved, or that were denied: does the agent do more than it may?")  # fmt: skip


def tool_use(view: View) -> Row:
    """Whether its tools fail, and whether it notices."""
    return _pillar(view, "tool_use", "tool_success", "Failed", *_shares(c.TOOL_CALLS, {"outcome": ("error", "timeout", "invalid_output", "silent_error")}, _TOOL),
            {"Silently": e.share(c.TOOL_CALLS, {"outcome": "silent_error"}, None, _TOOL, e.RANGE), "Calls": e.increase(c.TOOL_CALLS, _TOOL),
             "p95": e.quantile(0.95, c.TOOL_DURATION, _TOOL)},
            "Tool calls that failed; a silent error returns a failure as if it were a result, and the model builds on it.")  # fmt: skip


def planning(view: View) -> Row:
    """Whether it goes in circles."""
    runs = e.increase(c.AGENT_RUNS, _AGENT)
    return _pillar(view, "planning", "loops", "In circles", e.ratio(e.increase(c.AGENT_LOOPS, _AGENT), runs), e.ratio(e.rate(c.AGENT_LOOPS, _AGENT), e.rate(c.AGENT_RUNS, _AGENT)),
            {"Runs": runs, "Steps": e.quantile(0.95, c.AGENT_STEPS, _AGENT), "Tokens": e.quantile(0.95, c.AGENT_TOKENS, _AGENT)},
            "Runs that repeated a step that cannot succeed. Steps and tokens are the 95th percentiles of a run.")  # fmt: skip


def memory(view: View) -> Row:
    """Whether it finds what it needs, fresh."""
    return _pillar(view, "memory", "relevance", "Below the floor", *_shares(c.RETRIEVAL_CHUNKS, {"relevance": "below"}, _SOURCE),
            {"Chunks": e.increase(c.RETRIEVAL_CHUNKS, _SOURCE), "Index age": e.age(c.RETRIEVAL_INDEX_REBUILT_TIMESTAMP, _SOURCE)},
            "Retrieved chunks under the similarity floor, and how long ago the index was rebuilt.")  # fmt: skip


def reasoning(view: View) -> Row:
    """Whether it goes ways that nobody planned."""
    return _pillar(view, "reasoning", "branches", "Unplanned", *_shares(c.AGENT_BRANCHES, {"branch": ("unexpected", "failed")}, _AGENT),
            {"Branches": e.increase(c.AGENT_BRANCHES, _AGENT), "Stopped": e.share(c.AGENT_RUNS, {"outcome": ("failed", "stopped")}, None, _AGENT, e.RANGE)},
            "Branches that nobody planned or that failed, and runs that did not end as completed (their number: Planning).")  # fmt: skip


def _shares(metric: Metric, part: Where, by: tuple[str, ...]) -> tuple[Expression, Expression]:
    # For the table over the range shown, and over time.
    return e.share(metric, part, None, by, e.RANGE), e.share(metric, part, None, by)


def _pillar(
    view: View, key: str, name: str, bad: str, share: Expression, over_time: Expression, more: dict[str, Expression], why: str
) -> Row:
    # `name`: the ready-made SLO that counts what the row shows. Another of the pillar has another budget.
    slo = view.slo(name)
    asked = slo or next((each for each in view.config.slos if each.pillar == key), ready_made.BY_NAME[name])
    title, steps, labels = key.replace("_", " ").capitalize(), kit.within(slo), share.labels
    table = kit.table(
        f"{bad}, by {rows.HEADINGS[labels[-1]].lower()}", (bad, share), *more.items(), columns=rows.headed(labels) | {name: name for name in (bad, *more)},
        unit="percentunit", units={name: _UNITS.get(name, "locale") for name in more}, steps=steps, sort=bad, width=10, height=_HEIGHT,
        why=f"{why} Over the range shown.",
    )  # fmt: skip
    legend = f"{{{{{labels[-1]}}}}} {{{{service}}}} {{{{environment}}}}"
    graph = kit.graph(f"{bad}, over time", (legend, over_time), unit="percentunit", steps=steps, scrapes=kit.SPARSE, width=7, height=_HEIGHT,
                      why=f"{why} The table has the sample sizes.")  # fmt: skip
    return kit.row(title, table, graph, _next(key, title, asked.name))


def _next(key: str, title: str, slo: str) -> Tile:
    found = triage.BY_PILLAR[key]
    suspects = "\n".join(f"{n}. {each.says} ({each.whose})" for n, each in enumerate(found.hypotheses, 1))
    asked = "\n".join(f"- {triage.QUERIES[name].asks}" for name in found.queries)
    command = f"`truegreen triage --service SERVICE --environment ENVIRONMENT --slo {slo}`"
    moves = "\n".join(f"- {move.says}{f': `{move.command}`' if move.command else ''}" for move in (found.contain, found.rollback))
    return kit.text(f"{title}: next", f"{suspects}\n\n{asked}\n\n{command}\n\n{moves}\n", width=7, height=_HEIGHT,
                    why="The suspects, likeliest first, what to ask, and the first moves.")  # fmt: skip
