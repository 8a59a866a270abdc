"""Names of recording rules and alerts: written here once, read by rules, boards and the runbook."""

from __future__ import annotations

from typing import Final

WINDOWS: Final = ("5m", "15m", "30m", "1h", "2h", "6h", "1d", "3d", "7d", "28d", "30d")
"""Nominal windows, in seconds by `SECONDS`. They stay in record names when a time scale divides the real ones."""
BURN_WINDOWS: Final = ("15m", "1h")
"""Those whose burn rate is recorded: boards show it, alerts compare ratios with budgets."""
SECONDS: Final = {
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
    "7d": 604_800,
    "28d": 2_419_200,
    "30d": 2_592_000,
}

ERROR_BUDGET: Final = "truegreen:slo_error_budget:ratio"
BUDGET_REMAINING: Final = "truegreen:slo_error_budget_remaining:ratio"
STATE: Final = "truegreen:slo_state"
BASELINE_BAD_RATIO: Final = "truegreen:slo_baseline:bad_ratio"
BASELINE_EVENTS: Final = "truegreen:slo_baseline:events"
DESIGN_EFFECT: Final = "truegreen:slo_design_effect:ratio"
DRIFT_Z: Final = "truegreen:slo_drift:z3d"
CALIBRATION_INFO: Final = "truegreen:slo_calibration_info"
NOT_CUSTOMER_FACING: Final = "truegreen:service_not_customer_facing"
BASELINE_TIMESTAMP: Final = "truegreen:slo_baseline:timestamp_seconds"
BUSINESS_BURNING: Final = "truegreen:business_burning"
SLO_INFO: Final = "truegreen:slo_info"
COHORT_Z: Final = "truegreen:slo_cohort:zcrit"

BUDGET_BURN: Final = "TruegreenBudgetBurn"
COHORT_BURN: Final = "TruegreenCohortBurn"
WATCHDOG: Final = "TruegreenWatchdog"


def events(window: str) -> str:
    """How many events were judged in the window."""
    return f"truegreen:slo_events:increase{window}"


def bad(window: str) -> str:
    """How many of them were bad."""
    return f"truegreen:slo_bad:increase{window}"


def bad_ratio(window: str) -> str:
    """Bad over judged events, 0 to 1; absent without events."""
    return f"truegreen:slo_bad:ratio{window}"


def bad_lower_bound(window: str) -> str:
    """The Byar lower confidence bound of the bad ratio."""
    return f"truegreen:slo_bad_lcb:ratio{window}"


def burn_rate(window: str) -> str:
    """The bad ratio as a multiple of the error budget."""
    return f"truegreen:slo_burn_rate:ratio{window}"


def cohort_events(window: str) -> str:
    """How many answers of one cohort were judged in the window."""
    return f"truegreen:slo_cohort_events:increase{window}"


def cohort_bad(window: str) -> str:
    """How many of them failed."""
    return f"truegreen:slo_cohort_bad:increase{window}"


def cohort_bad_lower_bound(window: str) -> str:
    """The Byar lower confidence bound of a cohort's bad ratio, for as many looks as there are cohorts."""
    return f"truegreen:slo_cohort_bad_lcb:ratio{window}"
