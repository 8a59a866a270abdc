"""Alerts about the watching itself: a behavioural SLO is silent when nobody judges, so somebody must say that nobody does.

None of them tests presence: a collector's counters persist when traffic stops.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from truegreen.alert_rules.annotations import for_watcher, named, safe, triage_of
from truegreen.alert_rules.budgets import signal
from truegreen.alert_rules.ladder import Label
from truegreen.alert_rules.model import Alert, Judged
from truegreen.alert_rules.sli import BY, CANARY, ON
from truegreen.alert_rules.text import matcher, number, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import catalogue, records
from truegreen.core.words.records import SECONDS
from truegreen.core.words.slo import BASELINE, LIVE, EvaluationSli
from truegreen.core.words.terms import FAIL, NO_FAILURE_MODE, NO_PILLAR, PASS, SKIPPED

EVALUATOR_STALLED: Final = "TruegreenEvaluatorStalled"
SAMPLING_FELL: Final = "TruegreenSamplingFell"
NO_BASELINE: Final = "TruegreenNoBaseline"
NO_PASSAGES: Final = "TruegreenNoPassages"
CALIBRATION_MISMATCH: Final = "TruegreenCalibrationMismatch"
TRAFFIC_CEASED: Final = "TruegreenTrafficCeased"
COLLECTOR_GONE: Final = "TruegreenCollectorGone"
INGESTION_STALLED: Final = "TruegreenIngestionStalled"
FORWARDING_LOSES: Final = "TruegreenForwardingLoses"
LABELS_OVERWRITTEN: Final = "TruegreenLabelsOverwritten"
ENVIRONMENT_UNKNOWN: Final = "TruegreenEnvironmentUnknown"
CANARY_MISSED: Final = "TruegreenCanaryMissed"
BASELINE_OLD: Final = "TruegreenBaselineOld"
DRILL_OVERDUE: Final = "TruegreenDrillOverdue"
MODEL_DEPRECATION: Final = "TruegreenModelDeprecation"
SAMPLE: Final = 20
"""Judgements expected in an hour before their absence means something: with a sampling share under 1 none comes by chance with e^-20."""
NOT_A_STALL: Final = ("no_context", "no_question", "no_expected", "unsupported_language", "no_baseline", "too_large")
"""Reasons of a skip that say that the evaluator looked."""
UNKNOWN: Final = "unknown"
"""The environment of a service that names none; catalogue.yaml has it as the label's default."""
_JOB: Final = "truegreen"
FROM_COLLECTOR: Final = "http://COLLECTOR:9465"
FROM_PROMETHEUS: Final = "http://PROMETHEUS:9090"
STALE: Final = "truegreen generate rules --out RULES --check"
"""Commands that come next; words in capitals are for the reader to fill in."""
_APPS: Final = matcher("service", (CANARY,), negate=True)
_ENDS: Final = "It ends when something comes again, or after a day of silence: a resolved alert of that age is no all-clear."
DAY: Final = SECONDS["1d"]
"""How long a silence is told, in seconds."""
WARNING: Final = 14 * DAY
"""How long before a model stops somebody hears of it, in seconds."""
CALLED: Final = "12h"
"""A service that asked for a model so lately still needs it."""
_NAMED: Final = "{{ $labels.service }} in {{ $labels.environment }}"


def rules(config: Config, every: tuple[Judged, ...], clock: Clock, severities: Label) -> tuple[Alert, ...]:
    """All watchers. The blind ones are sev 2 as soon as one SLO is live, tickets before."""
    blind = "2" if any(what.slo.mode == LIVE for what in every) else "3"
    evaluations = sorted({what.slo.sli.evaluation for what in every if isinstance(what.slo.sli, EvaluationSli)})
    make = _Maker(config, clock, severities)
    made: list[Alert] = []
    for evaluation in evaluations:
        known = any(baseline.signal == evaluation for what in every for baseline in what.baselines)
        by = next((w.slo.name for w in every if isinstance(w.slo.sli, EvaluationSli) and w.slo.sli.evaluation == evaluation), "")
        made += _of_evaluation(make, evaluation, Decimal(str(config.least_share(evaluation))), blind, known, by)
    made += [_without_budget(make, what) for what in every if lacks_budget(what)]
    made += [_is_old(make)] if any(what.baselines for what in every) else []
    made += [_is_overdue(make, drilled(every))] if config.alerting.drill_every_seconds and every else []
    nowhere = without_environment(every)
    made += [_says_no_environment(make, nowhere)] if nowhere else []
    made += [_will_stop(make)] if every else []
    return (*made, *_of_pipeline(make, blind, every[0].slo.name if every else ""))


def lacks_budget(what: Judged) -> bool:
    """Whether a service may have events and no budget: a `baseline` objective needs a calibration file."""
    return what.slo.objective == BASELINE


