"""What an SLO can promise to each service at its volume. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from truegreen.alert_rules import budgets, statement
from truegreen.alert_rules.feasibility import NONE, PAGES, UNREACHABLE, Outlook
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.text import number
from truegreen.core.words.slo import EvaluationSli

Where = tuple[str, str]
"""Service and environment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One service of one SLO.

    Args:
        per_hour: events an hour.
        outlook: None where the service has no budget (no baseline yet).
    """

    service: str
    environment: str
    per_hour: Decimal
    outlook: Outlook | None


def verdicts(what: Judged, volumes: Mapping[Where, Decimal]) -> tuple[Verdict, ...]:
    """What the SLO can promise to each service."""
    made = []
    for (service, environment), events in volumes.items():
        budget, effect = budgets.budget(what, service, environment), budgets.design_effect(what, service, environment)
        made.append(
            Verdict(service, environment, events, None if budget is None else statement.outlook(what, budget, events, effect))
        )
    return tuple(made)


def said(what: Judged, one: Verdict) -> str:
    """One verdict for a person."""
    unit = "evaluated answers" if isinstance(what.slo.sli, EvaluationSli) else "events"
    events = number(one.per_hour.quantize(Decimal("0.1"), ROUND_HALF_EVEN))
    who = f"{one.service} in {one.environment}: {events} {unit} an hour"
    if one.outlook is None:
        return f"{who}; no budget, because no calibration file speaks of it: it never alerts"
    if one.environment not in what.slo.environments:
        return f"{who}; a ticket: the SLO names {' and '.join(what.slo.environments)}"
    if one.outlook.needs_per_hour is None:
        return f"{one.service} in {one.environment}: the page comes {statement.delay(one.outlook)} {statement.while_bad(what)}"
    words = {
        PAGES: f"a 10x burn pages {statement.delay(one.outlook)}",
        NONE: f"a 10x burn gives no page within a day; {one.outlook.needs_per_hour} an hour are needed",
        UNREACHABLE: f"10x is more than all events; all of them bad pages {statement.delay(one.outlook)}",
    }
    slow = f"a 10x burn pages only {statement.delay(one.outlook)}; within an hour it needs {one.outlook.needs_per_hour} an hour"
    few = statement.instead(what) if one.service in what.few else ""
    return f"{who}; {words.get(one.outlook.verdict, slow)}{few}"


def hopeless(what: Judged, found: Iterable[Verdict]) -> bool:
    """Whether no service in which the SLO may page could be paged for within a day."""
    home = [one for one in found if one.environment in what.slo.environments]
    return bool(home) and all(one.outlook is None or one.outlook.verdict == NONE for one in home)
