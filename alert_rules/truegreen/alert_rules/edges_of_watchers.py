"""Promtool tests that look once at each number of the watchers, a little above and a little under it; see `edges`.

The streams are told by age: how many minutes before the one evaluation a series began, stopped or burst. At a time scale that does not
divide a minute whole streams are up to 1.4 min older than that, and windows up to a minute shorter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import changes, watchers
from truegreen.alert_rules.edges_of_records import DAY, OVER, UNDER
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.promtool import Check, Test, seen
from truegreen.alert_rules.ruletests import SERVICE
from truegreen.alert_rules.sli import CANARY
from truegreen.alert_rules.streams import MINUTE, Series, counter
from truegreen.alert_rules.text import number
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue
from truegreen.core.words.slo import EvaluationSli
from truegreen.core.words.terms import FAIL, PASS, SKIPPED

Ages = tuple[tuple[int, Decimal | float | int], ...]
"""Up to so many minutes ago: events an hour; nothing before."""
HOUR: Final = 60
_PLACES: Final = Decimal("0.000001")


def tests(config: Config, every: Sequence[Judged], clock: Clock) -> list[Test]:
    """The tests of all watchers and of the changes."""
    made = [_pipeline(watchers.without_environment(tuple(every)), clock), *_changes(), *([_stops(clock)] if every else [])]
    for evaluation in sorted({what.slo.sli.evaluation for what in every if isinstance(what.slo.sli, EvaluationSli)}):
        share = Decimal(str(config.least_share(evaluation)))
        made += [_of_evaluation(evaluation, share)] if share > 0 else []
        known = [b for what in every for b in what.baselines if b.signal == evaluation]
        made += [_mismatch(evaluation, known[0].service, known[0].environment, known[0].digest)] if known else []
    return made


def aged(
    metric: str, labels: Mapping[str, str], *ages: tuple[int, Decimal | float | int], born: int = 0, gone: int = 0
) -> Series:
    """A counter at the end of the day.

    Args:
        ages: the youngest first.
        born: the age of its first value; 0 for the whole day.
        gone: the age of its last value.
    """
    # Steps that are no exact floats add up to a little more than the next phase begins with, which reads as a restart.
    oldest = born or DAY
    spans, before = [], gone
    for age, rate in ages:
        spans.append((age - before, (Decimal(str(rate)) / HOUR).quantize(_PLACES)))
        before = age
    spans += [(oldest - before, Decimal(0))] if oldest > before else []
    return Series(metric, labels, counter(spans[::-1], DAY - oldest))


def _of_evaluation(evaluation: str, share: Decimal) -> Test:
    least = watchers.SAMPLE if share < 1 else 5
    stalled, fell, unbased, empty = watchers.EVALUATOR_STALLED, watchers.SAMPLING_FELL, watchers.NO_BASELINE, watchers.NO_PASSAGES
    series: list[Series] = []
    checks: list[Check] = []

    def case(environment: str, answers: Ages, verdicts: Ages | None, skips: Mapping[str, Ages], *loud: str, gone: int = 0,
             service: str = SERVICE) -> None:  # fmt: skip
        who = {"service": service, "environment": environment}
        asked = tuple((age, Decimal(str(rate)) / share) for age, rate in answers)
        named = {"evaluation": evaluation, "evaluator": "test"}
        series.append(aged(catalogue.ANSWERS.prometheus, {**who, "sampled": "base"}, *asked, gone=gone))
        series.extend(
            aged(catalogue.EVALUATED_ANSWERS.prometheus, {**who, **named, "result": PASS if at else FAIL}, *each)
            for at, each in enumerate([] if verdicts is None else [verdicts] if verdicts else [(), ()])
        )
        for reason, ages in skips.items():
            labels = {**who, **named, "result": SKIPPED, "reason": reason, "sampled": "base"}
            series.append(aged(catalogue.EVALUATIONS.prometheus, labels, *ages))
        checks.extend(
            seen(DAY, name, 1 if name in loud else None, service=service, environment=environment, evaluation=evaluation)
            for name in (stalled, fell, unbased, empty)
        )

    def all_day(rate: Decimal | float) -> Ages:
        return ((DAY, rate),)

    # Stalled: enough answers and none looked at, for an hour.
    both = (stalled, fell) if Decimal("1.1") * least > watchers.SAMPLE else (stalled,)
    case("just enough", all_day(1.1 * least), None, {}, *both)
    case("too few", all_day(0.9 * least), None, {})
    case("silent for 70 min", all_day(200), ((70, 0), (DAY, 240)), {}, stalled, fell)
    case("silent for 50 min", all_day(200), ((50, 0), (DAY, 240)), {}, fell)
    case("gone for 40 min", ((DAY, 600),), None, {}, stalled, fell, gone=40)
    case("canary", all_day(600), None, {"no_baseline": all_day(20), "no_context": all_day(20)}, service=CANARY)
    case("unjudged canary", all_day(600), None, {}, service=CANARY)
    for reason in watchers.NOT_A_STALL:
        missing = {"no_baseline": (unbased,), "no_context": (empty,)}.get(reason, ())
        case(f"{reason} until 50 min ago", all_day(200), None, {reason: ((50, 0), (DAY, 240))}, fell, *missing)
        case(f"{reason} until 70 min ago", all_day(200), None, {reason: ((70, 0), (DAY, 240))}, stalled, fell)
    # Fell: looked + 3 sqrt(looked) under half of what was expected, and enough of that.
    edge = ((math.sqrt(9 + 4 * 100) - 3) / 2) ** 2
    for name, rate, loud in (("few", 0.97 * edge, (fell,)), ("enough", 1.03 * edge, ())):
        case(f"{name} verdicts", all_day(200), all_day(rate), {}, *loud)
        case(f"{name} looks", all_day(200), None, {"too_large": all_day(rate)}, *loud)
    case("expected just enough", all_day(watchers.SAMPLE * 1.1), all_day(0.01), {}, fell)
    case("expected too few", all_day(watchers.SAMPLE * 0.9), all_day(0.01), {})
    # Skipped, and no verdict within the hour.
    for reason, name in (("no_baseline", unbased), ("no_context", empty)):
        case(f"{reason} just enough", (), None, {reason: all_day(5.5)}, name)
        case(f"{reason} too few", (), None, {reason: all_day(4.5)})
        case(f"{reason} and a verdict", (), all_day(0.5), {reason: all_day(20)})
        case(f"{reason} and verdicts until 50 min ago", (), ((50, 0), (DAY, 60)), {reason: all_day(20)})
        case(f"{reason} and verdicts until 70 min ago", (), ((70, 0), (DAY, 60)), {reason: all_day(20)}, name)
    return Test(f"{evaluation}: each number of those who watch its evaluator", tuple(series), tuple(checks))


def _mismatch(evaluation: str, service: str, environment: str, digest: str) -> Test:
    info, name = catalogue.CALIBRATION_INFO.prometheus, watchers.CALIBRATION_MISMATCH
    who = {"service": service, "environment": environment}
    series = [
        Series(info, {**who, "evaluation": evaluation, "digest": digest}, "_ 1"),
        Series(info, {**who, "evaluation": evaluation, "digest": "0" * 12}, "_ 1"),
        Series(info, {**who, "evaluation": f"not {evaluation}", "digest": "1" * 12}, "_ 1"),
        Series(info, {**who, "service": f"{SERVICE}-unknown", "evaluation": evaluation, "digest": "2" * 12}, "_ 1"),
    ]
    checks = [seen(DAY, name, 1 if at == "0" else None, digest=at * 12) for at in "012"] + [seen(DAY, name, None, digest=digest)]
    return Test(f"{evaluation}: which calibration the rules do not know", tuple(series), tuple(checks), DAY * MINUTE)


def _pipeline(nowhere: tuple[str, ...], clock: Clock) -> Test:
    series: list[Series] = []
    checks: list[Check] = []

    def ceased(metric: str, name: str, quiet: int, least: int, who: Mapping[str, str], tell: str) -> None:
        # None for `quiet` minutes, and more than `least` in the hour before.
        for case, loud, ages in (
            ("just before", 1, ((quiet + 2, 0), (quiet + 10, least * 1.1 * 60 / 8))),
            ("long before", 1, ((quiet + 47, 0), (quiet + 55, least * 1.1 * 60 / 8))),
            ("lately", None, ((quiet - 5, 0), (DAY, least * 9))),
            ("too few", None, ((quiet + 2, 0), (quiet + 10, least * 0.9 * 60 / 8))),
            ("too long ago", None, ((quiet + 63, 0), (quiet + 110, least * 9))),
        ):
            series.append(aged(metric, {**who, tell: case}, *ages))
            checks.append(seen(DAY, name, loud, **{tell: case}))
        # Its own memory: how long ago it began, and how long ago that was written last.
        mute, now = ((DAY, 0),), clock.seconds(watchers.DAY)
        held: tuple[tuple[str, int | None, Decimal, int, Ages | None], ...] = (
            ("held", 1, UNDER, 0, mute),
            ("held by nobody's counter", 1, UNDER, 0, None),
            ("held long enough", None, OVER, 0, mute),
            ("held until it came", None, UNDER, 0, ((quiet - 5, 0), (DAY, Decimal("0.9375")))),
            ("held since it came", 1, UNDER, 0, ((quiet + 8, 0), (DAY, Decimal("0.9375")))),
            ("held again", 1, UNDER, 6, mute),
            ("held before", None, UNDER, 12, mute),
        )
        for case, loud, age, written, past in held:
            it = {key: value for key, value in {**who, tell: case}.items() if key in {"service", "environment", "instance"}}
            memory = Series("ALERTS_FOR_STATE", {"alertname": name, **it}, f"_x{DAY - written} {number(now - now * age)}")
            series.extend([memory, Series("up", {"job": "truegreen", **it}, f"_x{DAY} 1")])
            series.extend([] if past is None else [aged(metric, {**who, tell: case}, *past)])
            checks.append(seen(DAY, name, loud, **{tell: case}))
        series.append(Series("ALERTS_FOR_STATE", {"alertname": f"not {name}", **who, tell: "another's memory"}, f"_x{DAY} {now}"))
        checks.append(seen(DAY, name, None, **{tell: "another's memory"}))

    requests = catalogue.LLM_REQUESTS.prometheus
    ceased(requests, watchers.TRAFFIC_CEASED, 30, 30, {"service": SERVICE, "outcome": "ok"}, "environment")
    ceased(catalogue.COLLECTOR_ACCEPTED_SPANS.prometheus, watchers.INGESTION_STALLED, 15, 100, {"signal": "traces"}, "instance")
    # An instance that is scraped no more has not fallen silent.
    memory = {"alertname": watchers.INGESTION_STALLED, "instance": "taken away"}
    series.append(Series("ALERTS_FOR_STATE", memory, f"_x{DAY} {clock.seconds(watchers.DAY)}"))
    checks.append(seen(DAY, watchers.INGESTION_STALLED, None, instance="taken away"))
    lost = {"instance": "a", "reason": "expired"}
    for case, loud, ages in (("until 17 min ago", None, ((17, 0), (40, 600))), ("until 11 min ago", 1, ((11, 0), (40, 600))),
                             ("half a request", 1, ((5, 6),)), ("whole", None, ())):  # fmt: skip
        series.append(aged(catalogue.COLLECTOR_FORWARD_DROPPED.prometheus, {**lost, "destination": case}, *ages))
        checks.append(seen(DAY, watchers.FORWARDING_LOSES, loud, destination=case))
    calls: tuple[tuple[str, int | None, Ages], ...] = (
        ("until 70 min ago", None, ((70, 0), (DAY, 60))),
        ("until 50 min ago", 1, ((50, 0), (DAY, 60))),
        ("half a call", 1, ((DAY, 0.5),)),
    )
    for at, where in enumerate(nowhere):
        for case, loud, past in calls:
            service = f"{SERVICE}-{at}-{case}"
            series.append(aged(requests, {"service": service, "environment": where, "outcome": "ok"}, *past))
            checks.append(seen(DAY, watchers.ENVIRONMENT_UNKNOWN, loud, service=service))
        series.append(aged(requests, {"service": CANARY, "environment": where, "outcome": "ok"}, (DAY, 600)))
        checks.append(seen(DAY, watchers.ENVIRONMENT_UNKNOWN, None, service=CANARY, environment=where))
    series.append(aged(requests, {"service": CANARY, "environment": "production", "outcome": "ok"}, (40, 0), (DAY, 600)))
    checks.append(seen(DAY, watchers.TRAFFIC_CEASED, None, service=CANARY))
    _canary(series, checks)
    return Test("each number of those who watch the way", tuple(series), tuple(checks))


def _stops(clock: Clock) -> Test:
    # When a model stops, and when it was asked for last; two collectors say the same.
    requests, stops = catalogue.LLM_REQUESTS.prometheus, catalogue.PROVIDER_DEPRECATION_TIMESTAMP.prometheus
    series: list[Series] = []
    checks: list[Check] = []
    now = clock.seconds(DAY * MINUTE)
    for case, loud, left, ages in (
        ("in 13 days", 1, watchers.WARNING * UNDER, ((DAY, 60),)),
        ("in 15 days", None, watchers.WARNING * OVER, ((DAY, 60),)),
        ("yesterday", 1, Decimal(-watchers.DAY), ((DAY, 60),)),
        ("not asked for since 13 h", None, Decimal(0), ((13 * HOUR, 0), (DAY, 60))),
        ("asked for 11 h ago", 1, Decimal(0), ((11 * HOUR, 0), (DAY, 60))),
        ("half a call", 1, Decimal(0), ((5, 3),)),
        ("of nobody's", None, None, ((DAY, 60),)),
    ):
        series += [] if left is None else [
            Series(stops, {"instance": each, "provider": "p", "model": case}, f"_x{DAY} {number(now + left)}") for each in "ab"
        ]  # fmt: skip
        for service in (SERVICE, CANARY):
            who = {"service": service, "environment": "stops", "model": case}
            series += [aged(requests, {**who, "outcome": outcome}, *ages) for outcome in ("ok", "error")]
            checks.append(seen(DAY, watchers.MODEL_DEPRECATION, None if service == CANARY else loud, **who))
    return Test("a model that is asked for and stops", tuple(series), tuple(checks))


def _canary(series: list[Series], checks: list[Check]) -> None:
    probes, missed = catalogue.CANARY_PROBES.prometheus, watchers.CANARY_MISSED
    for case, loud, result, ages, born in (
        ("missed 110 min ago", 1, "missed", ((109, 0), (110, 30)), 0),
        ("missed 130 min ago", None, "missed", ((129, 0), (130, 30)), 0),
        ("probed 170 min ago", None, "caught", ((170, 0), (DAY, 30)), 0),
        ("probed 190 min ago", 1, "caught", ((190, 0), (DAY, 30)), 0),
        ("new", None, "caught", (), 170),
        ("not new", 1, "caught", (), 300),
    ):
        series.append(aged(probes, {"service": CANARY, "environment": case, "result": result}, *ages, born=born))
        if case.startswith("missed"):
            series.append(aged(probes, {"service": CANARY, "environment": case, "result": "caught"}, (DAY, 6)))
        checks.append(seen(DAY, missed, loud, environment=case))


def _changes() -> list[Test]:
    # A value every quarter of the time that is compared with, until now; the fifth last is of that time before, the ninth last of twice that.
    histories = {
        "new": ("111111111", "________1", {"b"}),
        "new since half": ("111111111", "______111", {"b"}),
        "not new": ("111111111", "____11111", set()),
        "cold start": ("______111", "________1", set()),
        "young": ("____11111", "________1", {"b"}),
        "back": ("111111111", "_1______1", set()),
        "back after long": ("111111111", "1________1", {"b"}),
    }
    made = []
    for name, metric, tell, more, hours in (
        (changes.SERVED_MODEL_CHANGED, catalogue.MODEL_SERVED.prometheus, "served", {"model": "large"}, 24),
        (changes.VERSION_CHANGED, catalogue.SNAPSHOT_INFO.prometheus, "snapshot", {}, 1),
    ):
        whole = 3 * 24 * HOUR  # minutes until the evaluation
        step = hours * HOUR // 4
        series, checks = [], []
        for service in (SERVICE, CANARY):
            for case, (first, second, loud) in histories.items():
                for value, history in (("a", first), ("b", second)):
                    values = f"_x{whole // step + 1 - len(history)} {' '.join(history)}"
                    series.append(Series(metric, {"service": service, "environment": case, tell: value, **more}, values))
                    wanted = 1 if value in loud and service != CANARY else None
                    checks.append(seen(whole, name, wanted, **{"service": service, "environment": case, tell: value}))
        made.append(Test(f"{name}: since when", tuple(series), tuple(checks), step * MINUTE))
    return [*made, _answers()]


def _answers() -> Test:
    # Two watches may say the same, and each says of each change that it is or is not.
    series, checks = [], []
    for service in (SERVICE, CANARY):
        for change, value in (("output", 1), ("input", 0)):
            who = {"service": service, "environment": "changed", "template": "t", "change": change}
            series += [Series(catalogue.DRIFT_CHANGED.prometheus, {**who, "instance": each}, f"_x{DAY} {value}") for each in "ab"]
            checks.append(seen(DAY, changes.ANSWERS_CHANGED, 1 if value and service != CANARY else None, **who))
    return Test("answers that are not as their baseline", tuple(series), tuple(checks))
