"""Take the switches of an incident away one at a time, the newest first, and put one back when the service does not do without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from truegreen.containment.model import EVALUATION_BOOST
from truegreen.core.config.response import Containment
from truegreen.core.errors import Failed
from truegreen.core.words.slo import Slo
from truegreen.runbook import checks, contain, standing, validate
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.evidence import STEP
from truegreen.runbook.model import NOT_OK, OK, Check, Event
from truegreen.runbook.standing import LIFTED, Active
from truegreen.runbook.switches import OWN, shown
from truegreen.runbook.times import span

WINDOW: Final = 300.0
"""Seconds, before scaling, for which the service is watched after each switch."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How the service is watched after each step.

    Args:
        slo: whose bad ratio; None where nothing is known of it.
        window: seconds, not divided by `scale` yet.
        triaged: the last triage, for the ratio of before where there is no baseline.
    """

    slo: Slo | None
    window: float
    scale: int
    triaged: Event | None
    clock: Callable[[], float]
    sleep: Callable[[float], None]


class Back(Failed):
    """A switch was put back."""


def order(case: Case) -> list[Active]:
    """The switches of the incident as they are to be lifted: the newest first, raised sampling last, for it shows how the rest goes."""
    mine = [a for a in standing.switches(store.events(case.log)) if a.incident == case.incident.id]
    return sorted(mine, key=lambda a: (a.flag == EVALUATION_BOOST, -a.number))


def lift(case: Case, how: Containment, watch: Watch, by_hand: bool = False) -> Iterator[str]:
    """Lift all switches; says each step when it is done.

    Args:
        by_hand: switches of the team's own that know no undo were taken back by hand.

    Raises:
        Back: without it the bad ratio is over its bound, or cannot be seen: the switch is on again, the others before it stay away.
        BadInput, Failed: a switch cannot be undone; it is as it was.
    """
    gone = []
    for active in order(case):
        own = how.commands.get(active.flag.removeprefix(OWN))  # None: renamed or removed, so only a hand can take it back
        no_undo = active.flag.startswith(OWN) and not (own and own.undo)
        _, event = contain.undo(case, active.number, how=how, by_hand=by_hand and no_undo, facts={"lift": True})
        gone.append(active.number)
        yield event.text
        if active.flag == EVALUATION_BOOST:
            continue
        check, why = _watched(case, watch, event.time)
        if why:
            _back(case, how, active, why)
        yield f"without it for {span(watch.window / watch.scale)}: bad ratio {check.number}, bound {check.bound}"
    text = f"containment lifted: {', '.join(f'event {number}' for number in gone) or 'nothing was on'}"
    store.append(case.log, case.incident.id, case.clock(), "validate", LIFTED, text, {"switches": gone})
    yield text


def _back(case: Case, how: Containment, active: Active, why: str) -> None:
    left = max(active.expires - case.clock(), how.expires)
    _, again = contain.turn(case, active.flag, active.value, left, f"put {active.flag} back", how=how, facts={"because": why})
    raise Back(
        f"{active.flag} = {shown(active.flag, active.value)} is on again (event {again.seq}): {why}. Mend the cause, then: truegreen validate"
    )


def _watched(case: Case, watch: Watch, since: float) -> tuple[Check, str]:
    """The check of the bad ratio at the end of the window, and why it is not good; ends early when it is bad."""
    end = since + watch.window / watch.scale
    while True:
        now = watch.clock()
        when = validate.Moments(since, since, now)
        try:
            check, events = validate.sli(case.sources, case.incident, watch.slo, when, watch.scale, watch.triaged)
        except Failed as error:
            return Check("bad ratio", "unknown", "unknown", "unknown"), f"how it does without it is not known ({error})"
        if check.state == NOT_OK and events >= checks.LEAST:
            return check, f"without it the bad ratio was {check.number}, bound {check.bound} ({check.says})"
        if now >= end:
            if check.state == OK and events >= checks.LEAST:
                return check, ""
            few = (
                f"only {events:.0f} events were judged in {span(now - since)}, expected {checks.LEAST}; give it longer: --window"
            )
            return check, few if events < checks.LEAST else f"without it the bad ratio was {check.number}: {check.says}"
        watch.sleep(min(max(STEP / watch.scale, 1.0), max(end - now, 0.1)))
