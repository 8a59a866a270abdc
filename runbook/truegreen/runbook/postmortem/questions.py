"""The log of an incident to its postmortem. Pure: what the log does not hold is said to be unanswered, never made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truegreen.core.words.terms import SEVERITIES, SNAPSHOT_COMPONENTS
from truegreen.evaluation.provider.verdict import NOT_SURE
from truegreen.runbook import standing
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.times import iso, span


@dataclass(frozen=True, slots=True)
class Question:
    """One of the six: `answer` has a line for each fact; `why` says why there is none."""

    asks: str
    answer: tuple[str, ...] = ()
    why: str = ""


def context(incident: Incident, log: Sequence[Event], scale: int = 1) -> Mapping[str, Any]:
    """All that the template shows.

    Args:
        log: every event, of other incidents too: what one began another may have finished or undone.
        scale: divides the targets of the clocks, as the demo's windows are divided.
    """
    events = [e for e in log if e.incident == incident.id]
    left = _left(incident, log)
    questions = (_what(incident, events), _when(events), _why(events), _green(events), _over(events), _different(events, left))
    return {
        "incident": incident, "questions": questions, "answered": sum(1 for q in questions if q.answer),
        "impact": _impact(incident, events), "timeline": [(iso(e.time), e.phase, e.kind, e.text, e.seq) for e in events],
        "snapshot": _snapshot(events), "changelog": _changelog(events), "actions": _actions(events, left),
        "clocks": _clocks(incident, events, scale), "evidence": [(e.seq, e.data.get("file", ""), e.data.get("sha256", "")) for e in _all(events, "evidence frozen")],
        "head": events[-1].hash if events else "", "count": len(events),
    }  # fmt: skip


def _impact(incident: Incident, events: Sequence[Event]) -> tuple[str, ...]:
    lines = [f"sev {incident.sev}, {incident.target}"]
    triage = _last(events, "triaged")
    if triage:
        start = triage.data.get("start")
        if start:
            lines.append(f"{start.get('of', 'bad ratio')} {start['after']:.1%}, was {start['before']:.1%}")
        lines.append(f"{triage.data.get('affected', 0):.0f} affected answers up to triage ({iso(triage.time)})")
        sessions = triage.data.get("sessions")
        lines.append("sessions affected: unknown" if sessions is None else f"about {sessions:.0f} sessions affected")
    return tuple(lines)


def _what(incident: Incident, events: Sequence[Event]) -> Question:
    asks = "What happened, and to whom?"
    triage = _last(events, "triaged")
    if triage is None:
        return Question(asks, why="triage was never run")
    opened = _first(events, "incident opened")
    text = (opened.text,) if opened and opened.text else ()
    pillar = triage.data.get("pillar", "none")
    mode = f"failure mode {triage.data.get('failure_mode')}, pillar {pillar if pillar != 'none' else 'none (model layer)'}"
    return Question(asks, (*text, mode, *_impact(incident, events)[1:]))


def _when(events: Sequence[Event]) -> Question:
    asks = "When did it truly start, and when did we know?"
    triage, opened = _last(events, "triaged"), _first(events, "incident opened")
    start = triage.data.get("start") if triage else None
    if not start or opened is None:
        return Question(
            asks, why="triage was never run" if triage is None else "the counts show no moment at which the ratio rose"
        )
    known = float(opened.data.get("fired") or opened.time)
    return Question(asks, (
        f"true start {iso(start['time'])}, likely between {iso(start['low'])} and {iso(start['high'])}",
        f"the alert fired {iso(known)}, {span(max(known - start['time'], 0))} later" if opened.data.get("fired")
        else f"the incident was opened {iso(known)}, {span(max(known - start['time'], 0))} later",
    ))  # fmt: skip


def _why(events: Sequence[Event]) -> Question:
    asks = "Why did it happen?"
    triage = _last(events, "triaged")
    if triage is None:
        return Question(asks, why="triage was never run")
    if triage.data.get("whose") == NOT_SURE:
        return Question(asks, why=f"triage is not sure: {triage.data.get('because')}")
    out = [f"{f['says']} ({f['because']})" for f in triage.data.get("findings", ()) if f["state"] == "ruled out"]
    ruled = (f"ruled out: {'; '.join(out)}",) if out else ()
    signs = tuple(str(line) for line in triage.data.get("signs", ()))
    return Question(asks, (f"{str(triage.data.get('whose')).upper()}: {triage.data.get('because')}", *signs, *ruled))


def _green(events: Sequence[Event]) -> Question:
    asks = "Why did the dashboards stay green?"
    triage = _last(events, "triaged")
    seen = triage.data.get("contrast") if triage else None
    if not seen:
        return Question(
            asks, why="triage was never run" if triage is None else "Prometheus was not asked which other alerts fired"
        )
    fired, loaded = seen.get("fired", []), seen.get("loaded")
    of = "" if loaded is None else f" of {loaded}"
    named = f" ({', '.join(fired)})" if fired else ""
    lines = [f"other alerts that fired since the onset: {len(fired)}{of}{named}"]
    lines += [f"{name}: {after} (was {before})" for name, before, after in seen.get("signals", ())]
    if loaded == 0:
        lines.append("no other alerting rules are loaded in this Prometheus")
    return Question(asks, tuple(lines))


def _over(events: Sequence[Event]) -> Question:
    asks = "How was it contained, and how do we know it is over?"
    done = [e for e in events if e.kind in ("contain applied", "contain undone", "rollback applied", "verified by spans")]
    checked, closed = _last(events, "validated"), _last(events, "incident closed")
    if not done:
        return Question(asks, why="nothing was contained or rolled back")
    if checked is None or not checked.data.get("ok"):
        return Question(asks, why=f"no green validation{f' ({checked.text})' if checked else ''}: we do not know that it is over")
    lines = [f"{iso(e.time)} {e.text}" for e in done] + [f"{iso(checked.time)} validation: {checked.text}"]
    return Question(asks, (*lines, f"{iso(closed.time)} {closed.text}" if closed else "the incident is still open"))


def _different(events: Sequence[Event], left: Sequence[str]) -> Question:
    asks = "What will be different?"
    actions = [text for text, _, _ in _actions(events, left)]
    return Question(asks, tuple(actions), "" if actions else "no action item was noted (truegreen incident note --action TEXT)")


def _actions(events: Sequence[Event], left: Sequence[str]) -> Sequence[tuple[str, str, str]]:
    """Action items as (text, owner, due): those that were noted, and what the log itself leaves to be done."""
    noted = [(e.text, str(e.data.get("owner", "")), str(e.data.get("due", ""))) for e in _all(events, "action item")]
    return [*noted, *((f"{text} (from the log)", "", "") for text in left)]


def _left(incident: Incident, log: Sequence[Event]) -> Sequence[str]:
    """What the changes of this incident that still stand leave to be done."""
    made = [
        f"{a.flag} = {a.value} stands and expires {iso(a.expires)}: find the version to move to, then truegreen contain undo {a.number}"
        if a.finished else f"{a.flag} = {a.value} was begun and not finished: look at the flag file, then truegreen contain undo {a.number}"
        for a in standing.switches(log) if a.incident == incident.id
    ]  # fmt: skip
    moved = {m.name: m for m in standing.moves(log) if m.incident == incident.id and m.old}
    return made + [
        f"prompt {name} version {m.old} was taken out of service: mend it before it serves again"
        if m.finished else f"prompt {name}: the move from {m.old} to {m.to} was begun and not finished: look at its labels, then truegreen rollback undo {m.number}"
        for name, m in moved.items()
    ]  # fmt: skip


def _snapshot(events: Sequence[Event]) -> Sequence[tuple[str, str, str, str, bool]]:
    triage, closed = _last(events, "triaged"), _last(events, "incident closed")
    sides = triage.data.get("versions", {}) if triage else {}
    start, found = sides.get("before", {}), sides.get("after", {})
    end = closed.data.get("versions", {}) if closed else {}
    rows = [(name, *(side.get(name, "unknown") for side in (start, found, end))) for name in SNAPSHOT_COMPONENTS]
    return [(*row, len(set(row[1:]) - {"unknown"}) > 1) for row in rows]


def _changelog(events: Sequence[Event]) -> Sequence[tuple[str, str, str, str, str]] | None:
    """The provider's entries that triage saw, as (day, provider, title, models, link); None where no changelog is kept."""
    triage = _last(events, "triaged")
    seen = triage.data.get("changelog") if triage else None
    if seen is None:
        return None
    return [
        (iso(e["time"])[:10], e["provider"], e["title"], ", ".join(e["models"][:5]) + (f"; stops {iso(e['retires'])[:10]}" if e["retires"] else ""), e["link"])
        for e in seen
    ]  # fmt: skip


