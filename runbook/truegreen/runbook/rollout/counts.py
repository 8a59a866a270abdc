"""Asks Prometheus how a candidate and the version in use were judged, and whether a quality SLO alerts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.words import catalogue, ready_made
from truegreen.core.words.slo import EvaluationSli, Slo
from truegreen.core.words.terms import FAIL, PASS, SHADOW
from truegreen.runbook import names, selectors
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Target
from truegreen.runbook.rollout.model import Counts, Rollout

_EVALUATIONS = catalogue.EVALUATIONS.prometheus
_RANDOM = "~base|boost"
"""Answers that were drawn evenly; others were chosen, such as for being slow."""


def sides(server: Server, rollout: Rollout, evaluation: str, now: float) -> tuple[Counts, Counts]:
    """The candidate and the incumbent since the step began, up to `now` (unix seconds).

    In the shadow step the candidate's answers are those of the environment's shadow. Where nobody is left to the incumbent, its
    answers since the rollout began are taken.

    Raises:
        Failed: Prometheus does not answer.
    """
    target = Target(rollout.service, rollout.environment, rollout.slo)
    mirrored = replace(target, environment=rollout.environment + SHADOW) if rollout.stage.shadow else target
    candidate, _ = _judged(server, mirrored, rollout, evaluation, rollout.since, now)
    begin, end = (rollout.began, rollout.since) if rollout.stage.percent >= 100 else (rollout.since, now)
    _, incumbent = _judged(server, target, rollout, evaluation, begin, end)
    return candidate, incumbent


def alerting(server: Server, service: str, environment: str, slos: Iterable[Slo], now: float) -> list[str]:
    """The alerts of sev 1 and 2 that fire for a quality SLO at `now`, in words; raises as `sides`."""
    quality = {slo.name for slo in (*ready_made.BY_NAME.values(), *slos) if isinstance(slo.sli, EvaluationSli)}
    where = selectors.at(Target(service, environment, ""), sev="~1|2", alertstate="firing")
    return sorted({
        clean(f"{s.labels.get('alertname', '?')} sev {s.labels.get('sev')} {s.labels['slo']}", 120)
        for s in prom.query(server, "ALERTS" + where, now) if s.labels.get("slo") in quality
    })  # fmt: skip


def _judged(server: Server, target: Target, rollout: Rollout, evaluation: str, begin: float, end: float) -> tuple[Counts, Counts]:
    """Of the candidate's version, and of all others."""
    window = f"[{max(int(end - begin), 1)}s]"
    where = selectors.at(target, evaluation=evaluation, result=f"~{PASS}|{FAIL}", sampled=_RANDOM)
    label = f"{rollout.component}_version"
    versions = {
        s.labels.get("snapshot", ""): s.labels.get(label, "")
        for s in prom.query(server, f"last_over_time({names.SNAPSHOT}{selectors.at(target)}{window})", end)
    }
    tally = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for s in prom.query(server, f"sum by (snapshot, model, result) (increase({_EVALUATIONS}{where}{window}))", end):
        version = versions.get(s.labels.get("snapshot", ""), "")
        mine = is_it(version, rollout.to) or (rollout.component == "model" and s.labels.get("model") == rollout.to)
        tally[mine][0] += s.value if s.labels.get("result") == FAIL else 0.0
        tally[mine][1] += s.value
    return Counts(*tally[True]), Counts(*tally[False])


def is_it(version: str, to: str) -> bool:
    """Whether a snapshot's version, such as `support@5`, is the candidate, named in full or by its number alone."""
    return version == to or version.rpartition("@")[2] == to
