"""The overview: the three layers side by side. Infrastructure may be green while quality is not."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards import kit
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import overview as panels


def board(view: View) -> Board:
    """The first board to open."""
    return Board(
        boards.OVERVIEW, "Overview", "Which layer is not green, on which service, and what changed before it?",
        (
            kit.row("Failure modes", panels.states()),
            kit.side_by_side("Infrastructure | Quality | Business", panels.infrastructure(view), panels.quality(view), panels.business(view)),
            kit.row("Traffic and machines", *panels.traffic(), *panels.machines(), collapsed=True),
        ),
    )  # fmt: skip
