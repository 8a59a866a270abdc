"""The latency board: whether calls come back, in time, and what made them longer."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import latency as panels


def board(view: View) -> Board:
    """What to look at when calls are slow or fail."""
    return Board(
        boards.BOARDS["latency"], "Latency", "Which calls are slow or fail, at which provider, and what made them longer?",
        (
            kit.row("Symptom", *panels.symptom(view)),
            rows.budget_of(view, "latency"),
            panels.where(view),
            rows.changed(panels.tokens()),
            kit.row("Distribution", *panels.distribution(), collapsed=True),
            kit.row("Evidence", panels.slow(view), collapsed=True),
            rows.runbook(view, "latency"),
        ),
    )  # fmt: skip
