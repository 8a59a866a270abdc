"""The clocks of the law: what starts them, when they end, and that nothing of them is ever an all-clear."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from truegreen.core.config.response import Law
from truegreen.runbook import log as store
from truegreen.runbook.commands import common
from truegreen.runbook.law import clocks, days, reminders
from truegreen.runbook.law.model import AWARENESS, DECISION, REMINDER
from truegreen.runbook.law.table import BY_NAME, RULES
from truegreen.runbook.model import Event, Incident, Target
from truegreen.runbook.serve.loop import Loop

OPENED = datetime(2028, 3, 1, 10, tzinfo=UTC).timestamp()
AWARE = OPENED + 1_800
INCIDENT = Incident(1, Target("bot", "production", "grounding"), "1", OPENED)
BOUND = Law("provider", "high", ("DE",))
OBSERVED = {
    2021: ["01-01", "01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "10-11", "11-11", "11-25", "12-24", "12-31"],
    2022: ["01-17", "02-21", "05-30", "06-20", "07-04", "09-05", "10-10", "11-11", "11-24", "12-26"],
    2023: ["01-02", "01-16", "02-20", "05-29", "06-19", "07-04", "09-04", "10-09", "11-10", "11-23", "12-25"],
    2024: ["01-01", "01-15", "02-19", "05-27", "06-19", "07-04", "09-02", "10-14", "11-11", "11-28", "12-25"],
    2025: ["01-01", "01-20", "02-17", "05-26", "06-19", "07-04", "09-01", "10-13", "11-11", "11-27", "12-25"],
    2026: ["01-01", "01-19", "02-16", "05-25", "06-19", "07-03", "09-07", "10-12", "11-11", "11-26", "12-25"],
    2027: ["01-01", "01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "10-11", "11-11", "11-25", "12-24", "12-31"],
    2028: ["01-17", "02-21", "05-29", "06-19", "07-04", "09-04", "10-09", "11-10", "11-23", "12-25"],
    2029: ["01-01", "01-15", "02-19", "05-28", "06-19", "07-04", "09-03", "10-08", "11-12", "11-22", "12-25"],
    2030: ["01-01", "01-21", "02-18", "05-27", "06-19", "07-04", "09-02", "10-14", "11-11", "11-28", "12-25"],
}
"""The days that the Office of Personnel Management lists as federal holidays of these calendar years."""
FIXED = {(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)}
FLOATING = {(1, 0, 15, 21), (2, 0, 15, 21), (5, 0, 25, 31), (9, 0, 1, 7), (10, 0, 8, 14), (11, 3, 22, 28)}
"""Month, weekday from Monday on, and between which days of the month it can fall: 5 U.S.C. 6103(a) in other words than the code's."""


def _event(kind: str, time: float = AWARE, **data: Any) -> Event:
    return Event(2, 1, time, "review", kind, "", data, "", "")


def _clock(name: str, *events: Event, law: Law = BOUND, now: float = AWARE) -> Any:
    return clocks.clock(BY_NAME[name], INCIDENT, events, law, now)


@pytest.mark.parametrize("year", sorted(OBSERVED))
def test_federal_holidays_are_those_that_were_kept(year: int) -> None:
    """Also those that a Saturday or Sunday moves, over the end of a year too."""
    assert sorted(f"{day:%m-%d}" for day in days.holidays(year)) == OBSERVED[year]


def _off(day: date) -> bool:
    """Whether offices are closed on that weekday for a holiday, asked of the day itself."""
    near = {4: 1, 0: -1}.get(day.weekday())
    kept = near is not None and ((moved := day + timedelta(days=near)).month, moved.day) in FIXED
    floats = any((day.month, day.weekday()) == (m, w) and low <= day.day <= high for m, w, low, high in FLOATING)
    return day.weekday() < 5 and ((day.month, day.day) in FIXED or kept or floats)


