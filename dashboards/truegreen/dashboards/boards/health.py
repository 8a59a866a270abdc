"""The health board: whether the watching itself can be believed. A behavioural SLO is silent when nobody judges."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.dashboards.model import Board, View
from truegreen.dashboards.panels import health as panels


def board(view: View) -> Board:
    """What to look at before a quiet night is believed."""
    return Board(
        boards.HEALTH, "Health", "Can silence be believed: do alerting, collector, evaluator, baselines and canary live?",
        (
            panels.alerting(), panels.collector(), panels.evaluator(), panels.probes(), panels.response(), panels.forwarding(), panels.baselines(view), panels.runbook(view),
        ),
    )  # fmt: skip
