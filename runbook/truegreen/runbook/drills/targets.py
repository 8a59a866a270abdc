"""What a drill is held to, and whether it held: times in production time, by the severity of the alert. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from truegreen.alert_rules.ladder import TIERS
from truegreen.core.words import records
from truegreen.core.words.terms import SEVERITIES
from truegreen.evaluation.provider.verdict import BOTH, NOT_SURE
from truegreen.runbook.drills.model import Fault, Timings, Verdict
from truegreen.runbook.times import span

DETECT: Final = {
    records.BUDGET_BURN: float(max(records.SECONDS[rung.long] for rung in TIERS[0].rungs)), "TruegreenDrift": (72 + 6) * 3_600.0,
}  # fmt: skip
"""Seconds from the fault to the alert, by its name: the longest window of the rule. What is bad enough for a page fills the page's longest one, an
hour, at the latest; the drift alert has a window of three days and waits six hours."""
SPRINT: Final = 14 * 86_400.0
"""Seconds: "next sprint" of a sev 3."""
TRIAGE_SECONDS: Final = 10.0
"""Of the command itself, on this machine's clock."""


def resolve(sev: str) -> float:
    """Seconds from the alert in which an incident of a severity is to be over; half of it is for containment."""
    minutes = next((s.resolve_minutes for s in SEVERITIES if s.sev == sev), None)
    return SPRINT if minutes is None else minutes * 60.0


def classify(sev: str) -> float:
    """Seconds from the alert to the verdict: the clock of the severity, or of its resolution where it has none."""
    minutes = next((s.classify_minutes for s in SEVERITIES if s.sev == sev), None)
    return resolve(sev) if minutes is None else minutes * 60.0


def timed(fault: Fault, timings: Timings) -> Iterator[Verdict]:
    """Each time against its target: detection from the fault on, all others from the alert on.

    Args:
        timings: seconds after the fault, of production time.
    """
    yield _within("detected", DETECT[fault.alert], timings.detected, 0.0)
    since = timings.detected
    for name, target, at in (
        ("triaged", classify(fault.sev), timings.triaged), ("contained", resolve(fault.sev) / 2, timings.contained),
        ("recovered", resolve(fault.sev), timings.recovered),
    ):  # fmt: skip
        yield _within(name, target, at, since)


def blamed(expected: str, said: str | None) -> Verdict:
    """Whether triage said what was so."""
    return Verdict("triage", expected, said or "was not asked", said == expected)


def offered(fault: Fault, command: str, mends: bool) -> Verdict:
    """Whether the first command that triage offered is the one that mends the fault."""
    wanted = " ".join((*fault.remedy, *((fault.to,) if fault.to else ())))
    return Verdict("remedy", wanted, command or "none", mends)


def unsure(said: str | None) -> Verdict:
    """Of faults of both sides at once: neither is blamed alone."""
    return Verdict("triage", f"{NOT_SURE} or {BOTH}", said or "was not asked", said in (NOT_SURE, BOTH))


def steady(looks: Sequence[str]) -> Verdict:
    """Whether triage, once sure, said the same until its clock ran out."""
    sure = [said for said in looks if said != NOT_SURE]
    since = looks[looks.index(sure[0]) :] if sure else looks
    return Verdict("triage again", "the same each time", ", ".join(looks) or "was not asked", bool(sure) and len(set(since)) == 1)


def quick(took: float) -> Verdict:
    """Whether triage answered in time."""
    return Verdict("triage answered", f"at most {span(TRIAGE_SECONDS)}", span(took), took <= TRIAGE_SECONDS)


def calm(early: Sequence[str]) -> Verdict:
    """Whether nothing paged before the fault."""
    return Verdict("before the fault", "no page", ", ".join(early) or "no page", not early)


def _within(name: str, target: float, at: float | None, since: float | None) -> Verdict:
    asked = f"within {span(target)}"
    if at is None or since is None:
        return Verdict(name, asked, "never", False)
    took = max(at - since, 0.0)
    return Verdict(name, asked, span(took), took <= target)
