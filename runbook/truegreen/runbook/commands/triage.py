"""`truegreen triage`: what broke, since when, who is affected, us or them, what next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from truegreen.core.errors import BadInput
from truegreen.core.words.terms import NO_PILLAR, SEVERITIES
from truegreen.evaluation.cohorts.find import Slice
from truegreen.runbook.commands.common import Desk, desk, open_or_none, scale_option, target_of
from truegreen.runbook.model import SUPPORTED, Evidence, Target, Verdict
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
    from truegreen.runbook import evidence, in_time, selectors, slices, standing
    from truegreen.runbook import log as store
    from truegreen.runbook import triage as judging

    ends = time.monotonic() + in_time.WHOLE
    log, sources = desk.log(), desk.sources()
    if alert:
        if any((service, environment, slo)):
            raise BadInput("give ALERT, or --service --environment --slo, not both")
        if asked := evidence.firing_target(sources, alert):
            service, environment, slo = asked.service, asked.environment, asked.slo
    incident = (
        open_or_none(desk, log)
        if not all((service, environment, slo)) or desk.number
        else _matching(log, service, environment, slo)
    )
    target = target_of(incident, service, environment, slo) or evidence.firing_target(sources)
    if target is None:
        raise BadInput(
            "no alert of truegreen fires in Alertmanager and no incident is open; say what to look at: --service S --environment E --slo N"
        )
    known = selectors.slo_named(target.slo, desk.config.slos)
    now = at if at is not None else desk.clock()
    # What was seen after the first change shows the change too: a second one must not move the bound.
    changed = standing.first(store.events(log, incident.id)) if incident else None
    found = evidence.gather(sources, target, known, now, time_scale, changed.time if changed else None)
    found = evidence.with_provider(found, provider_folder(provider, desk.config.source))
    verdict = judging.judge(found)
    last = replace(sources, prometheus=in_time.bounded(sources.prometheus, ends))
    end = min(now, changed.time if changed else now)
    more, failed = in_time.side_by_side({
        "other alerts": lambda: evidence.contrast(last, found),
        "slices": lambda: slices.explain(last.prometheus, target, known, found.start, found.begin, end),
    }, ends)  # fmt: skip
    found = replace(found, missing=(*found.missing, *(f"{name}: {error}" for name, error in failed.items())))
    contrast, parts = more.get("other alerts", {}), more.get("slices", ())
    link = desk.config.routes.trace_url
    traces = [link.replace("{trace_id}", quote(one)) if link else one for one in found.failing]
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


def _facts(found: Evidence, verdict: Verdict, contrast: dict[str, Any], traces: Sequence[str]) -> dict[str, Any]:
    before = max(found.snapshots, key=lambda s: s.before, default=None)
    after = max(found.snapshots, key=lambda s: s.after, default=None)
    return {
        **asdict(found.target), "sev": found.sev, "failure_mode": found.failure_mode, "pillar": found.pillar,
        "whose": verdict.whose, "because": verdict.because, "start": asdict(found.start) if found.start else None,
        "changes": [asdict(c) for c in verdict.changes], "same": list(verdict.same), "findings": [asdict(f) for f in verdict.findings],
        "affected": found.affected, "sessions": found.sessions, "users": found.users, "failing": list(found.failing), "traces": traces, "relevance": found.relevance,
        "commands": list(verdict.commands), "board": verdict.board, "models": list(verdict.models), "missing": list(found.missing),
        "contrast": contrast, "fired": found.fired, "signs": list(verdict.signs),
        "changelog": None if found.entries is None else [asdict(e) for e in found.entries], "onset": found.onset, "versions": {"before": dict(before.versions) if before and before.before > 0 else {}, "after": dict(after.versions) if after and after.after > 0 else {}},
    }  # fmt: skip


def _lines(
    found: Evidence, verdict: Verdict, parts: Sequence[Slice], traces: Sequence[str], incident: int | None
) -> Iterator[str]:
    sev = next((s for s in SEVERITIES if s.sev == found.sev), None)
    yield f"{found.target}: {f'sev {sev.sev}, {sev.says}' if sev else 'no alert of it fires'}"
    yield f"failure mode {found.failure_mode}, pillar: {found.pillar if found.pillar != NO_PILLAR else 'none (model layer)'}"
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
