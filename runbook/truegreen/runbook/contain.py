"""Flip a switch that the application obeys: evidence first, then the file, then the log, then the spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.containment.model import PINNED_MODEL
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.runbook import bundle, flags, freeze, names, selectors
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.model import Event, Target
from truegreen.runbook.times import iso
from truegreen.runbook.watch import OTHER, Key

_MODEL: Final = "served by it"
_STAMP: Final = "stamped"
KINDS: Final = (_MODEL, _STAMP)


@dataclass(frozen=True, slots=True)
class Active:
    """A switch that the log says is on; `number` is that of its event, for `contain undo`."""

    number: int
    incident: int
    flag: str
    value: str
    previous: str
    applied: float
    expires: float


def pin(case: Case, model: str, seconds: float) -> tuple[freeze.Bundle, Event]:
    """Pin a model until the team unpins it, at the latest when it expires.

    Returns:
        the evidence bundle and the log's event: its number undoes it.

    Raises:
        Failed: the evidence or the file cannot be written: the switch is as it was.
    """
    before = flags.state(flags.load(case.flags), PINNED_MODEL)
    held = bundle.hold(case, "contain", f"contain pin-model {model}")
    now = case.clock()
    expires = round(now + seconds, 3)
    facts = {
        "flag": PINNED_MODEL,
        "value": model,
        "previous": before.value,
        "previous_expires": before.expires,
        "expires": expires,
    }
    store.append(case.log, case.incident.id, now, "contain", "contain begun", f"about to pin {model}", facts)
    flags.save(case.flags, flags.turned(flags.load(case.flags), PINNED_MODEL, flags.Switch(model, expires)))
    text = f"pinned model {model} until {iso(expires)} (evidence {held.sha256[:12]})"
    return held, store.append(case.log, case.incident.id, case.clock(), "contain", "contain applied", text, facts)


def undo(case: Case, number: int) -> tuple[freeze.Bundle, Event]:
    """Put one switch back to what it was before event `number`.

    Raises:
        BadInput: that event did not turn a switch, is undone already, or another change came after it.
    """
    told = store.events(case.log)
    active = {a.number: a for a in standing(told)}
    if number not in active:
        known = ", ".join(map(str, active)) or "none"
        raise BadInput(f"event {number} is no switch that is on; to undo: {known} (truegreen contain list)")
    found = active[number]
    current = flags.state(flags.load(case.flags), found.flag)
    if current.value != found.value:
        raise BadInput(
            f"{found.flag} is {current.value or 'off'!r} now, event {number} set it to {found.value!r}: undo the newer change first"
        )
    held = bundle.hold(case, "contain", f"contain undo {number}")
    expires = next(e for e in told if e.seq == number).data.get("previous_expires")
    facts = {"undone": number, "flag": found.flag, "value": found.previous}
    store.append(case.log, case.incident.id, case.clock(), "contain", "undo begun", f"about to undo event {number}", facts)
    flags.save(case.flags, flags.turned(flags.load(case.flags), found.flag, flags.Switch(found.previous, expires)))
    text = f"{found.flag} back to {found.previous or 'off'} (undo of event {number}, evidence {held.sha256[:12]})"
    return held, store.append(case.log, case.incident.id, case.clock(), "contain", "contain undone", text, facts)


def standing(events: Sequence[Event]) -> tuple[Active, ...]:
    """The switches that the log says are on, oldest first."""
    undone = {e.data.get("undone") for e in events if e.kind == "contain undone"}
    return tuple(
        Active(e.seq, e.incident, e.data["flag"], e.data["value"], e.data["previous"], e.time, e.data["expires"])
        for e in events if e.kind == "contain applied" and e.seq not in undone
    )  # fmt: skip


def reader(server: Server, target: Target) -> Callable[[], Mapping[Key, float]]:
    """Reads the counters that show who serves and what is stamped."""
    where = selectors.at(target)

    def read() -> Mapping[Key, float]:
        served = prom.query(server, f"sum by (model, served) ({names.SERVED}{where})")
        stamped = prom.query(server, f"sum by (containment) ({names.CONTAINED}{where})")
        return {
            **{("served", s.labels.get("model", ""), s.labels.get("served", "")): s.value for s in served},
            **{("stamped", s.labels.get("containment", ""), ""): s.value for s in stamped},
        }

    return read


def classifier(pinned: str, replaced: Sequence[str]) -> Callable[[Key], str]:
    """Tells the pinned model's requests from those that should not be any more.

    Args:
        replaced: requested names that the pin replaces; empty means every other name.
    """

    def classify(key: Key) -> str:
        kind, name, served = key
        if kind == "stamped":
            return _STAMP if name == PINNED_MODEL else "ignored"
        if served == pinned:
            return _MODEL
        return OTHER if not replaced or name in replaced or name == pinned else "ignored"

    return classify
