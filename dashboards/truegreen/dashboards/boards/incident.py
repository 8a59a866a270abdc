"""The incident board: what an alert opens, with its service, environment, model and hour filled in."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import incident as panels


def board(view: View) -> Board:
    """The first board of a night."""
    return Board(
        boards.INCIDENT, "Incident", "What burns here, since when, whom does it touch, us or them, and what is to do?",
        (
            kit.row("Symptom", *panels.symptom()),
            rows.budget(),
            panels.where(view),
            rows.changed(),
            kit.row("Distribution", *panels.distribution(view), collapsed=True),
            rows.evidence(view, (), collapsed=False),
            kit.row("Runbook", *panels.runbook(view)),
        ),
    )  # fmt: skip
