"""The versions board: which of the seven components changed, ours or the provider's, and what quality did then."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import versions as panels


def board(view: View) -> Board:
    """What to look at when it is either us or them."""
    return Board(
        boards.VERSIONS, "Versions", "Which of the seven components changed, ours or the provider's, and what did quality do then?",
        (
            kit.row("Who serves", panels.serving()),
            kit.side_by_side("Us | Them", panels.ours(view), panels.theirs(view)),
            kit.row("Cohorts", *panels.cohorts(view)),
            kit.row("All versions", panels.every(view)),
        ),
        start="now-24h",
    )  # fmt: skip