@pytest.mark.parametrize("year", range(2024, 2041))
def test_every_day_of_a_year_is_a_holiday_or_none_by_the_words_of_the_statute(year: int) -> None:
    """Seventeen years, with every weekday for each fixed one; Inauguration Day is none by itself."""
    every = [date(year, 1, 1) + timedelta(days=n) for n in range(366) if (date(year, 1, 1) + timedelta(days=n)).year == year]
    assert {day for day in every if _off(day)} == days.holidays(year)
    assert [day for day in every if days.is_business(day)] == [day for day in every if day.weekday() < 5 and not _off(day)]


@pytest.mark.parametrize("day", [date(2033, 1, 20), date(2037, 1, 20)])
def test_inauguration_day_counts(day: date) -> None:
    """A Thursday and a Tuesday: a holiday of federal employees around Washington only."""
    assert days.is_business(day)


@given(some.datetimes(datetime(2024, 1, 1), datetime(2040, 12, 1)), some.integers(1, 10))
def test_the_last_day_ends_at_half_past_five_in_new_york(moment: datetime, count: int) -> None:
    """In Universal Time an hour earlier from March's second Sunday to November's first: 15 U.S.C. 260a."""
    due = datetime.fromtimestamp(days.due(moment.replace(tzinfo=UTC).timestamp(), count), UTC)
    march, november = date(due.year, 3, 8), date(due.year, 11, 1)
    begins, ends = (day + timedelta(days=(6 - day.weekday()) % 7) for day in (march, november))
    assert f"{due:%H:%M:%S}" == ("21:30:00" if begins <= due.date() < ends else "22:30:00")
    assert days.is_business(due.date())


def test_the_zone_is_there_where_the_system_has_none() -> None:
    """Windows and small images have no database of zones: the package's is read."""
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert (
            days.due(datetime(2026, 3, 2, 15, tzinfo=UTC).timestamp(), 4) == datetime(2026, 3, 6, 22, 30, tzinfo=UTC).timestamp()
        )
    finally:
        zoneinfo.reset_tzpath()


@given(some.dates(date(2000, 1, 1), date(2090, 1, 1)), some.integers(1, 40))
def test_business_days_are_those_of_numpy(day: date, count: int) -> None:
    """Its calendar arithmetic with the same holidays."""
    off = [np.datetime64(one) for year in range(day.year - 1, day.year + 3) for one in days.holidays(year)]
    expected = np.busday_offset(np.datetime64(day), 0, roll="preceding", holidays=off)
    assert np.datetime64(days.after(day, count)) == np.busday_offset(expected, count, holidays=off)


@given(some.integers(2000, 2090))
def test_ten_or_eleven_holidays_a_year_and_none_on_a_weekend(year: int) -> None:
    """A New Year's Day on a Saturday belongs to the year before."""
    found = days.holidays(year)
    assert all(day.weekday() < 5 and day.year == year for day in found)
    assert 9 + (year >= 2021) <= len(found) <= 11 + (year >= 2021)


@given(some.integers(946_684_800, 3_786_912_000), some.integers(0, 86_400 * 3))
def test_a_later_determination_is_never_due_earlier(moment: int, more: int) -> None:
    """And always within four to eight days and a day's hours."""
    first, second = days.due(moment, 4), days.due(moment + more, 4)
    assert first <= second
    assert timedelta(days=3) < timedelta(seconds=first - moment) < timedelta(days=9)


