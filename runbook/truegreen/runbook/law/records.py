"""What a person records of the law: the text and the data of its event. Pure."""

from __future__ import annotations

from typing import Any

from truegreen.core.errors import BadInput
from truegreen.runbook.clean import clean
from truegreen.runbook.law.model import DECISIONS, MATERIAL
from truegreen.runbook.law.table import BY_NAME
from truegreen.runbook.times import iso

SEC = "sec-8k-105"
SLACK = 60.0
"""Seconds by which two clocks may differ."""


def aware(at: float, by: str, now: float) -> tuple[str, dict[str, Any]]:
    """The moment of becoming aware.

    Args:
        at, now: unix seconds.
        by: who says so, empty where nobody is named.

    Raises:
        BadInput: it is in the future.
    """
    _past(at, now, "--at")
    who = clean(by, 100)
    return f"aware since {iso(at)}{f', says {who}' if who else ''}", {"at": at, "by": who}


def decided(clock: str, decision: str, by: str, reason: str) -> tuple[str, dict[str, Any]]:
    """What a person decided of one clock.

    Raises:
        BadInput: no such clock or decision, or nobody and no reason is named.
    """
    if clock not in BY_NAME:
        raise BadInput(f"CLOCK: found {clean(clock, 80)!r}; write one of: {', '.join(BY_NAME)}")
    if decision not in DECISIONS:
        raise BadInput(f"--decision: found {clean(decision, 80)!r}; write one of: {', '.join(DECISIONS)}")
    who, why = _named(by, reason)
    return f"{clock}: {decision}, by {who}: {why}", {"clock": clock, "decision": decision, "by": who, "reason": why}


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
