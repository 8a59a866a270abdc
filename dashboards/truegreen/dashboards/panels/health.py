"""Panels of the health board, a row for each part of the watching."""

from __future__ import annotations

from truegreen.alert_rules import watchers
from truegreen.core.words import catalogue as c
from truegreen.core.words import records
from truegreen.core.words.terms import NO_FAILURE_MODE
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Expression, Row, View, Where

_BASE: Where = {"sampled": "base"}
_SKIPPED: Where = {**_BASE, "result": "skipped"}
_OF_NOBODY: Where = {"service": "", "environment": ""}
_PAGES = {watchers.COLLECTOR_GONE: "no metric comes", watchers.EVALUATOR_STALLED: "nobody judges", watchers.SAMPLING_FELL: "too few are judged",
          watchers.FORWARDING_LOSES: "traces are missing", watchers.CALIBRATION_MISMATCH: "two baselines", watchers.CANARY_MISSED: "the canary"}  # fmt: skip


def alerting() -> Row:
    """Rules, collectors, series, and what fires about them."""
    watching = _firing(("alertname", "sev", *rows.WHO), "Truegreen.+", {"failure_mode": NO_FAILURE_MODE})
    return kit.row(
        "Alerting",
        kit.stat("Watchdog", ("*", _firing(("alertname",), records.WATCHDOG, {})), unit="none", steps=kit.over(1), height=5,
                 why="It fires always: no data means that no rule is evaluated, and that no alert can come."),
        kit.stat("Collectors up", ("*", e.external(c.UP, ("job",), "min", {"job": "truegreen"})), unit="none", steps=kit.over(1), height=5,
                 why="1 while every collector can be scraped, 0 when one cannot: what is not scraped cannot burn."),
        kit.stat("Series", ("series", e.gauge(c.COLLECTOR_SERIES, ())), unit="short", steps=kit.under(c.SERIES_LIMIT), height=5,
                 why="Series of the largest collector, against its limit: past it, new label sets fold into one."),
        kit.table("Alerts about the watching", ("Firing", watching), columns={"alertname": "Alert", "sev": "Sev", "service": "Service", "environment": "Environment"},
                  unit="none", width=12, height=5, why="Watchers that fire now, those of no service too. The watchdog is always among them."),
    )  # fmt: skip


def _firing(by: tuple[str, ...], name: str, where: Where) -> Expression:
    # Alerts about collector and rules have no service: choosing one must not hide them.
    return e.either(e.firing(by, name, where), e.firing(by, name, {**where, **_OF_NOBODY}))


def collector() -> Row:
    """What arrives, what does not, and how long it takes."""
    return kit.row(
        "Collector",
        kit.graph("Received", ("spans", e.rate(c.COLLECTOR_ACCEPTED_SPANS, factor=60)), ("requests: *", e.rate(c.COLLECTOR_ACCEPTED_REQUESTS, ("signal",), factor=60)),
                  unit="cpm", why="Spans and requests a minute: what does not arrive here is in no metric."),
        kit.graph("Refused or left out", ("refused: *", e.rate(c.COLLECTOR_REFUSED_REQUESTS, ("reason",), factor=60)),
                  ("left out: *", e.rate(c.COLLECTOR_DROPPED_SPANS, ("reason",), factor=60)), unit="cpm",
                  why="Requests that could not be read, and spans or values that could not be used, a minute and why."),
        kit.graph("Time of a request, p99", ("p99", e.quantile(0.99, c.COLLECTOR_REQUEST_DURATION)), unit="s",
                  why="Time to inflate, parse and count one request: a slow collector makes exporters wait and drop."),
    )  # fmt: skip


