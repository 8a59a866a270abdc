"""Asks for the numbers behind the six checks. I/O and unpacking; the checks judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from truegreen.core.clients import prometheus as prom
from truegreen.core.words import records
from truegreen.core.words.attributes import CHAT_OPERATIONS
from truegreen.core.words.slo import BASELINE, EvaluationSli, Slo
from truegreen.evaluation.evalsets import choosing, files, result
from truegreen.runbook import argv, checks, names, selectors
from truegreen.runbook.clean import clean
from truegreen.runbook.evidence import LOOKBACK, STEP, Sources, stream
from truegreen.runbook.model import NOT_OK, OK, UNKNOWN, Check, Event, Incident
from truegreen.runbook.standing import CHANGES, serves

BEFORE: Final = 3_600
"""Seconds before the onset that count as healthy, before scaling."""
SMOKE_SECONDS: Final = 120.0
_ERRORS: Final = (
    ("false positives", "false_positive", "true_positive"),
    ("false negatives", "false_negative", "true_negative"),
)
"""Of a guardrail's reviews: the error, its verdict, and the verdict of what was right among the same decisions."""


@dataclass(frozen=True, slots=True)
class Moments:
    """When the incident began, when the last change was seen to work, and now (unix seconds)."""

    onset: float
    changed: float
    now: float


def moments(incident: Incident, events: Sequence[Event], now: float) -> Moments:
    """From the log: the onset is triage's, else the opening."""
    onset, changed, began = incident.opened, None, None
    for event in events:
        if event.kind == "triaged":
            start = event.data.get("start")
            onset = float(start["low"]) if start else float(event.data.get("onset", onset))
        elif event.kind in CHANGES:
            # What verifies a raised sampling later is no sign of the change before it.
            began = event.time if serves(event) else None
            changed = began or changed
        elif event.kind == "verified by spans" and began is not None:
            changed = event.time
    return Moments(onset, changed if changed is not None else onset, now)


def ask(sources: Sources, incident: Incident, slo: Slo | None, when: Moments, scale: int, triaged: Event | None) -> list[Check]:
    """The five checks that Prometheus answers.

    Raises:
        Failed: Prometheus does not answer.
    """
    look = _Look(sources, incident, when, scale)
    judged, budget = _bound(look, slo, triaged)
    decided, blocked = look.pair(names.DECISIONS, action="block")
    errors = {
        name: (*(look.pair(names.REVIEWS, verdict=f"~{bad}|{good}")[1]), *(look.pair(names.REVIEWS, verdict=bad)[1]))
        for name, bad, good in _ERRORS
    }
    requests, _ = look.pair(names.REQUESTS)
    retrievals, _ = look.pair(names.RETRIEVALS)
    # Dead telemetry shows no decisions either: only calls on both sides say that there were none.
    seen = min(requests) > 0
    quiet = checks.QUIET / scale
    calm_bad, calm_events = look.judged(slo, when.now - quiet)
    pending, others, still = look.alerts()
    answers, sampled = (look.grown(names.ANSWERS, when.now, quiet, **more) or 0.0 for more in ({}, {"sampled": "~base|boost"}))
    return [
        judged,
        checks.latency(*look.p99()),
        checks.guardrail(blocked[1], decided[1], blocked[0], decided[0], errors, seen),
        checks.relevance(*look.relevance(), sum(retrievals), seen),
        checks.quiet(
            checks.Calm(
                when.now - when.changed,
                quiet,
                calm_bad,
                calm_events,
                answers,
                sampled,
                pending,
                others,
                still,
                by_judges=slo is None or isinstance(slo.sli, EvaluationSli),
            ),
            budget,
        ),
    ]


def unanswered(why: str) -> list[Check]:
    """The five checks where Prometheus does not answer: unknown."""
    five = ("bad ratio", "p99 latency", "guardrail", "retrieval relevance", "quiet")
    return [
        Check(name, UNKNOWN, "not asked", "unknown", clean(why, 300) if n == 0 else "as above") for n, name in enumerate(five)
    ]


def sli(
    sources: Sources, incident: Incident, slo: Slo | None, when: Moments, scale: int, triaged: Event | None
) -> tuple[Check, float]:
    """The check of the bad ratio alone, and how many events were judged since `when.changed`; raises as `ask`."""
    look = _Look(sources, incident, when, scale)
    return _bound(look, slo, triaged)[0], look.judged(slo, when.changed)[1]


def _bound(look: _Look, slo: Slo | None, triaged: Event | None) -> tuple[Check, float | None]:
    """The check of the bad ratio, and the error budget behind it."""
    since = max(look.when.changed, look.when.now - LOOKBACK / look.scale)
    bad, events = look.judged(slo, since)
    budget = look.record(records.ERROR_BUDGET)
    if budget is None and slo is not None and slo.objective != BASELINE:
        budget = float(1 - slo.objectives.get(look.incident.target.service, slo.objective))  # type: ignore[operator]
    baseline, whence = look.record(records.BASELINE_BAD_RATIO), "in the frozen baseline"
    of = look.record(records.BASELINE_EVENTS)
    start = triaged.data.get("start") if triaged else None
    if baseline is None and start:
        baseline, whence, of = float(start["before"]), "before the onset", None
    least = checks.LEAST if slo is None or isinstance(slo.sli, EvaluationSli) else checks.REVIEWED
    return checks.ratio(bad, events, baseline, budget, whence, of, least), budget


