"""`truegreen contain lift` against a real Prometheus: the commands' clock walks through an incident that is over, and one that is not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from runbook_world import END, ONSET

from truegreen.runbook import flags, standing
from truegreen.runbook import log as store
from truegreen.runbook.commands import common

HEALED = END - 800
QUICK = ("--verify-count", "0")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The commands' clock; it walks on by what they sleep."""
    moment = [HEALED]

    def sleep(seconds: float) -> None:
        moment[0] += seconds

    monkeypatch.setattr(common, "Desk", functools.partial(common.Desk, clock=lambda: moment[0], sleep=sleep))
    return moment


@pytest.fixture
def contained(
    run: Callable[..., Any], now: list[float], filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[int]]:
    """`contained(service)` opens an incident and turns two switches and a raised sampling on; gives the numbers of their events."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", filled)

    def begin(service: str) -> list[int]:
        assert run("incident", "open", "--service", service, "--environment", "production", "--slo", "grounding").code == 0
        log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
        start = {"low": ONSET, "time": ONSET, "before": 0.03}
        store.append(log, 1, now[0], "triage", "triaged", "x", {"start": start})
        words = (("boost",), ("pin-model", "m-1"), ("reduce-context", "3"))
        return [run("contain", *each, *QUICK, "--json").facts["event"] for each in words]

    return begin


def _validated(folder: Path, time: float, **data: Any) -> None:
    facts: Mapping[str, Any] = {"ok": True, "checks": [], "at": None, "time_scale": 1, **data}
    store.append(store.open_log(f"sqlite:///{folder / 'incidents.db'}"), 1, time, "validate", "validated", "6/6 ok", facts)


def _on(folder: Path) -> dict[str, str]:
    data = flags.load(folder / "flags.json")
    return {name: found for name in data["flags"] if (found := flags.state(data, name).value)}


def test_it_is_lifted_after_a_green_validation_one_at_a_time_and_raised_sampling_last(
    run: Callable[..., Any], contained: Callable[..., list[int]], now: list[float], tmp_path: Path
) -> None:
    """The service is watched after each; afterwards the validation still holds."""
    boost, pin, context = contained("fixed")
    _validated(tmp_path, now[0])
    ended = run("contain", "lift")
    assert ended.code == 0, ended.err
    assert _on(tmp_path) == {}
    assert now[0] == HEALED + 600
    told = store.events(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"), 1)
    assert [e.data["undone"] for e in told if e.kind == "contain undone"] == [context, pin, boost]
    assert (told[-1].kind, told[-1].data["switches"]) == ("containment lifted", [context, pin, boost])
    assert ended.out.count("without it for 5 min: bad ratio") == 2
    closing = run("incident", "close").err
    assert "validation" not in closing
    assert "Alertmanager" in closing


@pytest.mark.full
def test_a_switch_without_which_the_service_fails_is_put_back(
    run: Callable[..., Any], contained: Callable[..., list[int]], now: list[float], tmp_path: Path
) -> None:
    """The others before it stay away, and another validation is wanted."""
    now[0] = ONSET + 60
    _, pin, context = contained("them")
    _validated(tmp_path, now[0])
    ended = run("contain", "lift")
    assert ended.code == 1
    assert "reduced_context = 3 is on again" in ended.err
    assert "without it the bad ratio was" in ended.err
    assert now[0] < ONSET + 360
    assert _on(tmp_path) == {"evaluation_boost": "100%", "pinned_model": "m-1", "reduced_context": "3"}
    again = [s["number"] for s in run("contain", "list", "--json").facts["switches"]]
    assert (pin in again, context in again, len(again)) == (True, False, 3)
    assert "came after the last validation" in run("contain", "lift").err


def test_a_service_that_nobody_judges_keeps_its_containment(
    run: Callable[..., Any], contained: Callable[..., list[int]], now: list[float], tmp_path: Path
) -> None:
    """What cannot be seen is not good."""
    contained("nobody-there")
    _validated(tmp_path, now[0])
    ended = run("contain", "lift")
    assert (ended.code, "only 0 events were judged" in ended.err) == (1, True), ended.err
    assert len(_on(tmp_path)) == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "was never run"),
        ({"ok": False}, "was not green"),
        ({"at": END}, "another moment"),
        ({"time_scale": 2}, "--time-scale 2"),
    ],
)
def test_without_a_green_validation_it_stays_and_an_override_is_logged(
    run: Callable[..., Any], contained: Callable[..., list[int]], now: list[float], tmp_path: Path, given: Any, says: str
) -> None:
    """Both a name and a reason."""
    contained("fixed")
    if given is not None:
        _validated(tmp_path, now[0], **given)
    ended = run("contain", "lift")
    assert (ended.code, says in ended.err) == (1, True), ended.err
    assert len(_on(tmp_path)) == 3
    assert run("contain", "lift", "--override", "ann").code == 2
    if given is None:
        assert run("contain", "lift", "--override", "ann", "--reason", "the fix is out", "--json").facts["lifted"] is True
        told = store.events(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"), 1)
        overridden = next(e for e in told if e.kind == "override")
        assert (overridden.data["override"], overridden.data["reason"]) == ("ann", "the fix is out")


@pytest.mark.full
def test_raised_sampling_is_no_change_and_a_lift_that_was_cut_off_is_known(
    run: Callable[..., Any], contained: Callable[..., list[int]], now: list[float], tmp_path: Path
) -> None:
    """What serves is what counts; and a switch that went away unwatched asks for another validation."""
    contained("fixed")
    _validated(tmp_path, now[0])
    run("contain", "boost", "50%", *QUICK)
    assert "validation" not in run("incident", "close").err
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.append(log, 1, now[0], "contain", "contain undone", "x", {"undone": 99, "flag": "pinned_model", "lift": True})
    assert standing.half_lifted(store.events(log, 1))
    assert "was cut off" in run("incident", "close").err


def test_a_switch_whose_command_is_gone_from_the_configuration_is_said_and_taken_back_by_hand(
    run: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """Renamed meanwhile: what it did still stands."""
    given = tmp_path / "truegreen.yaml"
    given.write_text("containment: {commands: {drain: {apply: ['true'], undo: ['true']}}}\n")
    assert run("incident", "open", "--service", "fixed", "--environment", "production", "--slo", "grounding").code == 0
    assert run("contain", "run", "drain").code == 0
    _validated(tmp_path, now[0])
    given.write_text("containment: {commands: {empty: {apply: ['true'], undo: ['true']}}}\n")
    ended = run("contain", "lift")
    assert (ended.code, "containment.commands.drain: there is none; known: empty" in ended.err) == (2, True), ended.err
    run("contain", "lift", "--by-hand")
    told = store.events(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"), 1)
    assert "done by hand" in next(e.text for e in told if e.kind == "contain undone")
