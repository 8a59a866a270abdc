"""The guardrail board: it may block too much and let through too much, and the cures are opposite."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import guardrail as panels


def board(view: View) -> Board:
    """What to look at when guardrails block right answers or let wrong ones through."""
    return Board(
        boards.BOARDS["guardrail"], "Guardrail", "Do guardrails block what is right or let through what is wrong, which one, and since which change?",
        (
            kit.side_by_side("Symptom: over | under", panels.over(view), panels.under(view)),
            rows.budget_of(view, "guardrail"),
            panels.where(view),
            rows.changed(panels.decisions()),
            kit.row("Distribution", *panels.distribution(), collapsed=True),
            kit.row("Evidence", panels.reviews(), collapsed=True),
            rows.runbook(view, "guardrail"),
        ),
    )  # fmt: skip