def without_environment(every: tuple[Judged, ...]) -> tuple[str, ...]:
    """The environments of services that name none, unless an SLO means just those; none without an SLO."""
    wanted = {environment for what in every for environment in what.slo.environments}
    return tuple(each for each in ("", UNKNOWN) if every and each not in wanted)


def take_baseline(of: str, source: str) -> str:
    """The command that freezes a baseline of a signal."""
    return f"truegreen baseline take {named()} --signal {of} --from {source} --out calibration"


def drilled(every: tuple[Judged, ...]) -> tuple[str, ...]:
    """The environments in which drills are asked for: those that SLOs mean."""
    return tuple(sorted({environment for what in every for environment in what.slo.environments}))


class _Maker:
    # Labels and annotations that all watchers share.
    def __init__(self, config: Config, clock: Clock, severities: Label) -> None:
        self.config, self.clock, self.severities = config, clock, severities

    def hours(self, metric: str, *matchers: str, window: str = "1h", offset: str = "", by: str = BY) -> str:
        moved = f" offset {self.clock.text(offset)}" if offset else ""
        return f"sum {by} (increase({selector(metric, _APPS if by == BY else '', *matchers)}[{self.clock.text(window)}]{moved}))"

    def alert(self, name: str, expr: str, sev: str, wait: str, summary: str, description: str, command: str, layer: str = "quality", slo: str = "none",
              **more: str) -> Alert:  # fmt: skip
        labels = {
            **self.severities(sev),
            "slo": slo,
            "layer": layer,
            "failure_mode": NO_FAILURE_MODE,
            "pillar": NO_PILLAR,
            "burn_tier": "none",
            **more,
        }
        return Alert(
            name,
            expr,
            labels,
            for_watcher(self.config.routes, name, summary, description, command, self.clock),
            wait=self.clock.text(wait),
        )


def _of_evaluation(make: _Maker, evaluation: str, share: Decimal, blind: str, known: bool, slo: str) -> list[Alert]:
    only = f"evaluation={quoted(evaluation)}"
    verdicts = make.hours(catalogue.EVALUATED_ANSWERS.prometheus, only, matcher("result", (PASS, FAIL)))
    answers = make.hours(catalogue.ANSWERS.prometheus, 'sampled="base"')

    def skips(*reasons: str) -> str:
        return make.hours(
            catalogue.EVALUATIONS.prometheus, only, f'result="{SKIPPED}"', 'sampled="base"', matcher("reason", reasons)
        )

    none = f"(0 * {answers})"
    looked_at = f"(({verdicts} or {none}) + {ON} ({skips(*NOT_A_STALL)} or {none}))"
    expected = answers if share == 1 else f"{number(share)} * {answers}"
    stalled = f"{looked_at} == 0\nand {ON} {expected} > {SAMPLE if share < 1 else 5}"
    fell = f"{looked_at} + 3 * sqrt({looked_at})\n  < {ON} 0.5 * {expected}\nand {ON} {expected} > {SAMPLE}"
    unjudged = f"unless {ON} {verdicts} > 0"
    mismatch = (
        f"{selector(catalogue.CALIBRATION_INFO.prometheus, _APPS, only)}\n"
        f"unless on (service, environment, evaluation, digest) {selector(records.CALIBRATION_INFO, only)}\n"
        f"and on (service, environment, evaluation) {selector(records.CALIBRATION_INFO, only)}"
    )
    made = [
        make.alert(EVALUATOR_STALLED, stalled, blind, "5m", f"Nobody judges {evaluation} of {_NAMED}",
                   f"Sampled answers flow and the evaluator of {evaluation} has looked at none for an hour: its SLOs are blind.",
                   triage_of(slo), evaluation=evaluation),
        make.alert(SAMPLING_FELL, fell, "3", "15m", f"Fewer answers of {_NAMED} are judged for {evaluation} than sampling promises",
                   f"The evaluator of {evaluation} looked at less than half of its share ({number(share * 100)} %) in the last hour: queue, errors or configuration.",
                   f"truegreen slo explain {slo}", evaluation=evaluation),
        make.alert(NO_BASELINE, f"{skips('no_baseline')} > 5\n{unjudged}", "3", "15m", f"{_NAMED} has no baseline for {evaluation}",
                   "Answers are looked at and skipped as no_baseline, so no SLO judges them. Take one: truegreen baseline take, from at least 500 healthy answers.",
                   take_baseline(evaluation, FROM_COLLECTOR), evaluation=evaluation, reason="no_baseline"),
        make.alert(NO_PASSAGES, f"{skips('no_context')} > 5\n{unjudged}", "3", "15m", f"No passages seen for the answers of {_NAMED}",
                   f"{evaluation} needs what was retrieved and found none. Call retrieval(documents=…) where your code retrieves.",
                   triage_of(slo), evaluation=evaluation, reason="no_context"),
    ]  # fmt: skip
    if known:
        made.append(make.alert(CALIBRATION_MISMATCH, mismatch, "3", "1h", f"{_NAMED} judges {evaluation} by another baseline than the rules know",
                               "The app stamps calibration {{ $labels.digest }}. Generate the rules from the file that the app reads, or give the app "
                               "the new file.", STALE, evaluation=evaluation))  # fmt: skip
    return made


