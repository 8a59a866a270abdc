"""The promtool tests of the SLO alerts: each fires at the oracle's minute, holds, resolves, and stays silent where it must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from math import ceil
from typing import Final

from truegreen.alert_rules import budgets, business, oracle
from truegreen.alert_rules.ladder import TIERS, Tier, sev
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.promtool import Check, Test, fires
from truegreen.alert_rules.sli import some_services
from truegreen.alert_rules.streams import MINUTE, of_slo
from truegreen.alert_rules.text import number, quoted, selector
from truegreen.alert_rules.windows import Clock, parse
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words import records
from truegreen.core.words.slo import LIVE, SHADOW, MinuteSli, Slo

SERVICE: Final = "truegreen-test"
ELSEWHERE: Final = "truegreen-test-elsewhere"
CALM: Final = "truegreen-test-calm"
CEASED: Final = "truegreen-test-ceased"
THIN: Final = "truegreen-test-thin"
"""Nine of ten bad, and only two of them: far above every threshold, and no evidence."""
CALM_MINUTES: Final = 60
_MOST_STORM: Final = 240


def of_slo_alerts(config: Config, what: Judged, clock: Clock, raises: bool) -> Test:
    """The test of one SLO: a storm at home, the same storm at a service that never pages, a calm stream and one that ceases.

    Args:
        raises: whether one SLO may raise another.
    """
    slo, spared = what.slo, (*budgets.not_customer_facing(config), *what.few)
    service, at_home = home(what, spared)
    budget = budgets.budget(what, service, at_home)
    effect = budgets.design_effect(what, service, at_home)
    storm = _storm(slo, budget or Decimal("0.05"), effect)
    total = sum(phase.minutes for phase in storm)
    # Counters begin anew in the storm, and in the calm; the calm one is born in the middle.
    torn = [storm[0], replace(storm[1], minutes=10), replace(storm[1], minutes=storm[1].minutes - 10), storm[2]]
    calm = [Phase(40, storm[0].events, storm[0].bad), Phase(total - 60, storm[0].events, storm[0].bad)]
    ceased = [
        storm[0],
        Phase(total - CALM_MINUTES, Decimal(0) if not isinstance(slo.sli, MinuteSli) else storm[0].events, Decimal(0)),
    ]
    series = business.alone(service, at_home) if raises else []
    checks: list[Check] = []

    def add(at: str, where: str, phases: Sequence[Phase], born: int = 0, anew: int = -1) -> None:
        series.extend(of_slo(slo, config.metrics.by_name, at, where, phases, clock, born, anew))

    add(service, at_home, torn, anew=2)
    checks += _burns(what, service, at_home, storm, budget, effect, service in spared, clock, must=budget is not None)
    others = {*_others(what, service, budgets.not_customer_facing(config)), *_others(what, service, what.few)}
    for at, where in sorted(others):
        add(at, where, storm)
        checks += _burns(
            what, at, where, storm, budgets.budget(what, at, where), budgets.design_effect(what, at, where), at in spared, clock
        )
    for where, phases, born, anew in ((CALM, calm, 20, 1), (CEASED, ceased, 0, -1)):
        add(service, where, phases, born, anew)
        checks += [
            fires(minute, records.BUDGET_BURN, None, slo=slo.name, service=service, environment=where)
            for minute in (CALM_MINUTES, total // 2, total)
        ]
    if not isinstance(slo.sli, MinuteSli):
        thin = [
            Phase(CALM_MINUTES, Decimal(6), Decimal(0)),
            Phase(10, Decimal("13.2"), Decimal("0.9")),
            Phase(total - 70, Decimal(6), Decimal(0)),
        ]
        add(service, THIN, thin)
        # Ratios above every page's threshold; only the lower bound holds the page back. A ticket asks for less evidence and may come.
        checks += [
            fires(minute, records.BUDGET_BURN, None, slo=slo.name, service=service, environment=THIN, burn_tier=tier.name)
            for tier in TIERS[:2]
            if oracle.onset(thin, tier, budgets.budget(what, service, THIN) or Decimal(1)) is None
            for minute in (CALM_MINUTES + 5, CALM_MINUTES + 9, CALM_MINUTES + 15)
        ]
    if sum(other.failure_mode == slo.failure_mode for other in config.slos) == 1:
        checks.append(Check(_state(slo, service, CALM), total, 0))
    return Test(f"{slo.name} fires on evidence, at the oracle's minute, and resolves", tuple(series), tuple(checks))


def _burns(what: Judged, service: str, environment: str, storm: Sequence[Phase], budget: Decimal | None, effect: Decimal, spared: bool,
           clock: Clock, must: bool = False) -> list[Check]:  # fmt: skip
    slo = what.slo
    live = slo.mode == LIVE and environment in slo.environments
    checks: list[Check] = []
    identity = {"slo": slo.name, "service": service, "environment": environment}
    for tier in TIERS:
        level = ("2" if spared and sev(slo, tier) == "1" else sev(slo, tier)) if live else "3"
        labels = {**identity, "burn_tier": tier.name, "sev": level, "mode": LIVE if live else SHADOW}
        start, end = oracle.span(storm, tier, budget, effect) if budget is not None else (None, None)
        if must and start is None and tier.name != "ticket":
            raise BadInput(
                f"slos: {slo.name}: with a budget of {number(budget or Decimal(0))} of all events the {tier.name} tier never fires, however much is bad; "
                "write a higher objective"
            )
        if start is None or end is None:
            checks.append(fires(sum(p.minutes for p in storm), records.BUDGET_BURN, None, **labels))
            continue
        slack = _slack(tier, slo, clock)
        checks += [
            fires(start - 1 - slack, records.BUDGET_BURN, None, **labels),
            fires(start + slack, records.BUDGET_BURN, 1, **labels),
        ]
        gone = end + parse(tier.keep) // MINUTE + 1
        if gone + 2 + slack <= sum(p.minutes for p in storm):
            checks += [
                fires(gone - 2 - slack, records.BUDGET_BURN, 1, **labels),
                fires(gone + 1 + slack, records.BUDGET_BURN, None, **labels),
            ]
        if tier.name == "fast":
            checks.append(Check(f"{_state(slo, service, environment)} >= bool {1 if level == '3' else 2}", start + slack + 1, 1))
    if not live or spared:
        loud = selector(
            "ALERTS",
            f'alertname="{records.BUDGET_BURN}"',
            *(f"{k}={quoted(v)}" for k, v in identity.items()),
            'sev="1"' if live else 'sev=~"1|2"',
        )
        checks.append(Check(f"count({loud})", CALM_MINUTES + storm[1].minutes, None))
    return checks


def _storm(slo: Slo, budget: Decimal, effect: Decimal) -> list[Phase]:
    # Half the budget, then ten times it (at most 0.9) until the slow tier has fired, then half again until the fast one resolves.
    fresh = isinstance(slo.sli, MinuteSli)
    calm, bad = (Decimal(0), Decimal(1)) if fresh else (budget / 2, min(10 * budget, Decimal("0.9")))
    events = Decimal(60) if fresh else Decimal(60 * max(10, ceil(Decimal("0.1") / budget)))
    for _ in range(4):
        phases = [Phase(CALM_MINUTES, events, calm), Phase(_MOST_STORM, events, bad), Phase(60, events, calm)]
        fast, slow = (oracle.onset(phases, tier, budget, effect) for tier in TIERS[:2])
        if fast is not None and slow is not None:
            minutes = min(max(fast, slow) + 15 - CALM_MINUTES, _MOST_STORM)
            return [phases[0], Phase(minutes, events, bad), phases[2]]
        events = events if fresh else events * 10
    return phases


def _slack(tier: Tier, slo: Slo, clock: Clock) -> int:
    # Prometheus 2 and 3 count a range differently by one sample; long windows move in steps of 5 min; a scale that does not divide a
    # minute leaves windows that are no whole number of evaluations.
    uneven = 0 if MINUTE % clock.scale == 0 else 2
    return (6 if tier.name == "ticket" else 2 if isinstance(slo.sli, MinuteSli) else 1) + uneven


def home(what: Judged, spared: Sequence[str]) -> tuple[str, str]:
    """A service and an environment in which the SLO may page."""
    slo = what.slo
    for baseline in what.baselines:
        if baseline.service not in spared and baseline.environment in slo.environments:
            return baseline.service, baseline.environment
    names = some_services(slo, f"{SERVICE}-{slo.name}")
    return next((name for name in names if name not in spared), names[0]), slo.environments[0]


def _others(what: Judged, service: str, spared: Sequence[str]) -> list[tuple[str, str]]:
    slo = what.slo
    quiet = [name for name in spared if slo.selects(name)]
    return [(name, slo.environments[0]) for name in quiet[:1] if name != service]


def _state(slo: Slo, service: str, environment: str) -> str:
    named = (f"service={quoted(service)}", f"environment={quoted(environment)}", f"failure_mode={quoted(slo.failure_mode)}")
    return f"max({selector(records.STATE, *named)})"
