"""Gathers what an evidence bundle holds, writes it, and puts it into the log: the step before every change."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import alertmanager, langfuse
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.core.words import triage as table
from truegreen.runbook import flags, freeze, in_time, names, selectors
from truegreen.runbook import log as store
from truegreen.runbook.evidence import Sources
from truegreen.runbook.model import Incident, Target
from truegreen.runbook.times import iso

_SERIES = (
    names.SNAPSHOT, names.SNAPSHOT_SINCE, names.SERVED, names.EVALUATED,
    names.CALIBRATION, names.FAILING, names.CONTAINED, names.SESSIONS,
)  # fmt: skip

PATIENCE: Final = 4.0
"""Seconds for all evidence that servers hold: harm goes on meanwhile, so a bundle is written within five."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a command that changes something works on.

    Args:
        prompt, langfuse: the name of the prompt in Langfuse, and the server's address where LANGFUSE_BASE_URL does not say it.
    """

    log: store.Log
    incident: Incident
    sources: Sources
    evidence: Path
    flags: Path
    prompt: str
    clock: Callable[[], float]
    langfuse: str = ""


def hold(case: Case, phase: str, before: str, more: Mapping[str, Callable[[], Any]] | None = None) -> freeze.Bundle:
    """Freeze the evidence and log it.

    What a server does not answer is listed as missing: a change at 3 AM does not wait for it.

    Args:
        before: the change that follows, in words.
        more: name of a part to what gathers it, beside those of every bundle.

    Raises:
        Failed: the bundle cannot be written; then nothing may be changed.
    """
    now = case.clock()
    ends = time.monotonic() + PATIENCE
    # Side by side: of servers that are silent together, none is waited for after the other.
    found, failed = in_time.side_by_side({**_gatherers(case, now, ends), **(more or {})}, ends)
    parts = dict(found)
    missing = [f"{name}: {error}" for name, error in failed.items()]
    head = store.head(case.log)
    about = {"format": 1, "incident": case.incident.id, **asdict(case.incident.target), "frozen": iso(now), "before": before,
             "missing": missing, "log_head": head}  # fmt: skip
    path, sha256 = freeze.write(case.evidence, case.incident.id, iso(now), freeze.pack(parts, about))
    made = freeze.Bundle(path, sha256, tuple(parts), tuple(missing))
    store.append(case.log, case.incident.id, now, phase, "evidence frozen", f"before {before}: sha256 {sha256}",
                 {"file": path.name, "sha256": sha256, "missing": missing, "log_head": head})  # fmt: skip
    return made


def _gatherers(case: Case, now: float, ends: float) -> Mapping[str, Callable[[], Any]]:
    target, server = case.incident.target, in_time.bounded(case.sources.prometheus, ends)
    made: dict[str, Callable[[], Any]] = {
        "alerts.json": lambda: [
            {"labels": dict(a.labels), "state": a.state, "starts": a.starts} for a in alertmanager.alerts(in_time.bounded(case.sources.alertmanager, ends))
        ],
        "rules.json": lambda: [
            {"group": r.group, "name": r.name, "labels": dict(r.labels), "query": r.query, "state": r.state}
            for r in prom.rules(server) if r.kind == "alerting"
        ],
        "queries.json": lambda: _queries(server, target, now),
        "snapshot.json": lambda: _ask(server, [name + selectors.at(target) for name in _SERIES], now),
        "log.json": lambda: [asdict(e) for e in store.events(case.log, case.incident.id)],
    }  # fmt: skip
    if case.flags.exists():
        made["flags.json"] = lambda: flags.evidence(_bytes(case.flags))
    if case.prompt:
        made["prompt.json"] = lambda: _labels(case.prompt, case.langfuse)
    return made


def _queries(server: Server, target: Target, now: float) -> Any:
    asked = [query.fill(target.service, target.environment) for query in table.QUERIES.values()]
    where = selectors.at(target, slo=target.slo)
    return _ask(server, [*asked, '{__name__=~"truegreen:slo_.*",' + where[1:]], now)


def _ask(server: Server, expressions: list[str], now: float) -> Any:
    return {
        expr: [{"labels": dict(s.labels), "value": repr(s.value), "time": s.time} for s in prom.query(server, expr, now)]
        for expr in expressions
    }


def _labels(name: str, url: str) -> Any:
    # The text of the prompt stays where it is: only its name, version, labels and digest are evidence here.
    found = langfuse.get_prompt(langfuse.connect(url or None), name)
    return {
        "name": found.name,
        "version": found.version,
        "labels": list(found.labels),
        "sha256": hashlib.sha256(repr(found.body).encode()).hexdigest(),
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror or error}") from None
