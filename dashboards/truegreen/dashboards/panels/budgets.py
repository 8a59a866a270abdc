"""Panels of the budgets board."""

from __future__ import annotations

from truegreen.core.words import ready_made, records
from truegreen.core.words.slo import SHADOW
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Tile, View, Where

_STATED = {
    "slo": "SLO",
    "objective": "Objective",
    "period": "Window",
    "mode": "Mode",
    "owner": "Owner",
    "layer": "Layer",
    "failure_mode": "Failure mode",
}
_FIRED = {"alertname": "Alert", "service": "Service", "environment": "Environment", "slo": "SLO", "burn_tier": "Tier"}


def left(view: View) -> tuple[Tile, ...]:
    """What is left, what it was spent on, and what was promised."""
    windows = tuple(dict.fromkeys(slo.window for slo in view.config.slos or ready_made.READY_MADE))
    numbers = {
        "Left": e.record(records.BUDGET_REMAINING, rows.EVERY, fold="min"),
        "Budget": e.record(records.ERROR_BUDGET, rows.EVERY),
    }
    for window in windows:
        numbers[f"Bad, {rows.spelt(window)}"] = e.record(records.bad_ratio(window), rows.EVERY)
        numbers[f"Events, {rows.spelt(window)}"] = e.record(records.events(window), rows.EVERY)
    stated = e.record(records.SLO_INFO, tuple(_STATED))
    return (
        rows.left({}),
        kit.graph("Budget left over time", ("*", e.record(records.BUDGET_REMAINING, rows.EVERY, fold="min")), unit="percentunit", steps=kit.over(0), low=None,
                  width=16, why="A step down is an incident, a slope is a decline. Under 0 the objective of the window is missed."),
        kit.table("Spent", *numbers.items(), columns=rows.headed(rows.EVERY) | {name: name for name in numbers}, unit="percentunit", steps=kit.over(0),
                  units={name: "locale" for name in numbers if name.startswith("Events")}, sort=f"Bad, {rows.spelt(windows[0])}",
                  why="Each SLO over its own window: the budget, the bad ratio with its sample size, and what is left."),
        kit.table("Objectives", ("Stated", stated), columns=_STATED, unit="none", height=6,
                  why="The SLOs that the rules were generated from: whoever owns one decides what its budget is spent on. A service with an objective of its own has its budget in Spent."),
    )  # fmt: skip


def rate(window: str) -> Tile:
    """The burn rate over a window."""
    return kit.graph(f"Burn rate, {rows.spelt(window)}", ("*", e.record(records.burn_rate(window), rows.EVERY)), unit="short", steps=kit.under(1), width=12,
                     why="Bad ratio as a multiple of the budget. At 1 the budget lasts exactly its window.")  # fmt: skip


def burning() -> Tile:
    """What users feel."""
    business: Where = {"layer": "business"}
    return kit.graph("Burn rate of business SLOs, 1 h", ("*", e.record(records.burn_rate("1h"), rows.EVERY, business)), unit="short", steps=kit.under(1),
                        width=12, why="While a live one burns, a quality SLO of the same service that burns is a sev 1: users feel it.")  # fmt: skip


def shadow() -> Tile:
    """What would have paged."""
    return kit.table("What would have paged", ("Firing", e.firing(tuple(_FIRED), where={"mode": SHADOW})), columns=_FIRED, unit="none", width=12,
                       why="Alerts of SLOs in shadow that burn now: a ticket says it; once live, they page. Empty is good.")  # fmt: skip


def gate() -> Tile:
    """What the counts prove."""
    proved = e.per(e.record(records.bad_lower_bound("1h"), rows.EVERY), e.record(records.ERROR_BUDGET, rows.EVERY))
    return kit.graph("Proved burn rate, 1 h", ("*", proved), unit="short", steps=kit.under(1), width=24,
                     why="The lower bound of the bad ratio as a multiple of the budget: no page speaks before it is over 1. Few events prove little.")  # fmt: skip


def runbook(view: View) -> Tile:
    """What a budget is for."""
    words = "A budget that is spent: reliability before features until it has recovered, or another objective that its owner agrees to."
    return kit.text(
        "What to do",
        f"{words}\n\n[Runbook]({view.runbook(records.BUDGET_BURN)})",
        height=4,
        why="What a budget is for, and the page of the alert that spends it.",
    )
