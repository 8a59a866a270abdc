"""A notification into the log: every alert of it opens an incident, joins one, raises it, or says that it is over. Each thing once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.words.terms import SEVERITIES
from truegreen.runbook import clocks
from truegreen.runbook.alert import Heard, fired
from truegreen.runbook.closing import AGAIN, scaled
from truegreen.runbook.log import SEV_CHANGED, Draft, Log, alone
from truegreen.runbook.model import Event, Incident, Target

RESOLVED: Final = "alert resolved"
OPENED: Final = "opened"
JOINED: Final = "joined"
KNOWN: Final = "known"
OVER: Final = "over"
OTHER: Final = "other"
LATE: Final = 300.0
"""Seconds after an alert's end in which a replica of Alertmanager that had not heard of it may still repeat it: its group_interval, for
which it retries. The same alert later burns again: a Prometheus that was cut off from Alertmanager keeps the time at which it began."""
_SEVS: Final = tuple(s.sev for s in SEVERITIES)


def hear(log: Log, heard: Sequence[Heard], group: str, now: float, time_scale: int = 1) -> list[tuple[str, int]]:
    """Write what is new of a notification; in one step for each alert, so that two replicas of Alertmanager tell it once.

    Args:
        group: of `alert.every`.
        now: unix seconds.
        time_scale: of the incidents that are opened, as in `closing.scaled`.

    Returns:
        for each alert what it was (`opened`, `joined`, `known`, `over`, `other`: of no SLO of a service) and its incident, 0 for none.
    """
    return [alone(log, lambda draft, one=one: _one(draft, one, group, now, time_scale)) for one in heard]  # type: ignore[misc]


def _one(draft: Draft, heard: Heard, group: str, now: float, time_scale: int) -> tuple[str, int]:
    labels = heard.alert.labels
    parts = [labels.get(name, "") for name in ("service", "environment", "slo")]
    if not all(parts):
        return OTHER, 0
    target, sev = Target(*parts), labels["sev"] if labels.get("sev") in _SEVS else "2"
    mine = [one for one in draft.incidents() if one.target == target]
    same = next((one for one in reversed(mine) if one.closed is None), None)
    # An alert that closed with an incident is repeated for hours by who was not told.
    recent = same or (mine[-1] if mine else None)
    told = draft.events(recent.id) if recent else ()
    facts: dict[str, Any] = {
        "labels": dict(labels),
        "fired": fired(heard.alert, now),
        "alert_key": heard.key,
        "group_hash": group,
    }
    known = [e for e in told if e.data.get("alert_key") == heard.key]
    if heard.resolved:
        return _over(draft, same, known, heard, facts, now)
    if known and (known[-1].kind != RESOLVED or (same is None and now - known[-1].time < LATE)):
        return KNOWN, recent.id if recent else 0
    text = heard.alert.summary or f"{labels.get('alertname', 'an alert')} fires for {target}"
    if same is None:
        return OPENED, draft.open(target, sev, now, *scaled(text, facts, time_scale)).id
    draft.append(same.id, now, "detect", AGAIN, text, facts)
    graver(draft, same, sev, now, "alertmanager")
    return JOINED, same.id


def graver(draft: Draft, same: Incident, sev: str, now: float, by: str) -> str:
    """Raise the severity of an open incident to that of what joined it; gives back the severity that it has then."""
    before, _ = clocks.severity(same, draft.events(same.id))
    if sev >= before:
        return before
    facts = {"sev": sev, "before": before, "reason": "a graver alert of the same SLO", "by": by}
    draft.append(same.id, now, "detect", SEV_CHANGED, f"sev {before} to sev {sev}: a graver alert fires", facts)
    return sev


def _over(
    draft: Draft, same: Incident | None, known: Sequence[Event], heard: Heard, facts: Mapping[str, Any], now: float
) -> tuple[str, int]:
    if same is None or not known or known[-1].kind == RESOLVED:
        return KNOWN, same.id if same else 0
    draft.append(same.id, now, "validate", RESOLVED, f"{heard.alert.labels.get('alertname', 'the alert')} is over", facts)
    return OVER, same.id
