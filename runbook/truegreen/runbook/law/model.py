"""What the law part speaks of: rules and the clocks that they start. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STATUTORY: Final = "statutory"
ADVISORY: Final = "advisory"

AWARENESS: Final = "law awareness"
DECISION: Final = "law decision"
REMINDER: Final = "law reminder"
DRAFT: Final = "draft written"
"""Kinds of events."""

APPLIES: Final = "applies"
DOES_NOT: Final = "does-not-apply"
OPEN: Final = "open"
REPORTED: Final = "reported"
MATERIAL: Final = "material"
DECISIONS: Final = (APPLIES, DOES_NOT, OPEN, REPORTED)
"""What a person may decide of a clock; none of them takes it out of sight. `material` is the determination of the SEC's clock."""

WAITING: Final = "waiting"
RUNNING: Final = "running"
LATE: Final = "late"
MET: Final = "met"
MET_LATE: Final = "met late"


@dataclass(frozen=True, slots=True)
class Rule:
    """One clock of the law.

    Args:
        name: how commands and decisions name it.
        regime: the law, in a few words.
        source: act and article.
        roles, tiers: to whom and to which systems it speaks, in the words of `incidents.law`; empty is anybody, any system.
        jurisdiction: `EU`, `US`, or empty for a clock of our own.
        starts: `awareness`, `determination` or `opened`: the recorded event that starts it.
        hours: to the latest moment; None where another measure or no number is given.
        business_days: to the latest moment in US business days; None elsewhere.
        concerns: what kind of incident it is about.
        says: what is to be done by then.
        binding_from: unix seconds from which it can bind; 0 where it does already.
    """

    name: str
    regime: str
    source: str
    roles: tuple[str, ...]
    tiers: tuple[str, ...]
    jurisdiction: str
    starts: str
    hours: int | None
    business_days: int | None
    concerns: str
    says: str
    binding_from: float = 0.0


@dataclass(frozen=True, slots=True)
class LegalClock:
    """One rule for one incident. Times in unix seconds.

    Args:
        status: `statutory` or `advisory`.
        role, tier, jurisdiction: of the rule's, those that it speaks to.
        started: None while the event that starts it is not recorded.
        due: None while it has not started, or where the law gives no number.
        reminders: internal moments to look at it again; they are not in the law.
        state: `waiting`, `running`, `late`, `met`, or `met late`: reported after it was due.
        decision: the newest that a person recorded, with who and why; empty where there is none.
        why: why it is statutory or advisory.
    """

    name: str
    regime: str
    source: str
    status: str
    role: str
    tier: str
    jurisdiction: str
    started: float | None
    due: float | None
    reminders: tuple[float, ...]
    state: str
    concerns: str
    says: str
    why: str
    decision: str
    law_reviewed_as_of: str
