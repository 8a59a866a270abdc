"""What switches do by themselves: they expire, and degraded mode follows an open sev 1 where that is wanted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from runbook_shop import Impatient

from truegreen.core.config import load
from truegreen.core.errors import Failed
from truegreen.runbook import flags, policy, standing
from truegreen.runbook import log as store
from truegreen.runbook.model import Incident, Target

MESSAGE = "Back soon."
Tick = Callable[[float], None]


@pytest.fixture
def opened(run: Any, tmp_path: Path) -> Callable[..., tuple[store.Log, Incident, Tick]]:
    """`opened(sev)`: an incident, and `tick(now)` as the loop of `incident serve` calls it."""

    def begin(sev: str, wanted: bool = True, **more: Any) -> tuple[store.Log, Incident, Tick]:
        given = {"containment": {"degraded_on_sev1": wanted, "degraded_message": MESSAGE, "expires": "10m", **more}}
        (tmp_path / "truegreen.yaml").write_text(yaml.safe_dump(given))
        config = load(tmp_path / "truegreen.yaml", {})
        nobody = dict.fromkeys(("prometheus_url", "alertmanager_url", "collector_url"), "http://127.0.0.1:9")
        desk = Impatient(replace(config, incidents=replace(config.incidents, **nobody)), as_json=False, number=None)  # type: ignore[arg-type]
        log = desk.log()
        made = store.open_incident(log, Target("s", "e", "grounding"), sev, 1_000.0, "x", {})

        def tick(now: float) -> None:
            one = next(i for i in store.incidents(log) if i.id == made.id)
            policy.tick(desk, log, one, store.events(log, made.id), now)

        return log, made, tick

    return begin


def _message(folder: Path) -> flags.Switch:
    return flags.state(flags.load(folder / "flags.json"), "degraded_mode")


def test_degraded_mode_follows_an_open_sev_1_and_is_renewed_until_it_closes(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], tmp_path: Path
) -> None:
    """With evidence and log like any other; off when the incident is closed."""
    log, incident, tick = opened("1")
    for now in (1_001.0, 1_002.0, 1_300.0):
        tick(now)
    assert _message(tmp_path) == flags.Switch(MESSAGE, 1_601.0)
    tick(1_500.0)
    assert _message(tmp_path) == flags.Switch(MESSAGE, 2_100.0)
    kinds = [e.kind for e in store.events(log)]
    assert kinds == ["incident opened", "evidence frozen", "contain begun", "contain applied", "contain renewed"]
    store.close_incident(log, incident.id, 1_600.0, "over", {})
    tick(1_601.0)
    assert (_message(tmp_path).value, standing.switches(store.events(log))) == ("", ())
    assert store.verify(log) == ""


@pytest.mark.parametrize(("sev", "wanted"), [("2", True), ("1", False)])
def test_it_stays_off_without_a_sev_1_or_where_nobody_wants_it(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], tmp_path: Path, sev: str, wanted: bool
) -> None:
    """It is opt-in."""
    _, _, tick = opened(sev, wanted)
    tick(1_001.0)
    assert not (tmp_path / "flags.json").exists()


def test_it_follows_a_severity_that_is_raised_and_lowered(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], tmp_path: Path
) -> None:
    """By the log: the row keeps the severity of the opening."""
    log, one, tick = opened("2")
    for sev, wanted in (("1", MESSAGE), ("2", "")):
        store.append(log, one.id, 1_001.0, "triage", "sev changed", "", {"sev": sev})
        tick(1_010.0)
        assert flags.state(flags.load(tmp_path / "flags.json"), "degraded_mode").value == wanted


def test_a_person_has_the_last_word(opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path) -> None:
    """Who undoes it is not overruled a second later."""
    log, _, tick = opened("1")
    tick(1_001.0)
    number = standing.switches(store.events(log))[0].number
    assert run("contain", "undo", str(number)).code == 0
    tick(1_003.0)
    assert _message(tmp_path).value == ""


def test_another_switch_over_its_own_is_left_alone(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path
) -> None:
    """Only its own is taken back."""
    log, incident, tick = opened("1")
    tick(1_001.0)
    assert run("contain", "degraded", "--message", "By hand.", "--verify-count", "0").code == 0
    store.close_incident(log, incident.id, 1_100.0, "over", {})
    tick(1_101.0)
    assert _message(tmp_path).value == "By hand."


def test_an_expiry_is_logged_once_for_each_time(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path
) -> None:
    """Nobody has to look at a list to know that the harm is back."""
    log, _, tick = opened("2")
    assert run("contain", "pin-model", "m-1", "--expires", "5m", "--verify-count", "0").code == 0
    until = standing.switches(store.events(log))[0].expires
    for now in (until - 1, until, until + 1, until + 60):
        tick(now)
    late = [e for e in store.events(log) if e.kind == "contain expired"]
    assert [(e.data["flag"], e.data["expires"]) for e in late] == [("pinned_model", until)]
    assert standing.disturbs(late[0])


def test_a_switch_that_cannot_be_turned_is_tried_again_after_a_minute(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not each second, and not never."""
    log, _, tick = opened("1")
    with monkeypatch.context() as broken:
        broken.setattr(flags, "save", lambda *_: (_ for _ in ()).throw(Failed("no room")))
        with pytest.raises(Failed, match="no room"):
            tick(1_001.0)
        tick(1_030.0)
    assert [e.kind for e in store.events(log)].count("contain failed") == 1
    tick(1_062.0)
    assert _message(tmp_path).value == MESSAGE


