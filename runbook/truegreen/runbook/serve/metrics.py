"""What Prometheus scrapes of the log: how many incidents are open, how long detection, containment and resolution took, what is left to do.

Names, labels, words and buckets are the catalogue's (`source: incident` and `drill`); here is only how each is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from truegreen.core.words import catalogue
from truegreen.core.words.metric import Metric
from truegreen.runbook import actions, clocks
from truegreen.runbook import log as store
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.drills import records
from truegreen.runbook.model import Event, Incident

TYPE: Final = CONTENT_TYPE_LATEST
SOURCES: Final = ("incident", "drill")
"""The catalogue's word for what is exposed here."""

Told = tuple[tuple[str, ...], float | None]
"""The values of the labels, and a number; None where the series is there and nothing was observed yet."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is measured: incidents with their events, the runs of hooks that failed, the time, and when drills were held by their records."""

    incidents: tuple[tuple[Incident, Sequence[Event]], ...]
    failures: int
    now: float
    drilled: Mapping[tuple[str, str], float]


def expose(desk: Desk, log: store.Log, failures: int) -> bytes:
    """The text of `/metrics`, made from the log as it is now: a restart forgets nothing."""
    told = store.incidents(log)
    of: dict[int, list[Event]] = {one.id: [] for one in told}
    for event in store.events(log):
        of.setdefault(event.incident, []).append(event)
    drills, _ = records.read(records.folder(desk.config))
    facts = Facts(tuple((one, of[one.id]) for one in told), failures, desk.clock(), records.held(drills))
    registry = CollectorRegistry()
    registry.register(
        _Made(_family(metric, MEASURED[metric.name](facts)) for metric in catalogue.ALL if metric.source in SOURCES)
    )
    return generate_latest(registry)


def durations(incident: Incident, events: Sequence[Event]) -> Iterator[tuple[str, str, float]]:
    """What is known of how long an incident took: which, the severity when it became known, seconds; a clock that jumped back gives 0.

    Each is by the first event that says it: a triage or a severity that came later moves no observation, for a counter that falls is a restart.
    """
    for name, kind in (("detect", "triaged"), ("contain", "verified by spans"), ("resolve", "incident closed")):
        said = next((n for n, e in enumerate(events) if e.kind == kind and (name != "detect" or e.data.get("start"))), None)
        if said is None:
            continue
        event = events[said]
        seconds = incident.opened - float(event.data["start"]["time"]) if name == "detect" else event.time - incident.opened
        yield name, _severities(incident, events[: said + 1])[-1], max(seconds, 0.0)


def _severities(incident: Incident, events: Sequence[Event]) -> list[str]:
    """Those that it had, in order; an incident as it is read has the newest."""
    return [str(e.data["sev"]) for e in events if e.kind in ("incident opened", store.SEV_CHANGED) and e.data.get("sev")] or [
        incident.sev
    ]


def _who(incident: Incident) -> tuple[str, str]:
    return incident.target.service, incident.target.environment


def _open(facts: Facts) -> Iterator[Told]:
    for one, events in facts.incidents:
        yield (*_who(one), clocks.severity(one, events)[0]), 1.0 if one.closed is None else 0.0


def _took(what: str) -> Callable[[Facts], Iterator[Told]]:
    def measure(facts: Facts) -> Iterator[Told]:
        for one, events in facts.incidents:
            # Born at 0 when the incident gets a severity: the growth of a series that begins at 1 is seen by no query.
            yield from (((*_who(one), sev), None) for sev in _severities(one, events))
            yield from (((*_who(one), sev), seconds) for name, sev, seconds in durations(one, events) if name == what)

    return measure


def _items(facts: Facts) -> Iterator[Told]:
    for one, events in facts.incidents:
        yield from (((*_who(one), state), 0.0) for state in ("open", "done"))
        for item in actions.actions(events):
            yield (*_who(one), "open" if item.done is None else "done"), 1.0


def _drills(facts: Facts) -> Iterator[Told]:
    """When a drill of each service was last completed: by the records, and by the log's own incidents that were drills."""
    held = {who: time for who, time in facts.drilled.items() if time <= facts.now}
    for one, events in facts.incidents:
        drill = any(e.kind == "incident opened" and e.data.get("drill") for e in events)
        if drill and one.closed is not None and one.closed <= facts.now:
            held[_who(one)] = max(held.get(_who(one), 0.0), one.closed)
    yield from held.items()


MEASURED: Final[Mapping[str, Callable[[Facts], Iterable[Told]]]] = {
    catalogue.INCIDENT_OPEN.name: _open,
    catalogue.INCIDENT_TIME_TO_DETECT.name: _took("detect"),
    catalogue.INCIDENT_TIME_TO_CONTAIN.name: _took("contain"),
    catalogue.INCIDENT_TIME_TO_RESOLVE.name: _took("resolve"),
    catalogue.INCIDENT_ACTION_ITEMS.name: _items,
    catalogue.INCIDENT_HOOK_FAILURES.name: lambda facts: [((), float(facts.failures))],
    catalogue.DRILL_COMPLETED_TIMESTAMP.name: _drills,
}
"""Each metric to what is said of it: numbers of the same labels are added, those of a histogram observed."""


class _Made(Collector):
    # What prometheus_client asks for: families that are made anew for each scrape, without a moment of creation.
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Family]:
        return self._families


def _family(metric: Metric, told: Iterable[Told]) -> Family:
    said: dict[tuple[str, ...], list[float]] = {}
    for labels, number in told:
        said.setdefault(labels, []).extend([] if number is None else [number])
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.prometheus, metric.description, labels=metric.labels)
        for labels, numbers in said.items():
            histogram.add_metric(labels, _cumulated(metric.buckets, numbers), sum(numbers))
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.prometheus, metric.description, labels=metric.labels)
    for labels, numbers in said.items():
        family.add_metric(labels, sum(numbers))
    return family


def _cumulated(bounds: Sequence[float], numbers: Sequence[float]) -> list[tuple[str, float]]:
    return [
        *((str(bound), float(sum(number <= bound for number in numbers))) for bound in bounds),
        ("+Inf", float(len(numbers))),
    ]
