"""Streams of events as promtool reads them: cumulative counters, minute by minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.sli import ANSWERS, SCORE
from truegreen.alert_rules.text import number, quoted
from truegreen.alert_rules.windows import Clock
from truegreen.core.words.metric import Metric, bound
from truegreen.core.words.slo import BASELINE, BoundSli, EvaluationSli, EventSli, FreshnessSli, MinuteSli, Slo, ThresholdSli
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS, RELATIVE, SKIPPED

MINUTE: Final = 60


class Series(NamedTuple):
    """One input series of promtool."""

    metric: str
    labels: Mapping[str, str]
    values: str

    @property
    def series(self) -> str:
        """The name with its labels."""
        return self.metric + "{" + ",".join([f"{key}={quoted(value)}" for key, value in self.labels.items()]) + "}"

    @property
    def counted_as(self) -> tuple[str, str, str]:
        """What a rule by service and environment adds it up under."""
        return self.metric, self.labels.get("service", ""), self.labels.get("environment", "")


def counter(steps: Sequence[tuple[int, Decimal]], born: int = 0, anew: int = -1) -> str:
    """A counter from 0 that grows by a step each minute, for so many minutes, phase by phase.

    Args:
        born: the minute of its first value.
        anew: the phase at whose start it begins at 0 again, as after a restart of the collector.
    """
    parts, value = [f"_x{born} 0" if born else "0"], Decimal(0)
    for at, (minutes, step) in enumerate(steps):
        value = Decimal(0) if at == anew else value
        parts.append(f"{number(value + step)}+{number(step)}x{minutes - 1}")
        value += minutes * step
    return " ".join(parts)


def flat(metric: str, labels: Mapping[str, str], minutes: int, value: int = 1, start: int = 0) -> Series:
    """A gauge, or a counter that stands still, that appears at minute `start`."""
    return Series(metric, labels, (f"_x{start - 1} " if start > 1 else "_ " if start else "") + f"{value}+0x{minutes}")


def steady(metric: str, labels: Mapping[str, str], *steps: tuple[int, Decimal | int]) -> Series:
    """A counter that grows by so much a minute, phase by phase."""
    return Series(metric, labels, counter([(minutes, Decimal(step)) for minutes, step in steps]))


def of_slo(slo: Slo, metrics: Mapping[str, Metric], service: str, environment: str, phases: Sequence[Phase], clock: Clock, born: int = 0,
           anew: int = -1) -> list[Series]:  # fmt: skip
    """The series from which the SLO's counts come.

    Args:
        metrics: all there are, by their names in Prometheus.
        born, anew: as in `counter`.
    """
    who = {"service": service, "environment": environment}

    def made(metric: str, labels: Mapping[str, str], share: Callable[[Phase], Decimal]) -> Series:
        return Series(metric, {**who, **labels}, counter([(p.minutes, p.events * share(p) / 60) for p in phases], born, anew))

    def every(_: Phase) -> Decimal:
        return Decimal(1)

    def bad(phase: Phase) -> Decimal:
        return phase.bad

    def good(phase: Phase) -> Decimal:
        return 1 - phase.bad

    match slo.sli:
        case EvaluationSli(evaluation, floor) if floor == BASELINE:
            judged = {"evaluation": evaluation, "evaluator": "test"}
            return [made(ANSWERS, {**judged, "result": PASS}, good), made(ANSWERS, {**judged, "result": FAIL}, bad)]
        case EvaluationSli(evaluation, floor):
            scored = {"evaluation": evaluation, "evaluator": "test", "scale": CALIBRATED}
            return [made(f"{SCORE}_count", scored, every), made(f"{SCORE}_bucket", {**scored, "le": floor}, bad)]
        case EventSli(metric, label, wrong, among, total, where):
            if total:
                return [made(total, where, every), made(metric, {**where, **({label: wrong[0]} if label else {})}, bad)]
            return [
                made(metric, {**where, label: _right(metrics[metric], label, wrong, among)}, good),
                made(metric, {**where, label: wrong[0]}, bad),
            ]
        case ThresholdSli(metric, threshold, where):
            return [made(f"{metric}_count", where, every), made(f"{metric}_bucket", {**where, "le": bound(threshold)}, good)]
        case FreshnessSli(metric, seconds):
            return [Series(metric, who, _rebuilt(phases, clock, clock.seconds(seconds)))]
        case BoundSli(metric) as sli:
            fine, beyond = number(inside(sli)[0]), number(outside(sli)[0])
            spells = " ".join(f"{beyond if p.bad else fine}+0x{p.minutes - 1}" for p in phases)
            return [Series(metric, {**who, **narrowed(sli)}, f"{fine} {spells}")]


def without_bad(slo: Slo, made: Sequence[Series]) -> list[Series]:
    """The series without those of bad events, where those are series of their own: an app that never failed has none."""
    match slo.sli:
        case EvaluationSli(_, floor) if floor == BASELINE:
            return [each for each in made if each.labels["result"] != FAIL]
        case EventSli(metric, label, wrong):
            return [each for each in made if each.metric != metric or (label and each.labels[label] not in wrong)]
    return list(made)


def noise(slo: Slo, service: str, environment: str, minutes: int) -> list[Series]:
    """Series of the same metrics that the SLO must not count."""
    who = {"service": service, "environment": environment}

    def made(metric: str, **labels: str) -> Series:
        return Series(metric, {**who, **labels}, counter([(minutes, Decimal(77))]))

    match slo.sli:
        case EvaluationSli(evaluation, floor) if floor == BASELINE:
            judged = {"evaluation": evaluation, "evaluator": "test"}
            return [
                made(ANSWERS, **{**judged, "evaluation": f"not {evaluation}"}, result=FAIL),
                made(ANSWERS, **judged, result=SKIPPED),
            ]
        case EvaluationSli(evaluation, floor):
            scored = {"evaluation": evaluation, "evaluator": "test"}
            others = ({**scored, "scale": RELATIVE}, {**scored, "scale": CALIBRATED, "evaluation": f"not {evaluation}"})
            return [
                *(
                    made(f"{SCORE}_{part}", **other, **le)
                    for other in others
                    for part, le in (("count", {}), ("bucket", {"le": floor}))
                ),
                made(f"{SCORE}_bucket", **scored, scale=CALIBRATED, le="+Inf"),
            ]
        case EventSli(metric, label, wrong, among, total, where):
            outsiders = [made(metric, **where, **{label: f"not {' or '.join(wrong)}"})] if label and (among or total) else []
            return [*outsiders, *(made(metric, **other, **({label: wrong[0]} if label else {})) for other in _elsewhere(where))]
        case ThresholdSli(metric, threshold, where):
            elsewhere = _elsewhere(where)
            return [
                *(made(f"{metric}_{part}", **other, **le)
                  for other in elsewhere for part, le in (("count", {}), ("bucket", {"le": bound(threshold)}))),
                made(f"{metric}_bucket", **where, le="+Inf"),
            ]  # fmt: skip
    return []


def narrowed(sli: MinuteSli) -> Mapping[str, str]:
    """The labels of the gauges that are looked at."""
    return sli.where if isinstance(sli, BoundSli) else {}


def inside(sli: BoundSli) -> tuple[Decimal, ...]:
    """The bounds themselves: the last values that are good."""
    return tuple(side for side in (sli.most, sli.least) if side is not None)


def outside(sli: BoundSli) -> tuple[Decimal, ...]:
    """A value a little beyond each of them."""
    sides = ((sli.most, 1), (sli.least, -1))
    return tuple(side + sign * max(abs(side) / 50, Decimal("0.01")) for side, sign in sides if side is not None)


def _elsewhere(where: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [{**where, key: f"not {value}"} for key, value in where.items()]


def _right(metric: Metric, label: str, wrong: tuple[str, ...], among: tuple[str, ...]) -> str:
    known = next((each.values for each in metric.label_set if each.name == label), ())
    return next(value for value in (*(among or known), "good", f"not {' or '.join(wrong)}") if value not in wrong)


def _rebuilt(phases: Sequence[Phase], clock: Clock, bound: int) -> str:
    # When the index was rebuilt: just now in a good minute, twice the bound ago in a bad one. Time starts at 0 in promtool.
    minute, parts, at = Decimal(MINUTE * 1_000 // clock.scale) / 1_000, ["0"], 0
    for phase in phases:
        start = (at + 1) * minute
        rebuilt, step = (start - 2 * bound, Decimal(0)) if phase.bad else (start, minute)
        parts.append(f"{number(rebuilt)}+{number(step)}x{phase.minutes - 1}")
        at += phase.minutes
    return " ".join(parts)