def _without_budget(make: _Maker, what: Judged) -> Alert:
    name = f"slo={quoted(what.slo.name)}"
    expr = f"{selector(records.events('1h'), name)} > 5\nunless {ON} {selector(records.ERROR_BUDGET, name)}"
    return make.alert(NO_BASELINE, expr, "3", "1h", f"{_NAMED} has no baseline for the objective of {what.slo.name}",
                      f"The objective is `baseline` and no calibration file speaks of {what.slo.name}: it can never alert. Take one with truegreen baseline take, "
                      "or write an objective.", take_baseline(signal(what.slo), FROM_COLLECTOR if isinstance(what.slo.sli, EvaluationSli) else FROM_PROMETHEUS),
                      layer=what.slo.layer, slo=what.slo.name, reason="no_objective", **what.marks)  # fmt: skip


def _is_old(make: _Maker) -> Alert:
    # Calendar time: a time scale makes no baseline older.
    expr = f"time() - {records.BASELINE_TIMESTAMP} > {make.config.alerting.baseline_age_seconds}"
    return make.alert(BASELINE_OLD, expr, "3", "15m", f"The baseline of {{{{ $labels.signal }}}} for {_NAMED} is old",
                      "It was frozen {{ $value | humanizeDuration }} ago. Traffic, index and model have moved since: freeze a new one from a week in which answers "
                      "are known to be good, or set alerting.baseline_age.", take_baseline(safe("signal"), FROM_COLLECTOR))  # fmt: skip


def _is_overdue(make: _Maker, environments: tuple[str, ...]) -> Alert:
    # Whoever was never drilled is overdue too, while calls come: the collector's counters stay when a service is gone.
    requests = catalogue.LLM_REQUESTS.prometheus
    calls = f"sum {BY} ({selector(requests, _APPS, matcher('environment', environments))})"
    who = f"{calls}\nunless {ON}\n  (sum {BY} ({requests}) == {ON} sum {BY} ({requests} offset {make.clock.text('1d')}))"
    last = f"max {BY} ({catalogue.DRILL_COMPLETED_TIMESTAMP.prometheus})"
    expr = f"{who}\nunless {ON}\n  time() - {last} <= {make.config.alerting.drill_every_seconds}"
    return make.alert(DRILL_OVERDUE, expr, "3", "1h", f"No incident drill of {_NAMED} was completed in time",
                      "Who has never answered a page of this service answers the first real one. The time is alerting.drill_every.",
                      "truegreen drill hallucination", layer="infrastructure")  # fmt: skip


def _will_stop(make: _Maker) -> Alert:
    # Calendar time, whatever the scale. The name that is asked for: an alias outlives the version behind it.
    calls = make.hours(catalogue.LLM_REQUESTS.prometheus, _APPS, window=CALLED, by="by (service, environment, model)")
    stops = f"max by (model) ({catalogue.PROVIDER_DEPRECATION_TIMESTAMP.prometheus})"
    expr = f"{calls} > 0\nand on (model) {stops} - time() < {WARNING}"
    return make.alert(MODEL_DEPRECATION, expr, "3", "15m", f"{{{{ $labels.model }}}}, which {_NAMED} asks for, stops within two weeks, or has stopped",
                      "Its provider announced it; the versions board has the date. Run the evaluation set against the successor, then move: a pinned name that stops is an outage, "
                      "an alias that moves is another model.",
                      "truegreen provider changes --feed FEED", layer="infrastructure")  # fmt: skip


def _says_no_environment(make: _Maker, nowhere: tuple[str, ...]) -> Alert:
    # Such a service is in none of an SLO's environments, and gets tickets where others are paged.
    expr = f"{make.hours(catalogue.LLM_REQUESTS.prometheus, matcher('environment', nowhere))} > 0"
    return make.alert(ENVIRONMENT_UNKNOWN, expr, "3", "5m", "{{ $labels.service }} does not say in which environment it runs",
                      "An SLO is live by environment, so it never pages for this service. Set the resource attribute deployment.environment.name, "
                      "such as OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production.",
                      "export OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production", layer="infrastructure")  # fmt: skip


