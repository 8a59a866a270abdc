"""The clocks of an incident: what starts them, what meets them, and that a machine's clock that jumps does neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from truegreen.runbook import clocks
from truegreen.runbook.model import Event, Incident, Target

OPENED = 1_767_322_800.0
ONE = Incident(1, Target("s", "e", "grounding"), "1", OPENED)


def _event(kind: str, time: float, seq: int = 2, **data: Any) -> Event:
    return Event(seq, 1, time, "detect", kind, "", data, "", "")


def _by_name(events: list[Event], now: float) -> dict[str, clocks.Clock]:
    return {c.name: c for c in clocks.clocks(ONE, events, now)}


def test_each_clock_runs_out_at_its_minute_and_is_met_by_its_event() -> None:
    """Sev 1: five minutes to acknowledge, fifteen to classify, sixty to resolve."""
    assert {name: c.due - OPENED for name, c in _by_name([], OPENED).items()} == {
        "acknowledge": 300,
        "classify": 900,
        "resolve": 3600,
    }
    assert {c.state for c in _by_name([], OPENED + 300).values()} == {"running"}
    assert [c.state for c in _by_name([], OPENED + 901).values()] == ["ran out", "ran out", "running"]
    seen = _by_name([_event("acknowledged", OPENED + 60), _event("triaged", OPENED + 901)], OPENED + 1_000)
    assert [c.state for c in seen.values()] == ["met", "late", "running"]


def test_a_new_severity_starts_its_own_clocks() -> None:
    """What was met stays met; sev 3 has none."""
    raised = [_event("triaged", OPENED + 10), _event("sev changed", OPENED + 7_200, 3, sev="2")]
    found = _by_name(raised, OPENED + 7_300)
    assert (found["resolve"].due, found["resolve"].of) == (OPENED + 7_200 + 240 * 60, "2")
    assert clocks.clocks(ONE, [_event("sev changed", OPENED + 5, sev="3")], OPENED + 10) == ()


@given(st.lists(st.tuples(st.sampled_from(["acknowledged", "triaged", "incident closed", "note"]), st.integers(-10_000, 10_000)), max_size=6),
       st.integers(-10_000, 100_000))  # fmt: skip
def test_a_jump_meets_nothing_and_makes_no_time_negative(told: list[tuple[str, int]], later: int) -> None:
    """Only an event meets a clock, and never before it started."""
    events = [_event(kind, OPENED + at, seq) for seq, (kind, at) in enumerate(told, start=2)]
    for clock in clocks.clocks(ONE, events, OPENED + later):
        assert clock.met is None or clock.met >= clock.started
        assert (clock.state in ("met", "late")) == (clock.met is not None)


def test_an_event_after_a_clock_that_jumped_back_is_not_met_in_time() -> None:
    """Written two hours late by the log's order, whatever the clock of that machine said; what is shown is what it said."""
    told = [_event("note", OPENED + 7_200, 2), _event("triaged", OPENED + 60, 3)]
    found = _by_name(told, OPENED + 90)
    assert (found["classify"].state, found["classify"].met) == ("late", OPENED + 60)
    assert found["resolve"].state == "ran out"


_TOLD = st.lists(
    st.tuples(
        st.sampled_from(["acknowledged", "triaged", "incident closed", "note", "sev changed"]), st.integers(-10_000, 10_000)
    ),
    max_size=8,
)


@given(told=_TOLD, now=st.integers(-10_000, 100_000))
def test_a_deadline_is_judged_by_the_largest_time_seen_so_far(told: list[tuple[str, int]], now: int) -> None:
    """As if each machine had looked at the log before it asked its own clock: no jump back makes anything early."""
    events, mended, largest = list[Event](), list[Event](), 0
    for seq, (kind, at) in enumerate(told, start=2):
        largest = max(largest, at)
        events.append(_event(kind, OPENED + at, seq, sev="2"))
        mended.append(_event(kind, OPENED + largest, seq, sev="2"))
    found = clocks.clocks(ONE, events, OPENED + now)
    assert [(c.name, c.of, c.started, c.due, c.state) for c in found] == [
        (c.name, c.of, c.started, c.due, c.state) for c in clocks.clocks(ONE, mended, OPENED + max(now, largest))
    ]


@given(told=_TOLD, now=st.integers(0, 100_000), back=st.integers(1, 100_000))
def test_a_clock_that_jumps_back_after_the_last_event_lets_nothing_run_again(
    told: list[tuple[str, int]], now: int, back: int
) -> None:
    """What ran out by an event that is in the log has run out."""
    events = [_event(kind, OPENED + at, seq, sev="1") for seq, (kind, at) in enumerate(told, start=2)]
    latest = OPENED + max([now, *(at for _, at in told)])
    events.append(_event("note", latest, len(events) + 2))
    assert clocks.clocks(ONE, events, latest) == clocks.clocks(ONE, events, latest - back)


def test_people_say_who_has_seen_it_who_has_it_and_how_grave_it_is(run: Callable[..., Any]) -> None:
    """Twice is once; a severity wants a reason; the clocks are shown."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding", "--sev", "2").code == 0
    assert "acknowledge running" in run("incident", "show").out
    assert run("incident", "ack", "--by", "ann").code == 0
    assert run("incident", "ack", "--by", "bob", "--json").facts["again"] is True
    assert run("incident", "owner", "bob\x1b[31m", "--by", "ann").code == 0
    assert run("incident", "sev", "1").code == 2
    assert run("incident", "sev", "2", "--reason", "x").code == 2
    assert run("incident", "sev", "1", "--reason", "the answers reach customers", "--by", "ann").code == 0
    shown = run("incident", "show", "--json").facts
    assert {c["name"]: (c["of"], c["state"]) for c in shown["clocks"]} == {
        "acknowledge": ("1", "met"), "classify": ("1", "running"), "resolve": ("1", "running")}  # fmt: skip
    assert [e["kind"] for e in shown["events"]] == ["incident opened", "acknowledged", "owner set", "sev changed"]
    assert "\x1b" not in shown["events"][2]["text"]
    assert run("incident", "list", "--json").facts["incidents"][0]["sev"] == "1", "as it is now, not as it was opened"
    assert "owner: bob" in run("incident", "show").out
    assert run("incident", "note", "looked", "--by", "ann").code == 0
    after = run("incident", "show", "--json").facts
    assert (after["owner"], after["events"][-1]["data"]) == ("bob [31m", {"by": "ann"})
    assert run("incident", "log", "--verify").code == 0


def test_a_service_has_an_owner_until_somebody_takes_it(run: Callable[..., Any], tmp_path: Path) -> None:
    """The one of the configuration stops no clock: nobody has seen the page yet."""
    (tmp_path / "truegreen.yaml").write_text("services: {s: {owner: team-a}}")
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    shown = run("incident", "show").out
    assert "owner: team-a" in shown and "acknowledge running" in shown
