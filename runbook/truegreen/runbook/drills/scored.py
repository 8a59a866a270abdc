"""A drill by what its incident's log says: whoever answered it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from truegreen.runbook.drills import targets, told
from truegreen.runbook.drills.faults import BY_MODE
from truegreen.runbook.drills.model import Drill
from truegreen.runbook.model import Event, Incident


def of_log(
    mode: str, incident: Incident, events: Sequence[Event], onset: float, now: float, how: str, scale: int, *, service: str = "", whose: str = "", seed: int = 0
) -> Drill:  # fmt: skip
    """The drill, scored.

    Args:
        incident, events: of the log.
        onset: when the fault was planted; now: when the drill ended; unix seconds.
        how: as in `Drill`.
        scale: windows were divided by it; the times of the drill are production time.
        service: whose drill it was, where it is not the incident's service.
    """
    fault = BY_MODE[mode]
    said, because, commands = told.triage(events)
    timings = told.timings(incident, events, onset, whose or fault.whose, scale)
    verdicts = (*targets.timed(fault, timings), targets.blamed(whose or fault.whose, said or None))
    return Drill(
        (mode,), how, service or incident.target.service, incident.target.environment, onset, now, seed, timings, said or "was not asked",
        because, commands[0] if commands else "", verdicts, (f"incident {incident.id} of the log",),
    )  # fmt: skip
