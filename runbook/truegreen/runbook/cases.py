"""What the log knows of an incident, for a case of an evaluation set: the entry point `truegreen_incident`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from truegreen.core.config import load
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words.slo import EvaluationSli
from truegreen.runbook import log as store
from truegreen.runbook import selectors
from truegreen.runbook.model import Event, Incident


def facts(incident: int, address: str | None, config_path: Path | None) -> Mapping[str, Any]:
    """Whose promise was broken, the evaluation that judged it, and the failing traces that triage saw, newest first. No text is in it.

    Args:
        address: the store; None: the configured one.

    Raises:
        BadInput: the log has no such incident.
    """
    config = load(config_path, os.environ)
    log = store.open_log(address or config.incidents.store)
    known = {one.id: one for one in store.incidents(log)}
    if incident not in known:
        there = ", ".join(map(str, known)) or "none"
        raise BadInput(f"--from-incident {incident}: {log.address} has no incident of that number; known: {there}")
    return told(config, known[incident], store.events(log, incident))


def told(config: Config, incident: Incident, events: Sequence[Event]) -> Mapping[str, Any]:
    """The same of an incident that was read already."""
    target = incident.target
    slo = selectors.slo_named(target.slo, config.slos)
    triaged = [event for event in events if event.kind == "triaged"]
    traces = (trace for event in reversed(triaged) for trace in event.data.get("failing", ()))
    return {
        "id": incident.id, "service": target.service, "environment": target.environment, "slo": target.slo,
        "evaluation": slo.sli.evaluation if slo is not None and isinstance(slo.sli, EvaluationSli) else "",
        "traces": list(dict.fromkeys(traces)),
    }  # fmt: skip
