"""The hallucination board: what a grounding alert opens. Symptom, budget, where, what changed, distribution, evidence, runbook."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import hallucination as panels


def board(view: View) -> Board:
    """What to look at when a grounding SLO burns."""
    return Board(
        boards.BOARDS["hallucination"], "Hallucination", "Which answers are not supported by what was retrieved, where, and since which change?",
        (
            kit.row("Symptom", *panels.symptom(view)),
            rows.budget_of(view, "hallucination"),
            panels.where(view),
            rows.changed(),
            kit.row("Distribution", *panels.distribution(view), collapsed=True),
            rows.evidence(view, view.evaluations("hallucination")),
            rows.runbook(view, "hallucination"),
        ),
    )  # fmt: skip
