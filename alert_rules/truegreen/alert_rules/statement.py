"""What the generator says of its rules before anything is loaded: rules, series, pages to expect, evidence needed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from truegreen.alert_rules import oracle
from truegreen.alert_rules.ladder import TIERS
from truegreen.alert_rules.model import Alert, Group, Judged, Record
from truegreen.alert_rules.text import number
from truegreen.alert_rules.windows import Clock
from truegreen.core.words.slo import BASELINE, LIVE

FALSE_PAGES: Final = Decimal("0.2")
"""Sev 1 and 2 together in 30 days, per SLO and service: no cell of the simulation (five objectives, 5 to 2,000 events an hour, bad ratio equal
to the budget, independent events) exceeds it."""
EVIDENCE: Final = Decimal("1.5")
"""Events an hour x budget from which a step to 10x is paged within an hour with P >= 0.9 (simulated)."""
RETENTION_DAYS: Final = 30


def lines(every: tuple[Judged, ...], groups: tuple[Group, ...], clock: Clock) -> tuple[str, ...]:
    """The statement in sentences."""
    f = figures(every, groups, clock)
    said = [
        f"{f['rules']} rules: {f['recording_rules']} recording, {f['alerts']} alerts, for {len(every)} SLOs; the number does not grow with services.",
        f"{f['series_per_service']} recorded series for each service and environment that has events for all SLOs.",
    ]
    if f["live_slos"]:
        said.append(
            f"False pages (sev 1 and 2): at most {f['false_pages_30d_per_slo_and_service']} in 30 days for each live SLO and service, while the true bad "
            "ratio does not exceed the budget and events are independent or their design effect is measured (baseline take)."
        )
    else:
        said.append("No SLO is live: nothing pages. Tickets say what would have paged; set mode: live when you believe them.")
    for name, row in f["slos"].items():
        if row["needs_per_hour"] is None:
            said.append(
                f"{name}: the objective comes from the baseline; {row['baselines']} calibration files speak of it, other services never alert on it."
            )
            continue
        if row["burn"] is None:
            said.append(
                f"{name}: at an objective of {row['objective']} a burn of 10x is more than all events; the ladder's caps page before that."
            )
            continue
        said.append(
            f"{name}: a 10x burn pages within an hour (P 0.9) from {row['needs_per_hour']} events an hour on; "
            f"with 100 an hour {_minutes(row['minutes_to_page']['100'])}, with 2000 {_minutes(row['minutes_to_page']['2000'])}."
        )
    unsure = [
        what.slo.name for what in every if what.slo.unit == "session" and not any(b.design_effect > 1 for b in what.baselines)
    ]
    if unsure:
        said.append(
            f"{', '.join(unsure)}: unit is session and no calibration measured a design effect, so 1 is used and pages may be false."
        )
    said.append(
        f"Prometheus must keep {RETENTION_DAYS} days (--storage.tsdb.retention.time={RETENTION_DAYS}d; its default is 15d), and be 2.42 or newer."
    )
    return tuple(said)


def figures(every: tuple[Judged, ...], groups: tuple[Group, ...], clock: Clock) -> Mapping[str, Any]:
    """The statement in numbers; ratios are texts, so that no float enters."""
    rules = [rule for group in groups for rule in group.rules]
    records = [rule for rule in rules if isinstance(rule, Record)]
    return {
        "rules": len(rules),
        "recording_rules": len(records),
        "alerts": len(rules) - len(records),
        "alert_names": sorted({rule.alert for rule in rules if isinstance(rule, Alert)}),
        "groups": len(groups),
        "series_per_service": sum(1 for record in records if not record.expr.startswith("vector(")),
        "fixed_series": sum(1 for record in records if record.expr.startswith("vector(")),
        "live_slos": sum(1 for what in every if what.slo.mode == LIVE),
        "false_pages_30d_per_slo_and_service": number(FALSE_PAGES),
        "retention_days": RETENTION_DAYS,
        "time_scale": clock.scale,
        "slos": {what.slo.name: _slo(what) for what in every},
    }


def _slo(what: Judged) -> Mapping[str, Any]:
    slo = what.slo
    base = {"mode": slo.mode, "baselines": len(what.baselines)}
    if slo.objective == BASELINE:
        return {**base, "objective": BASELINE, "needs_per_hour": None, "minutes_to_page": {}, "burn": None}
    budget = 1 - Decimal(slo.objective)
    possible = 10 * budget <= 1
    return {
        **base,
        "objective": f"{number(100 * Decimal(slo.objective))}%",
        "needs_per_hour": int((EVIDENCE / budget).to_integral_value(ROUND_CEILING)),
        "burn": 10 if possible else None,
        "minutes_to_page": {n: oracle.minutes_to_page(TIERS[0], budget, Decimal(n)) for n in ("100", "2000")},
    }


def _minutes(found: int | None) -> str:
    return "not within 6 hours" if found is None else f"after about {found} min"
