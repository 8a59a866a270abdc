"""An incident's recorded events to the clocks of the law. Pure; a clock starts with what a person recorded, never by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from truegreen.core.config.response import Law
from truegreen.runbook.law import days
from truegreen.runbook.law.model import (
    ADVISORY,
    APPLIES,
    AWARENESS,
    DECISION,
    LATE,
    MATERIAL,
    MET,
    MET_LATE,
    REPORTED,
    RUNNING,
    STATUTORY,
    WAITING,
    LegalClock,
    Rule,
)  # fmt: skip
from truegreen.runbook.law.table import EEA_STATES, EU_STATES, REMIND_HOURS, REVIEWED, RULES, WHY_OPEN
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.times import iso

HOUR: Final = 3_600.0
_EU: Final = EU_STATES | {"EU"}
UNKNOWN: Final = "unknown"
NOTE: Final = "Advice, no legal opinion: a person who knows the law decides. What is not listed may apply all the same: truegreen law show --all."


def legal(incident: Incident, events: Sequence[Event], law: Law, now: float) -> tuple[LegalClock, ...]:
    """The clocks that could apply to this incident, the nearest deadline first.

    Args:
        events: of this incident, oldest first.
        law: role, tier and jurisdictions; what is unknown leaves every clock in.
        now: unix seconds.
    """
    return _ordered(clock(rule, incident, events, law, now) for rule in RULES if could_apply(rule, law))


def every(incident: Incident, events: Sequence[Event], law: Law, now: float) -> tuple[LegalClock, ...]:
    """All clocks, of other roles, tiers and jurisdictions too."""
    return _ordered(clock(rule, incident, events, law, now) for rule in RULES)


def could_apply(rule: Rule, law: Law) -> bool:
    """Whether what the configuration says leaves the rule possible."""
    # Art. 73 reaches a deployer that cannot reach its provider, by Art. 26(5).
    roles = (*rule.roles, "deployer") if "provider" in rule.roles else rule.roles
    role = not roles or law.role in (*roles, UNKNOWN)
    tier = not rule.tiers or law.risk_tier in (*rule.tiers, UNKNOWN)
    return role and tier and _there(rule, law)


def clock(rule: Rule, incident: Incident, events: Sequence[Event], law: Law, now: float) -> LegalClock:
    """One rule's clock."""
    started = _started(rule, incident, events)
    due = None if started is None else _due(rule, started)
    decided = decision(events, rule.name)
    status, why = _status(rule, law, events, decided, now)
    reminders = () if started is None else tuple(
        moment for hours in REMIND_HOURS if (moment := started + hours * HOUR) <= (due or moment)
    )  # fmt: skip
    return LegalClock(
        rule.name, rule.regime, rule.source, status, ", ".join(rule.roles) or "any", ", ".join(rule.tiers) or "any",
        rule.jurisdiction or "any", started, due, reminders, _state(started, due, reported(events, rule.name), now), rule.concerns, rule.says, why,
        _told(decided), REVIEWED,
    )  # fmt: skip


def decision(events: Iterable[Event], name: str) -> Event | None:
    """The newest decision of a clock."""
    return next((e for e in reversed(tuple(events)) if e.kind == DECISION and e.data.get("clock") == name), None)


def reported(events: Iterable[Event], name: str) -> float | None:
    """When it was reported first, of a clock whose newest decision says so: a final report makes no first one late."""
    first = None
    for e in events:
        if e.kind == DECISION and e.data.get("clock") == name:
            at = _at(e.data)
            at = e.time if at is None else at
            first = None if e.data.get("decision") != REPORTED else at if first is None else min(first, at)
    return first


def awareness(events: Iterable[Event]) -> float | None:
    """When somebody became aware; None while it is not recorded. The earliest moment counts, until a later one says why it is right."""
    found = None
    for e in events:
        if e.kind == AWARENESS and (at := _at(e.data)) is not None and (found is None or at < found or e.data.get("reason")):
            found = at
    return found


def determined(events: Iterable[Event]) -> float | None:
    """When the incident was determined to be material, as it was recorded last; None while it is not."""
    found = [
        at for e in events
        if e.kind == DECISION and e.data.get("decision") == MATERIAL and (at := _at(e.data)) is not None
    ]  # fmt: skip
    return found[-1] if found else None


def unread(law: Law) -> tuple[str, ...]:
    """The jurisdictions that no rule can be compared with: they leave every clock in."""
    return tuple(place for place in law.jurisdictions if len(_code(place)) != 2)


def _state(started: float | None, due: float | None, reported: float | None, now: float) -> str:
    if reported is not None:
        return MET_LATE if due is not None and reported > due else MET
    return WAITING if started is None else LATE if due is not None and now > due else RUNNING


def _started(rule: Rule, incident: Incident, events: Sequence[Event]) -> float | None:
    if rule.starts == "opened":
        return incident.opened
    return awareness(events) if rule.starts == "awareness" else determined(events)


def _due(rule: Rule, started: float) -> float | None:
    # N times 24 hours is the strict reading of N days: no weekend extends it.
    if rule.hours is not None:
        return started + rule.hours * HOUR
    return None if rule.business_days is None else days.due(started, rule.business_days)


def _status(rule: Rule, law: Law, events: Sequence[Event], decided: Event | None, now: float) -> tuple[str, str]:
    if not rule.jurisdiction:
        return ADVISORY, "a habit of ours"
    if rule.jurisdiction == "US":
        if law.sec_registrant and determined(events) is not None:
            return STATUTORY, "the company files with the SEC, and its determination is recorded"
        return (
            ADVISORY,
            "it starts with a recorded determination of a company that files with the SEC (incidents.law.sec_registrant)",
        )
    if now < rule.binding_from:
        return ADVISORY, WHY_OPEN
    if law.role not in rule.roles or law.risk_tier not in rule.tiers or not _codes(law) & _EU:
        return ADVISORY, "role, tier or jurisdiction is not known to be the rule's own (incidents.law)"
    if decided is not None and decided.data.get("decision") in (APPLIES, REPORTED):
        return STATUTORY, "role, tier and jurisdiction are the rule's own, and a person decided that it applies"
    return ADVISORY, "nobody has decided yet that it applies (truegreen law decide)"


def _there(rule: Rule, law: Law) -> bool:
    places = _codes(law)
    if not rule.jurisdiction or not places or unread(law):
        return True
    if rule.jurisdiction == "US":
        return law.sec_registrant or "US" in places
    return bool(places & (_EU | EEA_STATES))


def _codes(law: Law) -> set[str]:
    return {_code(place) for place in law.jurisdictions}


def _code(place: str) -> str:
    return place.strip().upper().removeprefix("EU-")


def _told(decided: Event | None) -> str:
    if decided is None:
        return ""
    said = decided.data
    return f"{said.get('decision')}, by {said.get('by')} at {iso(decided.time)}: {said.get('reason')}"


def _at(data: Mapping[str, Any]) -> float | None:
    at = data.get("at")
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) else None


def _ordered(clocks: Iterable[LegalClock]) -> tuple[LegalClock, ...]:
    # Those that run come first, the nearest deadline before the others; the rest stays in the table's order.
    return tuple(sorted(clocks, key=lambda c: (c.state in (MET, MET_LATE), c.started is None, c.due is None, c.due or 0.0)))
