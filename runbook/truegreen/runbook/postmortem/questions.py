"""The six questions of a postmortem. Pure: what the log does not hold is said to be unanswered, never made up."""

from __future__ import annotations

from collections.abc import Sequence

from truegreen.evaluation.provider.verdict import NOT_SURE
from truegreen.runbook.actions import Action
from truegreen.runbook.model import Event
from truegreen.runbook.postmortem.model import Question
from truegreen.runbook.postmortem.reading import first, last
from truegreen.runbook.times import iso, span


def questions(
    events: Sequence[Event], impact: Sequence[str], items: Sequence[Action], left: Sequence[str]
) -> tuple[Question, ...]:
    """All six, in their order.

    Args:
        events: of this incident, oldest first.
        impact: what it cost, a line each.
        left: what the changes that still stand leave to be done.
    """
    return (_what(events, impact), _when(events), _why(events), _green(events), _over(events), _different(events, items, left))


def _what(events: Sequence[Event], impact: Sequence[str]) -> Question:
    asks = "What happened, and to whom?"
    triage = last(events, "triaged")
    if triage is None:
        return Question(asks, why="triage was never run")
    opened = first(events, "incident opened")
    text = (opened.text,) if opened and opened.text else ()
    pillar = triage.data.get("pillar", "none")
    mode = f"failure mode {triage.data.get('failure_mode')}, pillar {pillar if pillar != 'none' else 'none (model layer)'}"
    return Question(asks, (*text, mode, *impact))


def _when(events: Sequence[Event]) -> Question:
    asks = "When did it truly start, and when did we know?"
    triage, opened = last(events, "triaged"), first(events, "incident opened")
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
    triage = last(events, "triaged")
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
    triage = last(events, "triaged")
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
    checked, closed = last(events, "validated"), last(events, "incident closed")
    if not done:
        return Question(asks, why="nothing was contained or rolled back")
    if checked is None or not checked.data.get("ok"):
        return Question(asks, why=f"no green validation{f' ({checked.text})' if checked else ''}: we do not know that it is over")
    lines = [f"{iso(e.time)} {e.text}" for e in done] + [f"{iso(checked.time)} validation: {checked.text}"]
    return Question(asks, (*lines, f"{iso(closed.time)} {closed.text}" if closed else "the incident is still open"))


def _different(events: Sequence[Event], items: Sequence[Action], left: Sequence[str]) -> Question:
    asks = "What will be different?"
    actions = [*(item.text for item in items), *(f"{text} (from the log)" for text in left)]
    # After the close an incident has to be named.
    named = f" --incident {events[0].incident}" if events else ""
    return Question(
        asks, tuple(actions), "" if actions else f"no action item was noted (truegreen incident note --action TEXT{named})"
    )
