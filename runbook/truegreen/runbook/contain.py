"""Flip a switch that the application obeys: evidence first, then the file, then the log, then the spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from truegreen.containment.model import PINNED_MODEL
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import bundle, flags, freeze, names, selectors, standing
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.model import Event, Target
from truegreen.runbook.times import iso
from truegreen.runbook.watch import OTHER, Key

_MODEL: Final = "served by it"
_STAMP: Final = "stamped"
KINDS: Final = (_MODEL, _STAMP)


def pin(case: Case, model: str, seconds: float) -> tuple[freeze.Bundle, Event]:
    """Pin a model until the team unpins it, at the latest when it expires.

    A pin of the same model that was begun and never finished is completed: its undo leads to what was before it.

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
    half = next((a for a in reversed(standing.switches(store.events(case.log))) if a.flag == PINNED_MODEL), None)
    if half and not half.finished and half.value == model and before.value in (half.value, half.previous):
        facts |= {"previous": half.previous, "previous_expires": half.previous_expires, "completes": half.begun}
    store.append(case.log, case.incident.id, now, "contain", "contain begun", f"about to pin {model}", facts)
    try:
        flags.save(case.flags, flags.turned(flags.load(case.flags), PINNED_MODEL, flags.Switch(model, expires)))
    except (BadInput, Failed) as error:
        store.append(case.log, case.incident.id, case.clock(), "contain", "contain failed", str(error), facts)
        raise
    text = f"pinned model {model} until {iso(expires)} (evidence {held.sha256[:12]})"
    return held, store.append(case.log, case.incident.id, case.clock(), "contain", "contain applied", text, facts)


def undo(case: Case, number: int) -> tuple[freeze.Bundle, Event]:
    """Put one switch back to what it was before event `number`, whether or not the change was finished.

    Raises:
        BadInput: that event did not turn a switch, is undone already, or another change came after it.
    """
    told = store.events(case.log)
    active = standing.switches(told)
    found = next((a for a in active if number in (a.number, a.begun)), None)
    if found is None:
        known = ", ".join(str(a.number) for a in active) or "none"
        raise BadInput(f"event {number} is no switch that is on; to undo: {known} (truegreen contain list)")
    newer = next((a for a in reversed(active) if a.flag == found.flag and a.number > found.number), None)
    if newer:
        raise BadInput(
            f"event {newer.number} set {found.flag} to {newer.value!r} after event {number}: undo the newer change first: "
            f"truegreen contain undo {newer.number}"
        )
    current = flags.state(flags.load(case.flags), found.flag)
    # A command that was killed half way, this undo or the change itself, may have left the file on either side.
    half = not found.finished or standing.announced(told, found.number)
    if current.value != found.value and not (half and current.value == found.previous):
        raise BadInput(
            f"{found.flag} is {current.value or 'off'!r} now, event {number} set it to {found.value!r}: undo the newer change first"
        )
    held = bundle.hold(case, "contain", f"contain undo {found.number}")
    facts = {"undone": found.number, "flag": found.flag, "value": found.previous}
    store.append(case.log, case.incident.id, case.clock(), "contain", "undo begun", f"about to undo event {found.number}", facts)
    flags.save(case.flags, flags.turned(flags.load(case.flags), found.flag, flags.Switch(found.previous, found.previous_expires)))
    text = f"{found.flag} back to {found.previous or 'off'} (undo of event {found.number}, evidence {held.sha256[:12]})"
    return held, store.append(case.log, case.incident.id, case.clock(), "contain", "contain undone", text, facts)


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
