"""Uids of the Grafana boards and addresses of the runbook pages: what an alert links to."""

from __future__ import annotations

from typing import Final

from truegreen.core.words.terms import FAILURE_MODES

OVERVIEW: Final = "truegreen-overview"
INCIDENT: Final = "truegreen-incident"
VERSIONS: Final = "truegreen-versions"
BUDGETS: Final = "truegreen-budgets"
PILLARS: Final = "truegreen-pillars"
HEALTH: Final = "truegreen-health"
BOARDS: Final = {mode: f"truegreen-{mode}" for mode in FAILURE_MODES}
"""Failure mode to the uid of its board."""
ALL: Final = (OVERVIEW, *BOARDS.values(), PILLARS, BUDGETS, VERSIONS, INCIDENT, HEALTH)
FOLDER_UID: Final = "truegreen"
"""The folder of Grafana that has the boards."""
DEFAULT_RUNBOOK_URL: Final = "https://truegreen.github.io/truegreen/runbooks"


def runbook_page(base: str, alert: str) -> str:
    """The address of an alert's page below `base`."""
    return f"{base.rstrip('/')}/{alert.lower()}"


def board_of(failure_mode: str) -> str:
    """The uid of the board of this failure mode; the overview's for an alert that has none."""
    return BOARDS.get(failure_mode, OVERVIEW)
