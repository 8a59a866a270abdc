"""SLOs against the catalogue and the user's own metrics: a rule that matches nothing would stay silent, so it is refused."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NoReturn

from truegreen.alert_rules.text import number
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.metric import Metric
from truegreen.core.words.slo import BASELINE, EvaluationSli, EventSli, FreshnessSli, Slo, ThresholdSli

_IDENTITY: Final = ("service", "environment")


def check(config: Config) -> None:
    """Refuse SLOs that speak of metrics, labels, values or boundaries that do not exist.

    Raises:
        BadInput: the first of them, with file, line and key where they are known.
    """
    for index, slo in enumerate(config.slos):
        _Slo(config, index, slo).check()


class _Slo:
    # One SLO with its place in the file, so that each check can say where.
    def __init__(self, config: Config, index: int, slo: Slo) -> None:
        self.config, self.index, self.slo = config, index, slo

    def check(self) -> None:
        match self.slo.sli:
            case EvaluationSli(evaluation, floor):
                if evaluation not in self.config.evaluations:
                    self.refuse(
                        "sli.evaluation",
                        f"no evaluation is named {evaluation}",
                        f"one of {_names(self.config.evaluations)}, or add it under evaluations",
                    )
                if floor != BASELINE:
                    self.bucket("sli.floor", catalogue.EVALUATION_SCORE, Decimal(floor))
            case EventSli(metric, label, bad, among, total):
                found = self.metric("sli.metric", metric, "counter")
                if total:
                    self.metric("sli.total", total, "counter")
                if label:
                    self.values("sli.bad", found, label, bad)
                    self.values("sli.among", found, label, among)
                    if among and not set(bad) <= set(among):
                        self.refuse(
                            "sli.among",
                            f"{_names(set(bad) - set(among))} is bad but does not count",
                            "among with every value of bad",
                        )
            case ThresholdSli(metric, threshold, where):
                found = self.metric("sli.metric", metric, "histogram")
                self.bucket("sli.threshold", found, threshold)
                for label, value in where.items():
                    self.values("sli.where", found, label, (value,))
            case FreshnessSli(metric):
                found = self.metric("sli.metric", metric, "gauge")
                if not found.prometheus.endswith("_timestamp_seconds"):
                    self.refuse("sli.metric", f"{metric} is not a timestamp", "a gauge that ends in _timestamp_seconds")

    def metric(self, key: str, name: str, kind: str) -> Metric:
        by_name = self.config.metrics.by_name
        found = by_name.get(name)
        if found is None:
            bare = name.removesuffix("_total")
            near = [known for known, one in by_name.items() if bare == known.removesuffix("_total") or name == one.name]
            own = "".join(f", or {one.prometheus}" for one in self.config.metrics.own)
            self.refuse(key, f"no metric is named {name}", near[0] if near else f"a metric of docs/metrics.md{own}")
        if found.kind != kind or not found.identity:
            self.refuse(
                key,
                f"{name} is a {found.kind}{'' if found.identity else ' of the collector itself'}",
                f"a {kind} that has service and environment",
            )
        return found

    def values(self, key: str, metric: Metric, name: str, values: tuple[str, ...]) -> None:
        label = next((label for label in metric.label_set if label.name == name), None)
        if label is None and name not in _IDENTITY:
            known = _names(label.name for label in metric.label_set)
            self.refuse(
                "sli.where" if key == "sli.where" else "sli.label", f"{metric.prometheus} has no label {name}", f"one of {known}"
            )
        wrong = [value for value in values if label is not None and label.values and value not in label.values]
        if wrong and label is not None:
            self.refuse(key, f"{name} of {metric.prometheus} is never {wrong[0]}", f"one of {_names(label.values)}")

    def bucket(self, key: str, metric: Metric, threshold: Decimal) -> None:
        buckets = [Decimal(str(bucket)) for bucket in metric.buckets]
        if threshold not in buckets:
            self.refuse(
                key, f"{threshold} is no bucket boundary of {metric.prometheus}", f"one of {_names(map(number, buckets))}"
            )

    def refuse(self, key: str, found: str, instead: str) -> NoReturn:
        place = f"slos[{self.index}]"
        parts = key.split(".")
        keys = [".".join([place, *parts[:n]]) for n in range(len(parts), 0, -1)] + [place]
        line = next((self.config.lines[k] for k in keys if k in self.config.lines), None)
        where = f"{self.config.source or 'truegreen.yaml'}{f':{line}' if line else ''}"
        raise BadInput(f"{where}: {place}.{key} ({self.slo.name}): {found}; write {instead}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names) if isinstance(names, (set, frozenset)) else names)
