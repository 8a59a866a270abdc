"""The promtool tests of the watchers and of drift in time: each fires when it must, and a healthy neighbour stays silent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import budgets, drift, watchers
from truegreen.alert_rules.model import Baseline, Judged
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.promtool import Check, Test, fires
from truegreen.alert_rules.ruletests import SERVICE
from truegreen.alert_rules.sli import CANARY, some_services
from truegreen.alert_rules.streams import Series, flat, of_slo, steady
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue, records
from truegreen.core.words.slo import EvaluationSli, MinuteSli

ILL: Final = "truegreen-test-ill"
WELL: Final = "truegreen-test-well"
BACK: Final = "truegreen-test-back"
HOUR: Final = 60
A_MINUTE: Final = 10
"""Answers a minute."""


def quick(config: Config, every: tuple[Judged, ...], clock: Clock) -> list[Test]:
    """The tests that need an evaluation a minute."""
    made = _pipeline(watchers.without_environment(every))
    for evaluation in sorted({what.slo.sli.evaluation for what in every if isinstance(what.slo.sli, EvaluationSli)}):
        share = Decimal(str(config.least_share(evaluation)))
        if share > 0:
            made.append(_of_evaluation(evaluation, share))
        known = [(what, baseline) for what in every for baseline in what.baselines if baseline.signal == evaluation]
        if known:
            made.append(_mismatch(evaluation, known[0][1].service, known[0][1].environment, known[0][1].digest))
    for what in every:
        bare = [name for name in some_services(what.slo, SERVICE) if name not in what.slo.objectives and name != CANARY]
        made += [_without_budget(what, bare[0], config, clock)] if bare and watchers.lacks_budget(what) else []
    return made


def slow(config: Config, every: tuple[Judged, ...], clock: Clock) -> list[Test]:
    """The tests that last hours and need an evaluation every five minutes."""
    drifts = [_drift(what, config, clock) for what in every if what.frozen and not isinstance(what.slo.sli, MinuteSli)]
    return [_canary(), *drifts]


def _who(environment: str, **labels: str) -> Mapping[str, str]:
    return {"service": SERVICE, "environment": environment, **labels}


def _at(environment: str) -> Mapping[str, str]:
    return {"service": SERVICE, "environment": environment}


def _of_evaluation(evaluation: str, share: Decimal) -> Test:
    answers = max(A_MINUTE, math.ceil(1 / share))
    judged, length = answers * share, 3 * HOUR
    series: list[Series] = []

    def add(environment: str, verdicts: tuple[tuple[int, Decimal], ...], **skips: Decimal) -> None:
        series.append(steady(catalogue.ANSWERS.prometheus, _who(environment, sampled="base"), (length, answers)))
        named = {"evaluation": evaluation, "evaluator": "test"}
        if verdicts:
            series.append(steady(catalogue.EVALUATED_ANSWERS.prometheus, _who(environment, **named, result="pass"), *verdicts))
            series.append(steady(catalogue.EVALUATED_ANSWERS.prometheus, _who(environment, **named, result="fail"), (length, 0)))
        for reason, step in skips.items():
            labels = _who(environment, **named, result="skipped", reason=reason, sampled="base")
            series.append(steady(catalogue.EVALUATIONS.prometheus, labels, (length, step)))

    add(WELL, ((length, judged),))
    add("stalled", ((HOUR, judged), (2 * HOUR, Decimal(0))))
    add("never", ())
    add("fell", ((length, judged / 10),))
    add("no-baseline", ((length, Decimal(0)),), no_baseline=judged)
    add("no-context", ((length, Decimal(0)),), no_context=judged)
    stalled, fell = watchers.EVALUATOR_STALLED, watchers.SAMPLING_FELL
    # The minutes from which there are enough answers, or skips, to say something.
    late = next(m for m in range(1, length) if m * judged > watchers.SAMPLE and _few(float(m * judged)))
    skipped = next(m for m in range(1, length) if m * judged > 5)
    # An SLO without an objective speaks under the same name, for another reason.
    missing = {reason: {"reason": reason.replace("-", "_")} for reason in ("no-baseline", "no-context")}
    silent: tuple[tuple[str, Mapping[str, str]], ...] = (
        (stalled, {}),
        (fell, {}),
        (watchers.NO_BASELINE, missing["no-baseline"]),
        (watchers.NO_PASSAGES, missing["no-context"]),
    )
    checks = [fires(minute, name, None, **_at(WELL), **only) for minute in (30, HOUR, length) for name, only in silent]
    checks += [
        fires(2 * HOUR + 3, stalled, None, **_at("stalled")), fires(2 * HOUR + 7, stalled, 1, **_at("stalled")),
        fires(2 * HOUR, stalled, 1, **_at("never")), fires(length, stalled, None, **_at("fell")),
        fires(late + 12, fell, None, **_at("fell")), fires(late + 18, fell, 1, **_at("fell")),
    ]  # fmt: skip
    for environment, name in (("no-baseline", watchers.NO_BASELINE), ("no-context", watchers.NO_PASSAGES)):
        checks += [
            fires(skipped + 12, name, None, **_at(environment), **missing[environment]),
            fires(skipped + 18, name, 1, **_at(environment), **missing[environment]),
            *(fires(length, other, None, **_at(environment)) for other in (stalled, fell)),
        ]
    return Test(f"{evaluation}: somebody says when nobody judges", tuple(series), tuple(checks))


def _few(expected: float) -> bool:
    return expected / 10 + 3 * math.sqrt(expected / 10) < expected / 2


def _mismatch(evaluation: str, service: str, environment: str, digest: str) -> Test:
    who = {"service": service, "environment": environment, "evaluation": evaluation}
    info, name = catalogue.CALIBRATION_INFO.prometheus, watchers.CALIBRATION_MISMATCH
    series = [flat(info, {**who, "digest": digest}, 180), flat(info, {**who, "digest": "0" * 12}, 180, start=30)]
    checks = [fires(85, name, None, service=service), fires(95, name, 1, digest="0" * 12), fires(95, name, None, digest=digest)]
    return Test(f"{evaluation}: another calibration than the rules know", tuple(series), tuple(checks))


def _pipeline(nowhere: tuple[str, ...]) -> list[Test]:
    requests, spans = catalogue.LLM_REQUESTS.prometheus, catalogue.COLLECTOR_ACCEPTED_SPANS.prometheus
    series = [
        flat("up", {"job": "truegreen", "instance": "a"}, 100),
        Series("up", {"job": "truegreen", "instance": "b"}, "1+0x60 0+0x200"),
        steady(spans, {"instance": "a"}, (240, A_MINUTE)),
        steady(spans, {"instance": "b"}, (120, A_MINUTE), (120, 0)),
        steady(requests, _who(WELL, outcome="ok"), (240, A_MINUTE)),
        steady(requests, _who(ILL, outcome="ok"), (120, A_MINUTE), (120, 0)),
        flat("up", {"job": "truegreen", "instance": "c"}, 240),
        steady(spans, {"instance": "c"}, (100, A_MINUTE), (120, 0), (20, A_MINUTE)),
        steady(requests, _who(BACK, outcome="ok"), (100, A_MINUTE), (120, 0), (20, A_MINUTE)),
        steady(requests, {"service": "pod", "environment": WELL, "exported_service": SERVICE, "job": "pods"}, (240, A_MINUTE)),
        steady(
            requests, {"service": SERVICE, "environment": "pod", "exported_environment": ILL, "job": "nodes"}, (240, A_MINUTE)
        ),
        *(
            steady(
                catalogue.COLLECTOR_FORWARD_DROPPED.prometheus, {"instance": "a", "destination": where, "reason": reason}, *steps
            )
            for where, reason, steps in (
                ("lost", "queue_full", ((60, 0), (10, 1), (170, 0))),
                ("lost", "expired", ((240, 0),)),
                ("whole", "queue_full", ((240, 0),)),
            )
        ),
        *(
            steady(requests, {"service": f"{SERVICE}-nowhere", "environment": where, "outcome": "ok"}, (240, A_MINUTE))
            for where in nowhere
        ),
    ]
    ceased, stalled, gone = watchers.TRAFFIC_CEASED, watchers.INGESTION_STALLED, watchers.COLLECTOR_GONE
    loses = watchers.FORWARDING_LOSES
    checks = [
        fires(0, records.WATCHDOG), fires(160, records.WATCHDOG),
        fires(64, gone, None, instance="b"), fires(68, gone, 1, instance="b"), fires(68, gone, 1), fires(68, gone, None, instance="a"),
        fires(138, stalled, None, instance="b"), fires(142, stalled, 1, instance="b"), fires(145, stalled, None, instance="a"),
        fires(153, ceased, None, **_at(ILL)), fires(157, ceased, 1, **_at(ILL)), fires(160, ceased, None, **_at(WELL)),
        # What is silent is not said to be resolved, and what came back is.
        *(fires(minute, stalled, value, instance=who) for who, minute, value in (("b", 238, 1), ("c", 219, 1), ("c", 225, None))),
        *(fires(minute, ceased, value, **_at(who)) for who, minute, value in ((ILL, 238, 1), (BACK, 219, 1), (BACK, 225, None))),
        fires(64, loses, None), fires(68, loses, 1, destination="lost", reason="queue_full"), fires(68, loses, None, reason="expired"),
        fires(68, loses, None, destination="whole"), fires(95, loses, None),
        fires(3, watchers.LABELS_OVERWRITTEN, None), fires(8, watchers.LABELS_OVERWRITTEN, 2),
        fires(8, watchers.LABELS_OVERWRITTEN, 1, exported_service=SERVICE), fires(8, watchers.LABELS_OVERWRITTEN, 1, exported_environment=ILL),
        *(fires(4, watchers.ENVIRONMENT_UNKNOWN, None, environment=where) for where in nowhere),
        *(fires(8, watchers.ENVIRONMENT_UNKNOWN, 1, service=f"{SERVICE}-nowhere", environment=where) for where in nowhere),
        *(fires(10, watchers.ENVIRONMENT_UNKNOWN, None, environment=where) for where in (WELL, ILL)),
    ]  # fmt: skip
    absent = [fires(3, gone, None), fires(8, gone, 1)]
    return [
        Test("somebody says when nothing arrives", tuple(series), tuple(checks)),
        Test("no collector at all", (flat("up", {"job": "other"}, 10),), tuple(absent)),
    ]


def _canary() -> Test:
    probes, missed, length = catalogue.CANARY_PROBES.prometheus, watchers.CANARY_MISSED, 8 * HOUR
    each, rare = {"service": CANARY}, Decimal("0.1")
    series = [
        steady(probes, {**each, "environment": WELL, "result": "caught"}, (length, rare)),
        steady(probes, {**each, "environment": WELL, "result": "missed"}, (length, 0)),
        steady(probes, {**each, "environment": ILL, "result": "caught"}, (length, rare)),
        steady(probes, {**each, "environment": ILL, "result": "missed"}, (HOUR, 0), (length - HOUR, rare)),
        steady(probes, {**each, "environment": "stopped", "result": "caught"}, (HOUR, rare), (length - HOUR, 0)),
    ]
    checks = [
        fires(60, missed, None), fires(75, missed, None, environment=ILL), fires(85, missed, 1, environment=ILL), fires(200, missed, None, environment="stopped"),
        fires(280, missed, 1, environment="stopped"), fires(length, missed, None, environment=WELL),
    ]  # fmt: skip
    return Test("the canary: somebody says when the planted answer is missed", tuple(series), tuple(checks))


def _drift(what: Judged, config: Config, clock: Clock) -> Test:
    b, hold, length = what.frozen[0], 6 * HOUR, 9 * HOUR
    ratio = min(max(2 * b.bad_ratio, b.bad_ratio + Decimal("0.1")), Decimal("0.9"))
    # Enough events for z > 4 within the first hour, whatever the baseline's size.
    events, start, effect = Decimal(6_000), None, budgets.design_effect(what, b.service, b.environment)
    for _ in range(3):
        start = next((at for at in range(5, HOUR, 5) if _z(b, effect, ratio, float(events) * at / HOUR) > drift.Z), None)
        if start is not None:
            break
        events *= 10
    series = of_slo(what.slo, config.metrics.by_name, b.service, b.environment, [Phase(length, events, ratio)], clock)
    named = {"slo": what.slo.name, "service": b.service, "environment": b.environment}
    checks = [fires(length, drift.DRIFT, None, **named)]
    if start is not None:
        checks = [fires(max(start + hold - 20, 1), drift.DRIFT, None, **named), fires(start + hold + 20, drift.DRIFT, 1, **named)]
    return Test(f"{what.slo.name}: drifts from its frozen baseline", tuple(series), tuple(checks))


def _z(b: Baseline, effect: Decimal, ratio: Decimal, events: float) -> float:
    base, answers, bad = float(b.bad_ratio), b.events, events * float(ratio)
    pooled = (bad + base * answers) / (events + answers)
    return (float(ratio) - base) / math.sqrt(pooled * (1 - pooled) * (1 / events + 1 / answers) * float(effect))


def _without_budget(what: Judged, service: str, config: Config, clock: Clock) -> Test:
    series = of_slo(what.slo, config.metrics.by_name, service, ILL, [Phase(3 * HOUR, Decimal(600), Decimal("0.1"))], clock)
    labels = {"slo": what.slo.name, "service": service, "environment": ILL}
    bare = {**labels, "reason": "no_objective"}
    checks: list[Check] = [fires(50, watchers.NO_BASELINE, None, **bare), fires(90, watchers.NO_BASELINE, 1, **bare),
                           fires(3 * HOUR, records.BUDGET_BURN, None, **labels)]  # fmt: skip
    return Test(f"{what.slo.name}: an objective without its baseline says so", tuple(series), tuple(checks))
