"""A drill against a staging endpoint that the user names: a command of theirs plants the fault, another takes it away, whatever happens."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Final

import httpx

from truegreen.core.clients import http, interrupts
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import argv
from truegreen.runbook import log as store
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.drills import records, scored, targets
from truegreen.runbook.drills.faults import BY_MODE, SLOW
from truegreen.runbook.drills.model import GAME_DAY, STAGING, Drill
from truegreen.runbook.model import Incident, Target

EVERY: Final = 5.0
"""Seconds between two looks at the log."""
SURPRISE: Final = (60.0, 1_800.0)
"""Seconds after which a game day's fault comes."""
_COMMAND: Final = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done: arguments of commands, never through a shell.

    Args:
        who: service and environment, as Prometheus knows the endpoint.
    """

    mode: str
    endpoint: str
    inject: tuple[str, ...]
    heal: tuple[str, ...]
    who: tuple[str, str]
    game_day: bool
    seed: int


def planned(mode: str, endpoint: str, inject: str, heal: str, who: tuple[str, str], *, game_day: bool, seed: int) -> Plan:
    """The plan of the given words.

    Raises:
        BadInput: a command cannot be read, or the mode takes days to show.
    """
    if mode in SLOW:
        raise BadInput(f"{mode} takes days to show; drill it in simulated time: truegreen drill {mode} --simulated")
    return Plan(mode, endpoint, _words("--inject", inject), _words("--heal", heal), who, game_day, seed)


def run(desk: Desk, plan: Plan, says: Callable[[str], None] = lambda _: None) -> Drill:
    """Plant the fault, wait for its incident and for its end, take the fault away, and score what the log says.

    An incident is opened by `truegreen incident serve`, or by whoever answers. The fault is taken away when the incident was contained, when the
    time is over, and when this is interrupted.

    Raises:
        Failed: the endpoint does not answer, a command fails, or no incident was opened in time.
    """
    _answers(plan.endpoint)
    log = desk.log()
    if busy := [one.id for one in store.incidents(log) if one.closed is None and _of(one.target, plan.who)]:
        raise Failed(
            f"incident {busy[0]} of {plan.who[0]} in {plan.who[1]} is open: nothing is planted over it, and the drill's alert would join it"
        )
    if plan.game_day:
        says("a game day: the fault comes when it comes")
        desk.sleep(Random().uniform(*SURPRISE))
    fault = BY_MODE[plan.mode]
    before = {one.id for one in store.incidents(log)}
    onset = desk.clock()
    with interrupts.raised(), _healed(desk, plan):
        _run("--inject", plan.inject)
        says(f"planted; waiting for an incident of {plan.who[0]}/{plan.who[1]}")
        mine = _wait(desk, lambda: _new(log, before, plan.who), onset + 2 * targets.DETECT[fault.alert])
        if mine is None:
            raise Failed(
                f"no incident of {plan.who[0]} in {plan.who[1]} was opened within {2 * targets.DETECT[fault.alert] / 60:.0f} min: does `truegreen incident "
                "serve` hear Alertmanager, and is an SLO of this failure mode live there? The fault was taken away again"
            )
        says(f"incident {mine.id}: waiting until it is contained")
        _wait(desk, lambda: _contained(log, mine.id), mine.opened + targets.resolve(mine.sev))
    says(f"incident {mine.id}: waiting until it is closed")
    closed = _wait(desk, lambda: _closed(log, mine.id), mine.opened + 2 * targets.resolve(mine.sev))
    how = GAME_DAY if plan.game_day else STAGING
    made = scored.of_log(
        plan.mode, closed or _named(log, mine.id), store.events(log, mine.id), onset, desk.clock(), how, 1, seed=plan.seed
    )
    note = "the fault was taken away by --heal once something was contained: recovery says when the checks were green, not that the remedy did it"
    return replace(made, notes=(*made.notes, note))


@contextmanager
def _healed(desk: Desk, plan: Plan) -> Iterator[None]:
    """Take the fault away at the end, whatever the end is; an interrupt waits until that is done. A file says that it is owed, should the machine stop."""
    owed = records.owe(records.folder(desk.config), plan.heal, plan.who, desk.clock())
    try:
        yield
    finally:
        with interrupts.held():
            _run("--heal", plan.heal)
            owed.unlink(missing_ok=True)


def _wait(desk: Desk, ready: Callable[[], Incident | None], until: float) -> Incident | None:
    while True:
        found = ready()
        if found is not None or desk.clock() >= until:
            return found
        desk.sleep(EVERY)


def _new(log: store.Log, before: set[int], who: tuple[str, str]) -> Incident | None:
    return next((i for i in store.incidents(log) if i.id not in before and _of(i.target, who)), None)


def _contained(log: store.Log, number: int) -> Incident | None:
    kinds = {event.kind for event in store.events(log, number)}
    return _named(log, number) if "verified by spans" in kinds or _closed(log, number) else None


def _closed(log: store.Log, number: int) -> Incident | None:
    found = _named(log, number)
    return found if found.closed is not None else None


def _named(log: store.Log, number: int) -> Incident:
    return next(i for i in store.incidents(log) if i.id == number)


def _of(target: Target, who: tuple[str, str]) -> bool:
    return (target.service, target.environment) == who


def _answers(endpoint: str) -> None:
    if not endpoint.startswith(("http://", "https://")):
        raise BadInput(f"--endpoint: found {endpoint!r}; write an address, such as https://staging.example.com/healthz")
    try:
        status = httpx.get(endpoint, timeout=http.TIMEOUT, follow_redirects=False).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(
            f"--endpoint: nobody answers at {http.bare(endpoint)} ({error}); start it, or name another address"
        ) from None
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Failed(f"--endpoint: {http.bare(endpoint)} answered {status}: a drill begins with an endpoint that works")


def _words(option: str, text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInput(
            f"{option}: found {text!r}, which is no command ({error}); write its words, quoted as for a shell"
        ) from None
    if not words:
        raise BadInput(f"{option}: is empty; write a command")
    return words


def _run(option: str, command: Sequence[str]) -> None:
    began = time.monotonic()
    ended = argv.run(command, _COMMAND)
    if ended.code != 0:
        how = f"did not end within {time.monotonic() - began:.0f} s" if ended.late else f"ended with exit code {ended.code}"
        raise Failed(
            f"{option}: could not be started: {ended.said}"
            if ended.code is None and not ended.late
            else f"{option}: {command[0]} {how}: {ended.said}"
        )
