"""Whether an incident is over, and which versions serve at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from truegreen.core.clients import alertmanager, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.runbook import changes, names, selectors
from truegreen.runbook.evidence import Sources
from truegreen.runbook.model import Event, Target
from truegreen.runbook.standing import CHANGES


def lacking(events: Sequence[Event], server: Server, target: Target) -> list[str]:
    """What still speaks against closing, in words; empty when the incident is over."""
    wrong = []
    validated = next((e for e in reversed(events) if e.kind == "validated"), None)
    changed = next((e for e in reversed(events) if e.kind in CHANGES), None)
    if validated is None:
        wrong.append("truegreen validate was never run")
    elif not validated.data.get("ok"):
        wrong.append(f"the last validation was not green ({validated.text})")
    elif changed is not None and changed.seq > validated.seq:
        wrong.append(f"event {changed.seq} ({changed.kind}) came after the last validation")
    try:
        active = [
            a for a in alertmanager.alerts(server)
            if (a.labels.get("service"), a.labels.get("environment"), a.labels.get("sev")) == (target.service, target.environment, "1")
        ]  # fmt: skip
    except Failed as error:
        wrong.append(f"Alertmanager cannot be asked ({error})")
    else:
        wrong += [f"sev 1 is still active: {a.labels.get('alertname', '?')} {a.labels.get('slo', '')}".rstrip() for a in active]
    return wrong


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
