"""What Prometheus scrapes of the log: how many incidents are open, how long detection, containment and resolution took, what is left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from truegreen.runbook import actions, clocks
from truegreen.runbook import log as store
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.model import Event, Incident

TYPE: Final = CONTENT_TYPE_LATEST
BUCKETS: Final = (60, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800)
"""Seconds: the clocks of the severities are among them."""
_WHOSE: Final = ("service", "environment", "sev")


def expose(desk: Desk, log: store.Log, failures: int) -> bytes:
    """The text of `/metrics`, made from the log as it is now: a restart forgets nothing."""
    registry = CollectorRegistry()
    gauge = Gauge("truegreen_incident_open", "Incidents that are open.", _WHOSE, registry=registry)
    spans = {
        name: Histogram(f"truegreen_incident_time_to_{name}_seconds", f"From {says}.", _WHOSE, buckets=BUCKETS, registry=registry)
        for name, says in (
            ("detect", "the true start to the opening"), ("contain", "the opening to the first change that the spans showed"),
            ("resolve", "the opening to the close"),
        )
    }  # fmt: skip
    items = Gauge("truegreen_incident_action_items", "Action items of incidents.", ("state",), registry=registry)
    Gauge("truegreen_incident_hook_failures", "Runs of a hook that failed.", registry=registry).set(failures)
    every = store.events(log)
    of: dict[int, list[Event]] = {}
    for event in every:
        of.setdefault(event.incident, []).append(event)
    now, states = desk.clock(), Counter({"open": 0, "done": 0})
    for one in store.incidents(log):
        told = of.get(one.id, [])
        who = (one.target.service, one.target.environment, clocks.severity(one, told)[0])
        gauge.labels(*who).inc(1 if one.closed is None else 0)
        for name, seconds in durations(one, told):
            spans[name].labels(*who).observe(seconds)
        states.update("done" if item.done else "open" for item in actions.actions(told))
    for state, count in states.items():
        items.labels(state).set(count)
    _drills(registry, every, now)
    return generate_latest(registry)


def durations(incident: Incident, events: Sequence[Event]) -> Iterator[tuple[str, float]]:
    """What is known of how long an incident took, in seconds; a clock that jumped back gives 0."""
    triaged = next((e for e in reversed(events) if e.kind == "triaged" and e.data.get("start")), None)
    if triaged:
        yield "detect", max(incident.opened - float(triaged.data["start"]["time"]), 0.0)
    contained = next((e for e in events if e.kind == "verified by spans"), None)
    if contained:
        yield "contain", max(contained.time - incident.opened, 0.0)
    if incident.closed is not None:
        yield "resolve", max(incident.closed - incident.opened, 0.0)


def _drills(registry: CollectorRegistry, events: Sequence[Event], now: float) -> None:
    """When a drill of each service was last completed: of the log's own incidents that were drills."""
    held: dict[tuple[str, str], float] = {}
    opened = {e.incident: e for e in events if e.kind == "incident opened" and e.data.get("drill")}
    for event in events:
        if event.kind == "incident closed" and event.incident in opened and event.time <= now:
            data = opened[event.incident].data
            key = (str(data.get("service")), str(data.get("environment")))
            held[key] = max(held.get(key, 0.0), event.time)
    if held:
        gauge = Gauge("truegreen_drill_completed_timestamp_seconds", "When an incident drill of the service was last completed.",
                      ("service", "environment"), registry=registry)  # fmt: skip
        for key, moment in held.items():
            gauge.labels(*key).set(moment)