@dataclass(frozen=True, slots=True)
class _Look:
    sources: Sources
    incident: Incident
    when: Moments
    scale: int

    def judged(self, slo: Slo | None, begin: float) -> tuple[float, float]:
        step = max(STEP / self.scale, 1.0)
        counts = stream(self.sources.prometheus, self.incident.target, slo, begin, self.when.now, step)
        return sum(c.bad for c in counts), sum(c.events for c in counts)

    def record(self, name: str) -> float | None:
        return self.value(name + selectors.at(self.incident.target, slo=self.incident.target.slo), self.when.now)

    def value(self, expr: str, time: float) -> float | None:
        found = prom.query(self.sources.prometheus, expr, time)
        return found[0].value if found else None

    def grown(self, metric: str, time: float, window: float, **labels: str) -> float | None:
        return self.value(f"sum(increase({metric}{selectors.at(self.incident.target, **labels)}[{max(int(window), 1)}s]))", time)

    def sides(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(moment, window) before the onset and since the last change."""
        since = min(max(self.when.now - self.when.changed, 2 * STEP / self.scale, 2.0), BEFORE / self.scale)
        return (self.when.onset, BEFORE / self.scale), (self.when.now, since)

    def pair(self, metric: str, **part: str) -> tuple[tuple[float, float], tuple[float, float]]:
        """Growth of all of a metric, and of one part of it: each before and now."""
        (t0, w0), (t1, w1) = self.sides()
        every = (self.grown(metric, t0, w0) or 0.0, self.grown(metric, t1, w1) or 0.0)
        some = (self.grown(metric, t0, w0, **part) or 0.0, self.grown(metric, t1, w1, **part) or 0.0) if part else every
        return every, some

    def p99(self) -> tuple[float | None, float | None]:
        """Now and before, in seconds."""
        where = selectors.at(self.incident.target, operation="~" + "|".join(CHAT_OPERATIONS))
        before, now = (
            self.value(f"histogram_quantile(0.99, sum by (le) (increase({names.DURATION_BUCKET}{where}[{max(int(w), 1)}s])))", t)
            for t, w in self.sides()
        )
        return now, before

    def relevance(self) -> tuple[float | None, float | None]:
        """Now and before, the mean."""
        made = []
        for time, window in reversed(self.sides()):
            total = self.grown(names.RELEVANCE_SUM, time, window)
            count = self.grown(names.RELEVANCE_COUNT, time, window)
            made.append(total / count if total is not None and count else None)
        return made[0], made[1]

    def alerts(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Pending ones of sev 1 and 2, firing ones of other SLOs, firing ones of this SLO."""
        pending: set[str] = set()
        others: set[str] = set()
        still: set[str] = set()
        target = self.incident.target
        for s in prom.query(self.sources.prometheus, "ALERTS" + selectors.at(target, sev="~1|2"), self.when.now):
            name = clean(f"{s.labels.get('alertname', '?')} sev {s.labels.get('sev')} {s.labels.get('slo', '')}", 120).rstrip()
            if s.labels.get("alertstate") == "pending":
                pending.add(name)
            else:
                (still if s.labels.get("slo") == target.slo else others).add(name)
        return tuple(sorted(pending)), tuple(sorted(others)), tuple(sorted(still))


def smoke(command: Sequence[str], timeout: float = SMOKE_SECONDS) -> Check:
    """Run the smoke suite: no shell, limited in time, its whole process group ended when the time is up or somebody interrupts."""
    if not command:
        return checks.smoke(None, "no smoke suite is configured (incidents.smoke)")
    ended = argv.run(command, timeout)
    return checks.smoke(124 if ended.late else ended.code, ended.said)


def smoke_of_run(path: Path, evalset: Path, since: float, require: float = 1.0, endpoint: str = "", model: str = "") -> Check:
    """The smoke suite by what `truegreen evalset run` kept: the newest run of the set, of a live endpoint, that began after the last change.

    Args:
        path: a run, or a folder of runs.
        evalset: the set that must pass, as its file is now.
        since: when the last change was seen to work (unix seconds): an earlier run tells nothing of it.
        require: the share of cases that must pass, whatever the run itself was content with.
        endpoint, model: who must have been asked; empty: any, where all runs are of one.

    Raises:
        BadInput: the file is no run, or was edited, or the set cannot be read.
    """
    wanted = choosing.Wanted(files.read(evalset).version, since, endpoint=endpoint, model=model)
    run, why = choosing.newest(path, wanted)
    bound = f"{require:.0%} of the cases"
    if run is None:
        advice = f"run: truegreen evalset run {evalset} --endpoint URL"
        return Check("smoke", UNKNOWN, "no run", bound, clean(f"{why}; {advice}", 400))
    good = run["complete"] and result.enough(run["pass"], run["cases"], require)
    told = f"{run['evalset']} by {', '.join(run['served']) or 'an unknown model'} at {run['endpoint']}, run {run['digest']}"
    return Check("smoke", OK if good else NOT_OK, f"{run['pass']} of {run['cases']} pass", bound, clean(told, 300))
