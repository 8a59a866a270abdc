"""The log of an incident, and what was measured, to all that a postmortem's template shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.config.response import Law
from truegreen.core.words.terms import SNAPSHOT_COMPONENTS
from truegreen.runbook import clocks, standing
from truegreen.runbook.actions import CASE, actions, completion
from truegreen.runbook.law import clocks as law_clocks
from truegreen.runbook.law.model import AWARENESS, DECISION, DRAFT, REMINDER
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.postmortem.model import Measured
from truegreen.runbook.postmortem.questions import questions
from truegreen.runbook.postmortem.reading import every, first, last
from truegreen.runbook.times import iso, span

_DONE: Final = {clocks.ACKNOWLEDGE: "acknowledged", clocks.CLASSIFY: "classified", clocks.RESOLVE: "closed"}
_MOMENTS: Final = ("detected", "acknowledged", "classified", "contained", "closed")
UNASKED: Final = Measured(why="Prometheus was not asked")


def context(
    incident: Incident, log: Sequence[Event], scale: int = 1, *, law: Law | None = None, now: float | None = None,
    measured: Measured = UNASKED,
) -> Mapping[str, Any]:  # fmt: skip
    """All that the templates show.

    Args:
        log: every event, of other incidents too: what one began another may have finished or undone.
        scale: divides the targets of the clocks, as the demo's windows are divided.
        law: what decides which clocks of the law are shown.
        now: unix seconds; None: the last event's time.
        measured: what Prometheus said.
    """
    events = [e for e in log if e.incident == incident.id]
    moment = now if now is not None else events[-1].time if events else incident.opened
    left = _left(incident, log)
    items = actions(events)
    asked = questions(events, impact(incident, events, measured), items, left)
    opened = first(events, "incident opened")
    return {
        "incident": incident, "sev": incident.sev, "questions": asked, "answered": sum(1 for q in asked if q.answer),
        "drill": str((opened.data.get("drill") if opened else "") or ""),
        "summary": opened.text if opened else "", "written": iso(moment),
        "impact": (f"sev {incident.sev}, {incident.target}", *impact(incident, events, measured)),
        "timeline": [(iso(e.time), e.phase, e.kind, e.text, e.seq) for e in events],
        "snapshot": _snapshot(events), "changelog": _changelog(events), "items": items, "left": left,
        "completion": completion(items), "cases": [(e.data.get("case", ""), e.data.get("file", "")) for e in every(events, CASE)],
        "clocks": _clocks(incident, events, scale, moment), "cause": _cause(events), "law": _law(incident, events, law or Law(), moment),
        "evidence": [(e.seq, e.data.get("file", ""), e.data.get("sha256", "")) for e in every(events, "evidence frozen")],
        "marks": measured.marks, "figures": measured.figures, "missing": _missing(events, measured),
        "head": events[-1].hash if events else "", "count": len(events),
    }  # fmt: skip


def impact(incident: Incident, events: Sequence[Event], measured: Measured) -> tuple[str, ...]:
    """What it cost, a line each; what cannot be had is said to be unknown, with why."""
    triage = last(events, "triaged")
    facts: Mapping[str, Any] = triage.data if triage else {}
    start = facts.get("start")
    lines = []
    if start:
        lines.append(f"{start.get('of', 'bad ratio')} {start['after']:.1%}, was {start['before']:.1%}")
    began = float(start["time"]) if start else incident.opened
    since = "its true start" if start else "its opening (the true start is not known)"
    lines.append(
        f"duration {span(incident.closed - began)}, from {since} to closing"
        if incident.closed is not None
        else f"still open, since {since} at {iso(began)}"
    )
    if measured.bad is not None and measured.judged is not None:
        served = (
            f"; {measured.served:,.0f} answers were served"
            if measured.served is not None
            else "; how many were served is unknown"
        )
        lines.append(f"{measured.bad:,.0f} of {measured.judged:,.0f} judged events were bad in that time{served}")
    else:
        lines.append(f"bad events in that time: unknown ({measured.why})")
    if triage is None:
        return (*lines, "affected answers, users and sessions: unknown (triage was never run)")
    lines.append(f"{facts.get('affected', 0):.0f} affected answers up to triage ({iso(triage.time)})")
    lines.append(_counted("users", facts.get("users"), "no metric counts users"))
    lines.append(_counted("sessions", facts.get("sessions"), "no answer named its session, or nobody counts them"))
    return tuple(lines)


def _counted(what: str, found: object, why: str) -> str:
    if isinstance(found, Mapping):
        why = str(found.get("why") or why)
        found = found.get("count")
    if isinstance(found, str):
        return f"{what} affected: {found}"
    if isinstance(found, int | float) and not isinstance(found, bool):
        return f"about {found:,.0f} {what} affected"
    return f"{what} affected: unknown ({why})"


def _cause(events: Sequence[Event]) -> Mapping[str, Any] | None:
    """What triage saw of the cause; None where it was never run."""
    triage = last(events, "triaged")
    if triage is None:
        return None
    facts = triage.data
    findings = [f for f in facts.get("findings", ()) if isinstance(f, Mapping)]
    return {
        "whose": str(facts.get("whose", "")), "because": str(facts.get("because", "")), "time": iso(triage.time),
        "changes": [
            (c.get("component", ""), c.get("old") or "none", c.get("new") or "none", iso(c["time"]) if c.get("time") else "unknown", c.get("whose", ""))
            for c in facts.get("changes", ()) if isinstance(c, Mapping)
        ],
        "findings": [(f.get("says", ""), f.get("state", ""), f.get("because", "")) for f in findings],
        "signs": [(str(s.get("asks", "")), _number(s.get("before")), _number(s.get("after")))
                  for s in facts.get("pillar_signs", ()) if isinstance(s, Mapping)],
        "slices": [str(s) for s in facts.get("slices", ())], "traces": [str(t) for t in facts.get("failing", ())],
    }  # fmt: skip


def _number(found: object) -> str:
    return f"{found:.4g}" if isinstance(found, int | float) and not isinstance(found, bool) else "unknown"


def _missing(events: Sequence[Event], measured: Measured) -> Sequence[str]:
    """What could not be asked, once each: now, by triage, and when evidence was frozen."""
    triage = last(events, "triaged")
    lines = [f"now: {measured.why}"] if measured.why else []
    lines += [f"now: {f.says}: {f.wrong}" for f in measured.figures if f.wrong and f.wrong != measured.why]
    lines += [f"at triage: {one}" for one in (triage.data.get("missing", ()) if triage else ())]
    lines += [f"in the evidence: {one}" for e in every(events, "evidence frozen") for one in e.data.get("missing", ())]
    return tuple(dict.fromkeys(lines))


def _law(incident: Incident, events: Sequence[Event], law: Law, now: float) -> Mapping[str, Any]:
    shown = law_clocks.legal(incident, events, law, now)
    return {
        "clocks": [
            (c.source, c.status, "not started" if c.started is None else iso(c.started),
             iso(c.due) if c.due is not None else "no number given" if c.started is not None else "", c.decision or "nobody decided")
            for c in shown if c.jurisdiction != "any"
        ],
        "events": [(iso(e.time), e.kind, e.text) for e in every(events, AWARENESS, DECISION, DRAFT, REMINDER)],
        "reviewed": shown[0].law_reviewed_as_of, "note": law_clocks.NOTE,
    }  # fmt: skip


def _left(incident: Incident, log: Sequence[Event]) -> Sequence[str]:
    """What the changes of this incident that still stand leave to be done."""
    made = [
        f"{a.flag} = {a.value} stands and expires {iso(a.expires)}: find the version to move to, then truegreen contain undo {a.number}"
        if a.finished else f"{a.flag} = {a.value} was begun and not finished: look at the flag file, then truegreen contain undo {a.number}"
        for a in standing.switches(log) if a.incident == incident.id
    ]  # fmt: skip
    moved = {(m.component, m.name): m for m in standing.moves(log) if m.incident == incident.id and m.old}
    return made + [
        f"{component} {name} version {m.old} was taken out of service: mend it before it serves again"
        if m.finished else f"{component} {name}: the move from {m.old} to {m.to} was begun and not finished: look at what is set, then truegreen rollback undo {m.number}"
        for (component, name), m in moved.items()
    ]  # fmt: skip


def _snapshot(events: Sequence[Event]) -> Sequence[tuple[str, str, str, str, bool]]:
    triage, closed = last(events, "triaged"), last(events, "incident closed")
    sides = triage.data.get("versions", {}) if triage else {}
    start, found = sides.get("before", {}), sides.get("after", {})
    end = closed.data.get("versions", {}) if closed else {}
    rows = [(name, *(side.get(name, "unknown") for side in (start, found, end))) for name in SNAPSHOT_COMPONENTS]
    return [(*row, len(set(row[1:]) - {"unknown"}) > 1) for row in rows]


def _changelog(events: Sequence[Event]) -> Sequence[tuple[str, str, str, str, str]] | None:
    """The provider's entries that triage saw, as (day, provider, title, models, link); None where no changelog is kept."""
    triage = last(events, "triaged")
    seen = triage.data.get("changelog") if triage else None
    if seen is None:
        return None
    return [
        (iso(e["time"])[:10], e["provider"], e["title"], ", ".join(e["models"][:5]) + (f"; stops {iso(e['retires'])[:10]}" if e["retires"] else ""), e["link"])
        for e in seen
    ]  # fmt: skip


