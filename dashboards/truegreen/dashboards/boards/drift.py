"""The drift board: what has moved away from the frozen baseline, too slowly to burn a budget."""

from __future__ import annotations

from truegreen.alert_rules.drift import DRIFT
from truegreen.core.words import boards
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import drift as panels


def board(view: View) -> Board:
    """What to look at when answers are not what they were."""
    return Board(
        boards.BOARDS["drift"], "Drift", "How far are answers from the frozen baseline, whose are they, and since which change?",
        (
            kit.row("Symptom", *panels.symptom(view)),
            rows.budget_of(view, "drift"),
            panels.where(view),
            rows.changed(panels.who_asks(), panels.what_is_asked()),
            kit.row("Distribution", *panels.distribution(view), collapsed=True),
            rows.evidence(view, panels.evaluations(view)),
            rows.runbook(view, "drift", DRIFT),
        ),
    )  # fmt: skip
