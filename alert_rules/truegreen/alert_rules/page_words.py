"""What the runbook page of each alert says, for somebody who was asleep a minute ago. Data; words in capitals are filled in by the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from truegreen.alert_rules import changes, detectors, drift, watchers
from truegreen.core.words import records

_AT: Final = 'service="SERVICE",environment="ENVIRONMENT"'
_BY: Final = "sum by (service, environment)"
_COHORT: Final = f'{_AT},cohort="COHORT",sampled="base"'
_BY_COHORT: Final = "sum by (service, environment, cohort)"


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause to rule in or out.

    Args:
        says: the cause.
        promql: what speaks for or against it.
        fix: what to do when it is so.
    """

    says: str
    promql: str
    fix: str


@dataclass(frozen=True, slots=True)
class Words:
    """One alert.

    Args:
        means: what is so when it fires; the first sentence is its line in the list of pages.
        harms: who suffers, and what cannot be seen meanwhile.
        healthy: what the ratio below looks like when all is well.
        ratio: PromQL of the ratio or count that must be back.
        first: what to do first, and `causes`: what to suspect, likeliest first, where the triage table has no row.
        rows: keys of the triage table; empty takes those of the alert's own labels.
    """

    means: str
    harms: str
    healthy: str
    ratio: str
    first: str = ""
    causes: tuple[Cause, ...] = ()
    rows: tuple[str, ...] = ()


MOVES: Final = {
    "served_model": "Pin the model version of before (`truegreen contain pin-model MODEL --expires 60m`), then tell the provider; take the pin away when the new one passes.",
    "snapshot_change": "Put the version of before back, of the part that changed. A prompt: `truegreen rollback prompt --to VERSION`.",
    "retrieval_relevance": "Compare the passages of two failing traces with the question. Put the index or embedding version of before back.",
    "ungrounded_by_cohort": "Answer that cohort with a refusal or a person until the corpus knows what it asks.",
    "traffic_mix": "Nothing to roll back: switch the feature off for the new cohort, or take a new baseline once its answers are known to be good.",
    "index_age": "Run the index job by hand, and find out why it did not run.",
    "index_version": "Point the alias at the version of before, then rebuild beside it.",
    "retrieval_empty": "Bring the data source back, or its credentials; until then say that nothing was found, and do not answer from memory.",
    "errors": "Send traffic to another model or region, and open a case with the provider. Throttled: lower concurrency or raise the quota.",
    "seconds_per_token": "Send traffic to another model or region, and open a case with the provider: the same work takes longer there.",
    "tokens": "Put the prompt of before back, or limit passages and answer length.",
    "loops": "Limit the steps of a run, and take the tool away that the agent keeps calling.",
    "actions": "Take the tool's permission away until the approval step works; review what was done unapproved.",
    "silent_errors": "Take the tool out of the agent's list, and make it report errors as errors.",
    "tool_outcomes": "Take the tool out of the agent's list, or put the interface of before back.",
    "branches": "Put the prompt or model of before back; send unexpected branches to a person.",
}
"""Name of a triage query to what to do when it says yes."""

