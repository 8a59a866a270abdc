"""Uids of the Grafana boards and addresses of the runbook pages: what an alert links to."""

from __future__ import annotations

from typing import Final

OVERVIEW: Final = "truegreen-overview"
BOARDS: Final = {"hallucination": "truegreen-hallucination"}
"""Failure mode to the uid of its board. A mode without one opens the overview: a link never leads nowhere."""
DEFAULT_RUNBOOK_URL: Final = "https://truegreen.github.io/truegreen/runbooks"


def runbook_page(base: str, alert: str) -> str:
    """The address of an alert's page below `base`."""
    return f"{base.rstrip('/')}/{alert.lower()}"


def board_of(failure_mode: str) -> str:
    """The uid of the board that an alert of this failure mode opens."""
    return BOARDS.get(failure_mode, OVERVIEW)
