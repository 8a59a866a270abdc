"""Drift: three days against the frozen baseline, which unlike a moving one does not absorb what it looks for."""

from __future__ import annotations

from typing import Final

from truegreen.alert_rules.annotations import for_watcher, hypotheses, triage_of
from truegreen.alert_rules.ladder import Label
from truegreen.alert_rules.model import Alert, Judged, Record
from truegreen.alert_rules.recording import IDENTITY
from truegreen.alert_rules.text import literal, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import records
from truegreen.core.words.boards import board_of

DRIFT: Final = "TruegreenDrift"
POOLED: Final = "truegreen:slo_drift:pooled3d"
Z: Final = 4
GROWTH: Final = "1.25"
"""z > 4 and a quarter more than the baseline: 0 to 0.02 false tickets in 30 days, a doubling over 28 days found after 4 to 13."""
WINDOW: Final = "3d"


def rules(what: Judged, clock: Clock, severities: Label, routes: Routes) -> tuple[Record | Alert, ...]:
    """The pooled ratio, its z and the ticket; nothing while no baseline speaks of the SLO's events."""
    if not what.frozen:
        return ()
    name = f"slo={quoted(what.slo.name)}"
    bad, events, ratio = (selector(r(WINDOW), name) for r in (records.bad, records.events, records.bad_ratio))
    base, answers, pooled = (selector(r, name) for r in (records.BASELINE_BAD_RATIO, records.BASELINE_EVENTS, POOLED))
    effect = selector(records.DESIGN_EFFECT, name)
    pool = f"({bad} + {IDENTITY} {base} * {IDENTITY} {answers})\n/ {IDENTITY} ({events} + {IDENTITY} {answers})"
    z = (
        f"({ratio} - {IDENTITY} {base})\n/ {IDENTITY} sqrt(\n    {pooled} * {IDENTITY} (1 - {pooled})\n"
        f"    * {IDENTITY} (1 / ({events} > 0) + {IDENTITY} 1 / {answers})\n    * {IDENTITY} {effect}\n  )"
    )
    expr = f"{selector(records.DRIFT_Z, name)} > {Z}\nand {IDENTITY}\n  {ratio} > {IDENTITY} {GROWTH} * {base}"
    labels = {**what.marks, **severities("3"), **what.identity, "burn_tier": "drift", "mode": what.slo.mode}
    text = (
        f'{literal(what.slo.description)}. Over three days the bad ratio lies {{{{ $value | printf "%.1f" }}}} standard errors above the frozen '
        f"baseline and at least a quarter above it."
    )
    notes = for_watcher(routes, DRIFT, f"{what.slo.name} of {{{{ $labels.service }}}} in {{{{ $labels.environment }}}} has drifted from its baseline",
                        text, triage_of(what.slo.name), clock, board_of("drift"))  # fmt: skip
    notes = {**notes, "hypotheses": hypotheses("drift", what.slo.pillar)}
    return (
        Record(POOLED, pool, what.identity),
        Record(records.DRIFT_Z, z, what.identity),
        Alert(DRIFT, expr, labels, notes, wait=clock.text("6h")),
    )
