"""What users do about it: a quality SLO that burns while a business SLO of the same service burns is no matter for tomorrow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from truegreen.alert_rules.ladder import TIERS, sev
from truegreen.alert_rules.model import Record
from truegreen.alert_rules.sli import BY
from truegreen.alert_rules.streams import Series
from truegreen.alert_rules.text import matcher, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.words import records
from truegreen.core.words.slo import LIVE, Slo

BUSINESS: Final = "business"
QUALITY: Final = "quality"
LATELY: Final = "10m"
"""How long ago a firing alert may have been written: tickets are evaluated every 5 min, which is as far as Prometheus looks back, so that another group would miss
one that is a second late. An alert that is over counts as long."""
_ALONE: Final = "truegreen_test_alone"


def raised(slo: Slo) -> tuple[str, ...]:
    """The tiers of an SLO that are a sev 2, and a sev 1 while a business SLO burns; a ticket's evidence is not enough to wake somebody."""
    if slo.mode != LIVE or slo.layer != QUALITY:
        return ()
    return tuple(tier.name for tier in TIERS[:-1] if sev(slo, tier) == "2")


def raises(slos: Iterable[Slo]) -> bool:
    """Whether one of the SLOs may raise another."""
    every = tuple(slos)
    return any(slo.mode == LIVE and slo.layer == BUSINESS for slo in every) and any(raised(slo) for slo in every)


def lately(clock: Clock, *matchers: str) -> str:
    """The alerts that fire, or did `LATELY`."""
    firing = selector("ALERTS", *matchers, 'alertstate="firing"')
    return f"last_over_time({firing}[{clock.text(LATELY)}])"


def record(spared: tuple[str, ...], clock: Clock) -> Record:
    """1 for each service of which a live business SLO burns, a ticket of it too: such signals are slow, and rarely reach a page.

    Args:
        spared: services that never page; they are never raised.
    """
    burning = lately(
        clock,
        f'alertname="{records.BUDGET_BURN}"',
        f'layer="{BUSINESS}"',
        f'mode="{LIVE}"',
        matcher("service", spared, negate=True) if spared else "",
    )
    return Record(records.BUSINESS_BURNING, f"group {BY} ({burning})")


def alone(service: str, environment: str) -> list[Series]:
    """A series that keeps tests of one service apart: where SLOs raise each other, a storm of one would change what another is expected to say."""
    return [Series(_ALONE, {"service": service, "environment": environment}, "1")]
