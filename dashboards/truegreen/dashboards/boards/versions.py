"""The board versions."""

from __future__ import annotations

from truegreen.core.words import boards, records
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit
from truegreen.dashboards.model import Board, View

_WHO = ("service", "environment")


def board(_view: View) -> Board:
    """See the question on top of it."""
    state = kit.states("State of each failure mode", ("{{service}} {{environment}} {{failure_mode}}", e.record(records.STATE, (*_WHO, "failure_mode"))),
                       why="Quiet, ticket or burning, as the alerts see it; absent without events.")  # fmt: skip
    return Board(
        boards.VERSIONS,
        "Versions",
        "Which version serves, since when, and is the fault ours or theirs?",
        (kit.row("Symptom", state),),
    )
