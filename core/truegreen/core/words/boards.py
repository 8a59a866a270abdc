"""Uids of the Grafana boards and addresses of the runbook pages: what an alert links to."""

from __future__ import annotations

from typing import Final

OVERVIEW: Final = "truegreen-overview"
BOARDS: Final = {
    "hallucination": "truegreen-hallucination",
    "drift": "truegreen-drift",
    "retrieval": "truegreen-retrieval",
    "latency": "truegreen-latency",
    "guardrail": "truegreen-guardrail",
}
"""Failure mode to the board that an alert of that mode opens."""
DEFAULT_RUNBOOK_URL: Final = "https://truegreen.github.io/truegreen/runbooks"


def runbook_page(base: str, alert: str) -> str:
    """The address of an alert's page below `base`."""
    return f"{base.rstrip('/')}/{alert.lower()}"
