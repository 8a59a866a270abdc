"""A notification into the log: every alert of it opens an incident, joins one, raises it, or says that it is over. Each thing once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.words.terms import SEVERITIES
from truegreen.runbook import clocks
from truegreen.runbook.alert import Heard
from truegreen.runbook.closing import AGAIN
from truegreen.runbook.log import Draft, Log, alone
from truegreen.runbook.model import Event, Incident, Target

RESOLVED: Final = "alert resolved"
OPENED: Final = "opened"
JOINED: Final = "joined"
KNOWN: Final = "known"
OVER: Final = "over"
OTHER: Final = "other"
_SEVS: Final = tuple(s.sev for s in SEVERITIES)


def hear(log: Log, heard: Sequence[Heard], group_key: str, now: float) -> list[tuple[str, int]]:
    """Write what is new of a notification; in one step for each alert, so that two replicas of Alertmanager tell it once.

    Returns:
        for each alert what it was (`opened`, `joined`, `known`, `over`, `other`: of no SLO of a service) and its incident, 0 for none.
    """
    return [alone(log, lambda draft, one=one: _one(draft, one, group_key, now)) for one in heard]  # type: ignore[misc]


def _one(draft: Draft, heard: Heard, group_key: str, now: float) -> tuple[str, int]:
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
    facts: dict[str, Any] = {"labels": dict(labels), "fired": heard.alert.started, "alert_key": heard.key, "group_key": group_key}
    known = [e for e in told if e.data.get("alert_key") == heard.key]
    if heard.resolved:
        return _over(draft, same, known, heard, facts, now)
    if known and not any(e.kind == RESOLVED for e in known):
        return KNOWN, recent.id if recent else 0
    text = heard.alert.summary or f"{labels.get('alertname', 'an alert')} fires for {target}"
    if same is None:
        return OPENED, draft.open(target, sev, now, text, facts).id
    draft.append(same.id, now, "detect", AGAIN, text, facts)
    before, _ = clocks.severity(same, told)
    if sev < before:
        raised: Mapping[str, Any] = {
            "sev": sev,
            "before": before,
            "reason": "a graver alert of the same SLO",
            "by": "alertmanager",
        }
        draft.append(same.id, now, "detect", "sev changed", f"sev {before} to sev {sev}: a graver alert fires", raised)
    return JOINED, same.id


def _over(
    draft: Draft, same: Incident | None, known: Sequence[Event], heard: Heard, facts: Mapping[str, Any], now: float
) -> tuple[str, int]:
    if same is None or not known or any(e.kind == RESOLVED for e in known):
        return KNOWN, same.id if same else 0
    draft.append(same.id, now, "validate", RESOLVED, f"{heard.alert.labels.get('alertname', 'the alert')} is over", facts)
    return OVER, same.id
