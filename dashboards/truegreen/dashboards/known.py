"""What a board may name: catalogue metrics, generated records, and what other exporters are known to make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from truegreen.core.words import catalogue, records
from truegreen.core.words.metric import IDENTITY, Metric

ALERTS: Final = "ALERTS"
RECORD_LABELS: Final = (*IDENTITY, "slo", "layer", "failure_mode", "pillar")
ALERT_LABELS: Final = (*RECORD_LABELS, "alertname", "alertstate", "sev", "burn_tier", "mode", "cohort")
EXTERNAL_LABELS: Final = ("job", "instance")
_OTHER_LABELS: Final = {
    records.STATE: (*IDENTITY, "failure_mode"),
    records.NOT_CUSTOMER_FACING: IDENTITY,
    records.BUSINESS_BURNING: IDENTITY,
    records.BASELINE_TIMESTAMP: (*IDENTITY, "signal"),
    records.CALIBRATION_INFO: (*RECORD_LABELS, "evaluation", "digest"),
    records.SLO_INFO: (
        "slo",
        "layer",
        "failure_mode",
        "pillar",
        "objective",
        "period",
        "mode",
        "unit",
        "sampling",
        "owner",
        "generator",
    ),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One name that PromQL may use.

    Args:
        kind: `counter`, `gauge` or `record`; the parts of a histogram are counters.
        labels: None where an exporter of somebody else decides.
        values: label to its closed set of values.
        unit: UCUM, of what is observed; empty for counts of buckets and where nobody says it.
    """

    kind: str
    labels: tuple[str, ...] | None
    values: Mapping[str, tuple[str, ...]]
    unit: str = ""


def _parts(metric: Metric) -> Mapping[str, Series]:
    values = {label.name: label.values for label in metric.label_set if label.values}
    if metric.kind != "histogram":
        return {metric.prometheus: Series(metric.kind, metric.labels, values, metric.unit)}
    return {
        metric.sum: Series("counter", metric.labels, values, metric.unit),
        metric.count: Series("counter", metric.labels, values),
        metric.bucket: Series("counter", (*metric.labels, "le"), values, metric.unit),
    }


def _records() -> Mapping[str, Series]:
    windowed = (records.events, records.bad, records.bad_ratio, records.bad_lower_bound)
    names = [make(window) for make in windowed for window in records.WINDOWS]
    names += [records.burn_rate(window) for window in records.BURN_WINDOWS]
    names += [value for value in vars(records).values() if isinstance(value, str) and value.startswith("truegreen:")]
    return {name: Series("record", _OTHER_LABELS.get(name, RECORD_LABELS), {}) for name in names}


def series(metrics: Iterable[Metric]) -> Mapping[str, Series]:
    """Every name that a panel, a variable or an annotation may use: of these metrics, of the records, of other exporters."""
    return {
        **{name: series for metric in metrics for name, series in _parts(metric).items()},
        **_records(),
        **{each.prometheus: Series(each.kind, None, {}, each.unit) for each in catalogue.EXTERNAL},
        ALERTS: Series("record", ALERT_LABELS, {}),
    }


SERIES: Final[Mapping[str, Series]] = series(catalogue.ALL)
"""Those of our own catalogue."""