def evaluator() -> Row:
    """Whether answers are judged."""
    return kit.row(
        "Evaluator",
        *kit.ratio("Skipped", ("skipped", e.share(c.EVALUATIONS, _SKIPPED, _BASE)), ("sampled", e.increase(c.EVALUATIONS, (), _BASE, e.RATE)),
                   counted="Sampled answers", height=8, why="Share of sampled answers that were looked at and not judged: SLOs do not see them."),
        kit.graph("Why skipped", ("*", e.rate(c.EVALUATIONS, ("evaluation", "reason"), _SKIPPED, 60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Skipped answers a minute: no context is instrumentation, no baseline a missing file, queue full too little CPU."),
        kit.graph("Judged", ("*", e.rate(c.EVALUATED_ANSWERS, ("evaluation", "evaluator"), factor=60)), unit="cpm", scrapes=kit.SPARSE,
                  why="Judged answers a minute: at 0 every SLO of answers is blind, and blind looks like quiet."),
    )  # fmt: skip


def probes() -> Row:
    """Canary, errors of evaluators."""
    return kit.row(
        "Probes",
        kit.graph("Canary", ("*", e.increase(c.CANARY_PROBES, ("result",), over=e.RATE)), unit="short", width=12, scrapes=kit.SPARSE,
                  why="Planted wrong answers that came out as failures, and those missed. No data means that no canary runs."),
        kit.graph("Errors of evaluators", ("*", e.gauge(c.EVALUATOR_ERROR_RATE, (*rows.WHO, "evaluator", "error"))), unit="percentunit", width=12,
                  why="False positives and false negatives where people check verdicts. No data means that nobody does."),
    )  # fmt: skip


def response() -> Row:
    """What is open, how long the last incidents took, what is left to do of them, and when all this was last practised."""
    of, states = (*rows.WHO, "sev"), (*rows.WHO, "state")
    took = {"Detect": c.INCIDENT_TIME_TO_DETECT, "Contain": c.INCIDENT_TIME_TO_CONTAIN, "Resolve": c.INCIDENT_TIME_TO_RESOLVE}
    # Two `incident serve` on one log say the same: the largest of them, and only then the sum.
    items, done = (
        e.folded(e.gauge(c.INCIDENT_ACTION_ITEMS, states, {"state": state}), (), "sum") for state in (("open", "done"), "done")
    )
    return kit.row(
        "Response",
        kit.stat("Open incidents", ("*", e.gauge(c.INCIDENT_OPEN, of)), unit="none", width=8, height=6,
                 why="By service and severity, from the log of incidents. No data: none was ever opened, or `truegreen incident serve` does not run."),
        *kit.ratio("Action items done", ("done", e.ratio(done, items)), ("items", items), counted="Action items", height=6,
                   why="What the postmortems promised and somebody has done since: the rest is how the next incident begins."),
        kit.stat("Since the last drill", ("*", e.age(c.DRILL_COMPLETED_TIMESTAMP, rows.WHO)), unit="s", width=8, height=6,
                 why="Who has never answered a page of this service answers the first real one. No data: never drilled."),
        kit.table("Time of response", *((name, e.mean(metric, of, over=e.RANGE)) for name, metric in took.items()),
                  ("Resolved", e.observations(c.INCIDENT_TIME_TO_RESOLVE, of)),
                  columns={"service": "Service", "environment": "Environment", "sev": "Sev", **{name: name for name in (*took, "Resolved")}}, unit="s",
                  units={"Resolved": "locale"}, width=16, why="Means over the time that the board shows: choose 90 days. Detection is from the true start, the others from the opening."),
        kit.graph("Failed runs beside the page", ("failed", e.rate(c.INCIDENT_HOOK_FAILURES, factor=60)), unit="cpm",
                  why="Escalation, policies, channels and reminders that failed, a minute: then nobody is told when a clock runs out."),
        collapsed=True,
    )  # fmt: skip


def forwarding() -> Row:
    """Queues, losses, series, versions."""
    to = ("destination",)
    return kit.row(
        "Forwarding and limits",
        kit.graph("Queue", ("*", e.gauge(c.COLLECTOR_FORWARD_QUEUE, to)), ("limit *", e.gauge(c.COLLECTOR_FORWARD_QUEUE_LIMIT, to)), unit="bytes", reference="/^limit/",
                  why="Bytes that wait for each destination; at the dashed limit what comes next is dropped."),
        kit.graph("Requests that wait", ("*", e.gauge(c.COLLECTOR_FORWARD_QUEUE_REQUESTS, to)), unit="short",
                  why="A queue that grows: the destination is slow or down. The metrics here are whole all the same."),
        kit.graph("Delivered and tried again", ("delivered *", e.rate(c.COLLECTOR_FORWARD_DELIVERED, to, factor=60)),
                  ("tried again *", e.rate(c.COLLECTOR_FORWARD_RETRIES, to, factor=60)), unit="cpm", why="Requests a minute that each destination took, and attempts that failed."),
        kit.graph("Lost at destinations", ("rejected *", e.rate(c.COLLECTOR_FORWARD_REJECTED, to, factor=60)),
                  ("dropped *", e.rate(c.COLLECTOR_FORWARD_DROPPED, ("destination", "reason"), factor=60)), unit="cpm", width=6,
                  why="Spans that a destination left out, and requests that never arrived: those traces are missing there."),
        kit.graph("Series over time", ("series", e.gauge(c.COLLECTOR_SERIES, ())), unit="short", steps=kit.under(c.SERIES_LIMIT), width=6,
                  why="A label that grows without end is seen here days before the limit."),
        kit.graph("Folded label sets", ("*", e.rate(c.COLLECTOR_OVERFLOW, ("metric",), factor=60)), unit="cpm", width=6,
                  why="Label sets a minute past a limit, by metric: what is folded cannot be told apart on any board."),
        kit.table("Collectors", ("Running", e.gauge(c.COLLECTOR_BUILD_INFO, ("version",), fold="sum")), columns={"version": "Version", "Running": "Running"}, unit="locale",
                  width=6, why="Versions of collectors that run: two for longer than a roll-out is one forgotten."),
        collapsed=True,
    )  # fmt: skip


def baselines(view: View) -> Row:
    """How old, how large, and whether app and rules have the same."""
    oldest = view.config.alerting.baseline_age_seconds
    digest = (*rows.WHO, "evaluation", "digest")
    of = (*rows.WHO, "signal", "template")
    named = {"service": "Service", "environment": "Environment"}
    return kit.row(
        "Baselines",
        kit.table("Age of baselines", ("Age", e.age(c.BASELINE_TIMESTAMP, of)), ("Answers", e.gauge(c.BASELINE_ANSWERS, of)),
                  columns={**named, "signal": "Signal", "template": "Template", "Age": "Age", "Answers": "Answers"}, unit="s", units={"Answers": "locale"},
                  steps=kit.under(oldest), sort="Age", width=12, why="When each was frozen and from how many answers: traffic, index and model have moved since."),
        kit.table("Calibration by the app and by the rules", ("App", e.gauge(c.CALIBRATION_INFO, digest)), ("Rules", e.record(records.CALIBRATION_INFO, digest)),
                  columns={**named, "evaluation": "Evaluation", "digest": "Digest", "App": "App", "Rules": "Rules"}, unit="none", width=12,
                  why="A digest that only one of the two has: app and rules judge by different baselines."),
        kit.graph("Design effect", ("*", e.record(records.DESIGN_EFFECT, rows.EVERY)), unit="short", width=12,
                  why="By how much answers repeat each other: at 2 an SLO needs twice the answers for the same certainty."),
        kit.graph("Spread of scores", ("*", e.deviation(("evaluation", "scale"))), unit="short", width=12, scrapes=kit.SPARSE,
                  why="Standard deviation of scores: near 0 the evaluator says the same of every answer."),
        collapsed=True,
    )  # fmt: skip


def runbook(view: View) -> Row:
    """The pages of the watchers."""
    pages = "\n".join(f"- {says}: [{alert}]({view.runbook(alert)})" for alert, says in _PAGES.items())
    return kit.row(
        "Runbook",
        kit.text(
            "What to do", f"**The pages of the watchers**\n\n{pages}\n", why="Each says what to ask and what to mend.", height=6
        ),
    )
