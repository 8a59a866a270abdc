"""SLOs against the catalogue and the user's own metrics: a rule that matches nothing would stay silent, so it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from truegreen.alert_rules import checks_baselines, detectors, files
from truegreen.alert_rules.bounds import outside
from truegreen.alert_rules.sli import CANARY
from truegreen.alert_rules.text import number
from truegreen.core.config.collected import Errors
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.metric import IDENTITY, Metric
from truegreen.core.words.slo import BASELINE, BoundSli, EvaluationSli, EventSli, FreshnessSli, Slo, ThresholdSli


def check(config: Config) -> tuple[Calibration, ...]:
    """Refuse SLOs that speak of metrics, labels, values, boundaries or baselines that do not exist, or that could never alert.

    Returns:
        The calibrations beside the configuration.

    Raises:
        BadInput: a line for each, with file, line and key where they are known.
    """
    errors = Errors()
    known = files.read(config.calibration_folder(), errors)
    for index, slo in enumerate(config.slos):
        one = _Slo(config, index, slo, errors)
        one.check()
        for key, found, instead in checks_baselines.of_slo(config, slo, known):
            one.refuse(key, found, instead)
    errors += checks_baselines.of_nobody(config, known)
    errors.end(str(config.source or ""))
    return tuple(known.values())


def notes(config: Config, known: Iterable[Calibration]) -> tuple[str, ...]:
    """What was read and has no effect."""
    nameless = (
        f"{config.at(index, 'cohorts')}: a cohort of {slo.name} is judged where the application says it with traffic(cohort=…); "
        "cohorts: {attribute: …} would have it read from a span attribute too."
        for index, slo in enumerate(config.slos)
        if slo.cohorts and config.cohorts is None
    )
    return (*config.notes, *nameless, *checks_baselines.unused(config, known))


class _Slo:
    # One SLO with its place in the file, so that each check can say where.
    def __init__(self, config: Config, index: int, slo: Slo, errors: Errors) -> None:
        self.config, self.index, self.slo, self.errors = config, index, slo, errors

    def check(self) -> None:
        self.of_sli()
        self.of_objectives()
        for found, instead in detectors.refused(self.slo).values():
            self.refuse("detectors", found, instead)
        slo, routes = self.slo, self.config.routes
        if routes.severity_label in slo.labels:
            self.refuse(
                f"labels.{routes.severity_label}", "it is the label of routes.severity_label", "another name, or severities"
            )
        if set(slo.services if isinstance(slo.services, tuple) else ()) == {CANARY}:
            self.refuse("services", f"{CANARY} is truegreen's own probe, which no SLO judges", "services of yours")
        if slo.cohorts and not (isinstance(slo.sli, EvaluationSli) and slo.sli.floor == BASELINE):
            self.refuse("cohorts", "only verdicts of an evaluation say their cohort", "cohorts: false, or sli: {evaluation: …}")

    def of_objectives(self) -> None:
        slo = self.slo
        written = {"objective": slo.objective, **{f"objectives.{name}": ratio for name, ratio in slo.objectives.items()}}
        for key, ratio in written.items():
            for found, instead in outside(ratio) if isinstance(ratio, Decimal) else ():
                self.refuse(key, found, instead)
        for name in slo.objectives:
            if not slo.selects(name):
                said = f"the pattern {slo.matching}" if slo.matching else "services"
                self.refuse(
                    f"objectives.{name}", f"{name} is not among {said}", "a service that the SLO is for, or add it to services"
                )

    def of_sli(self) -> None:
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
            case EventSli() as sli:
                self.of_events(sli)
            case ThresholdSli(metric, threshold, where):
                found = self.metric("sli.metric", metric, "histogram")
                if found:
                    self.bucket("sli.threshold", found, threshold)
                    self.where(found, where)
            case FreshnessSli(metric):
                found = self.metric("sli.metric", metric, "gauge")
                if found and not found.prometheus.endswith("_timestamp_seconds"):
                    self.refuse("sli.metric", f"{metric} is not a timestamp", "a gauge that ends in _timestamp_seconds")
            case BoundSli(metric, least, most, where):
                found = self.metric("sli.metric", metric, "gauge")
                if found:
                    self.where(found, where)
                if least is not None and most is not None and least >= most:
                    self.refuse(
                        "sli.at_most", f"nothing lies between {number(least)} and {number(most)}", "at_least under at_most"
                    )

    def of_events(self, sli: EventSli) -> None:
        found = self.metric("sli.metric", sli.metric, "counter")
        whole = self.metric("sli.total", sli.total, "counter") if sli.total else None
        for metric in (found, whole):
            if metric:
                self.where(metric, sli.where)
        if sli.total and sli.total == sli.metric and not sli.label:
            self.refuse(
                "sli.total", f"all events of {sli.metric} would be bad ones", "the counter of all events, or label and bad"
            )
        if not found or not sli.label:
            return
        label = self.values("sli.bad", found, sli.label, sli.bad)
        self.values("sli.among", found, sli.label, sli.among)
        if sli.among and not set(sli.bad) <= set(sli.among):
            self.refuse(
                "sli.among", f"{_names(set(sli.bad) - set(sli.among))} is bad but does not count", "among with every value of bad"
            )
        elif set(sli.among or label or ("",)) <= set(sli.bad):
            self.refuse("sli.bad", f"every value of {sli.label} that counts is bad", "only the values that are bad")
        if sli.label in sli.where:
            self.refuse(f"sli.where.{sli.label}", f"{sli.label} tells good from bad", f"among: [{sli.where[sli.label]}, …]")

    def metric(self, key: str, name: str, kind: str) -> Metric | None:
        by_name = self.config.metrics.by_name
        found = by_name.get(name)
        if found is None:
            bare = name.removesuffix("_total")
            near = [known for known, one in by_name.items() if bare == known.removesuffix("_total") or name == one.name]
            own = "".join(f", or {one.prometheus}" for one in self.config.metrics.own)
            self.refuse(key, f"no metric is named {name}", near[0] if near else f"a metric of docs/metrics.md{own}")
            return None
        if found.kind != kind or not found.identity:
            self.refuse(
                key,
                f"{name} is a {found.kind}{'' if found.identity else ' of the collector itself'}",
                f"a {kind} that has service and environment",
            )
            return None
        return found

    def where(self, metric: Metric, where: Mapping[str, str]) -> None:
        for label, value in where.items():
            self.values("sli.where", metric, label, (value,))

    def values(self, key: str, metric: Metric, name: str, values: Sequence[str]) -> Sequence[str]:
        # The values that the label has, where they are known.
        place = "sli.where" if key == "sli.where" else "sli.label"
        if name in IDENTITY:
            if key in {"sli.where", "sli.bad"}:
                self.refuse(place, f"{name} is what every rule is made by", f"{name}s: [{values[0]}] for the SLO")
            return ()
        label = next((label for label in metric.label_set if label.name == name), None)
        if label is None:
            if values or key == "sli.bad":
                known = _names(label.name for label in metric.label_set)
                self.refuse(place, f"{metric.prometheus} has no label {name}", f"one of {known}")
            return ()
        wrong = [value for value in values if label.values and value not in label.values]
        if wrong:
            never = wrong[0] or "an empty text"
            self.refuse(key, f"{name} of {metric.prometheus} is never {never}", f"one of {_names(label.values)}")
        return label.values

    def bucket(self, key: str, metric: Metric, threshold: Decimal) -> None:
        buckets = [Decimal(str(bucket)) for bucket in metric.buckets]
        if threshold not in buckets:
            self.refuse(
                key, f"{threshold} is no bucket boundary of {metric.prometheus}", f"one of {_names(map(number, buckets))}"
            )

    def refuse(self, key: str, found: str, instead: str) -> None:
        self.errors.append(f"{self.config.at(self.index, key)} ({self.slo.name}): {found}; write {instead}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names) if isinstance(names, (set, frozenset)) else names)
