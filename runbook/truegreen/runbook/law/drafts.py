"""Pre-filled drafts of what may have to be sent: what the log knows is filled in, the rest is marked. Pure.

Art. 73 has no list of fields; the Commission published a draft of guidance and template on 26 September 2025. What Form 8-K wants: Item 1.05.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.config.response import Law
from truegreen.core.words.terms import SNAPSHOT_COMPONENTS
from truegreen.runbook.law import clocks
from truegreen.runbook.law.model import AWARENESS, LegalClock
from truegreen.runbook.law.table import CATEGORIES, REVIEWED
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.render import markdown
from truegreen.runbook.times import iso, span

BLANK: Final = "**to be filled**"
KINDS: Final = ("art73", "deployer", "sec")
_TITLE: Final = {
    "art73": ("Initial report of a serious incident (AI Act, Art. 73)", "art73-"),
    "deployer": ("Notice of a deployer to the provider (AI Act, Art. 26(5))", "art26-"),
    "sec": ("Form 8-K, Item 1.05: material cybersecurity incident", "sec-"),
}
_LABEL: Final = {
    "art73": "Aligned to the Commission's draft template of 26 September 2025; check for the final one.",
    "deployer": "The Act gives no form for it; the fields are those of the draft template for Art. 73; check for the final one.",
    "sec": "Aligned to the wording of Item 1.05; check the form's current instructions.",
}
_DONE: Final = ("contain applied", "contain undone", "rollback applied", "verified by spans", "validated", "incident closed")


def draft(kind: str, incident: Incident, events: Sequence[Event], law: Law, now: float) -> str:
    """The Markdown of one draft.

    Args:
        kind: one of `KINDS`.
        events: of this incident, oldest first.
        now: unix seconds.
    """
    title, prefix = _TITLE[kind]
    rows = _SEC if kind == "sec" else _EU
    found = {**_facts(incident, events, law), "initial or final": "initial"}
    lines = [f"# Draft: {title}", "", f"Incident {incident.id}, written {iso(now)}. {_LABEL[kind]}", "",
             f"Law as read on {REVIEWED}. {clocks.NOTE}", "", "## Deadlines", ""]  # fmt: skip
    lines += [_deadline(c) for c in clocks.every(incident, events, law, now) if c.name.startswith(prefix)]
    lines += ["", "## Fields", "", "| field | |", "|---|---|", *(f"| {name} | {found.get(key) or BLANK} |" for name, key in rows)]
    done = [f"- {iso(e.time)} {markdown(e.text)}" for e in events if e.kind in _DONE]
    lines += ["", "## Immediate actions, with their times", "", *(done or [BLANK])]
    frozen = [
        f"- `{markdown(e.data.get('file', ''))}`, sha256 `{markdown(e.data.get('sha256', ''))}`"
        for e in events
        if e.kind == "evidence frozen"
    ]
    lines += ["", "## Evidence frozen before any change", "", *(frozen or ["None was frozen."])]
    return "\n".join(lines) + "\n"


_EU: Final = (
    ("reporter, with a contact", "organisation"),
    ("system and version", "system"),
    ("registration in the EU database", "database"),
    ("Member States concerned", "states"),
    ("time of occurrence", "occurred"),
    ("time of awareness", "aware"),
    ("category of Art. 3(49)", "category"),
    ("what happened", "what"),
    ("persons affected", "affected"),
    ("suspected causal link", "cause"),
    ("versions that served", "versions"),
    ("risk assessment", "risk"),
    ("corrective measures", "corrective"),
    ("initial or final", "initial or final"),
)
_SEC: Final = (
    ("registrant, with a contact", "organisation"),
    ("determined to be material at", "material"),
    ("nature: which unauthorised occurrence", "occurrence"),
    ("what happened", "what"),
    ("scope: systems and data concerned", "scope"),
    ("timing: began", "occurred"),
    ("timing: found", "detected"),
    ("likely impact on finances and operations", "impact"),
    ("what is not known yet, to be amended within four business days of knowing it", "open"),
)


def _facts(incident: Incident, events: Sequence[Event], law: Law) -> Mapping[str, str]:
    triaged = next((e for e in reversed(events) if e.kind == "triaged"), None)
    facts: Mapping[str, Any] = triaged.data if triaged else {}
    start = facts.get("start") or {}
    aware, material = clocks.awareness(events), clocks.determined(events)
    states = ", ".join(place for place in law.jurisdictions if place.upper() != "US")
    made = {
        "organisation": law.organisation,
        "system": law.system or f"{incident.target.service} ({incident.target.environment}), version to be filled",
        "database": law.database_registration,
        "states": states,
        "occurred": f"{iso(start['time'])}, likely between {iso(start['low'])} and {iso(start['high'])}" if start else "",
        "detected": iso(incident.opened),
        "aware": _aware(aware, events),
        "material": iso(material) if material is not None else "",
        "what": f"{events[0].text if events else ''} (SLO {incident.target.slo}, sev {incident.sev})",
        "cause": f"{str(facts.get('whose')).upper()}: {facts.get('because')} (triage at {iso(triaged.time)}, not an investigation)" if triaged else "",
        "affected": _affected(facts) if triaged else "",
        "versions": _versions(facts),
    }  # fmt: skip
    return {**{key: markdown(value) for key, value in made.items() if value}, "category": _categories()}


def _aware(since: float | None, events: Sequence[Event]) -> str:
    told = [e.text for e in events if e.kind == AWARENESS]
    return "" if since is None else iso(since) + (f" (recorded: {'; '.join(told)})" if len(told) > 1 else "")


def _categories() -> str:
    return f"{BLANK}: " + "; ".join(f"({letter}) {says}" for letter, says in CATEGORIES.items())


def _affected(facts: Mapping[str, Any]) -> str:
    sessions = facts.get("sessions")
    told = "unknown" if sessions is None else f"about {sessions:.0f}"
    return f"{facts.get('affected', 0):.0f} answers failed up to triage; sessions: {told}; persons: to be filled"


def _versions(facts: Mapping[str, Any]) -> str:
    sides = facts.get("versions") or {}
    after = sides.get("after") or {}
    return "; ".join(f"{name} {after[name]}" for name in SNAPSHOT_COMPONENTS if after.get(name))


def _deadline(clock: LegalClock) -> str:
    if clock.started is None:
        when = "not started: no event that starts it is recorded"
    elif clock.due is None:
        when = f"started {iso(clock.started)}; at once, the law gives no number of days"
    else:
        when = f"started {iso(clock.started)}, latest {iso(clock.due)} ({span(clock.due - clock.started)})"
    said = f"; decided: {markdown(clock.decision)}" if clock.decision else ""
    return f"- {clock.source} ({clock.status}; {clock.concerns}): {when}{said}"
