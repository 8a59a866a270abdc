"""What a person records of the law: the text and the data of its event. Pure."""

from __future__ import annotations

from typing import Any

from truegreen.core.errors import BadInput
from truegreen.runbook.clean import clean
from truegreen.runbook.law.model import DECISIONS, MATERIAL, REPORTED
from truegreen.runbook.law.table import BY_NAME
from truegreen.runbook.times import iso

SEC = "sec-8k-105"
SLACK = 60.0
"""Seconds by which two clocks may differ."""


def aware(at: float, by: str, now: float, reason: str = "", known: float | None = None) -> tuple[str, dict[str, Any]]:
    """The moment of becoming aware.

    Args:
        at, now: unix seconds.
        by: who says so, empty where nobody is named.
        reason: why a later moment than `known` is the right one.
        known: unix seconds, the moment that counts until now; None where none is recorded.

    Raises:
        BadInput: it is in the future, or later than what is known and nobody says why.
    """
    _past(at, now, "--at")
    who, why = clean(by, 100), clean(reason)
    later = known is not None and at > known
    if later and not (who and why):
        raise BadInput(
            f"--at: found {iso(at)}, but aware since {iso(known or 0.0)} is recorded, and a later moment moves deadlines later; "
            "if it is the right one: --by NAME --reason TEXT"
        )
    text = f"aware since {iso(at)}{f', says {who}' if who else ''}"
    if not later:
        return text, {"at": at, "by": who}
    return f"{text}; not since {iso(known or 0.0)}: {why}", {"at": at, "by": who, "reason": why, "was": known}


def decided(
    clock: str, decision: str, by: str, reason: str, at: float | None = None, now: float = 0.0
) -> tuple[str, dict[str, Any]]:
    """What a person decided of one clock.

    Args:
        at, now: unix seconds; `at` is when it was reported, None where that is not said.

    Raises:
        BadInput: no such clock or decision, nobody and no reason is named, or a moment of what was not reported, or of the future.
    """
    if clock not in BY_NAME:
        raise BadInput(f"CLOCK: found {clean(clock, 80)!r}; write one of: {', '.join(BY_NAME)}")
    if decision not in DECISIONS:
        raise BadInput(f"--decision: found {clean(decision, 80)!r}; write one of: {', '.join(DECISIONS)}")
    who, why = _named(by, reason)
    facts: dict[str, Any] = {"clock": clock, "decision": decision, "by": who, "reason": why}
    if at is None:
        return f"{clock}: {decision}, by {who}: {why}", facts
    if decision != REPORTED:
        raise BadInput(f"--at: is the moment of a report, with --decision {REPORTED}; leave it out, or write that decision")
    _past(at, now, "--at")
    return f"{clock}: {decision} at {iso(at)}, by {who}: {why}", {**facts, "at": at}


def determined(at: float, by: str, reason: str, now: float) -> tuple[str, dict[str, Any]]:
    """The determination that the incident is a material cybersecurity incident: it starts the SEC's clock.

    Raises:
        BadInput: it is in the future, or nobody and no reason is named.
    """
    _past(at, now, "--at")
    who, why = _named(by, reason)
    facts = {"clock": SEC, "decision": MATERIAL, "at": at, "by": who, "reason": why}
    return f"{SEC}: determined to be material at {iso(at)}, by {who}: {why}", facts


def _named(by: str, reason: str) -> tuple[str, str]:
    who, why = clean(by, 100), clean(reason)
    if not who or not why:
        raise BadInput("a decision needs who made it and why: --by NAME --reason TEXT")
    return who, why


def _past(at: float, now: float, option: str) -> None:
    if at > now + SLACK:
        raise BadInput(f"{option}: found {iso(at)}, which is in the future (it is {iso(now)}); write the moment in UTC")
