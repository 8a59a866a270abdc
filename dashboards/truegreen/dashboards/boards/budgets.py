"""The budgets board: what is left of each error budget, and what spends it."""

from __future__ import annotations

from truegreen.core.words import boards, records
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import budgets as panels


def board(view: View) -> Board:
    """What to look at in a planning meeting, and after an incident."""
    return Board(
        boards.BUDGETS, "Budgets", "How much of each error budget is left, what spends it, and what would page?",
        (
            kit.row("Left", *panels.left(view)),
            kit.row("Burn", *(panels.rate(window) for window in records.BURN_WINDOWS)),
            kit.row("Business and shadow", panels.burning(), panels.shadow(), rows.slos("Business SLOs", {"layer": "business"})),
            kit.row("Evidence", panels.gate()),
            kit.row("Runbook", panels.runbook(view)),
        ),
        start="now-7d",
    )  # fmt: skip
