"""The agent's pillars: one row for each, with what to ask and the next command."""

from __future__ import annotations

from truegreen.core.words import boards, ready_made, triage
from truegreen.core.words import catalogue as c
from truegreen.core.words.slo import Slo
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, Expression, Row, Tile, View, Where

_BY_AGENT = (*rows.WHO, "agent")
_BY_SOURCE = (*rows.WHO, "data_source")
_BY_TOOL = (*rows.WHO, "tool")
_UNAPPROVED: Where = {"authorization": ("unapproved", "denied")}
_BROKEN: Where = {"outcome": ("error", "timeout", "invalid_output", "silent_error")}
_UNPLANNED: Where = {"branch": ("unexpected", "failed")}
_STOPPED: Where = {"outcome": ("failed", "stopped")}


def board(view: View) -> Board:
    """Which pillar gives way."""
    runs = e.increase(c.AGENT_RUNS, _BY_AGENT)
    autonomy = {
        "Not approved": e.share(c.AGENT_ACTIONS, _UNAPPROVED, None, _BY_AGENT, e.RANGE),
        "Actions": e.increase(c.AGENT_ACTIONS, _BY_AGENT),
    }
    tools = {"Failed": e.share(c.TOOL_CALLS, _BROKEN, None, _BY_TOOL, e.RANGE), "Silently": e.share(c.TOOL_CALLS, {"outcome": "silent_error"}, None, _BY_TOOL, e.RANGE),
             "Calls": e.increase(c.TOOL_CALLS, _BY_TOOL), "p95": e.quantile(0.95, c.TOOL_DURATION, _BY_TOOL)}  # fmt: skip
    planning = {"In circles": e.ratio(e.increase(c.AGENT_LOOPS, _BY_AGENT), runs), "Runs": runs, "Steps": e.quantile(0.95, c.AGENT_STEPS, _BY_AGENT),
                "Repeats": e.quantile(0.95, c.AGENT_REPEATS, _BY_AGENT), "Tokens": e.quantile(0.95, c.AGENT_TOKENS, _BY_AGENT)}  # fmt: skip
    memory = {"Below the floor": e.share(c.RETRIEVAL_CHUNKS, {"relevance": "below"}, None, _BY_SOURCE, e.RANGE), "Chunks": e.increase(c.RETRIEVAL_CHUNKS, _BY_SOURCE),
              "Index age": e.age(c.RETRIEVAL_INDEX_REBUILT_TIMESTAMP, _BY_SOURCE)}  # fmt: skip
    reasoning = {"Unplanned": e.share(c.AGENT_BRANCHES, _UNPLANNED, None, _BY_AGENT, e.RANGE), "Branches": e.increase(c.AGENT_BRANCHES, _BY_AGENT),
                 "Runs not completed": e.share(c.AGENT_RUNS, _STOPPED, None, _BY_AGENT, e.RANGE), "Runs": runs}  # fmt: skip
    return Board(
        boards.PILLARS, "Agent pillars", "Which pillar of the agent gives way: autonomy, tool use, planning, memory or reasoning?",
        (
            _pillar(view, "autonomy", "Autonomy", autonomy, ("*", e.share(c.AGENT_ACTIONS, _UNAPPROVED, None, _BY_AGENT)),
                    "Actions that nobody approved, or that were denied: does the agent do more than it may?"),
            _pillar(view, "tool_use", "Tool use", tools, ("*", e.share(c.TOOL_CALLS, _BROKEN, None, _BY_TOOL)),
                    "Tool calls that failed; a silent error returns a failure as if it were a result, and the model builds on it."),
            _pillar(view, "planning", "Planning", planning, ("*", e.ratio(e.rate(c.AGENT_LOOPS, _BY_AGENT), e.rate(c.AGENT_RUNS, _BY_AGENT))),
                    "Runs that went round in circles. Steps, repeats and tokens are the 95th percentiles of a run."),
            _pillar(view, "memory", "Memory", memory, ("*", e.share(c.RETRIEVAL_CHUNKS, {"relevance": "below"}, None, _BY_SOURCE)),
                    "Retrieved chunks under the similarity floor, and how long ago the index was rebuilt."),
            _pillar(view, "reasoning", "Reasoning", reasoning, ("*", e.share(c.AGENT_BRANCHES, _UNPLANNED, None, _BY_AGENT)),
                    "Branches that nobody planned or that failed, and runs that did not end as completed."),
        ),
    )  # fmt: skip


def _pillar(view: View, key: str, title: str, numbers: dict[str, Expression], over_time: kit.Series, why: str) -> Row:
    slo, steps = _slo(view, key)
    first = next(iter(numbers))
    labels = numbers[first].labels
    units = {"Actions": "locale", "Calls": "locale", "Runs": "locale", "Chunks": "locale", "Branches": "locale", "p95": "s", "Index age": "s",
             "Steps": "short", "Repeats": "short", "Tokens": "short"}  # fmt: skip
    table = kit.table(
        f"{title}: {first.lower()}, by {rows.HEADINGS[labels[-1]].lower()}", *numbers.items(), columns=rows.headed(labels) | {name: name for name in numbers},
        unit="percentunit", units={name: unit for name, unit in units.items() if name in numbers}, steps=steps, sort=first, width=10, why=f"{why} Over the range shown.",
    )  # fmt: skip
    graph = kit.graph(
        f"{first}, over time",
        over_time,
        unit="percentunit",
        steps=steps,
        scrapes=kit.SPARSE,
        width=7,
        why=f"{why} The table has the sample sizes.",
    )
    return kit.row(title, table, graph, _next(key, title, slo))


def _slo(view: View, key: str) -> tuple[Slo, kit.Steps]:
    found = next(slo for slo in (*view.config.slos, *ready_made.READY_MADE) if slo.pillar == key)
    return found, kit.within(found)


def _next(key: str, title: str, slo: Slo) -> Tile:
    found = triage.BY_PILLAR[key]
    asked = "\n".join(
        f"{n}. {each.says} ({each.whose})? {triage.QUERIES[each.query].asks}" for n, each in enumerate(found.hypotheses, 1)
    )
    ask = f"`truegreen triage --service '$service' --environment '$environment' --slo {slo.name}`"
    moves = "\n".join(f"- {move.says}{f': `{move.command}`' if move.command else ''}" for move in (found.contain, found.rollback))
    return kit.text(f"{title}: next", f"{asked}\n\n{ask}\n\n{moves}\n", why="What to ask first, and the first moves.", width=7)
