"""The promtool tests of how long the detectors wait, and of the one with a memory: a small burn adds up, and its evidence goes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import budgets, detectors
from truegreen.alert_rules.edges_of_detectors import STEP, service_of, shaped
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.promtool import Test, fires
from truegreen.alert_rules.ruletests import home
from truegreen.alert_rules.streams import MINUTE, Series, of_slo
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config

HOUR: Final = 60


def slow(config: Config, every: tuple[Judged, ...], clock: Clock) -> list[Test]:
    """How long each waits, and the ones with a memory; rules are evaluated every five minutes."""
    made = []
    for what in every:
        made += [_waits(what, name) for name in _WAITS if name in what.slo.detectors]
        if "cusum" in what.slo.detectors and budgets.budget(what, *home(what, budgets.not_customer_facing(config))) is not None:
            made.append(_adds_up(config, what, clock))
    return made


_WAITS: Final[Mapping[str, tuple[str, int, tuple[tuple[str, str, str], ...]]]] = {
    "mean_score": (
        detectors.SCORES_FELL,
        HOUR,
        ((detectors.MEAN, "0.3", "0.5"), (detectors.STDERR, "0.01", "0.01"), (detectors.BASELINE_MEAN, "0.5", "0.5")),
    ),
    "mix": (detectors.SERVED_MIX, 10, ((detectors.DISTANCE, "0.9", "0.1"),)),
    "heterogeneity": (detectors.COHORTS_DIFFER, HOUR, ((detectors.DIFFER, "9", "1"),)),
}
"""Detector to its alert, how many minutes it waits, and what its records are in a storm and after it."""


def _waits(what: Judged, name: str) -> Test:
    # From minute 5 on, for a quarter of an hour more than it waits.
    alert, minutes, values = _WAITS[name]
    service = service_of(what, f"{name}-waits")
    more = {"model": "large"} if name == "mix" else {}
    series = []
    for record, loud, quiet in values:
        shape = f"_ {loud}x{minutes // STEP + 3} {quiet}x{HOUR}"
        series.append(shaped(what, record, service, "storm", shape, **more))
    labels = {"slo": what.slo.name, "service": service, **more}
    checks = [
        fires(at, alert, value, **labels) for at, value in ((minutes, None), (minutes + STEP, 1), (minutes + 5 * STEP, None))
    ]
    return Test(f"{what.slo.name}: how long {name} waits", tuple(series), tuple(checks), STEP * MINUTE)


def _adds_up(config: Config, what: Judged, clock: Clock) -> Test:
    # Four budgets for as long as it takes, then half of one until the evidence is gone; a healthy neighbour; one that ceases in its burn.
    slo = what.slo
    service, environment = home(what, budgets.not_customer_facing(config))
    budget = budgets.budget(what, service, environment) or Decimal("0.05")
    effect = budgets.design_effect(what, service, environment)
    burn = min(4 * budget, Decimal("0.9"))
    events = Decimal(60 * math.ceil(Decimal(20) / budget / 60))
    gain = float(events) / 60 * _gain(float(budget), float(burn)) / float(effect)
    minutes = math.ceil(detectors.CUSUM_OVER / gain / STEP) * STEP + 4 * STEP
    loss = float(events) / 60 * -_gain(float(budget), 0) / float(effect)
    rest = max(2 * HOUR, math.ceil(detectors.CUSUM_MOST / loss / STEP) * STEP + 4 * STEP)
    storm = [Phase(30, events, budget / 2), Phase(minutes, events, burn), Phase(rest, events, Decimal(0))]
    total = sum(phase.minutes for phase in storm)
    ceased = [storm[0], storm[1], Phase(rest, Decimal(0), Decimal(0))]
    series: list[Series] = []
    metrics = config.metrics.by_name
    for where, phases in (("adds-up", storm), ("calm", [Phase(total, events, budget / 2)]), ("ceased", ceased)):
        series += of_slo(slo, metrics, service, where if where != "adds-up" else environment, phases, clock)
    labels = {"slo": slo.name, "service": service}
    named = {**labels, "environment": environment}
    checks = [
        fires(30, detectors.BURN_ADDS_UP, None, **labels),
        fires(30 + minutes, detectors.BURN_ADDS_UP, 1, **named),
        fires(total, detectors.BURN_ADDS_UP, None, **labels),
        fires(30 + minutes, detectors.BURN_ADDS_UP, None, **labels, environment="calm"),
    ]
    return Test(f"{slo.name}: a small burn adds up, and its evidence goes", tuple(series), tuple(checks), MINUTE)


def _gain(budget: float, ratio: float) -> float:
    worse = min(detectors.CUSUM_BURN * budget, 0.9)
    return ratio * math.log(worse / budget) + (1 - ratio) * math.log((1 - worse) / (1 - budget))