BY_ALERT: Final = {
    records.BUDGET_BURN: Words(
        "Users get bad answers, calls or retrievals so fast that the error budget of the SLO will not last. The bad ratio is above the threshold "
        "in a long and in a short window, and above the budget beyond chance. Sev 1 is about minutes, sev 2 about hours, sev 3 about days.",
        "Each bad event was served to somebody, while CPU, error rate and latency may all be green. The alert's labels say which SLO, its "
        "description how many.",
        "at most 1 (the bad ratio over the budget), 15 minutes after your last change",
        f'truegreen:slo_bad:ratio15m{{{_AT},slo="SLO"}}\n/ on (slo, service, environment) {records.ERROR_BUDGET}{{{_AT},slo="SLO"}}',
    ),
    records.COHORT_BURN: Words(
        "One cohort gets bad answers far more often than the objective allows, beyond the chance of looking at all cohorts. The SLO of all traffic may be green.",
        "The users of that cohort, all the time: a customer, a language or a plan that the others outnumber.",
        "at most 1 for the cohort (its bad ratio over the budget)",
        f'{_BY_COHORT} (increase(truegreen_evaluations_total{{{_COHORT},result="fail"}}[1h]))\n'
        f'/ {_BY_COHORT} (increase(truegreen_evaluations_total{{{_COHORT},result=~"pass|fail"}}[1h]) > 0)\n'
        f'/ on (service, environment) group_left () {records.ERROR_BUDGET}{{{_AT},slo="SLO"}}',
        "Answer that cohort with a refusal or a person until its cause is known; the others need nothing.",
        (Cause("It asks what the corpus does not know, or in a language that nobody tested",
               f"sum by (relevance) (increase(truegreen_retrieval_chunks_total{{{_AT}}}[1h]))", MOVES["ungrounded_by_cohort"]),
         Cause("It is served by another model, prompt or index than the others",
               f'sum by (model, snapshot) (increase(truegreen_evaluations_total{{{_COHORT},result=~"pass|fail"}}[1h])) > 0',
               "Give it the version that the others have."),
         Cause("It is new: its questions have never been looked at", f"sum by (cohort) (increase(truegreen_answers_total{{{_AT}}}[1h] offset 1d))",
               MOVES["traffic_mix"])),
    ),
    drift.DRIFT: Words(
        "Over three days the service is worse than its frozen baseline: by more than four standard errors, and by a quarter. It is slow, not sudden.",
        "Nobody may have noticed: the budget may still hold. A baseline that moved along would never show it.",
        "at most 1.25, and falling",
        f'truegreen:slo_bad:ratio3d{{{_AT},slo="SLO"}}\n/ on (slo, service, environment) {records.BASELINE_BAD_RATIO}{{{_AT},slo="SLO"}}',
        rows=("drift",),
    ),
    detectors.SCORES_FELL: Words(
        "Over a day the scores as a whole rank lower than those of the frozen baseline, by four standard errors and by a twentieth. Many answers are a little worse.",
        "Perhaps nobody was harmed yet: a score counts here although it is above the floor. It is often the beginning of a drift.",
        f"near {detectors.BASELINE_MEAN} of the service, a half where the baseline has few ties", f'{detectors.MEAN}{{{_AT},slo="SLO"}}',
        rows=("drift",),
    ),
    detectors.SERVED_MIX: Words(
        "Requests for one model are served by another mix of models than a day ago. Each of them may have been seen before, so no other alert speaks of it.",
        "Perhaps none: nothing burns because of this alert alone. When an SLO burns as well, this is the first suspect.",
        "as a day ago (add `offset 1d`)", f'{detectors.SHARE}{{{_AT},slo="SLO"}}', rows=("drift",),
    ),
    detectors.COHORTS_DIFFER: Words(
        "The bad ratios of the cohorts differ over a day by more than chance allows (chi-square). No single one need stand out.",
        "Some users are served worse than others, and the average hides it.",
        "alike for all cohorts", f'{records.cohort_bad("1d")}{{{_AT},slo="SLO"}}\n/ ({records.cohort_events("1d")}{{{_AT},slo="SLO"}} > 0)', rows=("hallucination",),
    ),
    detectors.BURN_ADDS_UP: Words(
        "Bad events come at two budgets or more for long enough that chance is out of the question. It says so before the day's windows of the ladder can.",
        "The error budget is spent some times faster than it should be. Its memory is Prometheus' own: after more than a quarter of an hour without an "
        "evaluation it begins anew, and two replicas may differ by minutes.",
        "at most 1 (the bad ratio over the budget)",
        f'truegreen:slo_bad:ratio1h{{{_AT},slo="SLO"}}\n/ on (slo, service, environment) {records.ERROR_BUDGET}{{{_AT},slo="SLO"}}', rows=("drift",),
    ),
    detectors.BUDGET_FORECAST: Words(
        "A line through the daily bad ratios of a week, two standard errors taken off, passes the budget within two weeks. It is a guess, and a bad week alone can draw such a line.",
        "None yet: it is time to look while the budget still holds.",
        "flat, or falling", f'truegreen:slo_bad:ratio1d{{{_AT},slo="SLO"}}', rows=("drift",),
    ),
    changes.SERVED_MODEL_CHANGED: Words(
        "Behind one requested model another served model answers than a day ago. The provider updated it silently, or an alias moved.",
        "Perhaps none: nothing burns because of this alert alone. When an SLO burns as well, this is the first suspect.",
        "no worse than the other models, or than the same one yesterday (add `offset 1d`)",
        f'{_BY} (increase(truegreen_evaluated_answers_total{{{_AT},result="fail"}}[1h]))\n'
        f'/ {_BY} (increase(truegreen_evaluated_answers_total{{{_AT},result=~"pass|fail"}}[1h]) > 0)',
        "Nothing while no SLO burns. Else pin the model version that was good: `truegreen incident open --service SERVICE --environment ENVIRONMENT --slo SLO`, "
        "then `truegreen contain pin-model MODEL --expires 60m`.",
        (Cause("The provider updated the model behind the name that we ask for",
               f"sum by (model, served, fingerprint) (increase(truegreen_model_served_total{{{_AT}}}[1h])) > 0", MOVES["served_model"]),
         Cause("An alias or a gateway of ours points elsewhere",
               f"sum by (provider, model, outcome) (increase(truegreen_llm_requests_total{{{_AT}}}[1h])) > 0",
               "Put the alias or the route of before back, and name full model versions in the configuration.")),
    ),
    changes.VERSION_CHANGED: Words(
        "A version of prompt, model, index, tools or guardrail serves that was not there an hour ago. Somebody deployed, or moved a label.",
        "Perhaps none. When an SLO burns as well, this is our own first suspect.",
        "the same for the new snapshot as for the old one",
        f'sum by (snapshot) (increase(truegreen_evaluations_total{{{_AT},result="fail"}}[1h]))\n'
        f'/ sum by (snapshot) (increase(truegreen_evaluations_total{{{_AT},result=~"pass|fail"}}[1h]) > 0)',
        "Nothing while no SLO burns. Else put the version of before back; a prompt: `truegreen rollback prompt --to VERSION`.",
        (Cause("A deploy that was planned",
               f"truegreen_snapshot_since_timestamp_seconds{{{_AT}}} * on (service, environment, snapshot) group_left "
               f"(model_version, prompt_version, retrieval_index_version, tool_schema_version, guardrail_version) truegreen_snapshot_info{{{_AT}}}",
               "Note it on the incident, or close the ticket. Watch the ratio below for an hour."),
         Cause("The provider's served model changed and the snapshot repeats it",
               f"sum by (model, served, fingerprint) (increase(truegreen_model_served_total{{{_AT}}}[1h])) > 0",
               "It is not our change: see the page of TruegreenServedModelChanged.")),
    ),
    changes.ANSWERS_CHANGED: Words(
        "The newest answers of a prompt template are unlike those of its frozen baseline, or their questions are, far beyond chance and for an hour. "
        "The label `change` says which: `input`, `output` (the same questions are answered otherwise), `both`, `either` where nobody watches the questions, or `retrieval` (more of the retrieved chunks are under the similarity floor; the template is the data source).",
        "Perhaps none: an improvement looks the same. When an SLO burns as well, this says what moved, and on which template.",
        "under 5 (the distance from the baseline in standard deviations of what chance does at the same number of answers)",
        f'max by (signal) (truegreen_drift_zscore{{{_AT},template="TEMPLATE"}})',
        "Nothing while no SLO burns. Read ten answers of before and ten of now. Else pin the model or put the prompt of before back.",
        (Cause("The provider updated the model behind the name that we ask for (`output`)",
               f"sum by (model, served, fingerprint) (increase(truegreen_model_served_total{{{_AT}}}[1h])) > 0", MOVES["served_model"]),
         Cause("A version of ours began to serve under the same template name (`output`)", f"truegreen_snapshot_since_timestamp_seconds{{{_AT}}}", MOVES["snapshot_change"]),
         Cause("Another kind of question comes (`input`)", f"sum by (cohort) (increase(truegreen_answers_total{{{_AT}}}[1h]))", MOVES["traffic_mix"]),
         Cause("Retrieval brings other chunks than before (`retrieval`)", f"sum by (data_source, relevance) (increase(truegreen_retrieval_chunks_total{{{_AT}}}[1h]))", MOVES["retrieval_relevance"]),
         Cause("It was meant", f"truegreen_baseline_timestamp_seconds{{{_AT}}}",
               "Take a baseline of the new answers once they are known to be good, and choose it (`truegreen baseline choose`): the watch compares with it within a minute.")),
    ),
    watchers.EVALUATOR_STALLED: Words(
        "Answers are sampled and nobody judges them: for an hour the evaluator looked at none. Quality SLOs see no events and cannot alert.",
        "Users may be fine or not: nobody can say. Until it is back, quality is as unwatched as it was before truegreen.",
        "near the sampling share",
        f'{_BY} (increase(truegreen_evaluated_answers_total{{{_AT}}}[15m]))\n/ {_BY} (increase(truegreen_answers_total{{{_AT},sampled="base"}}[15m]) > 0)',
        "Restart one instance of the application and watch the ratio below. Hold deploys of prompt and model while nobody judges.",
        (Cause("The evaluator fails or its queue is full",
               f'sum by (evaluation, reason) (increase(truegreen_evaluations_total{{{_AT},result="skipped"}}[1h])) > 0',
               "`error`: read the application's log, put the evaluator's version of before back. `queue_full`: lower the sampling share or give it more CPU."),
         Cause("Evaluation events are lost between application and collector",
               "sum by (reason) (increase(truegreen_collector_dropped_spans_total[1h])) > 0",
               "Send the evaluator's spans to the same collector as the answers' spans."),
         Cause("A new version was started without the evaluator", f"changes(truegreen_snapshot_since_timestamp_seconds{{{_AT}}}[6h])",
               "Install the extra `truegreen[evaluate]` in the new image and deploy again.")),
    ),
    watchers.SAMPLING_FELL: Words(
        "Fewer than half of the answers that sampling promises were judged in the last hour. SLOs still work, on less evidence.",
        "Alerts come later than they should, or not at all for a service with little traffic.",
        "near the sampling share",
        f'{_BY} (increase(truegreen_evaluated_answers_total{{{_AT}}}[1h]))\n/ {_BY} (increase(truegreen_answers_total{{{_AT},sampled="base"}}[1h]) > 0)',
        "Nothing is to be switched: find out which reason grew.",
        (Cause("Answers are skipped",
               f'sum by (evaluation, reason) (increase(truegreen_evaluations_total{{{_AT},result="skipped"}}[1h])) > 0',
               "`queue_full`: more CPU, or a lower sampling share that is kept. `error`: the evaluator's version of before."),
         Cause("Some instances run another configuration", f"sum by (sampled) (increase(truegreen_answers_total{{{_AT}}}[1h]))",
               "Give all instances the same TRUEGREEN_CONFIG and TRUEGREEN_SAMPLING, and write the rules anew: `truegreen generate rules`.")),
    ),
    watchers.NO_BASELINE: Words(
        "There is nothing to compare with: the SLO or its evaluation needs a calibration file, and none speaks of this service. The SLO can never alert.",
        "The service looks watched and is not.",
        "above 0",
        f'{_BY} (increase(truegreen_evaluated_answers_total{{{_AT},result=~"pass|fail"}}[1h]))',
        "Nothing burns: do it by day. `truegreen baseline take --service SERVICE --environment ENVIRONMENT --from COLLECTOR --out calibration`",
        (Cause("No baseline was ever taken (label reason: no_baseline)",
               f'sum by (evaluation) (increase(truegreen_evaluations_total{{{_AT},result="skipped",reason="no_baseline"}}[1h])) > 0',
               "Take one from at least 500 healthy answers, and give the file to the application (TRUEGREEN_CALIBRATION)."),
         Cause("The objective is `baseline` and the rules know no file (label reason: no_objective)",
               f"truegreen:slo_events:increase1h{{{_AT}}} unless on (slo, service, environment) {records.ERROR_BUDGET}{{{_AT}}}",
               "Put the file beside truegreen.yaml and run `truegreen generate rules`, or write a number as the objective.")),
    ),
    watchers.NO_PASSAGES: Words(
        "Answers are looked at without the passages that they should rest on. The evaluator skips them, so no SLO judges them.",
        "Grounding of this service is not watched at all.",
        "above 0",
        f'{_BY} (increase(truegreen_evaluated_answers_total{{{_AT},result=~"pass|fail"}}[1h]))',
        "Nothing burns: it is a change of code, by day.",
        (Cause("Nothing says what was retrieved", f"{_BY} (increase(truegreen_retrievals_total{{{_AT}}}[1h]))",
               'Empty or 0: call `retrieval(documents=hits, data_source="kb")` where the code retrieves.'),
         Cause("Retrieval runs in another trace than the answer",
               f'{_BY} (increase(truegreen_evaluations_total{{{_AT},result="skipped",reason="no_context"}}[1h]))',
               "Carry the context into the thread or task that retrieves: both spans must be in one trace."),
         Cause("Retrieval comes back empty",
               f"sum by (data_source, outcome) (increase(truegreen_retrievals_total{{{_AT}}}[1h]))",
               "Bring the data source back: see TruegreenBudgetBurn, retrieval.")),
    ),
    watchers.CALIBRATION_MISMATCH: Words(
        "The application judges by another calibration file than the rules were made from. Budget and verdicts do not belong together.",
        "SLOs of this service may page too often, or too seldom.",
        "one digest, the one that the rules know",
        f"count by (evaluation, digest) (truegreen_calibration_info{{{_AT}}})",
        "Nothing burns: decide which of the two files is the right one.",
        (Cause("The application has a newer file than the rules",
               f"truegreen_calibration_info{{{_AT}}} unless on (service, environment, evaluation, digest) {records.CALIBRATION_INFO}{{{_AT}}}",
               "Put the file beside truegreen.yaml, run `truegreen generate rules --out DIR` and reload Prometheus."),
         Cause("The rules are newer and an instance still has the old file", f"{records.CALIBRATION_INFO}{{{_AT}}}",
               "Give the file to all instances (TRUEGREEN_CALIBRATION) and restart them.")),
    ),
    watchers.COLLECTOR_GONE: Words(
        "Prometheus cannot scrape the truegreen collector, or one of several (label instance). No behavioural metric comes from it.",
        "What is sent there is not seen; where it is the only one, every SLO of truegreen is blind. Applications are not harmed: they go on without it.",
        "1 for each instance", 'up{job="truegreen"}',
        "Restart the collector (`truegreen collect`, or its unit or pod), then ask `curl -fs http://COLLECTOR:9465/readyz`.",
        (Cause("The process is down, or was ended for its memory", 'max_over_time(up{job="truegreen"}[1h])',
               "Start it; read the end of its log. Counters begin anew: rules bear it."),
         Cause("Prometheus has no such job, or its address is wrong", 'absent(up{job="truegreen"})',
               "Add the scrape job `truegreen` as `truegreen generate collector` writes it, and reload Prometheus."),
         Cause("The scrape takes too long", 'scrape_duration_seconds{job="truegreen"}',
               'Look for a label that grew: `topk(5, count by (__name__) ({job="truegreen"}))`.')),
    ),
    watchers.INGESTION_STALLED: Words(
        "The collector lives and receives no spans any more. Some came in the hour before. It is a ticket, since an office at night looks the same; "
        "it ends when spans come again, or after a day of silence, which is no all-clear.",
        "Every SLO that is fed through this instance sees nothing new, whatever users see. Where a canary runs, TruegreenCanaryMissed tells the difference, as a sev 2.",
        "above 0", "sum by (instance) (rate(truegreen_collector_accepted_spans_total[5m]))",
        "Undo the last change of exporter address, certificate or load balancer. Restart one application instance and watch the rate below.",
        (Cause("Requests are refused", "sum by (instance, reason) (increase(truegreen_collector_refused_requests_total[1h])) > 0",
               "The reason says what to change: size, content type or encoding of the exporter."),
         Cause("Traffic has ceased", "sum by (service, environment) (increase(truegreen_llm_requests_total[30m]))",
               "0 for all: see TruegreenTrafficCeased; the application is the place to look."),
         Cause("Another instance receives them now", "sum by (instance) (increase(truegreen_collector_accepted_spans_total[15m]))",
               "Expected after a move: take the old instance out of the scrape job, which ends the alert."),
         Cause("Night, or a holiday", "sum by (instance) (increase(truegreen_collector_accepted_spans_total[15m] offset 1d))",
               "As quiet a day ago: nothing is wrong. `routes.mute` with `sev: [3]` keeps tickets of such hours quiet.")),
    ),
    watchers.TRAFFIC_CEASED: Words(
        "The service made more than 30 LLM calls in an hour, and then none for half an hour. It ends when calls come again, or after a day of silence, "
        "which is no all-clear.",
        "Either nobody can use the feature, or we no longer see that they do.",
        "above 0", f"{_BY} (rate(truegreen_llm_requests_total{{{_AT}}}[5m]))",
        "Ask the feature one question yourself. When it answers, telemetry is broken; when it does not, the service is.",
        (Cause("The service is down, or was switched off", "sum by (service, environment) (increase(truegreen_llm_requests_total[30m]))",
               "Others have traffic: it is this service. Put its last deploy back."),
         Cause("It no longer sends spans", "sum by (instance) (increase(truegreen_collector_accepted_spans_total[15m]))",
               "Check OTEL_EXPORTER_OTLP_ENDPOINT and that the instrumentation is installed in the new image."),
         Cause("Night, a holiday, or a job that is done", f"{_BY} (increase(truegreen_llm_requests_total{{{_AT}}}[30m] offset 1d))",
               "As quiet a day ago: nothing is wrong. `routes.mute` with `sev: [3]` keeps tickets of such hours quiet.")),
    ),
    watchers.ENVIRONMENT_UNKNOWN: Words(
        "The service does not say in which environment it runs. An SLO is live by environment, so it writes tickets for this service and never pages.",
        "When its answers go bad, nobody is woken.",
        "the service, and beside it the environment that you set", 'sum by (service, environment) (rate(truegreen_llm_requests_total{service="SERVICE"}[5m]))',
        "Nothing burns: set it with the next deploy, `OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production`.",
        (Cause("The resource attribute is not set in one deployment, or in all",
               'sum by (service, environment) (increase(truegreen_llm_requests_total{environment=~"|unknown"}[1h])) > 0',
               "Set `deployment.environment.name` (in OTEL_RESOURCE_ATTRIBUTES or in the resource that the code builds) and restart."),
         Cause("A Collector in between drops or renames it", 'sum by (service, environment) (increase(truegreen_llm_requests_total{service="SERVICE"}[1h]))',
               "Known a day ago (add `offset 1d`): take the processor's last change back.")),
    ),
    watchers.FORWARDING_LOSES: Words(
        "A collector dropped requests that a destination of `collector.forward` did not take. They were counted before: metrics and SLOs are whole.",
        "Traces and logs are missing at the destination, and with them the examples that triage would open there.",
        "0", "sum by (instance, destination, reason) (rate(truegreen_collector_forward_dropped_total[5m]))",
        "Nothing is lost of the SLOs: mend the destination first, its `queue` and `max_age` in `truegreen.yaml` after it.",
        (Cause("It is down or too slow (`expired`, `queue_full`)", "truegreen_collector_forward_queue_bytes / truegreen_collector_forward_queue_limit_bytes",
               "Near 1: it takes less than comes. Bring it back; a larger `queue` bridges minutes, not a destination that is too small."),
         Cause("Its key is wrong or has run out (`unauthorized`)", 'sum by (destination) (increase(truegreen_collector_forward_dropped_total{reason="unauthorized"}[1h])) > 0',
               "Write the new value into the file of the header: it is read again without a restart."),
         Cause("It refuses what is sent (`rejected`)", 'sum by (destination) (increase(truegreen_collector_forward_dropped_total{reason="rejected"}[1h])) > 0',
               "The collector's log has its status: 413 asks for smaller batches, 404 for another endpoint, 508 says that the destination leads back here."),
         Cause("Requests come back to the collector", 'sum by (instance) (increase(truegreen_collector_refused_requests_total{reason="loop"}[1h])) > 0',
               "A destination is this collector under another name: take it out of `collector.forward`.")),
    ),
    watchers.LABELS_OVERWRITTEN: Words(
        "The scrape renames the labels `service` or `environment` of our metrics to `exported_service` or `exported_environment`. Rules then find "
        "the wrong service or none.",
        "SLOs of the services concerned are blind, or attributed to the scrape job.",
        "empty", 'count by (job, exported_service, exported_environment) (truegreen_llm_requests_total{exported_service!=""} or truegreen_llm_requests_total{exported_environment!=""})',
        "Set `honor_labels: true` in the scrape job (ServiceMonitor: `honorLabels: true`) and reload Prometheus.",
        (Cause("The scrape job sets such a label of its own", "count by (job, service, environment) (truegreen_llm_requests_total)",
               "`honor_labels: true`, or drop that label by relabelling."),),
    ),
    watchers.CANARY_MISSED: Words(
        "A wrong answer that was planted did not come out as a failure, or the canary stopped. Collector or evaluator do not do what SLOs rely on.",
        "A real failure of that kind would be missed as well.",
        "0", 'sum by (environment) (increase(truegreen_canary_probes_total{result="missed"}[30m]))',
        "`truegreen canary --calibration FILE --once` says what came out instead. Take the last change of evaluator, calibration or collector back.",
        (Cause("The evaluator judges otherwise than before", "count by (service, environment, evaluation, digest) (truegreen_calibration_info)",
               "Put the calibration file or the evaluator's version of before back."),
         Cause("The collector loses spans", "sum by (reason) (increase(truegreen_collector_dropped_spans_total[2h])) > 0",
               "The reason says what to change; restart it when in doubt."),
         Cause("The canary itself does not run", "sum by (environment, result) (increase(truegreen_canary_probes_total[3h]))",
               "0 everywhere: start its job again.")),
    ),
    watchers.BASELINE_OLD: Words(
        "The frozen baseline of a signal is older than `alerting.baseline_age`. What it was frozen from may not be what is served today.",
        "Floors, budgets and drift are judged by an old idea of healthy: they may page too often, or overlook what has become usual.",
        "under `alerting.baseline_age` in seconds (90 days: 7776000)", f"time() - max by (signal) ({records.BASELINE_TIMESTAMP}{{{_AT}}})",
        "Nothing burns: do it by day. `truegreen baseline take --service SERVICE --environment ENVIRONMENT --signal SIGNAL --from COLLECTOR --out calibration`",
        (Cause("Nobody took a new one since the model, the prompt or the index changed",
               f"truegreen_snapshot_since_timestamp_seconds{{{_AT}}} > on (service, environment) group_left () max by (service, environment) ({records.BASELINE_TIMESTAMP}{{{_AT}}})",
               "Take one from a week in which answers are known to be good, give it to the application and the rules, and commit it."),
         Cause("A new one was taken and the rules were made from the old file", f"count by (evaluation, digest) (truegreen_calibration_info{{{_AT}}})",
               "Put the file beside truegreen.yaml, run `truegreen generate rules --out DIR` and reload Prometheus."),
         Cause("Nothing has changed, and it still holds", f"truegreen:slo_drift:z3d{{{_AT}}}",
               "Under 2: it does. Raise `alerting.baseline_age`, or take one anew and be sure.")),
    ),
    watchers.DRILL_OVERDUE: Words(
        "No incident drill of the service was completed within `alerting.drill_every`. Perhaps none ever was.",
        "Whoever is on call meets the first real incident without ever having pinned a model or rolled a prompt back.",
        "under `alerting.drill_every` in seconds", f"time() - max by (service, environment) (truegreen_drill_completed_timestamp_seconds{{{_AT}}})",
        "Nothing burns: put a date into the calendar, and hold it: `truegreen drill hallucination` begins one, `truegreen drill list` has those that were held.",
        (Cause("Nobody held one", "count by (service, environment) (truegreen_drill_completed_timestamp_seconds)",
               "Hold one: an alert, triage, containment, rollback and validation, against a service of yours that is not customer-facing."),
         Cause("One was held and nothing says so", f"truegreen_drill_completed_timestamp_seconds{{{_AT}}}",
               "`truegreen incident serve` shows it, from the records in `incidents.drills` (not of those in simulated time) and the drills in its log: see that it runs with the same configuration, and that Prometheus scrapes it (`incidents.serve.endpoint`).")),
    ),
    watchers.MODEL_DEPRECATION: Words(
        "A model that the service asks for stops within two weeks, or has stopped, as its provider announced.",
        "On that day calls fail, or a successor that nobody tested answers under the same name.",
        "more than 1209600 (seconds until it stops: two weeks), or no calls any more",
        'max by (model) (truegreen_provider_deprecation_timestamp_seconds{model="MODEL"}) - time()',
        "Nothing burns: do it by day. Run your evaluation set against the successor, then change the model's name where it is written.",
        (Cause("Nobody has moved yet", f'sum by (service, environment, model) (increase(truegreen_llm_requests_total{{{_AT},model="MODEL"}}[12h]))',
               "Run the evaluation set against the successor, compare baselines, move, and watch the versions board."),
         Cause("It was moved, and something still asks for the old name",
               f"sum by (model, operation) (increase(truegreen_llm_requests_total{{{_AT}}}[12h])) > 0",
               "Look for the caller by operation: a batch job, a fallback, a pin (`truegreen contain`)."),
         Cause("The announcement was read wrongly", 'truegreen_provider_deprecation_timestamp_seconds{model="MODEL"}',
               "Dates are read from English words. Correct the entry in `provider/changes.json`, or give the models and the date in a JSON feed (docs/us_or_them.md).")),
    ),
    records.WATCHDOG: Words(
        "Nothing is wrong: it fires always. When it stops, Prometheus, its rules or Alertmanager no longer work.",
        "While it is missing no alert of truegreen can reach anybody.",
        "1", f'ALERTS{{alertname="{records.WATCHDOG}",alertstate="firing"}}',
        "It stopped: restart Prometheus, then Alertmanager. It fires: nothing.",
        (Cause("Prometheus does not evaluate the rules", "rate(prometheus_rule_evaluation_failures_total[5m]) > 0",
               "Run `promtool check rules truegreen.rules.yml`, put the rules of before back, reload."),
         Cause("Notifications are lost", "rate(prometheus_notifications_dropped_total[5m]) > 0",
               "Check the address of Alertmanager in prometheus.yml, then `amtool check-config alertmanager.yml`.")),
    ),
}  # fmt: skip
"""Alert to its words."""