@pytest.mark.parametrize(
    ("determined", "due"),
    [
        ("2026-11-23T15:00:00Z", "2026-11-30T22:30:00Z"),  # Thanksgiving on Thursday
        ("2026-12-31T15:00:00Z", "2027-01-07T22:30:00Z"),  # New Year's Day on Friday
        ("2027-12-30T15:00:00Z", "2028-01-06T22:30:00Z"),  # kept on 31 December, since 1 January is a Saturday
        ("2026-03-07T15:00:00Z", "2026-03-12T21:30:00Z"),  # a Saturday, the day before summer time
        ("2026-10-28T15:00:00Z", "2026-11-03T22:30:00Z"),  # summer time ends in between
        ("2026-07-07T03:30:00Z", "2026-07-10T21:30:00Z"),  # half past eleven in the evening of 6 July in New York
        ("2026-07-07T04:30:00Z", "2026-07-13T21:30:00Z"),  # half past midnight there
        ("2026-01-07T04:30:00Z", "2026-01-12T22:30:00Z"),  # and an hour before, in winter
        ("2025-01-17T15:00:00Z", "2025-01-24T22:30:00Z"),  # two Mondays' names for one holiday: Inauguration Day of that year
    ],
)
def test_four_business_days(determined: str, due: str) -> None:
    """The day of the determination is not counted."""
    assert days.due(datetime.fromisoformat(determined).timestamp(), 4) == datetime.fromisoformat(due).timestamp()


def test_no_clock_of_the_law_starts_by_itself() -> None:
    """An incident, however grave, starts only the internal review."""
    found = clocks.legal(INCIDENT, (), Law(), OPENED + 90 * 86_400)
    assert {c.name for c in found} == {rule.name for rule in RULES}
    assert {c.name for c in found if c.started is not None} == {"internal-review"}
    assert all(c.due is None for c in found)


@pytest.mark.parametrize(("name", "hours"), [("art73-3", 48), ("art73-4", 240), ("art73-2", 360)])
def test_days_of_the_act_are_counted_from_awareness_in_hours(name: str, hours: int) -> None:
    """The strict reading: no weekend extends them; and a later moment is the one where it is said why."""
    wrong, right = _event(AWARENESS, at=OPENED), _event(AWARENESS, at=AWARE, reason="of another incident")
    clock = _clock(name, wrong, right)
    assert (clock.started, clock.due) == (AWARE, AWARE + hours * 3_600)
    assert _clock(name, right, now=AWARE + hours * 3_600).state == "running"
    assert _clock(name, right, now=AWARE + hours * 3_600 + 1).state == "late"


def test_a_deployer_has_no_number_of_days_and_sees_article_73_too() -> None:
    """Art. 26(5): the provider first; where it cannot be reached, Art. 73."""
    found = {c.name: c for c in clocks.legal(INCIDENT, (_event(AWARENESS, at=AWARE),), replace(BOUND, role="deployer"), AWARE)}
    assert {"art26-5", "art73-2", "art73-3", "art73-4"} <= set(found)
    assert (found["art26-5"].started, found["art26-5"].due) == (AWARE, None)
    assert found["art73-2"].status == "advisory"


@pytest.mark.parametrize(
    ("law", "hidden"),
    [
        (Law(), set()),
        (Law(role="provider"), {"art26-5"}),
        (Law(risk_tier="limited"), {"art73-2", "art73-3", "art73-4", "art26-5"}),
        (Law(jurisdictions=("US",)), {"art73-2", "art73-3", "art73-4", "art26-5"}),
        (Law(jurisdictions=("EU-DE",)), {"sec-8k-105"}),
        (Law(jurisdictions=("fr",), sec_registrant=True), set()),
        (Law(jurisdictions=("Germany",)), set()),
        (Law(jurisdictions=("DEU", "US")), set()),
        (Law(jurisdictions=("European Union",)), set()),
        (Law(jurisdictions=("EEA",)), set()),
        (Law(jurisdictions=(" de ",)), {"sec-8k-105"}),
        (Law(jurisdictions=("NO",)), {"sec-8k-105"}),
        (Law(jurisdictions=("BR",)), {"art73-2", "art73-3", "art73-4", "art26-5", "sec-8k-105"}),
    ],
)
def test_what_is_unknown_leaves_every_clock_in(law: Law, hidden: set[str]) -> None:
    """Only what the configuration says takes one out, and `every` still has it."""
    shown = {c.name for c in clocks.legal(INCIDENT, (), law, OPENED)}
    assert {rule.name for rule in RULES} - shown == hidden
    assert len(clocks.every(INCIDENT, (), law, OPENED)) == len(RULES)


