"""The latency board: whether calls come back, in time, and what made them longer."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, Row, View, Where

_MODE = "latency"
_CHAT: Where = {"operation": "chat"}
_FAILED: Where = {"outcome": ("error", "throttled", "timeout")}


def board(view: View) -> Board:
    """What to look at when calls are slow or fail."""
    bound, first, within = (
        kit.bound(view.slo("latency")),
        kit.bound(view.slo("first_chunk")),
        kit.within(view.slo("availability")),
    )
    symptom = (
        kit.stat("Calls p99", ("p99", e.quantile(0.99, c.LLM_DURATION, where=_CHAT)), unit="s", steps=bound, width=5,
                 why="Time of chat calls, 99th percentile, against the bound of the latency SLO."),
        kit.stat("First chunk p95", ("p95", e.quantile(0.95, c.LLM_TIME_TO_FIRST_CHUNK, where=_CHAT)), unit="s", steps=first, width=5,
                 why="How long a user of a streamed answer sees nothing, against the bound of first_chunk."),
        *kit.ratio("Calls failed", ("failed", e.share(c.LLM_REQUESTS, _FAILED)), ("calls", e.increase(c.LLM_REQUESTS, over=e.RATE)), counted="Calls",
                   steps=within, width=5, why="Share of calls that failed, were throttled or timed out, against the availability budget."),
        rows.contained(),
        kit.graph("Call duration", *[(f"p{round(100 * q)}", e.quantile(q, c.LLM_DURATION, where=_CHAT)) for q in (0.5, 0.95, 0.99)], unit="s",
                  steps=bound, width=24, why="Chat calls: the dashed line is the bound of the latency SLO. The dots are traces."),
    )  # fmt: skip
    changed = (
        kit.graph("Tokens per call", ("*", e.per(e.rate(c.LLM_TOKENS, ("model", "type")), e.rate(c.LLM_REQUESTS, ("model",)))), unit="short", width=24,
                  why="Prompts and answers that grow take longer; cached is part of input, reasoning of output."),
    )  # fmt: skip
    pillars = [kit.drill(boards.PILLARS, "Tool use, planning, and the other pillars")]
    distribution = (
        kit.heat("Call duration, all calls", e.distribution(c.LLM_DURATION, _CHAT), unit="s", width=12,
                 why="A second band high up is retries or time-outs; a shifted band is longer answers or a slower model."),
        kit.heat("Time to the first chunk", e.distribution(c.LLM_TIME_TO_FIRST_CHUNK, _CHAT), unit="s", width=12,
                 why="Queueing at the provider and the length of the prompt show here, the length of the answer does not."),
        kit.graph("Why answers end", ("*", e.rate(c.LLM_FINISHES, ("model", "reason"), factor=60)), unit="cpm", width=12,
                  why="Finishes a minute by reason: length means that answers are cut off, tool calls that the agent goes round."),
        kit.graph("Time per output token, p95", ("*", e.quantile(0.95, c.LLM_TIME_PER_OUTPUT_TOKEN, ("model",), _CHAT)), unit="s", width=12,
                  why="The pace of a streamed answer: slow here is the provider, slow at a steady pace is a longer answer."),
        kit.graph("Tools p95", ("*", e.quantile(0.95, c.TOOL_DURATION, ("tool",))), unit="s", scrapes=kit.SPARSE, links=pillars,
                  why="A slow tool makes a slow answer although every call to the model is fast."),
        kit.graph("Steps of a run, p95", ("*", e.quantile(0.95, c.AGENT_STEPS, ("agent",))), unit="short", scrapes=kit.SPARSE, links=pillars,
                  why="More steps are more calls: the agent tries again, or the question is another one."),
        kit.graph("Repeats of a run, p95", ("*", e.quantile(0.95, c.AGENT_REPEATS, ("agent",))), unit="short", scrapes=kit.SPARSE, links=pillars,
                  why="The same step again and again: an agent that goes round in circles costs time and tokens."),
    )  # fmt: skip
    slow = kit.graph("Slow calls", ("*", e.quantile(0.99, c.LLM_DURATION, (*rows.WHO, "model", "operation"))), unit="s", steps=bound, width=24,
                     why="Each dot is a call with its trace: open one over the line and read which part of it took the time.")  # fmt: skip
    return Board(
        boards.BOARDS[_MODE], "Latency", "Which calls are slow or fail, at which provider, and what made them longer?",
        (kit.row("Symptom", *symptom), rows.budget_of(view, _MODE), _where(bound, within), rows.changed(*changed),
         kit.row("Distribution", *distribution, collapsed=True), kit.row("Evidence", slow, collapsed=True), rows.runbook(view, _MODE)),
    )  # fmt: skip


def _where(bound: kit.Steps, within: kit.Steps) -> Row:
    by = (*rows.WHO, "provider", "model", "operation")
    numbers = {
        "Failed": e.share(c.LLM_REQUESTS, _FAILED, None, by, e.RANGE),
        "Calls": e.increase(c.LLM_REQUESTS, by),
        "p99": e.quantile(0.99, c.LLM_DURATION, by),
    }
    return kit.row(
        "Where",
        kit.table("Failed, by provider, model and operation", *numbers.items(), columns={"service": "Service", "environment": "Environment", "provider": "Provider",
                  "model": "Model", "operation": "Operation", **{name: name for name in numbers}}, unit="percentunit", units={"Calls": "locale", "p99": "s"},
                  steps=within, sort="Failed", width=12, why="One provider alone is theirs, every provider at once is us or the network. p99 is of now."),
        kit.graph("Calls p99 by provider and model", ("*", e.quantile(0.99, c.LLM_DURATION, ("provider", "model"), _CHAT)), unit="s", steps=bound, width=12,
                  why="Chat calls: which model is over the bound of the latency SLO, and since when."),
    )  # fmt: skip
