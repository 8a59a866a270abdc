"""The retrieval board: whether the right passages come, fresh and in time."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import retrieval as panels


def board(view: View) -> Board:
    """What to look at when passages are wrong, missing, old or late."""
    return Board(
        boards.BOARDS["retrieval"], "Retrieval", "Do the right passages come, fresh and in time, and from which source not?",
        (
            kit.row("Symptom", *panels.symptom(view)),
            rows.budget_of(view, "retrieval"),
            panels.where(view),
            kit.row("What changed", *panels.changed()),
            kit.row("Distribution", *panels.distribution(view), collapsed=True),
            rows.evidence(view, view.evaluations("hallucination"), panels.slow()),
            rows.runbook(view, "retrieval"),
        ),
    )  # fmt: skip
