"""The accumulators: one cell per series, limits of labels, birth at 0, expiry. One thread writes; a copy leaves for the scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Final

from truegreen.collector.model import HOLD_SCRAPES, Exemplar, Exposed
from truegreen.collector.plan import clean
from truegreen.collector.wire import NAN
from truegreen.core.words import catalogue
from truegreen.core.words.metric import Label, Metric
from truegreen.core.words.terms import OVERFLOW

Cell = list[float]
"""A counter: [value]. A gauge: [value, time at which it was last seen, or made]; NaN until a value is known. A histogram: [sum, count of each bucket, not cumulative]."""

REFUSED: Final = (
    "overloaded", "connections", "draining", "unauthenticated", "tls", "malformed", "content_type", "encoding", "too_large", "undecodable",
    "timed_out", "disconnected", "forward_full", "loop",
)  # fmt: skip
DROPPED: Final = ("not_a_number", "out_of_range", "not_a_label", "no_evaluation_name", "undecodable", "internal")
ANSWER_REASONS: Final = {catalogue.COLLECTOR_REFUSED_REQUESTS: REFUSED, catalogue.COLLECTOR_DROPPED_SPANS: DROPPED}


@dataclass(slots=True)
class Family:
    """The series of one metric."""

    metric: Metric
    cells: dict[tuple[str, ...], Cell] = field(default_factory=dict)
    young: dict[tuple[str, ...], float] = field(default_factory=dict)
    """Series that are still shown as 0, with the time of their birth."""
    created: dict[tuple[str, ...], float] = field(default_factory=dict)
    """When each series of a counter or histogram began."""

    @property
    def width(self) -> int:
        """How many Prometheus series one label set costs."""
        return len(self.metric.buckets) + 3 if self.metric.kind == "histogram" else 1


class Store:
    """All series of one collector.

    Args:
        clock: gives Unix seconds.
        scrape_interval: seconds; birth holds and expiry are multiples of it.
        series_limit: Prometheus series of applications; past it new label sets fold into one overflow set per metric, its service and environment too.
        expired: called when series have left, so that nothing keeps writing to them.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        scrape_interval: float,
        series_limit: int = catalogue.SERIES_LIMIT,
        metrics: Iterable[Metric] = catalogue.ALL,
    ) -> None:
        self.clock = clock
        self.interval = scrape_interval
        self.series_limit = series_limit
        self.series = 0
        self.families = {metric.prometheus: Family(metric) for metric in metrics}
        self.expired: Callable[[], None] = lambda: None
        self.exemplars: dict[int, dict[int, Exemplar]] = {}
        """By the id of a counter's or histogram's cell, which never leaves, and the place in it: one for each number."""
        self._values: dict[tuple[str, str, Label], set[str]] = {}
        self.own = {
            (metric.prometheus, reason): self.cell(metric, (reason,), hold=False)
            for metric, reasons in ANSWER_REASONS.items()
            for reason in reasons
        }
        self.accepted = self.cell(catalogue.COLLECTOR_ACCEPTED_SPANS, (), hold=False)
        self.request_duration = self.cell(catalogue.COLLECTOR_REQUEST_DURATION, (), hold=False)
        for name, family in self.families.items():
            if family.metric.identity:
                self.cell(catalogue.COLLECTOR_OVERFLOW, (name,), hold=False)

    @property
    def is_full(self) -> bool:
        """Whether a new label set folds."""
        return self.series >= self.series_limit

    def identity(self, service: str, environment: str) -> tuple[str, str]:
        """Service and environment, cleaned, with `__overflow__` for one past its limit."""
        made = self.limited("", "", catalogue.SERVICE, service)
        return made, self.limited("", "", catalogue.ENVIRONMENT, environment)

    def admit(self, metric: Metric, service: str, environment: str, values: tuple[str, ...]) -> Cell:
        """The cell of a label set, made at 0 when it is new; past a limit the one that stands for all others."""
        family = self.families[metric.prometheus]
        full = (service, environment, *values)
        found = family.cells.get(full)
        if found is not None:
            return found
        folded = tuple(
            self.limited(service, environment, label, value) for label, value in zip(metric.label_set, values, strict=True)
        )
        if OVERFLOW in folded and folded != values:
            self._overflow(metric)
        full = (service, environment, *folded)
        if full not in family.cells and self.series + family.width > self.series_limit:
            self._overflow(metric)
            full = (OVERFLOW,) * len(full)
        return self.cell(metric, full, hold=metric.kind != "gauge")

    def cell(self, metric: Metric, labels: tuple[str, ...], hold: bool) -> Cell:
        """The cell of a full label set; a new one is shown as 0 for the hold time where `hold` says so."""
        family = self.families[metric.prometheus]
        found = family.cells.get(labels)
        if found is None:
            found = (
                [NAN, self.clock()]
                if metric.kind == "gauge"
                else [0.0] * (len(metric.buckets) + 2 if metric.kind == "histogram" else 1)
            )
            family.cells[labels] = found
            if metric.identity:
                self.series += family.width
            now = self.clock()
            if metric.kind != "gauge":
                family.created[labels] = now
            if hold:
                family.young[labels] = now
        return found

    def spare(self, metric: Metric, labels: tuple[str, ...]) -> Cell | None:
        """The cell of a label set that nothing could stand for: None where it is new and past the limit of series."""
        if labels not in self.families[metric.prometheus].cells and self.is_full:
            return None
        return self.cell(metric, labels, hold=False)

    def remove(self, metric: Metric, labels: tuple[str, ...]) -> None:
        """Forget a series; nothing when there is none."""
        family = self.families[metric.prometheus]
        if family.cells.pop(labels, None) is not None:
            self.series -= family.width

    def refused(self, reason: str) -> None:
        """Count a request that was not taken."""
        self.own[catalogue.COLLECTOR_REFUSED_REQUESTS.prometheus, reason][0] += 1

    def dropped(self, reason: str) -> None:
        """Count a value that was left out of a metric."""
        self.own[catalogue.COLLECTOR_DROPPED_SPANS.prometheus, reason][0] += 1

    def copy(self) -> list[Exposed]:
        """All series as they stand, in the catalogue's order: what a scrape shows."""
        now = self.clock()
        self._expire(now)
        self.cell(catalogue.COLLECTOR_SERIES, (), hold=False)[0] = self.series
        return [
            Exposed(family.metric, self._shown(family, now), family.created, self._exemplars(family))
            for family in self.families.values()
        ]

    def _exemplars(self, family: Family) -> Mapping[tuple[str, ...], Mapping[int, Exemplar]]:
        if not self.exemplars or family.metric.kind == "gauge":
            return {}
        found = ((labels, self.exemplars.get(id(cell))) for labels, cell in family.cells.items())
        return {labels: kept.copy() for labels, kept in found if kept and labels not in family.young}

    def _shown(self, family: Family, now: float) -> Mapping[tuple[str, ...], list[float]]:
        if family.young:
            born = now - HOLD_SCRAPES * self.interval
            family.young = {labels: at for labels, at in family.young.items() if at > born}
        if family.metric.kind == "gauge":  # one whose value nobody has stated yet is no series: 0 would be a date in 1970
            return {labels: cell[:] for labels, cell in family.cells.items() if not isnan(cell[0])}
        shown = {labels: cell[:] for labels, cell in family.cells.items()}
        for labels in family.young:
            shown[labels] = [0.0] * len(shown[labels])
        return shown

    def _expire(self, now: float) -> None:
        left = False
        for family in self.families.values():
            if not family.metric.expires:
                continue
            limit = now - family.metric.expires * self.interval
            for labels in [labels for labels, cell in family.cells.items() if cell[1] < limit]:
                del family.cells[labels]
                self.series -= family.width
                left = True
        if left:
            self.expired()

    def limited(self, service: str, environment: str, label: Label, value: str) -> str:
        """The value cleaned, or `__overflow__` for a new one past the label's limit for this service and environment."""
        made = clean(value, catalogue.VALUE_LENGTH)
        if label.values:
            return made
        known = self._values.setdefault((service, environment, label), set())
        if made in known or made == OVERFLOW:
            return made
        if len(known) >= label.limit:
            return OVERFLOW
        known.add(made)
        return made

    def is_past(self, service: str, environment: str, label: Label, value: str) -> bool:
        """Whether `limited` would give `__overflow__`."""
        known = self._values.get((service, environment, label), ())
        return len(known) >= label.limit and clean(value, catalogue.VALUE_LENGTH) not in known

    def overflows(self) -> list[Cell]:
        """The counters of folded label sets."""
        return list(self.families[catalogue.COLLECTOR_OVERFLOW.prometheus].cells.values())

    def _overflow(self, metric: Metric) -> None:
        self.cell(catalogue.COLLECTOR_OVERFLOW, (metric.prometheus,), hold=False)[0] += 1
