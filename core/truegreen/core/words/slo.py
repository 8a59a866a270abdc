"""The SLO model: what is good, out of what, for whom, how often, and who hears of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

LIVE: Final = "live"
SHADOW: Final = "shadow"
SESSION: Final = "session"
"""As a unit: the answers of a session repeat each other, so that they are worth fewer by the measured design effect."""
ALL_SERVICES: Final = "all"
BASELINE: Final = "baseline"
"""As an objective: 1 - 1.25 x the frozen baseline's bad ratio. As a floor: the calibration file's own."""


@dataclass(frozen=True, slots=True)
class EvaluationSli:
    """Good: an evaluated answer labelled `pass`; all: pass and fail, base sample only.

    Args:
        evaluation: the evaluation's name, such as `groundedness`.
        floor: `baseline`, or a number as text that is only meaningful on a calibrated scale.
    """

    evaluation: str
    floor: str = BASELINE


@dataclass(frozen=True, slots=True)
class EventSli:
    """Bad events over all events of a counter, told apart by a label; or all of one counter over all of another.

    Args:
        metric: the counter's Prometheus name.
        label: the label that tells good from bad; empty when every event of `metric` is bad.
        bad: the values of `label` that are bad.
        among: the values of `label` that count at all; empty means every value.
        total: the counter of all events, where it is not `metric`.
        where: label to value, narrowing what is counted on both sides.
    """

    metric: str
    label: str
    bad: tuple[str, ...]
    among: tuple[str, ...] = ()
    total: str = ""
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ThresholdSli:
    """Good: an observation of a histogram at or under the threshold, which must be one of its bucket boundaries.

    Args:
        metric: the histogram's Prometheus name (without `_bucket`).
        threshold: in the metric's unit.
        where: label to value, narrowing what is counted.
    """

    metric: str
    threshold: Decimal
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FreshnessSli:
    """Good: a minute in which a timestamp gauge was younger than a bound.

    Args:
        metric: the gauge's Prometheus name, in unix seconds.
        seconds: the oldest age that is still good.
    """

    metric: str
    seconds: int


@dataclass(frozen=True, slots=True)
class BoundSli:
    """Good: a minute in which every gauge of a service lay inside its bounds; on the bound is inside.

    Args:
        metric: the gauge's Prometheus name.
        least, most: in the metric's unit; None where there is no such bound.
        where: label to value, narrowing what is looked at.
    """

    metric: str
    least: Decimal | None = None
    most: Decimal | None = None
    where: Mapping[str, str] = field(default_factory=dict)


MinuteSli = FreshnessSli | BoundSli
"""What counts minutes: sixty events an hour, whatever the traffic."""
Sli = EvaluationSli | EventSli | ThresholdSli | FreshnessSli | BoundSli


@dataclass(frozen=True, slots=True)
class Slo:
    """One service level objective over catalogue metrics.

    Args:
        name: unique, `[a-z][a-z0-9_]*`.
        objective: 0 < objective < 1 as Decimal, or `baseline`.
        layer, failure_mode, pillar: from `terms`; pillar `none` where it is not an agent's.
        window: the budget's window: `7d`, `28d` or `30d`.
        services: `all`, or the names it is for.
        matching: RE2 that a service's whole name must match, where `services` is `all`; empty for every service.
        environments: those in which it may page; others are shadow.
        objectives: where a service differs, service to Decimal.
        mode: `live` pages; `shadow` writes tickets that say what would have paged.
        unit: what is independent, `answer` or `session`; a session's answers raise the design effect.
        labels: the user's own labels on its alerts.
        severities: tier to sev, where it is another than the ladder's.
        cohorts: whether each cohort is judged by itself too.
        detectors: names of further detectors.
    """

    name: str
    description: str
    sli: Sli
    objective: Decimal | str
    layer: str
    failure_mode: str
    pillar: str = "none"
    window: str = "30d"
    services: tuple[str, ...] | str = ALL_SERVICES
    environments: tuple[str, ...] = ("production",)
    objectives: Mapping[str, Decimal] = field(default_factory=dict)
    mode: str = SHADOW
    unit: str = "answer"
    owner: str = ""
    matching: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, str] = field(default_factory=dict)
    cohorts: bool = False
    detectors: tuple[str, ...] = ()

    def selects(self, service: str) -> bool:
        """Whether the SLO is for a service of that name."""
        if self.services == ALL_SERVICES:
            return not self.matching or re.fullmatch(self.matching, service) is not None
        return service in self.services
