"""Whether an incident is over, and which versions serve at that moment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.clients import alertmanager, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.runbook import changes, checks, in_time, names, selectors
from truegreen.runbook.evidence import Sources
from truegreen.runbook.log import SEV_CHANGED
from truegreen.runbook.model import Event, Incident, Target
from truegreen.runbook.standing import disturbs, half_lifted
from truegreen.runbook.times import span

AGAIN: Final = "alerted again"
FRESH: Final = 4 * checks.QUIET
"""Seconds, divided by the time scale: how old a green validation may be. It looks back over one quiet window; Alertmanager's resolve
may come later, and what happened since is what the other conditions look at."""


def scaled(text: str, facts: Mapping[str, Any], scale: int) -> tuple[str, Mapping[str, Any]]:
    """Words and facts of an opening, with what its windows may be divided by, where that is more than 1: of a demonstration or a drill."""
    return (
        (f"{text} (time scale {scale}: a demonstration or drill)", {**facts, "time_scale": scale}) if scale > 1 else (text, facts)
    )


def unfit(events: Sequence[Event], scale: int) -> str:
    """Why the windows of an incident may not be divided by `scale`, in words; empty when they may: it was opened so."""
    opened = next((e.data.get("time_scale", 1) for e in events if e.kind == "incident opened"), 1)
    if scale <= (opened if isinstance(opened, int) else 1):
        return ""
    return f"--time-scale {scale} is for demonstrations and drills, and this incident was opened with {opened}: leave it away"


def lacking(
    events: Sequence[Event], server: Server, incident: Incident, now: float, scale: int, others: Sequence[Event] = ()
) -> list[str]:
    """What still speaks against closing, in words; empty when the incident is over.

    Args:
        now: unix seconds.
        scale: what the windows of the validation must have been divided by; 1 in production.
        others: as in `unvalidated`.
    """
    return [*unvalidated(events, now, scale, others), *_active(server, incident)]


def unvalidated(events: Sequence[Event], now: float, scale: int, others: Sequence[Event] = ()) -> list[str]:
    """What is wrong with the last validation, in words; empty when it is green, recent, and nothing came after it.

    Args:
        others: what is told elsewhere and changed the same service, of `standing.elsewhere`.
    """
    validated = next((e for e in reversed(events) if e.kind == "validated"), None)
    if validated is None:
        return ["truegreen validate was never run"]
    if not validated.data.get("ok"):
        return [f"the last validation was not green ({validated.text})"]
    wrong = [why] if (why := unfit(events, scale)) else []
    if validated.data.get("at") is not None:
        wrong.append("the last validation looked at another moment (--at)")
    used = validated.data.get("time_scale", 1)
    if used != scale:
        wrong.append(f"the last validation was made with --time-scale {used}, this is --time-scale {scale}")
    if now - validated.time > FRESH / scale:
        wrong.append(f"the last validation is {span(now - validated.time)} old, expected at most {span(FRESH / scale)}")
    wrong += [
        f"event {e.seq} ({e.kind}) came after the last validation"
        for e in events if e.seq > validated.seq and (disturbs(e) or e.kind == AGAIN)
    ][-1:]  # fmt: skip
    wrong += [f"event {e.seq} ({e.kind}, {f'of incident {e.incident}' if e.incident else 'of a rollout'}) came after the last validation"
              for e in others if e.seq > validated.seq][-1:]  # fmt: skip
    if half_lifted(events):
        wrong.append("truegreen contain lift was cut off before it saw the service without its switches: validate again")
    return wrong


def overtaken(judged: Sequence[Event], events: Sequence[Event]) -> str:
    """The newest event after those that were judged by which the judgement may be another one, in words; empty when there is none."""
    late = [e for e in events[len(judged) :] if disturbs(e) or e.kind in (AGAIN, SEV_CHANGED, "validated")]
    return f"event {late[-1].seq} ({late[-1].kind}) came while the incident was being closed" if late else ""


def _active(server: Server, incident: Incident) -> list[str]:
    target = incident.target
    try:
        asked = in_time.bounded(server, time.monotonic() + in_time.EACH)
        found = [dict(a.labels) for a in alertmanager.alerts(asked)]
    except Failed as error:
        return [f"Alertmanager cannot be asked ({error})"]
    mine = [a for a in found if (a.get("service"), a.get("environment")) == (target.service, target.environment) and a.get("sev")]
    return [
        f"sev {a['sev']} is still active: {a.get('alertname', '?')} {a.get('slo', '')}".rstrip()
        for a in mine if a["sev"] == "1" or (a.get("slo") == target.slo and a["sev"] <= incident.sev)
    ]  # fmt: skip


def serving(sources: Sources, target: Target, window: float) -> Mapping[str, str]:
    """Component to version of the snapshot that served most answers in the last `window` seconds; empty when Prometheus cannot say."""
    where = selectors.at(target)
    try:
        found = prometheus.query(
            sources.prometheus,
            f"topk(1, sum by (snapshot) (increase({names.ANSWERS}{where}[{max(int(window), 5)}s]))) * on (snapshot) group_right () "
            f"max without (instance, job) ({names.SNAPSHOT}{where})",
        )
    except Failed:
        return {}
    return changes.versions_of(found[0].labels) if found else {}
