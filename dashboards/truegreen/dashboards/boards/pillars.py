"""The agent's pillars: one row for each, with its suspects, what to ask and the next command."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import pillars as panels


def board(view: View) -> Board:
    """Which pillar gives way."""
    return Board(
        boards.PILLARS, "Agent pillars", "Which pillar of the agent gives way: autonomy, tool use, planning, memory or reasoning?",
        (panels.autonomy(view), panels.tool_use(view), panels.planning(view), panels.memory(view), panels.reasoning(view)),
    )  # fmt: skip