def _clocks(incident: Incident, events: Sequence[Event], scale: int) -> Sequence[tuple[str, str, str, str]]:
    target = next((s for s in SEVERITIES if s.sev == incident.sev), SEVERITIES[0])
    triage, contained = _first(events, "triaged"), _first(events, "contain applied", "rollback applied")
    last = _last(events, "triaged")
    start = last.data.get("start") if last else None
    began = start["time"] if start else incident.opened
    rows = []
    for name, at, since, minutes in (
        ("detected", _known(incident, events), began, None),
        ("classified", triage.time if triage else None, incident.opened, target.classify_minutes),
        ("contained", contained.time if contained else None, began, None),
        ("closed", incident.closed, began, target.resolve_minutes),
    ):
        took = None if at is None else max(at - since, 0.0)
        bound = None if minutes is None else minutes * 60 / scale
        verdict = "" if bound is None else "open" if took is None else "met" if took <= bound else "MISSED"
        rows.append((name, "not yet" if took is None else span(took), "" if bound is None else span(bound), verdict))
    return rows


def _known(incident: Incident, events: Sequence[Event]) -> float:
    opened = _first(events, "incident opened")
    return float((opened.data.get("fired") if opened else None) or incident.opened)


def _all(events: Sequence[Event], *kinds: str) -> list[Event]:
    return [e for e in events if e.kind in kinds]


def _first(events: Sequence[Event], *kinds: str) -> Event | None:
    return next(iter(_all(events, *kinds)), None)


def _last(events: Sequence[Event], *kinds: str) -> Event | None:
    return next(iter(reversed(_all(events, *kinds))), None)
