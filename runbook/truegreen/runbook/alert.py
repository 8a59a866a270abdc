"""An Alertmanager webhook to the alert that an incident begins with. Pure; the payload may be hostile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.runbook.clean import clean

MOST_BYTES: Final = 1 << 20
MOST_ALERTS: Final = 1_000
_KEPT: Final = ("alertname", "service", "environment", "slo", "sev", "severity", "layer", "failure_mode", "pillar", "burn_tier")


@dataclass(frozen=True, slots=True)
class Alert:
    """The gravest alert of a notification: its labels (ours alone), summary and the time at which it began to fire."""

    labels: Mapping[str, str]
    summary: str
    started: float | None


def parse(content: bytes, where: str) -> Alert:
    """Read a notification.

    Raises:
        BadInput: too large, not JSON, or not of Alertmanager's shape.
    """
    if len(content) > MOST_BYTES:
        raise BadInput(f"{where}: longer than {MOST_BYTES:,} bytes; that is not one Alertmanager notification")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: not JSON ({clean(error, 100)}); give the body of an Alertmanager webhook") from None
    alerts = data.get("alerts") if isinstance(data, dict) else None
    if not isinstance(alerts, list) or not alerts:
        raise BadInput(
            f"{where}: alerts: found {type(alerts).__name__}, expected a list of alerts as Alertmanager's webhook sends them"
        )
    read = [found for alert in alerts[:MOST_ALERTS] if (found := _alert(alert)) is not None]
    firing = [alert for status, alert in read if status != "resolved"] or [alert for _, alert in read]
    if not firing:
        raise BadInput(f"{where}: alerts: none of {len(alerts)} has labels; give the body of an Alertmanager webhook")
    return min(firing, key=lambda a: (a.labels.get("sev") or "9", not a.labels.get("service")))


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert of a notification.

    Args:
        key: the same for every repeat of this alert, from whichever replica: its fingerprint and when it began.
        resolved: whether it is over.
    """

    alert: Alert
    key: str
    resolved: bool


def every(content: bytes, where: str) -> tuple[str, tuple[Heard, ...]]:
    """SHA-256 in hex of Alertmanager's group key, as its own receivers make it (empty without one), and all alerts, the gravest first.

    Raises:
        BadInput: as `parse`.
    """
    parse(content, where)
    data = json.loads(content)
    made = []
    for given in data["alerts"][:MOST_ALERTS]:
        found = _alert(given)
        if found is None:
            continue
        printed = given.get("fingerprint")
        print_ = clean(printed, 64) if isinstance(printed, str) and printed else _digest(found[1].labels)
        made.append(Heard(found[1], f"{print_}@{found[1].started or 0:.3f}", found[0] == "resolved"))
    key = data.get("groupKey")
    group = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest() if isinstance(key, str) and key else ""
    return group, tuple(sorted(made, key=lambda one: one.alert.labels.get("sev") or "9"))


def fired(alert: Alert, now: float) -> float | None:
    """When an alert began, as far as that can be: None where it says so of a day that is still to come."""
    return alert.started if alert.started is not None and alert.started < now + 86_400 else None


def _digest(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _alert(given: Any) -> tuple[str, Alert] | None:
    if not isinstance(given, dict) or not isinstance(given.get("labels"), dict):
        return None
    labels, notes = given["labels"], given.get("annotations")
    kept = {name: clean(labels[name], 200) for name in _KEPT if isinstance(labels.get(name), str)}
    summary = notes.get("summary") if isinstance(notes, dict) else None
    return str(given.get("status", "")), Alert(
        kept, clean(summary) if isinstance(summary, str) else "", moment(given.get("startsAt"))
    )


def moment(text: object) -> float | None:
    """An RFC 3339 time in unix seconds; None when it is not one."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.timestamp() if parsed.tzinfo and parsed.year > 1970 else None
