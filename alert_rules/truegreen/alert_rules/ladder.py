"""The burn-rate ladder: who is paged, notified or given a ticket, and on what evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from truegreen.alert_rules.model import Alert, Judged
from truegreen.alert_rules.recording import IDENTITY
from truegreen.alert_rules.sli import ON
from truegreen.alert_rules.text import matcher, number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.words import records
from truegreen.core.words.slo import LIVE, SHADOW, Slo


@dataclass(frozen=True, slots=True)
class Rung:
    """One pair of windows: both ratios must exceed min(factor x budget, cap) and the long one's lower bound the budget itself.

    Args:
        factor: how many budgets.
        cap: the ratio that is high enough whatever the budget, so that the threshold stays reachable; None for none.
    """

    long: str
    short: str
    factor: int
    cap: Decimal | None


@dataclass(frozen=True, slots=True)
class Tier:
    """One severity: rungs that are OR-ed, and how long it holds after the last of them."""

    name: str
    sev: str
    keep: str
    rungs: tuple[Rung, ...]


TIERS: Final = (
    Tier(
        "fast",
        "1",
        "30m",
        (Rung("15m", "5m", 7, Decimal("0.6")), Rung("30m", "5m", 7, Decimal("0.6")), Rung("1h", "15m", 7, Decimal("0.6"))),
    ),
    Tier("slow", "2", "1h", (Rung("2h", "30m", 4, Decimal("0.45")), Rung("6h", "1h", 4, Decimal("0.45")))),
    Tier("ticket", "3", "6h", (Rung("1d", "2h", 2, Decimal("0.3")), Rung("3d", "6h", 1, None))),
)
"""Simulated: a step to 10x pages after a median of 9 to 30 min wherever the evaluated answers in an hour are 1.5 / budget or more (docs/alerting.md)."""

Annotate = Callable[[Judged, Tier], Mapping[str, Mapping[str, str]]]
Label = Callable[[str], Mapping[str, str]]


def threshold(tier_rung: Rung, budget: Decimal) -> Decimal:
    """The ratio that a rung asks for at a budget."""
    asked = tier_rung.factor * budget
    return asked if tier_rung.cap is None else min(asked, tier_rung.cap)


def sev(slo: Slo, tier: Tier) -> str:
    """The sev of a live tier: the SLO's own, or the tier's."""
    return slo.severities.get(tier.name, tier.sev)


def alerts(
    what: Judged,
    tiers: tuple[str, ...],
    clock: Clock,
    spared: tuple[str, ...],
    raised: tuple[str, ...],
    severities: Label,
    annotate: Annotate,
) -> tuple[Alert, ...]:
    """The SLO's alerts of the tiers named.

    Live tiers are for the environments that the SLO names; elsewhere, and everywhere while the SLO is in shadow, the same expression
    gives a ticket that says what would have paged.

    Args:
        spared: services that are not customer-facing: they get a sev 2 where others get a sev 1, as those with too few events do.
        raised: the tiers that are a sev 1 while a business SLO of the service burns.
        severities: sev to the labels that state it.
        annotate: the annotations for an SLO and a tier, by mode.
    """
    slo, never = what.slo, _never(what, spared)
    made: list[Alert] = []

    def add(tier: Tier, level: str, mode: str, where: str, suffix: str = "", why: str = "") -> None:
        labels = {**what.marks, **severities(level), **what.identity, "burn_tier": tier.name, "mode": mode}
        expr = expression(what, tier, where)
        expr = f"(\n{_indent(expr)}\n)\n{suffix}" if suffix else expr
        notes = {**said[mode], "summary": said[mode]["summary"] + why}
        made.append(Alert(records.BUDGET_BURN, expr, labels, notes, keep_firing_for=clock.text(tier.keep)))

    for tier in (t for t in TIERS if t.name in tiers):
        said = annotate(what, tier)
        if slo.mode == LIVE:
            home = matcher("environment", slo.environments)
            if sev(slo, tier) == "1" and never:
                add(tier, "1", LIVE, home, f"unless {ON} {never}")
                add(tier, "2", LIVE, home, f"and {ON} {never}")
            elif tier.name in raised:
                add(tier, "2", LIVE, home, f"unless {ON} {records.BUSINESS_BURNING}")
                add(
                    tier,
                    "1",
                    LIVE,
                    home,
                    f"and {ON} {records.BUSINESS_BURNING}",
                    ", and a business signal of the service burns too",
                )
            else:
                add(tier, sev(slo, tier), LIVE, home)
        add(tier, "3", SHADOW, matcher("environment", slo.environments, negate=True) if slo.mode == LIVE else "")
    return tuple(made)


def _never(what: Judged, spared: tuple[str, ...]) -> str:
    # Who gets no sev 1: the counts of its own group, as those of another are not there yet in the first minute after an outage of Prometheus.
    names = sorted({*what.few, *(name for name in spared if what.slo.selects(name))})
    return selector(records.events("6h"), f"slo={quoted(what.slo.name)}", matcher("service", names)) if names else ""


def expression(what: Judged, tier: Tier, where: str) -> str:
    """The tier's rungs; its value is the bad ratio of the first rung's long window that burns."""
    name = f"slo={quoted(what.slo.name)}"
    budget = selector(records.ERROR_BUDGET, name)

    def one(rung: Rung) -> str:
        asked = budget if rung.factor == 1 else f"{rung.factor} * {budget}"
        asked = asked if rung.cap is None else f"clamp_max({asked}, {number(rung.cap)})"
        return (
            f"{selector(records.bad_ratio(rung.long), name, where)}\n  > {IDENTITY} {asked}\n"
            f"and {IDENTITY}\n  {selector(records.bad_ratio(rung.short), name, where)}\n  > {IDENTITY} {asked}\n"
            f"and {IDENTITY}\n  {selector(records.bad_lower_bound(rung.long), name, where)}\n  > {IDENTITY} {budget}"
        )

    return "\nor\n".join(f"(\n{_indent(one(rung))}\n)" for rung in tier.rungs)


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.split("\n"))