def test_statutory_only_where_everything_is_known_and_a_person_decided() -> None:
    """Advisory is the default; before December 2027 it is open whether the duty binds."""
    aware, applies = _event(AWARENESS, at=AWARE), _event(DECISION, clock="art73-2", decision="applies", by="ann", reason="harm")
    assert _clock("art73-2", aware, applies).status == "statutory"
    assert _clock("art73-2", aware).status == "advisory"
    for law in (
        replace(BOUND, role="unknown"), replace(BOUND, risk_tier="unknown"),
        *(replace(BOUND, jurisdictions=places) for places in ((), ("Germany",), ("NO",))),
    ):  # fmt: skip
        assert _clock("art73-2", aware, applies, law=law).status == "advisory"
    early = _clock("art73-2", aware, applies, now=datetime(2027, 12, 1, 23, 59, tzinfo=UTC).timestamp())
    assert (early.status, "is open" in early.why) == ("advisory", True)


def test_a_decision_against_leaves_the_clock_running_and_in_sight() -> None:
    """Who decided and why stands beside it."""
    no = _event(DECISION, clock="art73-2", decision="does-not-apply", by="ann", reason="no harm seen")
    clock = _clock("art73-2", _event(AWARENESS, at=AWARE), no)
    assert clock.state == "running"
    assert "does-not-apply, by ann" in clock.decision
    done = _event(DECISION, clock="art73-2", decision="reported", by="ann", reason="sent by portal")
    assert _clock("art73-2", _event(AWARENESS, at=AWARE), done, now=AWARE + 90 * 86_400).state == "met"


def test_what_was_reported_after_it_was_due_is_met_late() -> None:
    """By the moment of the report, not that of its record; a final report makes the first one not late."""
    aware, due = _event(AWARENESS, at=AWARE), AWARE + 15 * 86_400

    def done(time: float, decision: str = "reported", **data: Any) -> Event:
        return _event(DECISION, time, clock="art73-2", decision=decision, by="ann", reason="sent", **data)

    later = due + 86_400 * 30
    assert _clock("art73-2", aware, done(due), now=later).state == "met"
    assert _clock("art73-2", aware, done(due + 1), now=later).state == "met late"
    assert _clock("art73-2", aware, done(due + 1, at=due - 1), now=later).state == "met"
    assert _clock("art73-2", aware, done(due), done(due + 86_400), now=later).state == "met"
    assert _clock("art73-2", aware, done(due), done(due + 1, "open"), done(due + 2), now=later).state == "met late"
    told = (aware, done(due + 1))
    assert all("art73-2" not in data["clocks"] for _, data in reminders.due(INCIDENT, told, Law(), later))


@given(some.lists(some.floats(OPENED, OPENED + 10**6), min_size=1))
def test_the_earliest_awareness_counts(moments: list[float]) -> None:
    """Whatever is recorded after it."""
    assert clocks.awareness([_event(AWARENESS, at=at) for at in moments]) == min(moments)


def test_a_decision_of_the_secs_clock_takes_no_determination_back() -> None:
    """It is recorded, so the clock stays statutory."""
    law = Law(sec_registrant=True)
    made = _event(DECISION, clock="sec-8k-105", decision="material", at=AWARE, by="cfo", reason="data left")
    for decision in ("applies", "open", "does-not-apply", "reported"):
        said = _event(DECISION, clock="sec-8k-105", decision=decision, by="ann", reason="x")
        assert _clock("sec-8k-105", made, said, law=law).status == "statutory"
        assert _clock("sec-8k-105", said, law=law).status == "advisory"


