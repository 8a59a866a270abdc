"""An incident's log to what its page says. Pure: the same dictionary is the page's JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.clients.http import bare
from truegreen.core.config.model import Config
from truegreen.core.words import triage as table
from truegreen.core.words.terms import FAILURE_MODES, PHASES
from truegreen.runbook import selectors
from truegreen.runbook.channels.words import links
from truegreen.runbook.commands.common import newest, owned_by
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.page import sli
from truegreen.runbook.standing import CHANGES

SHOWN: Final = 300
"""Events on a page, the newest: JSON of `incident log --json` has all."""
WHOSE: Final = {
    "us": "We changed something.",
    "them": "The provider changed, we did not.",
    "both": "Both changed: the provider and we.",
}
UNSURE: Final = "Not sure yet whose doing it is."
_DONE: Final = {
    "detect": ("incident opened",),
    "triage": ("triaged",),
    "contain": ("contain applied",),
    "mitigate": ("rollback applied",),
    "validate": ("validated",),
    "review": ("incident closed",),
}
"""Phase to the kinds of events by which it is done; a validation must be green and newer than the last change."""
_OPTIONAL: Final = ("contain", "mitigate")


def view(
    config: Config,
    incident: Incident,
    events: Sequence[Event],
    clocks: Sequence[Mapping[str, Any]],
    law: Mapping[str, Any],
    now: float,
) -> dict[str, Any]:
    """Everything that the page of one incident says.

    Args:
        events: of this incident, oldest first.
        clocks, law: as `page.clocks` makes them.
        now: unix seconds.
    """
    triaged, seen = newest(events, "triaged"), newest(events, "acknowledged")
    facts = triaged.data if triaged else {}
    start = facts.get("start")
    began = _number(start.get("time")) if isinstance(start, Mapping) else None
    return {
        "incident": incident.id,
        "open": incident.closed is None,
        "sev": incident.sev,
        "service": incident.target.service,
        "environment": incident.target.environment,
        "slo": incident.target.slo,
        "summary": events[0].text if events else "",
        "drill": str(events[0].data.get("drill") or "") if events else "",
        "opened": incident.opened,
        "closed": incident.closed,
        "started": began,
        "now": now,
        "owner": owned_by(config, incident, events),
        "acknowledged": {"by": str(seen.data.get("by", "")), "time": seen.time} if seen else None,
        "clocks": list(clocks),
        "law": dict(law),
        "triage": _triage(config, triaged) if triaged else None,
        "next": next_steps(incident, events),
        "phases": phases(incident, events),
        "checks": _checks(events),
        "links": links(config, incident, events),
        "asks": asks(config, incident, events),
        "events": [
            {"seq": e.seq, "time": e.time, "phase": e.phase, "kind": e.kind, "text": e.text, "url": _web(e.data.get("url"))}
            for e in reversed(events[-SHOWN:])
        ],
        "left_out": max(len(events) - SHOWN, 0),
        "head": events[-1].hash if events else "",
    }


def next_steps(incident: Incident, events: Sequence[Event]) -> list[dict[str, str]]:
    """What to do now, a command each with why."""
    name = f"--incident {incident.id}"
    if incident.closed is not None:
        return [{"says": "Write the postmortem.", "command": f"truegreen postmortem {incident.id} --out postmortem.md"}]
    triaged, validated = newest(events, "triaged"), newest(events, "validated")
    changed = newest(events, *CHANGES)
    if triaged is None:
        return [{"says": "Find out what broke, and whose doing it is.", "command": f"truegreen triage {name}"}]
    if changed is None:
        told = _texts(triaged.data.get("commands"))
        return [
            *({"says": "Stop the harm.", "command": command} for command in told),
            {"says": "Look again, with what is known by then.", "command": f"truegreen triage {name}"},
        ]
    if validated and validated.seq > changed.seq and validated.data.get("ok"):
        return [{"says": "The six checks are green: close it.", "command": f"truegreen incident close {incident.id}"}]
    return [
        {"says": "Look whether it is over: six checks.", "command": f"truegreen validate {name}"},
        {"says": "See which switches are on.", "command": "truegreen contain list"},
    ]


def phases(incident: Incident, events: Sequence[Event]) -> list[dict[str, Any]]:
    """The six phases: `done`, `now`, `todo`, or `skipped` for one that a later one went past."""
    changed = newest(events, *CHANGES)
    made: dict[str, Event | None] = {}
    for phase in PHASES:
        event = newest(events, *_DONE[phase])
        if phase == "validate" and event and (not event.data.get("ok") or (changed and changed.seq > event.seq)):
            event = None
        made[phase] = event
    last = max((PHASES.index(phase) for phase, event in made.items() if event), default=-1)
    after = [phase for phase in PHASES[last + 1 :] if not made[phase]]
    rows = []
    for number, phase in enumerate(PHASES):
        event = made[phase]
        state = (
            "done"
            if event
            else "skipped"
            if number < last
            else "now"
            if after[:1] == [phase] and incident.closed is None
            else "todo"
        )
        text = event.text if event else "may be left out" if phase in _OPTIONAL and state in ("now", "todo") else ""
        rows.append({"phase": phase, "state": state, "time": event.time if event else None, "says": text})
    return rows


def asks(config: Config, incident: Incident, events: Sequence[Event]) -> list[dict[str, str]]:
    """What can be asked without truegreen: each question as PromQL and as a line of curl."""
    mode, pillar = _mode(events)
    slo = selectors.slo_named(incident.target.slo, config.slos)
    pair = sli.expressions(slo, incident)
    made = [("What share of answers is bad?", pair[0])] if pair else []
    for row in table.rows(mode, pillar) if mode in FAILURE_MODES else ():
        names = dict.fromkeys([*(h.query for h in row.hypotheses), *row.queries])
        queries = [table.QUERIES[name] for name in names if name in table.QUERIES]
        made += [(q.asks, q.fill(incident.target.service, incident.target.environment)) for q in queries]
    url = bare(config.incidents.prometheus_url)
    return [
        {"asks": question, "promql": promql,
         "curl": f"curl -sG {shlex.quote(f'{url}/api/v1/query')} --data-urlencode {shlex.quote(f'query={promql}')}"}
        for question, promql in dict(made).items()
    ]  # fmt: skip


def _web(url: object) -> str:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


def _mode(events: Sequence[Event]) -> tuple[str, str]:
    triaged = newest(events, "triaged")
    labels = events[0].data.get("labels") if events else None
    for found in (triaged.data if triaged else {}, labels if isinstance(labels, Mapping) else {}):
        if found.get("failure_mode") in FAILURE_MODES:
            return str(found["failure_mode"]), str(found.get("pillar") or "none")
    return "", "none"


def _triage(config: Config, triaged: Event) -> dict[str, Any]:
    facts = triaged.data
    trace = config.routes.trace_url
    findings = _rows(facts.get("findings"), "says", "because", "state")
    start = facts.get("start")
    told = (
        {key: _number(start.get(key)) for key in ("time", "low", "high", "before", "after")} if isinstance(start, Mapping) else {}
    )
    return {
        "time": triaged.time,
        "whose": str(facts.get("whose", "")),
        "says": WHOSE.get(str(facts.get("whose")), UNSURE),
        "because": str(facts.get("because", "")),
        "start": told if told and None not in told.values() else None,
        "changes": [
            {**row, "time": _number(given.get("time"))}
            for row, given in zip(
                _rows(facts.get("changes"), "component", "old", "new"), _mappings(facts.get("changes")), strict=True
            )
        ],
        "suspects": [f for f in findings if f["state"] != "ruled out"],
        "ruled_out": [f for f in findings if f["state"] == "ruled out"],
        **{name: _number(facts.get(name)) for name in ("affected", "sessions", "users")},
        "slices": _texts(facts.get("slices")),
        "missing": _texts(facts.get("missing")),
        "traces": [
            {"id": one, "url": trace.replace("{trace_id}", one) if trace and one.isalnum() else ""}
            for one in _texts(facts.get("failing"))
        ],
    }


def _checks(events: Sequence[Event]) -> dict[str, Any] | None:
    validated = newest(events, "validated")
    if validated is None:
        return None
    rows = _rows(validated.data.get("checks"), "name", "state", "number", "bound", "says")
    return {"time": validated.time, "ok": bool(validated.data.get("ok")), "text": validated.text, "rows": rows}


def _mappings(given: object) -> list[Mapping[str, Any]]:
    return [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []


def _rows(given: object, *keys: str) -> list[dict[str, str]]:
    # What an older or another writer left out is empty: the page must not fail at night.
    return [{key: str(one.get(key) if one.get(key) is not None else "") for key in keys} for one in _mappings(given)]


def _texts(given: object) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else []


def _number(given: object) -> float | None:
    # A time far beyond any calendar is none.
    good = isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < 1e11
    return float(given) if good else None  # type: ignore[arg-type]
