"""A drill at scale: the demo's own agent, collector, Prometheus and Alertmanager with shortened windows, and a fault in the agent."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from rich.console import Console

from truegreen.core.errors import Failed
from truegreen.demo import acts, cast, interrupts, scenarios
from truegreen.demo.acts import Play
from truegreen.demo.model import GOOD_MODEL, OTHER_MODEL, Settings
from truegreen.demo.pager import Notification
from truegreen.demo.stage import Stage, truegreen, wait
from truegreen.demo.story import Story
from truegreen.demo.world import shelf
from truegreen.runbook import log as store
from truegreen.runbook.drills import scored, targets, told
from truegreen.runbook.drills.faults import BY_MODE
from truegreen.runbook.drills.model import AT_SCALE, GAME_DAY, Drill, Fault

SCALE: Final = 60
_PATIENCE: Final = 120.0
_GAME_SECONDS: Final = 1_800.0
"""Of a game day at scale, from the fault to its end whatever has happened: half an hour on the wall is thirty hours of the demo."""
_SURPRISE: Final = (5.0, 60.0)
"""Seconds of the wall clock after which a game day's fault comes."""
_SLOW: Final = (0.5, 4.0)
"""Share of the calls, and how many seconds longer they take: four, for at this scale each second is a minute."""


@dataclass(frozen=True, slots=True)
class Staged:
    """How a mode is planted in the demo's agent: the fault in its words, and what is done."""

    fault: Fault
    plant: Callable[[Stage], None]
    slo: Mapping[str, Any]


def _staged(mode: str, plant: Callable[[Stage], None], slo: Mapping[str, Any], **changes: Any) -> Staged:
    return Staged(replace(BY_MODE[mode], slo=slo["name"], **changes), plant, slo)


STAGED: Final = {
    one.fault.mode: one
    for one in (
        _staged("hallucination", lambda on: cast.move_alias(on, OTHER_MODEL), {"name": "grounding"}, to=GOOD_MODEL,
                says=f"the provider serves {OTHER_MODEL} behind the alias"),
        _staged("retrieval", lambda on: cast.deploy(on, "index", shelf.versions("index")[1]), {"name": "retrieval_success"}, to="",
                says="the rebuild of the index stopped early: a third of the questions find nothing"),
        _staged("latency", lambda on: cast.slow_down(on, GOOD_MODEL, *_SLOW),
                {"name": "latency", "sli": {"metric": "truegreen_llm_duration_seconds", "threshold": 3, "where": {"operation": "chat"}},
                 "objective": "95%", "layer": "infrastructure", "failure_mode": "latency", "description": "Chat calls under 3 s"}, to="",
                says=f"{GOOD_MODEL} takes {_SLOW[1]:g} s longer for half of the calls"),
        _staged("guardrail", lambda on: cast.deploy(on, "guardrail", shelf.versions("guardrail")[1]),
                {"name": "guardrail_over", "objective": "75%"}, to=shelf.versions("guardrail")[0],
                says="a new version of the guardrail blocks whatever speaks of goods or money"),
    )
}  # fmt: skip
"""Mode to how it is planted; drift is none of them, for it takes days to show."""


def run(mode: str, seed: int, service: str, *, game_day: bool) -> Drill:
    """Hold the drill: the commands are given as a user gives them, or by the person of a game day.

    Args:
        service: whose drill it is.

    Raises:
        Failed: a part of the stage broke, or what must come did not.
    """
    interrupts.install()
    chosen = STAGED[mode]
    story = Story(Console(file=sys.stderr), time.monotonic, as_json=False)
    settings = Settings(mode, SCALE, seed, keep=game_day)
    slos = [{**one, "mode": "shadow"} for one in acts.SLOS if one["name"] != chosen.fault.slo]
    with scenarios.opened(settings, story, [*slos, {**chosen.slo, "mode": "live"}]) as (play, _):
        on = play.on
        if game_day:
            _shown(play)
            wait(on, Random().uniform(*_SURPRISE))
        chosen.plant(on)
        onset = time.time()
        if not game_day:
            story.tell("INCIDENT", chosen.fault.says)
        page = _paged(play, chosen.fault)
        offered = "" if game_day else _answered(play, chosen.fault)
        if game_day:
            _watched(play)
        log = store.open_log(f"sqlite:///{on.folder / 'incidents.db'}")
        incident = store.incidents(log)[-1]
        events = store.events(log, incident.id)
        made = scored.of_log(
            mode, replace(incident, opened=min(incident.opened, page.seconds)), events, onset, time.time(),
            GAME_DAY if game_day else AT_SCALE, SCALE, service=service, seed=seed,
        )  # fmt: skip
    if game_day:
        return made
    mends = targets.offered(chosen.fault, offered, told.remedies(chosen.fault, offered))
    return replace(made, verdicts=(*made.verdicts, mends), notes=(f"planted: {chosen.fault.says}",))


def _paged(play: Play, fault: Fault) -> Notification:
    on = play.on
    with play.story.waiting("waiting for the page"):
        on.supervisor.wait(
            lambda: on.pager.find(sev=fault.sev, status="firing", slo=fault.slo) is not None, _PATIENCE,
            f"a sev {fault.sev} notification of {fault.slo}",
        )  # fmt: skip
    page = on.pager.find(sev=fault.sev, status="firing", slo=fault.slo)
    assert page is not None
    file = on.folder / "alert.json"
    file.write_text(json.dumps(page.payload), "utf-8")
    truegreen(on, "incident", "open", "--alert", str(file), "--time-scale", str(SCALE))
    play.story.tell("PAGE", page.annotations.get("summary", ""))
    return page


def _answered(play: Play, fault: Fault) -> str:
    """Triage until it is sure, the first command that it offers, and the gate until it is green; the command."""
    on, story = play.on, play.story
    deadline = time.monotonic() + play.settings.real(targets.classify(fault.sev) / 60)
    while True:
        found = truegreen(on, "triage", "--time-scale", str(SCALE))
        if found["whose"] == fault.whose or time.monotonic() > deadline:
            break
        wait(on, 2.0)
    story.tell("triage", f"{found['whose']}: {found['because']}")
    offered = next(iter(found["commands"]), "")
    if not told.remedies(fault, offered):
        raise Failed(f"triage offered {offered or 'nothing'!r}, which does not mend it: {fault.says}")
    words = shlex.split(offered.partition("truegreen ")[2].partition("   #")[0])
    made = truegreen(on, *words)
    story.tell(words[0], f"$ truegreen {' '.join(words)}   undo: {made.get('undo', '')}")
    acts.validated(play)
    return offered


def _shown(play: Play) -> None:
    on = play.on
    boards, incidents = (f"http://{on.addresses[name]}" for name in ("boards", "response"))
    play.story.tell(
        "game day",
        f"boards {boards}, incidents {incidents}; the page comes when it comes",
        f"answer it there, or with: cd {on.folder}; truegreen triage --time-scale {SCALE} --config {on.config}; the drill ends when the incident is closed",
    )


def _watched(play: Play) -> None:
    """Wait until the person has closed the incident, or the time is over."""
    log = store.open_log(f"sqlite:///{play.on.folder / 'incidents.db'}")
    deadline = time.monotonic() + _GAME_SECONDS
    while time.monotonic() < deadline and any(one.closed is None for one in store.incidents(log)):
        wait(play.on, 1.0)