@given(
    some.sampled_from(["provider", "deployer", "unknown"]), some.sampled_from(["high", "limited", "minimal", "unknown"]),
    some.sets(some.sampled_from(["EU", "DE", "US", "BR"])), some.booleans(),
    some.lists(some.sampled_from(["applies", "does-not-apply", "open", "reported", "material"]), max_size=3), some.integers(0, 10**8),
)  # fmt: skip
def test_nothing_is_ever_said_to_be_not_required(
    role: str, tier: str, places: set[str], sec: bool, decisions: list[str], later: int
) -> None:
    """Whatever is configured, recorded or past; and every clock says when the law was read."""
    told = [
        _event(AWARENESS, at=AWARE),
        *(_event(DECISION, clock=r.name, decision=d, by="a", reason="b", at=AWARE) for d in decisions for r in RULES),
    ]
    for clock in clocks.every(INCIDENT, told, Law(role, tier, tuple(places), sec), OPENED + later):
        words = str(asdict(clock)).lower()
        assert "not required" not in words and "no report" not in words and "exempt" not in words
        assert clock.law_reviewed_as_of and clock.status in ("advisory", "statutory")


def test_reminders_are_written_once_for_each_moment(tmp_path: Path, desk: Any) -> None:
    """At 24 and 48 hours after the opening and after awareness, late ones too; not for what was reported."""
    log = desk.log()
    one = store.open_incident(log, INCIDENT.target, "1", OPENED, "x", {})
    store.append(log, 1, OPENED + 1, "review", AWARENESS, "", {"at": AWARE})
    for hours in (0, 23.9, 24, 24.2, 24.6, 48.1, 49, 400):
        for _ in range(2):
            reminders.tick(desk, log, one, store.events(log, 1), OPENED + hours * 3_600)
    found = [e for e in store.events(log, 1) if e.kind == REMINDER]
    assert [(e.time - OPENED) / 3_600 for e in found] == pytest.approx([24, 24.6, 48.1, 49])
    assert [len(e.data["clocks"]) for e in found] == [1, 4, 1, 4]
    assert store.verify(log) == ""


@pytest.mark.parametrize("aware_after_close", [False, True])
def test_a_closed_incident_still_reminds(desk: Any, aware_after_close: bool) -> None:
    """Closed an hour after it began; awareness was recorded before, or two days later."""
    moment = [OPENED]
    desk = replace(desk, clock=lambda: moment[0])
    log = desk.log()
    store.open_incident(log, INCIDENT.target, "1", OPENED, "x", {})
    said: list[str] = []
    serving = Loop(desk, log, said.append)
    start = OPENED + (49 if aware_after_close else 0.5) * 3_600
    for hours in (0.5, 1, 24, 25, 48, 49, 72, 74, 97, 98):
        moment[0] = OPENED + hours * 3_600
        if moment[0] == start:
            store.append(log, 1, moment[0], "review", AWARENESS, "", {"at": start, "by": "ann"})
        if hours == 1:
            store.close_incident(log, 1, moment[0], "", {})
        serving.once()
    found = [e for e in store.events(log, 1) if e.kind == REMINDER and "art73-2" in e.data["clocks"]]
    assert [e.data["moment"] - start for e in found] == [24 * 3_600, 48 * 3_600]
    moment[0] += 30 * 86_400
    assert store.recent(log, moment[0]) == ()
    assert said == []


def test_what_was_reported_reminds_nobody() -> None:
    """Its clock is met; the others go on."""
    told = (_event(AWARENESS, at=AWARE), _event(DECISION, clock="art73-2", decision="reported", by="ann", reason="sent"))
    due = reminders.due(INCIDENT, told, Law(), AWARE + 25 * 3_600)
    assert due and all("art73-2" not in data["clocks"] for _, data in due)


@pytest.fixture
def desk(tmp_path: Path) -> common.Desk:
    """A desk with a store of its own."""
    from truegreen.core.config import parse_text

    config = parse_text(f"incidents: {{store: 'sqlite:///{tmp_path / 'incidents.db'}'}}", "test", {}, None)
    return common.Desk(config, False, None)