def _silent(make: _Maker, name: str, metric: str, quiet: str, least: int, by: str, *still: str) -> str:
    # Plenty in the hour before, and none since. Such an hour is soon over, and what has not come back is no all-clear: the alert is its own
    # memory of when it began (the value of ALERTS_FOR_STATE). One shorter than the silence forgets what has ended.
    on = by.replace("by", "on")
    came = make.hours(metric, window=quiet, by=by)
    began = f"max {by} (last_over_time({selector('ALERTS_FOR_STATE', f'alertname={quoted(name)}')}[{make.clock.text('10m')}]))"
    held = "\n  ".join((f"time() - {began} < {make.clock.seconds(DAY)}", *still))
    return (
        f"{came} == 0\nand {on} {make.hours(metric, offset=quiet, by=by)} > {least}\n"
        f"or {on}\n(\n  {held}\n  unless {on} {came} > 0\n)"
    )


def _of_pipeline(make: _Maker, blind: str, slo: str) -> list[Alert]:
    requests, spans = catalogue.LLM_REQUESTS.prometheus, catalogue.COLLECTOR_ACCEPTED_SPANS.prometheus
    ceased = _silent(make, TRAFFIC_CEASED, requests, "30m", 30, BY)
    stalled = _silent(make, INGESTION_STALLED, spans, "15m", 100, "by (instance)", f'and on (instance) up{{job="{_JOB}"}}')
    lost = (
        f"{make.hours(catalogue.COLLECTOR_FORWARD_DROPPED.prometheus, window='15m', by='by (instance, destination, reason)')} > 0"
    )
    renamed = [
        f'{{__name__=~"{requests}|{catalogue.EVALUATED_ANSWERS.prometheus}",exported_{label}!=""}}'
        for label in ("service", "environment")
    ]
    overwritten = f"count by (job, exported_service, exported_environment) (\n  {renamed[0]}\n  or\n  {renamed[1]}\n) > 0"
    probes = catalogue.CANARY_PROBES.prometheus
    # The probes' own series: the canary is the one service that every other rule leaves out.
    ago = make.clock.text("3h")
    missed = (
        f'sum by (environment) (increase({probes}{{result="missed"}}[{make.clock.text("2h")}])) > 0\n'
        f"or\n(\n  sum by (environment) (increase({probes}[{ago}])) == 0\n  and on (environment) sum by (environment) ({probes} offset {ago})\n)"
    )
    return [
        make.alert(COLLECTOR_GONE, f'up{{job="{_JOB}"}} == 0\nor absent(up{{job="{_JOB}"}})', blind, "5m", "The truegreen collector cannot be scraped",
                   "No behavioural metric comes from {{ with $labels.instance }}{{ . }}: SLOs do not see what is sent there, and where it is the only one they are all blind"
                   "{{ else }}anywhere: every SLO of truegreen is blind{{ end }}.", f"curl -fs {FROM_COLLECTOR}/readyz", layer="infrastructure"),
        make.alert(INGESTION_STALLED, stalled, "3", "5m", "The collector {{ $labels.instance }} receives no spans",
                   "Spans came in the hour before, and then none for a quarter of an hour or more: exporter, network or load balancer, or nobody asks. "
                   f"{_ENDS}",
                   f"curl -fs http://{safe('instance')}/readyz", layer="infrastructure"),
        make.alert(TRAFFIC_CEASED, ceased, "3", "5m", f"{_NAMED} makes no LLM calls any more",
                   f"More than 30 calls came in the hour before, and then none for half an hour or more. {_ENDS}", triage_of(slo), layer="infrastructure"),
        make.alert(FORWARDING_LOSES, lost, "3", "5m", "The collector {{ $labels.instance }} loses requests for {{ $labels.destination }}: {{ $labels.reason }}",
                   "Traces or logs that were counted are missing there. Metrics and SLOs are whole.",
                   f"curl -fs http://{safe('instance')}/metrics | grep truegreen_collector_forward", layer="infrastructure"),
        make.alert(LABELS_OVERWRITTEN, overwritten, blind, "5m", "A scrape overwrites the label service or environment of truegreen's metrics",
                   "Rules find no{{ with $labels.exported_service }} service {{ . }}{{ end }}{{ with $labels.exported_environment }} environment {{ . }}{{ end }} "
                   "where job {{ $labels.job }} scrapes: set honor_labels: true (ServiceMonitor: honorLabels).",
                   "truegreen generate collector --out collector  # scrape.yml has it", layer="infrastructure"),
        make.alert(CANARY_MISSED, missed, blind, "15m", "The canary's planted wrong answer did not come out as a failure, or the canary stopped",
                   "Collector or evaluator do not do what the SLOs rely on.", f"curl -fs {FROM_COLLECTOR}/readyz", service=CANARY),
    ]  # fmt: skip
