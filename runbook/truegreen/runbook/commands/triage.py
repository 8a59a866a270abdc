"""`truegreen triage`: what broke, since when, who is affected, us or them, what next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from truegreen.core.errors import BadInput
from truegreen.core.words import triage as table
from truegreen.core.words.terms import NO_PILLAR, SEVERITIES
from truegreen.evaluation.cohorts.find import Slice
from truegreen.runbook.commands.common import Desk, desk, open_or_none, scale_option, target_of
from truegreen.runbook.model import RULED_OUT, SUPPORTED, Event, Evidence, Incident, Target, Verdict
from truegreen.runbook.times import clock, span


@click.command()
@click.argument("alert", required=False, metavar="[ALERT]")
@click.option("--service", metavar="S")
@click.option("--environment", metavar="E")
@click.option("--slo", metavar="N")
@click.option("--at", "at", type=float, metavar="UNIX", help="Look from this moment (unix seconds; default: now).")
@click.option("--provider", type=click.Path(path_type=Path, file_okay=False),
              help="Folder of the provider's changes and probes (default: TRUEGREEN_PROVIDER, else provider beside truegreen.yaml).")  # fmt: skip
@scale_option
@desk
def triage(
    desk: Desk,
    alert: str | None,
    service: str | None,
    environment: str | None,
    slo: str | None,
    at: float | None,
    provider: Path | None,
    time_scale: int,
) -> None:
    """What broke, since when, who is affected, us or them, what next.

    ALERT is the name or the fingerprint of an alert that fires; without it, the open incident or the gravest alert.
    """
    from truegreen.evaluation.provider.store import folder as provider_folder
    from truegreen.runbook import evidence, firing, in_time, selectors, slices, standing
    from truegreen.runbook import log as store
    from truegreen.runbook import triage as judging

    began = time.monotonic()
    ends, soon = began + in_time.WHOLE, began + in_time.ALERT
    log, sources = desk.log(), desk.sources()
    now = at if at is not None else desk.clock()
    if alert:
        if any((service, environment, slo)):
            raise BadInput("give ALERT, or --service --environment --slo, not both")
        if asked := firing.target(sources.alertmanager, sources.prometheus, now, soon, alert):
            service, environment, slo = asked.service, asked.environment, asked.slo
    incident = (
        open_or_none(desk, log)
        if not all((service, environment, slo)) or desk.number
        else _matching(log, service, environment, slo)
    )
    target = target_of(incident, service, environment, slo) or firing.target(sources.alertmanager, sources.prometheus, now, soon)
    if target is None:
        raise BadInput(
            "no alert of truegreen fires in Alertmanager and no incident is open; say what to look at: --service S --environment E --slo N"
        )
    known = selectors.slo_named(target.slo, desk.config.slos)
    # What was seen after the first change shows the change too: a second one must not move the bound.
    told = store.events(log, incident.id) if incident else ()
    changed = standing.first(told) if incident else None
    try:
        found = evidence.gather(sources, target, known, now, time_scale, changed.time if changed else None)
    except evidence.Silent as silent:
        # Nothing was classified: the log gets no triage, and the clock for it runs on.
        verdict = replace(
            judging.judge(silent.found), because="Prometheus does not answer, so nothing that changed could be looked at"
        )
        traces = _linked(desk, silent.found)
        facts = {**_facts(silent.found, verdict, {}, traces), "incident": incident.id if incident else None, "error": str(silent)}
        desk.say(_blind(silent.found, verdict, traces, incident, told), facts)
        if desk.as_json:
            click.get_current_context().exit(1)
        raise
    found = evidence.with_provider(found, provider_folder(provider, desk.config.source))
    verdict = judging.judge(found)
    last = replace(sources, prometheus=in_time.bounded(sources.prometheus, ends))
    end = min(now, changed.time if changed else now)
    more, failed = in_time.side_by_side({
        "other alerts": lambda: firing.contrast(last.prometheus, found),
        "slices": lambda: slices.explain(last.prometheus, target, known, found.start, found.begin, end),
    }, ends)  # fmt: skip
    found = replace(found, missing=(*found.missing, *(f"{name}: {error}" for name, error in failed.items())))
    contrast, parts = more.get("other alerts", {}), more.get("slices", ())
    traces = _linked(desk, found)
    facts = {**_facts(found, verdict, contrast, traces), "slices": [str(one) for one in parts]}
    if incident:
        text = f"{verdict.whose}: {verdict.because}"
        store.append(log, incident.id, desk.clock(), "triage", "triaged", text, facts)
    desk.say(
        _lines(found, verdict, parts, traces, incident.id if incident else None),
        {**facts, "incident": incident.id if incident else None},
    )


def _matching(log: Any, service: str | None, environment: str | None, slo: str | None) -> Any:
    from truegreen.runbook import log as store

    wanted = Target(service or "", environment or "", slo or "")
    return next((i for i in reversed(store.incidents(log)) if i.closed is None and i.target == wanted), None)


def _linked(desk: Desk, found: Evidence) -> list[str]:
    link = desk.config.routes.trace_url
    return [link.replace("{trace_id}", quote(one)) if link else one for one in found.failing]


def _facts(found: Evidence, verdict: Verdict, contrast: dict[str, Any], traces: Sequence[str]) -> dict[str, Any]:
    before = max(found.snapshots, key=lambda s: s.before, default=None)
    after = max(found.snapshots, key=lambda s: s.after, default=None)
    asked = dict.fromkeys(name for row in table.rows("none", found.pillar) for name in row.queries if name in found.answers)
    return {
        **asdict(found.target), "sev": found.sev, "failure_mode": found.failure_mode, "pillar": found.pillar,
        "whose": verdict.whose, "because": verdict.because, "start": asdict(found.start) if found.start else None,
        "changes": [asdict(c) for c in verdict.changes], "same": list(verdict.same), "findings": [asdict(f) for f in verdict.findings],
        "hypotheses": [f.says for f in verdict.findings if f.state != RULED_OUT],
        "pillar_signs": [{"asks": table.QUERIES[name].asks, "before": _largest(found.answers[name].before), "after": _largest(found.answers[name].after)} for name in asked],
        "affected": found.affected, "sessions": found.sessions, "users": found.users, "failing": list(found.failing), "traces": traces, "relevance": found.relevance,
        "commands": list(verdict.commands), "board": verdict.board, "models": list(verdict.models), "missing": list(found.missing),
        "contrast": contrast, "fired": found.fired, "signs": list(verdict.signs),
        "changelog": None if found.entries is None else [asdict(e) for e in found.entries], "onset": found.onset, "versions": {"before": dict(before.versions) if before and before.before > 0 else {}, "after": dict(after.versions) if after and after.after > 0 else {}},
    }  # fmt: skip


def _largest(numbers: Mapping[str, float]) -> float | None:
    return max(numbers.values(), default=None)


def _head(found: Evidence) -> Iterator[str]:
    sev = next((s for s in SEVERITIES if s.sev == found.sev), None)
    yield f"{found.target}: {f'sev {sev.sev}, {sev.says}' if sev else 'no alert of it fires'}"
    yield f"failure mode {found.failure_mode}, pillar: {found.pillar if found.pillar != NO_PILLAR else 'none (model layer)'}"


def _blind(
    found: Evidence, verdict: Verdict, traces: Sequence[str], incident: Incident | None, told: Sequence[Event]
) -> Iterator[str]:
    """What Alertmanager, the collector and the log know when Prometheus does not answer."""
    yield from _head(found)
    if found.fired:
        yield f"alert fired {clock(found.fired)} UTC, {span(max(found.now - found.fired, 0))} ago"
    yield f"NOT SURE: {verdict.because}"
    for number, finding in enumerate(verdict.findings, start=1):
        yield f"  {number}. {finding.says} ({finding.whose}): not looked at"
    yield f"failing traces: {', '.join(traces) or 'none kept'}"
    if incident:
        yield f"incident {incident.id}: sev {incident.sev}, opened {clock(incident.opened)} UTC; the newest of its {len(told)} events:"
        yield from (f"  {clock(event.time)}  {event.kind}: {event.text}" for event in told[-5:])
    for lack in found.missing:
        yield f"not asked: {lack}"
    yield "not asked: true start, what changed, who is affected, slices: only Prometheus knows"
    yield f"board: {verdict.board or 'none'}"
    for command in verdict.commands:
        yield f"next: {command}"
    yield "not logged: this is no triage"


def _lines(
    found: Evidence, verdict: Verdict, parts: Sequence[Slice], traces: Sequence[str], incident: int | None
) -> Iterator[str]:
    yield from _head(found)
    start = found.start
    if start:
        yield (f"true start {clock(start.time)} UTC (between {clock(start.low)} and {clock(start.high)}), {span(found.now - start.time)} ago; "
               f"{start.of} {start.before:.1%} before, {start.after:.1%} after")  # fmt: skip
        if found.fired:
            yield f"alert fired {clock(found.fired)} UTC, {span(max(found.fired - start.time, 0))} after the true start"
    else:
        yield "true start: not found (the counts show no moment at which the ratio rose)"
    word = {"us": "US, not them", "them": "THEM, not us", "both": "BOTH, them and us"}.get(verdict.whose, "NOT SURE")
    yield f"{word}: {verdict.because}"
    for sign in verdict.signs:
        yield f"  sign: {sign}"
    for change in verdict.changes:
        yield f"  changed {clock(change.time)}: {change.component} {change.old or 'none'} -> {change.new or 'none'}"
    if verdict.same:
        yield f"  the same as before: {', '.join(verdict.same)}"
    for number, finding in enumerate((f for f in verdict.findings if f.state != "ruled out"), start=1):
        yield f"  {number}. {finding.says} ({finding.whose}): {'' if finding.state == SUPPORTED else 'unknown, '}{finding.because}"
    for finding in verdict.findings:
        if finding.state == "ruled out":
            yield f"  ruled out: {finding.says}: {finding.because}"
    if parts:
        yield f"slice: {parts[0]}"
    if found.relevance:
        yield f"retrieval relevance {found.relevance[1]:.2f} (was {found.relevance[0]:.2f})"
    sessions = _counted(found.sessions, "truegreen_affected_sessions", "session.id")
    yield f"affected: {found.affected:.0f} answers, users: {_counted(found.users, 'truegreen_affected_users', 'user.id')}, sessions: {sessions}"
    yield f"failing traces: {', '.join(traces) or 'none kept'}"
    for lack in found.missing:
        yield f"not asked: {lack}"
    yield f"board: {verdict.board or 'none'}"
    for command in verdict.commands:
        yield f"next: {command}"
    yield f"logged to incident {incident}" if incident else "not logged: no incident is open for it (truegreen incident open)"


def _counted(number: float | None, metric: str, attribute: str) -> str:
    return f"about {number:.0f}" if number is not None else f"unknown (no {metric}: spans must carry {attribute})"