def test_two_sev_1_share_one_switch_and_the_second_takes_it_over(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], tmp_path: Path
) -> None:
    """One flag for all: it is renewed by who holds it, and never said to be off while it is on."""
    log, first, one = opened("1")
    _, _, other = opened("1")
    for now in range(1_001, 3_000, 100):
        one(float(now))
        other(float(now))
    assert _message(tmp_path).value == MESSAGE
    kinds = [e.kind for e in store.events(log)]
    assert (kinds.count("contain applied"), kinds.count("contain expired")) == (1, 0)
    store.close_incident(log, first.id, 3_000.0, "over", {})
    one(3_001.0)
    other(3_002.0)
    assert (_message(tmp_path).value, len(standing.switches(store.events(log)))) == (MESSAGE, 1)


def test_an_expiry_under_a_newer_switch_does_not_say_off(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path
) -> None:
    """The file says on, and so does the log."""
    log, _, tick = opened("2")
    assert run("contain", "pin-model", "m-1", "--expires", "5m", "--verify-count", "0").code == 0
    assert run("contain", "pin-model", "m-2", "--expires", "60m", "--verify-count", "0").code == 0
    older, newer = standing.switches(store.events(log))
    tick(older.expires)
    said = store.events(log)[-1]
    assert (said.kind, "is off" in said.text, f"event {newer.number} set it to m-2" in said.text) == (
        "contain expired",
        False,
        True,
    )


OWN = {"drain": {"says": "x", "apply": ["touch", "drained"], "undo": ["rm", "drained"]}}


def test_a_switch_of_the_team_is_ended_by_its_undo_when_its_time_is_over(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No application knows when it ends; once, with evidence, and then it is on no list."""
    monkeypatch.chdir(tmp_path)
    log, _, tick = opened("2", commands=OWN)
    ended = run("contain", "run", "drain", "--expires", "5m")
    assert (ended.code, "incident serve` ends it" in ended.out) == (0, True)
    until = standing.switches(store.events(log))[0].expires
    tick(until - 1)
    assert (tmp_path / "drained").exists()
    tick(until)
    tick(until + 1)
    assert not (tmp_path / "drained").exists()
    kinds = [e.kind for e in store.events(log)]
    assert kinds[-3:] == ["evidence frozen", "undo begun", "contain expired"]
    assert (standing.switches(store.events(log)), store.verify(log)) == ((), "")


@pytest.mark.parametrize("undo", [["false"], []])
def test_what_cannot_be_ended_is_said_to_be_on(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path, undo: list[str]
) -> None:
    """A line of the log that says off is believed."""
    log, _, tick = opened("2", commands={"x": {"says": "x", "apply": ["true"], "undo": undo}})
    assert run("contain", "run", "x", "--expires", "5m").code == 0
    active = standing.switches(store.events(log))
    for after in (0, 1, 61):
        tick(active[0].expires + after)
    said = [e for e in store.events(log) if e.kind == "contain expired"]
    assert (len(said), "take it for STILL ON" in said[0].text) == (1, True)
    assert standing.switches(store.events(log)) == active
    assert f"truegreen contain undo {active[0].number}" in said[0].text


@pytest.mark.parametrize(("more", "ends"), [([], ["boost|50%", "boost|"]), (["{expires}"], ["boost|50%"])])
def test_a_flag_system_that_is_told_no_expiry_is_told_the_end(
    opened: Callable[..., tuple[store.Log, Incident, Tick]], run: Any, tmp_path: Path, more: list[str], ends: list[str]
) -> None:
    """One that was told ends it by itself, and is left alone."""
    script = "import sys; open('calls', 'a').write(f'boost|{sys.argv[2]}' + chr(10))"
    log, _, tick = opened("2", command=[sys.executable, "-c", script, "{flag}", "{value}", *more])
    assert run("contain", "boost", "50%", "--expires", "5m", "--verify-count", "0").code == 0
    tick(standing.switches(store.events(log))[0].expires)
    assert (tmp_path / "calls").read_text().split() == ends