@pytest.fixture
def law(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """`law("show")` on an open incident of a provider in Germany, two hours after its opening."""
    monkeypatch.setattr(common, "Desk", functools.partial(common.Desk, clock=lambda: OPENED + 7_200))
    (tmp_path / "truegreen.yaml").write_text(
        "incidents: {law: {role: provider, risk_tier: high, jurisdictions: [DE], system: 'Bot 2 | beta', organisation: 'ACME, <legal@acme>'}}\n"
    )
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, INCIDENT.target, "1", OPENED, "41 of 90 | `ungrounded` <b>", {})
    return lambda *words: run("law", *words)


def test_the_way_from_awareness_to_the_report(law: Callable[..., Any], tmp_path: Path) -> None:
    """Shown, recorded, decided, drafted; every step is in the log."""
    assert "not started; starts with: truegreen law aware --at TIME" in law("show").out
    assert law("aware", "--at", "2028-03-01T10:30:00Z", "--by", "ann").code == 0
    assert law("decide", "art73-2", "--decision", "applies", "--by", "ann", "--reason", "harm to a user").code == 0
    shown = law("show", "--json").facts
    clock = next(c for c in shown["clocks"] if c["name"] == "art73-2")
    assert (clock["status"], clock["state"], clock["due"]) == ("statutory", "running", AWARE + 15 * 86_400)
    text = law("show").out
    assert "due 2028-03-16T10:30:00Z" in text and "decided: applies, by ann" in text and "no legal opinion" in text
    assert law("draft", "art73", "--out", "report.md").code == 0
    page = (tmp_path / "report.md").read_text()
    assert "| time of awareness | 2028-03-01T10:30:00Z |" in page
    assert "| system and version | Bot 2 \\| beta |" in page
    assert "check for the final one" in page
    assert "<b>" not in page and "<legal" not in page
    assert "| risk assessment | **to be filled** |" in page
    kinds = [e.kind for e in store.events(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"), 1)]
    assert kinds == ["incident opened", "law awareness", "law decision", "draft written"]


def test_a_later_awareness_moves_no_deadline_unless_somebody_says_why(law: Callable[..., Any], tmp_path: Path) -> None:
    """Both moments stay in sight."""

    def due() -> float:
        return float(next(c["due"] for c in law("show", "--json").facts["clocks"] if c["name"] == "art73-2")) - 15 * 86_400

    assert law("aware", "--at", "2028-03-01T10:30:00Z", "--by", "ann").code == 0
    refused = law("aware", "--at", "2028-03-01T11:00:00Z", "--by", "bob")
    assert refused.code == 2 and "aware since 2028-03-01T10:30:00Z is recorded" in refused.err and "--reason" in refused.err
    assert due() == AWARE
    assert law("aware", "--at", "2028-03-01T11:00:00Z", "--by", "bob", "--reason", "ann saw a test run").code == 0
    assert due() == AWARE + 1_800
    shown = law("show").out
    assert "aware since 2028-03-01T10:30:00Z, says ann" in shown
    assert "aware since 2028-03-01T11:00:00Z, says bob; not since 2028-03-01T10:30:00Z: ann saw a test run" in shown
    assert law("draft", "art73", "--out", "report.md").code == 0
    row = next(line for line in (tmp_path / "report.md").read_text().splitlines() if line.startswith("| time of awareness"))
    assert "2028-03-01T11:00:00Z (recorded: aware since 2028-03-01T10:30:00Z" in row and "ann saw a test run" in row
    assert law("aware", "--at", "2028-03-01T10:00:00Z").code == 0
    assert due() == OPENED


def test_a_report_is_recorded_with_its_moment(law: Callable[..., Any]) -> None:
    """Of a decision that is none it is refused."""
    law("aware", "--at", "2028-03-01T10:30:00Z")
    words = ("decide", "art73-3", "--by", "ann", "--reason", "portal", "--at", "2028-03-01T11:30:00Z")
    assert "with --decision reported" in law(*words, "--decision", "applies").err
    assert "reported at 2028-03-01T11:30:00Z" in law(*words, "--decision", "reported").out
    assert "met " in next(line for line in law("show").out.splitlines() if line.startswith("art73-3"))


def test_nothing_is_recorded_of_an_incident_that_nobody_named(law: Callable[..., Any], tmp_path: Path) -> None:
    """Two are open: which one is meant has to be said."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, replace(INCIDENT.target, service="other"), "1", OPENED, "x", {})
    for words in (
        ("show",), ("aware", "--at", "2028-03-01T10:30:00Z"), ("draft", "art73", "--out", "report.md"),
        ("determine", "--by", "cfo", "--reason", "x"), ("decide", "art73-2", "--decision", "open", "--by", "a", "--reason", "b"),
    ):  # fmt: skip
        made = law(*words)
        assert (made.code, "say which" in made.err) == (2, True), made.err
    assert len(store.events(log)) == 2 and not (tmp_path / "report.md").exists()
    assert law("aware", "1", "--at", "2028-03-01T10:30:00Z").code == 0
    assert [e.kind for e in store.events(log, 1)][1:] == ["law awareness"]
    store.close_incident(log, 1, OPENED + 1, "", {})
    store.close_incident(log, 2, OPENED + 2, "", {})
    assert law("show", "--json").facts["incident"] == 2


def test_a_place_that_is_compared_with_nothing_is_said(law: Callable[..., Any], tmp_path: Path) -> None:
    """And no clock is left out for it."""
    assert law("show", "--json").facts["unread"] == []
    (tmp_path / "truegreen.yaml").write_text("incidents: {law: {jurisdictions: [Germany]}}\n")
    shown = law("show")
    assert "found 'Germany'" in shown.out and "art73-2" in shown.out and "sec-8k-105" in shown.out


def test_the_clock_of_the_sec_starts_with_a_determination_alone(law: Callable[..., Any], tmp_path: Path) -> None:
    """Of 1 March 2028, a Wednesday: the fourth business day after is the Tuesday."""
    law("aware", "--at", "2028-03-01T10:30:00Z")
    before = next(c for c in law("show", "--all", "--json").facts["clocks"] if c["name"] == "sec-8k-105")
    assert before["due"] is None
    assert law("determine", "--by", "cfo", "--reason", "customer data left").code == 0
    after = next(c for c in law("show", "--all", "--json").facts["clocks"] if c["name"] == "sec-8k-105")
    assert after["due"] == datetime(2028, 3, 7, 22, 30, tzinfo=UTC).timestamp()
    assert law("draft", "sec", "--out", "8k.md").code == 0
    assert "determined to be material at | 2028-03-01T12:00:00Z" in (tmp_path / "8k.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("aware", "--at", "yesterday"), "write the moment with its zone"),
        (("aware", "--at", "2028-03-01T10:30:00"), "write the moment with its zone"),
        (("aware", "--at", "2029-03-01T10:30:00Z"), "in the future"),
        (("decide", "art99", "--decision", "applies", "--by", "a", "--reason", "b"), "write one of: art73-3"),
        (("decide", "art73-2", "--decision", "not-required", "--by", "a", "--reason", "b"), "write one of: applies"),
        (("decide", "art73-2", "--decision", "applies", "--by", " ", "--reason", "b"), "who made it and why"),
        (("determine", "--at", "2029-03-01T10:30:00Z", "--by", "a", "--reason", "b"), "in the future"),
        (("draft", "art73", "--out", "no/such/folder/x.md"), "cannot be written"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_records_nothing(
    law: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Says what to write instead."""
    made = law(*words)
    assert made.code in (1, 2)
    assert said in made.err, made.err
    assert len(store.events(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"), 1)) == 1