def _clocks(incident: Incident, events: Sequence[Event], scale: int, now: float) -> Sequence[tuple[str, str, str, str]]:
    """Each moment: how long it took, its target and whether it was kept, by the same clocks as the page; a row without a target is from the true start."""
    contained, newest = first(events, "contain applied", "rollback applied"), last(events, "triaged")
    start = newest.data.get("start") if newest else None
    began = start["time"] if start else incident.opened
    made: dict[str, tuple[float | None, float | None, str]]
    made = {"closed": (None if incident.closed is None else max(incident.closed - incident.opened, 0.0), None, "")}
    made |= {_DONE[c.name]: _against(c, scale, now) for c in clocks.clocks(incident, events, now)}
    made["detected"] = (max(_known(incident, events) - began, 0.0), None, "")
    made["contained"] = (None if contained is None else max(contained.time - began, 0.0), None, "")
    waiting = "not yet" if incident.closed is None else "never"
    return [
        (name, waiting if took is None else span(took), "" if bound is None else span(bound), verdict)
        for name in _MOMENTS if name in made for took, bound, verdict in (made[name],)
    ]  # fmt: skip


def _against(clock: clocks.Clock, scale: int, now: float) -> tuple[float | None, float | None, str]:
    bound = (clock.due - clock.started) / scale
    if clock.met is None:
        return None, bound, "MISSED" if now - clock.started > bound else "open"
    took = clock.met - clock.started
    return took, bound, "MISSED" if took > bound or clock.state == clocks.LATE else "met"


def _known(incident: Incident, events: Sequence[Event]) -> float:
    opened = first(events, "incident opened")
    return float((opened.data.get("fired") if opened else None) or incident.opened)
