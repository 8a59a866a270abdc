"""Panels of the latency board."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Row, Tile, View


def symptom(view: View) -> tuple[Tile, ...]:
    """Too slow or failed, and since when."""
    return (*symptoms.calls(view, "15m", 5, "latency", "first_chunk"), rows.contained(), symptoms.durations(view, 24))


def tokens() -> Tile:
    """What makes calls longer."""
    return kit.graph("Tokens per call", ("*", e.per(e.rate(c.LLM_TOKENS, ("model", "type")), e.rate(c.LLM_REQUESTS, ("model",)))), unit="short", width=24,
                  why="Prompts and answers that grow take longer; cached is part of input, reasoning of output.")  # fmt: skip


def distribution() -> tuple[Tile, ...]:
    """Bands of durations, why answers end, tools and steps."""
    pillars = [kit.drill(boards.PILLARS, "Tool use, planning, and the other pillars")]
    return (
        kit.heat("Call duration, all calls", e.distribution(c.LLM_DURATION, symptoms.CHAT), unit="s", width=12,
                 why="A second band high up is retries or time-outs; a shifted band is longer answers or a slower model."),
        kit.heat("Time to the first chunk", e.distribution(c.LLM_TIME_TO_FIRST_CHUNK, symptoms.CHAT), unit="s", width=12,
                 why="Queueing at the provider and the length of the prompt show here, the length of the answer does not."),
        kit.graph("Why answers end", ("*", e.rate(c.LLM_FINISHES, ("model", "reason"), factor=60)), unit="cpm", width=12,
                  why="Finishes a minute by reason: length means that answers are cut off, tool calls that the agent goes round."),
        kit.graph("Time per output token, p95", ("*", e.quantile(0.95, c.LLM_TIME_PER_OUTPUT_TOKEN, ("model",), symptoms.CHAT)), unit="s", width=12,
                  why="The pace of a streamed answer: slow here is the provider, slow at a steady pace is a longer answer."),
        kit.graph("Tools p95", ("*", e.quantile(0.95, c.TOOL_DURATION, ("tool",))), unit="s", scrapes=kit.SPARSE, links=pillars,
                  why="A slow tool makes a slow answer although every call to the model is fast."),
        kit.graph("Steps of a run, p95", ("*", e.quantile(0.95, c.AGENT_STEPS, ("agent",))), unit="short", scrapes=kit.SPARSE, links=pillars,
                  why="More steps are more calls: the agent tries again, or the question is another one."),
        kit.graph("Repeats of a run, p95", ("*", e.quantile(0.95, c.AGENT_REPEATS, ("agent",))), unit="short", scrapes=kit.SPARSE, links=pillars,
                  why="The same step again and again: an agent that goes round in circles costs time and tokens."),
    )  # fmt: skip


def slow(view: View) -> Tile:
    """The calls over the line, each with its trace."""
    q, line = symptoms.tail(view.slo("latency"))
    return kit.graph("Slow calls", ("*", e.quantile(q, c.LLM_DURATION, (*rows.WHO, "model"), symptoms.CHAT)), unit="s", steps=line, width=24,
                     why="Each dot is a chat call with its trace: open one over the line and read which part of it took the time.")  # fmt: skip


def where(view: View) -> Row:
    """Which provider and model."""
    q, line = symptoms.tail(view.slo("latency"))
    by = (*rows.WHO, "provider", "model", "operation")
    numbers = {
        "Failed": e.share(c.LLM_REQUESTS, symptoms.FAILED, None, by, e.RANGE),
        "Calls": e.increase(c.LLM_REQUESTS, by),
        "p99": e.quantile(0.99, c.LLM_DURATION, by),
    }
    return kit.row(
        "Where",
        kit.table("Failed, by provider, model and operation", *numbers.items(), columns={"service": "Service", "environment": "Environment", "provider": "Provider",
                  "model": "Model", "operation": "Operation", **{name: name for name in numbers}}, unit="percentunit", units={"Calls": "locale", "p99": "s"},
                  steps=kit.within(view.slo("availability")), sort="Failed", width=12, why="One provider alone is theirs, every provider at once is us or the network. p99 is of now."),
        kit.graph("Call duration by provider and model", (f"{symptoms.pth(q)} {{{{provider}}}} {{{{model}}}} {{{{service}}}} {{{{environment}}}}", e.quantile(q, c.LLM_DURATION, (*rows.WHO, "provider", "model"), symptoms.CHAT)),
                  unit="s", steps=line, scrapes=kit.SPARSE, width=12, why="Chat calls: which model is slow, and since when. The dashed line is the threshold of the latency SLO."),
    )  # fmt: skip
