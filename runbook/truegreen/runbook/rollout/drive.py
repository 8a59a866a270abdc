"""Moves a rollout: the flag first, then the log, under the lock of the flag file. Its events are in the incident log, of incident 0: of none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from truegreen.containment.model import ROLLOUT
from truegreen.core.clients.http import Server
from truegreen.core.config.response import Containment
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.slo import EvaluationSli, Slo
from truegreen.runbook import flags, selectors
from truegreen.runbook import log as store
from truegreen.runbook.clean import clean
from truegreen.runbook.log import Log
from truegreen.runbook.model import Event
from truegreen.runbook.rollout import counts, decide
from truegreen.runbook.rollout.model import BACK, PROMOTED, RUNNING, Rollout, Stage, begun, facts, flag
from truegreen.runbook.times import iso

NO_INCIDENT: Final = 0
STARTED, STEP, DONE, GONE = "rollout started", "rollout step", "rollout promoted", "rollout rolled back"
RENEWED: Final = "rollout renewed"
HELD: Final = 4
"""Windows for which the flag holds without anybody who watches: then users have the incumbent again."""


@dataclass(frozen=True, slots=True)
class Road:
    """What a rollout is driven with."""

    log: Log
    flags: Path
    how: Containment
    prometheus: Server
    slos: Sequence[Slo]


def newest(log: Log) -> Rollout | None:
    """The newest rollout as the log tells it; None when there was none."""
    found: Rollout | None = None
    for event in store.events(log, NO_INCIDENT):
        if event.kind == STARTED:
            found = begun(event.seq, event.time, event.data, event.text)
        elif found is not None and event.data.get("rollout") == found.id:
            if event.kind == STEP:
                found = replace(found, at=int(event.data["at"]), since=event.time, says=event.text)
            elif event.kind in (DONE, GONE):
                found = replace(found, state=PROMOTED if event.kind == DONE else BACK, says=event.text)
    return found


def running(log: Log) -> Rollout:
    """The rollout that runs.

    Raises:
        BadInput: none does.
    """
    found = newest(log)
    if found is None or found.state != RUNNING:
        told = f"; the last one, to {found.to}, was {found.state}" if found else ""
        raise BadInput(f"no rollout runs{told}; begin with: truegreen rollout start COMPONENT --to VERSION")
    return found


def start(road: Road, wanted: Rollout, now: float) -> Rollout:
    """Begin with the first stage.

    Raises:
        BadInput: another one runs, the SLO is not of an evaluation, or the flag is set by somebody else.
        Failed: a quality SLO alerts already, Prometheus does not answer, or the flag cannot be set.
    """
    evaluation_of(road, wanted.slo)
    firing = counts.alerting(road.prometheus, wanted.service, wanted.environment, road.slos, now)
    if firing:
        raise Failed(f"{', '.join(firing)} fires: nothing was started; mend that first")
    with flags.alone(road.flags):
        last = newest(road.log)
        if last is not None and last.state == RUNNING:
            raise BadInput(f"a rollout to {last.to} runs at {last.stage}; truegreen rollout abort, or wait for it")
        said = flags.Switch("", None) if road.how.command else flags.state(flags.load(road.flags), ROLLOUT)
        mine = said.value == flag(wanted, wanted.stage) or (last is not None and last.state == PROMOTED)
        if said.value and not mine and not (said.expires is not None and now >= said.expires):
            raise BadInput(f"flag {ROLLOUT} is {clean(said.value, 200)!r} and no rollout here set it: take it away first")
        until = _put(road, wanted, wanted.stage, now)
        text = f"rollout of {wanted.component} {wanted.to} to {wanted.service}/{wanted.environment} begins at {wanted.stage}"
        event = store.append(road.log, NO_INCIDENT, now, "mitigate", STARTED, text, {**facts(wanted), "until": until})
    return begun(event.seq, event.time, event.data, event.text)


def decided(road: Road, rollout: Rollout, now: float) -> decide.Decision:
    """What the evidence says of the step; changes nothing.

    Raises:
        Failed: Prometheus does not answer: then nothing is known, and nothing is promoted.
    """
    said = _value(road, rollout)
    if said.expires is not None and now >= said.expires and said.value:
        return decide.Decision(decide.GO_BACK, f"nobody watched: the flag expired {iso(said.expires)}")
    expected = {flag(rollout, stage) for stage in rollout.stages[rollout.at : rollout.at + 2]}
    if said.value not in expected:
        return decide.Decision(decide.GO_BACK, f"flag {ROLLOUT} was changed by somebody else: {clean(said.value, 100) or 'off'}")
    firing = counts.alerting(road.prometheus, rollout.service, rollout.environment, road.slos, now)
    if firing:
        return decide.Decision(decide.GO_BACK, f"{', '.join(firing)} fires")
    evaluation = evaluation_of(road, rollout.slo)
    bad = decide.worse(*counts.sides(road.prometheus, rollout, evaluation, now), rollout.rule)
    if bad:
        return bad
    number = decide.look(now - rollout.since, rollout.rule)
    # Counted at the moment of the look, however much later somebody asks: one look is one chance to err.
    moment = rollout.since + number * rollout.rule.window if number else now
    return decide.passed(*counts.sides(road.prometheus, rollout, evaluation, moment), number, rollout.rule)


def act(road: Road, rollout: Rollout, decision: decide.Decision, now: float, by: Mapping[str, Any] | None = None) -> Event | None:
    """Do what was decided: the next stage, the end, or back to none; None where it holds, and the flag is renewed for as long.

    Args:
        by: for the log: who decided against the evidence, and why.

    Raises:
        BadInput: somebody else has moved it since.
        Failed: the flag cannot be set: all is as it was, and the next call does it.
    """
    with flags.alone(road.flags):
        if newest(road.log) != rollout:
            raise BadInput("somebody else has moved the rollout meanwhile; look at: truegreen rollout status")
        data = {"rollout": rollout.id, "at": rollout.at, "decision": decision.do, **(by or {})}
        if decision.do == decide.GO_BACK:
            changed = decision.says.startswith(f"flag {ROLLOUT} was changed")
            if not changed:
                flags.put(road.flags, road.how.command, ROLLOUT, flags.Switch("", None))
            return _tell(road, now, GONE, f"back from {rollout.stage} to 0 %: {decision.says}", data)
        if decision.do == decide.HOLD:
            _renew(road, rollout, now)
            return None
        if rollout.at + 1 == len(rollout.stages):
            flags.put(road.flags, road.how.command, ROLLOUT, flags.Switch(flag(rollout, rollout.stage), None))
            text = f"{rollout.component} {rollout.to} serves {rollout.stage} on evidence: {decision.says}. Make it the configured one, then: truegreen rollout clear"
            return _tell(road, now, DONE, text, data)
        after = rollout.stages[rollout.at + 1]
        until = _put(road, rollout, after, now)
        return _tell(
            road, now, STEP, f"from {rollout.stage} to {after}: {decision.says}", {**data, "at": rollout.at + 1, "until": until}
        )


def clear(road: Road, now: float) -> Event:
    """Take the flag of a promoted rollout away, once the application has the version as its configured one.

    Raises:
        BadInput: the newest rollout is not promoted.
    """
    with flags.alone(road.flags):
        found = newest(road.log)
        if found is None or found.state != PROMOTED:
            raise BadInput("no rollout is promoted; one that runs ends with: truegreen rollout abort")
        flags.put(road.flags, road.how.command, ROLLOUT, flags.Switch("", None))
        return _tell(road, now, "rollout cleared", f"flag {ROLLOUT} is off: {found.to} must be the configured {found.component} now",
                     {"rollout": found.id})  # fmt: skip


def evaluation_of(road: Road, slo: str) -> str:
    """The evaluation that an SLO reads.

    Raises:
        BadInput: no such SLO, or it reads none.
    """
    found = selectors.slo_named(slo, road.slos)
    if found is None or not isinstance(found.sli, EvaluationSli):
        raise BadInput(
            f"--slo {clean(slo, 60)}: expected an SLO of an evaluation, such as grounding: it judges each version's answers"
        )
    return found.sli.evaluation


def _renew(road: Road, rollout: Rollout, now: float) -> None:
    """Let the flag hold for longer when half of its time is over."""
    said, elsewhere = _value(road, rollout), bool(road.how.command)
    if (elsewhere and said.expires is None) or (said.expires is not None and said.expires - now < HELD / 2 * rollout.rule.window):
        until = _put(road, rollout, rollout.stage, now)
        if elsewhere:
            _tell(road, now, RENEWED, f"{rollout.stage} holds until {iso(until)}", {"rollout": rollout.id, "until": until})


def _value(road: Road, rollout: Rollout) -> flags.Switch:
    """How the flag stands: by the file, else by the log, for another system cannot be asked."""
    if not road.how.command:
        return flags.state(flags.load(road.flags), ROLLOUT)
    told = store.events(road.log, NO_INCIDENT)
    until = [e.data["until"] for e in told if rollout.id in (e.seq, e.data.get("rollout")) and "until" in e.data]
    return flags.Switch(flag(rollout, rollout.stage), until[-1] if until else None)


def _put(road: Road, rollout: Rollout, stage: Stage, now: float) -> float:
    """Set the flag; returns until when it holds, unix seconds."""
    until = round(now + max(HELD * rollout.rule.window, road.how.expires), 3)
    flags.put(road.flags, road.how.command, ROLLOUT, flags.Switch(flag(rollout, stage), until))
    return until


def _tell(road: Road, now: float, kind: str, text: str, data: Mapping[str, Any]) -> Event:
    return store.append(road.log, NO_INCIDENT, now, "mitigate", kind, text, data)
