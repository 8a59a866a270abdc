"""Budgets, design effects and frozen baselines as series: one rule set serves services that differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from truegreen.alert_rules.model import Baseline, Judged, Record
from truegreen.alert_rules.sli import BY, ON
from truegreen.alert_rules.text import matcher, number, quoted, selector
from truegreen.core.config.model import Config
from truegreen.core.words import records
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.slo import BASELINE, SESSION, SHADOW, EvaluationSli, Slo

MARGIN: Final = Decimal("1.25")
"""A `baseline` objective allows this many times the frozen bad ratio."""
RULE_OF_THREE: Final = 3
"""Where N events showed none bad, the true ratio is under 3/N with 95 % confidence: the least budget that N events can justify."""
_PLACES: Final = Decimal("0.000001")


def signal(slo: Slo) -> str:
    """The name under which a calibration file speaks of the SLO: its evaluation, else its own name."""
    return slo.sli.evaluation if isinstance(slo.sli, EvaluationSli) else slo.name


def judged(slo: Slo, calibrations: Iterable[Calibration]) -> Judged:
    """The SLO with the baselines that speak of it, in the order of service and environment."""
    mine = [c for c in calibrations if c.signal == signal(slo) and slo.selects(c.service)]
    ordered = sorted(mine, key=lambda c: (c.service, c.environment))
    made = Judged(slo, tuple(_baseline(c) for c in ordered))
    return replace(made, slo=replace(slo, mode=SHADOW)) if unmeasured(made) else made


def unmeasured(what: Judged) -> bool:
    """Whether sessions are what is independent and nobody has measured how much their events repeat each other: then it stays in shadow."""
    return what.slo.unit == SESSION and not _measured(what)


def _measured(what: Judged) -> list[Decimal]:
    return [b.design_effect for b in what.baselines if b.design_effect > 1]


def _baseline(c: Calibration) -> Baseline:
    ratio, effect = (Decimal(str(x)).quantize(_PLACES, ROUND_HALF_EVEN) for x in (c.bad_ratio, c.design_effect))
    # Between two percentiles lies a hundredth of the answers: the trapezoidal rule.
    scores = [c.score(raw) for raw in c.quantiles]
    mean = (Decimal(str(sum(scores))) - Decimal(str(scores[0] + scores[-1])) / 2) / (len(scores) - 1)
    return Baseline(
        c.service,
        c.environment,
        c.signal,
        ratio,
        c.answers,
        effect,
        c.digest,
        _unix(c.taken),
        mean.quantize(_PLACES, ROUND_HALF_EVEN),
    )


def of_baseline(baseline: Baseline) -> Decimal:
    """The budget of a `baseline` objective: 1.25 x the frozen bad ratio, never under 3 / N and never all."""
    least = (Decimal(RULE_OF_THREE) / baseline.events).quantize(_PLACES, ROUND_HALF_EVEN)
    return min(max(MARGIN * baseline.bad_ratio, least), Decimal("0.99"))


def budget(what: Judged, service: str, environment: str) -> Decimal | None:
    """The error budget that the rules give to one service; None where a `baseline` objective has no baseline."""
    slo = what.slo
    if service in slo.objectives:
        return 1 - slo.objectives[service]
    if isinstance(slo.objective, Decimal):
        return 1 - slo.objective
    return next((of_baseline(b) for b in what.frozen if (b.service, b.environment) == (service, environment)), None)


def design_effect(what: Judged, service: str, environment: str) -> Decimal:
    """The design effect that the rules use: 1 where answers are independent; else the measured one, or the largest that any service has."""
    own = [b for b in what.baselines if (b.service, b.environment) == (service, environment) and b.design_effect > 1]
    return default_effect(what) if not own or what.slo.unit != SESSION else own[0].design_effect


def default_effect(what: Judged) -> Decimal:
    """The design effect of a service of which nothing is measured."""
    return max(_measured(what), default=Decimal(1)) if what.slo.unit == SESSION else Decimal(1)


def record_budget(what: Judged) -> Record | None:
    """The budget of each service with events; None where no service can have one (no baseline yet)."""
    slo = what.slo
    terms = [_constant(what, (matcher("service", (name,)),), 1 - slo.objectives[name]) for name in sorted(slo.objectives)]
    if slo.objective == BASELINE:
        terms += [_constant(what, _of(b), of_baseline(b)) for b in what.frozen]
    elif isinstance(slo.objective, Decimal):
        terms.append(_constant(what, (), 1 - slo.objective))
    return Record(records.ERROR_BUDGET, f"\nor {ON}\n".join(terms), what.identity) if terms else None


def record_design_effect(what: Judged) -> Record:
    """The design effect of each service with events, as `design_effect` says it."""
    known = [(b, design_effect(what, b.service, b.environment)) for b in what.baselines]
    default = default_effect(what)
    terms = [_constant(what, _of(b), effect) for b, effect in known if effect != default]
    return Record(records.DESIGN_EFFECT, f"\nor {ON}\n".join([*terms, _constant(what, (), default)]), what.identity)


def record_baselines(what: Judged) -> tuple[Record, ...]:
    """The frozen bad ratio and its N, where they are about the SLO's events, and the digest that the app should judge with."""
    made: list[Record] = []
    for b in what.baselines:
        labels = {"service": b.service, "environment": b.environment, **what.identity}
        if b in what.frozen:
            made.append(Record(records.BASELINE_BAD_RATIO, f"vector({number(b.bad_ratio)})", labels))
            made.append(Record(records.BASELINE_EVENTS, f"vector({b.events})", labels))
        if isinstance(what.slo.sli, EvaluationSli):
            made.append(Record(records.CALIBRATION_INFO, "vector(1)", {**labels, "evaluation": b.signal, "digest": b.digest}))
    return tuple(made)


def record_ages(every: Iterable[Judged]) -> tuple[Record, ...]:
    """When each baseline was frozen; one that several SLOs read is written once."""
    known = sorted({(b.service, b.environment, b.signal, b.taken) for what in every for b in what.baselines})
    return tuple(
        Record(records.BASELINE_TIMESTAMP, f"vector({taken})", {"service": service, "environment": environment, "signal": signal})
        for service, environment, signal, taken in known
    )


def _unix(moment: str) -> int:
    read = datetime.fromisoformat(moment)
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())


def not_customer_facing(config: Config) -> tuple[str, ...]:
    """The services that never page."""
    return tuple(sorted(name for name, service in config.services.items() if not service.customer_facing))


def record_not_customer_facing(config: Config) -> tuple[Record, ...]:
    """1 for each service and environment that never pages, read from the counts that its own SLOs live on."""
    names = not_customer_facing(config)
    if not names:
        return ()
    return (Record(records.NOT_CUSTOMER_FACING, f"group {BY} ({selector(records.events('6h'), matcher('service', names))})"),)


def _of(b: Baseline) -> tuple[str, ...]:
    return matcher("service", (b.service,)), matcher("environment", (b.environment,))


def _constant(what: Judged, only: tuple[str, ...], value: Decimal) -> str:
    # A value beside every service that has events, so that `on` finds it: the 6 h counts outlive the short windows.
    return f"0 * {selector(records.events('6h'), f'slo={quoted(what.slo.name)}', *only)} + {number(value)}"
