"""`truegreen drill`: simulated drills over the true rules, records, the quarter, staging with a heal that always runs, and what makes a drill fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.config import load
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.runbook import log as store
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.drills import faults, records, scored, staging, targets, told
from truegreen.runbook.drills.model import AT_SCALE, SIMULATED, Drill, Timings, Verdict
from truegreen.runbook.model import Target
from truegreen.runbook.serve.app import make_app

NOW = 1_795_000_000.0
"""A moment of November 2026."""

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cf", "Zl", "Zp")), min_size=1, max_size=30
).map(str.strip)
SECONDS = st.none() | st.floats(0, 1e7)
DRILLS = st.builds(
    Drill,
    modes=st.lists(st.sampled_from(FAILURE_MODES), min_size=1, max_size=2, unique=True).map(tuple),
    how=st.sampled_from([SIMULATED, AT_SCALE]), service=st.just("shop"), environment=st.just("production"), started=st.floats(1e9, 2e9),
    completed=st.floats(1e9, 2e9), seed=st.integers(0, 2**31), timings=st.builds(Timings, SECONDS, SECONDS, SECONDS, SECONDS),
    triage=st.sampled_from(["us", "them"]), because=st.just("b"), command=st.just("c"),
    verdicts=st.lists(st.builds(Verdict, st.just("n"), st.just("t"), st.just("f"), st.booleans()), max_size=3).map(tuple),
)  # fmt: skip


def _drill(mode: str = "retrieval", how: str = AT_SCALE, completed: float = NOW, ok: bool = True) -> Drill:
    return Drill(
        (mode,), how, "shop", "production", completed - 60, completed, 1, Timings(60, 120, 180, 240), "us", "our own change", "truegreen rollback index",
        (Verdict("detected", "within 30 min", "1 min", ok),),
    )  # fmt: skip


def _simulated(run: Callable[..., Any], engine: Callable[[str], Path], *words: str) -> tuple[Any, dict[str, Any]]:
    for name in ("prometheus", "promtool"):
        engine(name)
    ran = run("drill", *words, "--simulated", "--json")
    return ran, json.loads(ran.out.strip().splitlines()[-1])


def _verdicts(facts: dict[str, Any]) -> dict[str, bool]:
    return {one["name"]: one["ok"] for one in facts["verdicts"]}


@pytest.mark.full
def test_a_simulated_drill_is_found_triaged_and_mended_at_true_windows(
    run: Callable[..., Any], engine: Callable[[str], Path]
) -> None:
    """And its record is listed, and is in the quarter's report, which names what was not drilled."""
    ran, facts = _simulated(run, engine, "hallucination")
    assert ran.code == 0, ran.out
    assert facts["ok"]
    assert set(_verdicts(facts).values()) == {True}
    assert facts["command"].startswith("truegreen contain pin-model support-large-0613")
    took = facts["timings"]
    # Fifteen minutes is the shortest long window of a page, five the shortest short one; the gate asks for 15 quiet minutes.
    assert 300 <= took["detected"] <= 1_800
    assert took["contained"] + 900 <= took["recovered"] <= took["detected"] + 3_600
    assert json.loads(Path(facts["record"]).read_text("utf-8"))["ok"]
    listed = run("drill", "list")
    assert listed.code == 0
    assert "held" in listed.out
    assert "hallucination" in listed.out
    report = run("drill", "report")
    assert "1 drill, 1 inside every target" in report.out
    assert "Not drilled: drift, retrieval, latency, guardrail." in report.out


@pytest.mark.full
def test_a_mixed_drill_asks_for_not_sure(run: Callable[..., Any], engine: Callable[[str], Path]) -> None:
    """The provider is slow, and our index changed in the same minute: neither is blamed alone."""
    ran, facts = _simulated(run, engine, "mixed", "--of", "latency,retrieval")
    assert ran.code == 0, ran.err
    assert facts["triage"] == "not sure"


def test_the_rules_drilled_are_those_of_the_configuration(
    run: Callable[..., Any], engine: Callable[[str], Path], tmp_path: Path
) -> None:
    """An objective of 40 % has a budget that half of wrong answers never burns."""
    (tmp_path / "truegreen.yaml").write_text(
        "services: {shop: {}}\nslos: [{name: grounding, mode: live, objective: 40%}]\nincidents: {drills: held}\n"
    )
    ran, facts = _simulated(run, engine, "hallucination")
    assert ran.code == 1
    assert facts["service"] == "shop"
    assert not _verdicts(facts)["detected"]
    assert facts["timings"]["detected"] is None
    assert "detected" in facts["outside"]
    assert Path(facts["record"]).parent == Path("held")
    assert "outside" in run("drill", "list").out


@pytest.mark.full
@pytest.mark.parametrize("mode", FAILURE_MODES)
@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_mode_holds(run: Callable[..., Any], engine: Callable[[str], Path], mode: str, seed: str) -> None:
    """Each inside its targets at true windows, blamed on whom it was, and mended by the first command that triage offers."""
    ran, facts = _simulated(run, engine, mode, "--seed", seed)
    assert ran.code == 0, (facts["verdicts"], ran.err)


@pytest.mark.full
@pytest.mark.parametrize("modes", ["latency,retrieval", "latency,drift", "hallucination,retrieval"])
@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_mixed_drill_holds(run: Callable[..., Any], engine: Callable[[str], Path], modes: str, seed: str) -> None:
    """Faults of both sides at once."""
    ran, facts = _simulated(run, engine, "mixed", "--of", modes, "--seed", seed)
    assert ran.code == 0, (facts["verdicts"], ran.err)


@pytest.mark.parametrize(("words", "says"), [
    (("retrieval", "--endpoint", "http://127.0.0.1:9"), "belong together"),
    (("retrieval", "--inject", "true"), "belong together"),
    (("retrieval", "--simulated", "--game-day"), "do not go together"),
    (("drift",), "--simulated"),
    (
        ("drift", "--endpoint", "http://127.0.0.1:9", "--inject", "true", "--heal", "true", "--environment", "e"), "--simulated"),
    (("retrieval", "--endpoint", "http://127.0.0.1:9", "--inject", "true", "--heal", "true"), "--endpoint wants --environment"),
    (("retrieval", "--endpoint", "nowhere", "--inject", "true", "--heal", "true", "--environment", "e"), "--endpoint: found 'nowhere'"),
    (("retrieval", "--endpoint", "http://127.0.0.1:9", "--inject", "'", "--heal", "true", "--environment", "e"), "--inject: found"),
    (("retrieval", "--endpoint", "http://127.0.0.1:9", "--inject", " ", "--heal", "true", "--environment", "e"), "--inject: is empty"),
    (("retrieval", "--per-hour", "100"), "--per-hour is of --simulated"),
    (("mixed", "--of", "latency", "--simulated"), "--of: found"),
    (("mixed", "--of", "latency,latency", "--simulated"), "--of: found"),
    (("mixed", "--of", "latency,fire", "--simulated"), "--of: found"),
    (("mixed", "--of", "latency,retrieval"), "--simulated"),
    (("report", "--quarter", "2026"), "--quarter: found"),
    (("score", "retrieval", "--onset", "1"), "no incident was ever opened"),
])  # fmt: skip
def test_bad_usage_is_said(run: Callable[..., Any], words: tuple[str, ...], says: str) -> None:
    """With exit code 2, and nothing kept."""
    ran = run("drill", *words)
    assert (ran.code, "Traceback" in ran.err) == (2, False), ran.err
    assert says in ran.err
    assert not Path("drills").exists()


@given(st.lists(DRILLS, max_size=4))
def test_records_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, drills: list[Drill]) -> None:
    """Oldest first, whatever is in them; of two of one second and kind the later one is kept."""
    folder = tmp_path_factory.mktemp("drills")
    kept = {records.write(folder, one): one for one in drills}
    found, broken = records.read(folder)
    assert broken == ()
    assert sorted(map(str, map(asdict, found))) == sorted(map(str, map(asdict, kept.values())))
    assert [one.completed for one in found] == sorted(one.completed for one in found)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"modes": 3}', '{"modes": ["x"], "how": 1, "verdicts": [1]}', "\x00", "x" * 300_000]
)
def test_a_file_that_is_no_record_is_named_and_the_others_count(tmp_path: Path, run: Callable[..., Any], text: str) -> None:
    """Nothing good is lost for it."""
    records.write(tmp_path / "drills", _drill())
    (tmp_path / "drills" / "broken.json").write_text(text)
    ran = run("drill", "list")
    assert ran.code == 0
    assert "retrieval" in ran.out
    assert "broken.json: is no record of a drill" in ran.out


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2098, 12, 31)))
def test_a_moment_lies_in_its_quarter_and_in_no_other(moment: Any) -> None:
    """Quarters follow each other without a gap."""
    time = moment.replace(tzinfo=UTC).timestamp()
    begin, end = records.quarter(records.quarter_of(time))
    assert begin <= time < end
    assert records.quarter(records.quarter_of(end))[0] == end
    assert 89 * 86_400 < end - begin < 93 * 86_400


def test_a_report_is_of_its_quarter_and_escapes_what_is_in_a_record(run: Callable[..., Any], tmp_path: Path) -> None:
    """A table's cell cannot end its row."""
    records.write(tmp_path / "drills", replace(_drill(ok=False), triage="us | <b>"))
    records.write(tmp_path / "drills", _drill("latency", completed=NOW - 200 * 86_400))
    ran = run("drill", "report", "--quarter", "2026q4", "--out", "q.md")
    assert ran.code == 0, ran.err
    text = (tmp_path / "q.md").read_text("utf-8")
    assert "1 drill, 0 inside every target" in text
    assert "latency" in text.split("\n\n")[1]
    (row,) = [line for line in text.splitlines() if line.startswith("| 2026")]
    assert row.replace("\\|", "").count("|") == 11
    assert "detected: 1 min (within 30 min)" in row


def _told(run: Callable[..., Any], *, whose: str = "us", late: float = 0.0, scale: int = 1) -> None:
    log = store.open_log("sqlite:///incidents.db")
    one = store.open_incident(log, Target("shop", "production", "retrieval_success"), "1", NOW + 300, "", {"drill": "retrieval"})
    for seconds, phase, kind, data in (
        (400, "triage", "triaged", {"whose": "not sure"}), (500, "triage", "triaged", {"whose": whose, "because": "b", "commands": ["truegreen rollback index"]}),
        (850, "rollback", "rollback applied", {"component": "index", "name": "kb", "to": "7"}),
        (900, "contain", "verified by spans", {}), (1_000, "validate", "validated", {"ok": False}), (2_000 + late, "validate", "validated", {"ok": True, "time_scale": scale}),
    ):  # fmt: skip
        store.append(log, one.id, NOW + seconds, phase, kind, "", data)


def test_a_person_is_scored_by_the_log(run: Callable[..., Any]) -> None:
    """Detection from the fault on, all else from the page on; triage counts when it was right."""
    _told(run)
    ran = run("drill", "score", "retrieval", "--onset", str(NOW), "--game-day", "--json")
    assert ran.facts["timings"] == {"detected": 300, "triaged": 500, "contained": 900, "recovered": 2_000}
    assert ran.facts["ok"]
    assert ran.facts["how"] == "game day"


@pytest.mark.parametrize(("more", "outside"), [({"whose": "them"}, "triaged, triage"), ({"late": 2_000.0}, "recovered")])
def test_what_was_late_or_wrong_is_outside_its_target(run: Callable[..., Any], more: dict[str, Any], outside: str) -> None:
    """With exit code 1, and a record all the same."""
    _told(run, **more)
    ran = run("drill", "score", "retrieval", "--onset", str(NOW))
    assert ran.code == 1
    assert f"outside its target: {outside}\n" in ran.out
    assert len(list(Path("drills").glob("*.json"))) == 1


def test_at_scale_only_what_waits_for_windows_is_counted_longer(run: Callable[..., Any]) -> None:
    """Ten seconds to the alert are ten minutes; a person who took ten seconds took ten seconds."""
    _told(run, scale=60)
    log = store.open_log("sqlite:///incidents.db")
    (one,), events = store.incidents(log), store.events(log, 1)
    assert told.timings(one, events, NOW, "us", 60) == Timings(
        300 * 60, 300 * 60 + 200, 300 * 60 + 600, 300 * 60 + 600 + 1_100 * 60
    )


@pytest.mark.parametrize("onset", [str(NOW + 301), "nan", "inf", "-inf", "-5", "0", str(NOW - 40 * 86_400)])
def test_an_onset_that_cannot_be_is_refused(run: Callable[..., Any], onset: str) -> None:
    """It would give a negative time, or none; and nothing is kept."""
    _told(run)
    ran = run("drill", "score", "retrieval", f"--onset={onset}")
    assert ran.code == 2
    assert "--onset: found" in ran.err
    assert not Path("drills").exists()


def test_an_incident_is_one_record_however_often_it_is_scored(run: Callable[..., Any]) -> None:
    """Completed when it was closed: who scores an old one again has held no drill."""
    _told(run)
    store.close_incident(store.open_log("sqlite:///incidents.db"), 1, NOW + 2_500, "", {})
    for _ in range(2):
        assert run("drill", "score", "retrieval", "--onset", str(NOW), "--json").facts["completed"] == NOW + 2_500
    assert len(list(Path("drills").glob("*.json"))) == 1


GREEN: dict[str, Any] = {"ok": True, "at": None, "time_scale": 1, "override": ""}


@pytest.mark.parametrize(("told_", "contained", "recovered"), [
    ([("verified by spans", {}), ("validated", GREEN)], None, 20.0),
    ([("contain applied", {"flag": "evaluation_boost", "value": "1"}), ("verified by spans", {}), ("validated", GREEN)], None, 30.0),
    ([("contain applied", {"flag": "pinned_model", "value": "x"}), ("verified by spans", {}), ("validated", GREEN)], 20.0, 30.0),
    ([("validated", GREEN), ("contain applied", {"flag": "pinned_model", "value": "x"}), ("verified by spans", {})], 30.0, None),
    ([("contain applied", {"flag": "pinned_model", "value": "x"}), ("verified by spans", {}), ("validated", {**GREEN, "override": "ada"})], 20.0, None),
    ([("contain applied", {"flag": "pinned_model", "value": "x"}), ("verified by spans", {}), ("validated", {**GREEN, "at": NOW})], 20.0, None),
    ([("contain applied", {"flag": "pinned_model", "value": "x"}), ("verified by spans", {}), ("validated", {**GREEN, "time_scale": 60})], 20.0, None),
    ([("contain applied", {"flag": "pinned_model", "value": "x"}), ("incident closed", {})], None, None),
])  # fmt: skip
def test_only_a_change_that_serves_contains_and_only_a_green_gate_of_its_own_recovers(
    run: Callable[..., Any], told_: list[tuple[str, dict[str, Any]]], contained: float | None, recovered: float | None
) -> None:
    """Neither more sampling, nor an override, nor a look at another moment, nor the mere close."""
    log = store.open_log("sqlite:///incidents.db")
    one = store.open_incident(log, Target("shop", "production", "retrieval_success"), "1", NOW, "", {})
    for number, (kind, data) in enumerate(told_, start=1):
        store.append(log, one.id, NOW + 10 * number, "contain", kind, "", data)
    (one,) = store.incidents(log)
    found = told.timings(one, store.events(log, one.id), NOW, "us")
    assert (found.contained, found.recovered) == (contained, recovered)


def test_the_records_are_scraped_and_those_of_simulated_time_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `TruegreenDrillOverdue` reads; a record of the future says nothing yet."""
    monkeypatch.chdir(tmp_path)
    for one in (_drill(completed=NOW - 5_000), _drill("latency", completed=NOW - 100), _drill(how=SIMULATED, completed=NOW - 10)):
        records.write(tmp_path / "drills", one)
    records.write(tmp_path / "drills", replace(_drill(completed=NOW + 5_000), service="late"))
    client = TestClient(make_app(Desk(load(None, {}), False, None, lambda: NOW)), base_url="http://127.0.0.1")
    text = client.get("/metrics").text
    held = text.split('truegreen_drill_completed_timestamp_seconds{environment="production",service="shop"} ')[1].split()[0]
    assert float(held) == NOW - 100
    assert 'service="late"' not in text


class _Staging:
    """A staging endpoint with a clock of its own; `acts` are done when their second comes, as an answering team would."""

    def __init__(
        self, tmp_path: Path, endpoint: str, acts: dict[float, Callable[[store.Log], object]], inject: str = "", heal: str = ""
    ) -> None:
        self.now, self.acts, self.marks = NOW, dict(acts), tmp_path / "marks"
        script = tmp_path / "mark.py"
        script.write_text("import pathlib, sys\nopen(pathlib.Path(sys.argv[1]), 'a').write(sys.argv[2] + '\\n')\n")
        say = f"{sys.executable} {script} {self.marks}"
        self.plan = staging.planned(
            "retrieval",
            endpoint,
            inject or f"{say} injected",
            heal or f"{say} healed",
            ("shop", "production"),
            game_day=False,
            seed=1,
        )
        config = load(None, {})
        self.desk = Desk(
            replace(
                config,
                incidents=replace(config.incidents, store=f"sqlite:///{tmp_path / 'log.db'}", drills=str(tmp_path / "drills")),
            ),
            False,
            None,
            lambda: self.now,
            self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        """Time passes, and what is due is done."""
        self.now += seconds
        for at in [at for at in sorted(self.acts) if NOW + at <= self.now]:
            self.acts.pop(at)(self.desk.log())

    @property
    def marked(self) -> list[str]:
        """What the two commands did, in order."""
        return self.marks.read_text().split() if self.marks.exists() else []


TARGET = Target("shop", "production", "retrieval_success")
ANSWERED: dict[float, Callable[[store.Log], object]] = {
    60: lambda log: store.open_incident(log, replace(TARGET, service="another"), "1", NOW + 60, "", {}),
    300: lambda log: store.open_incident(log, TARGET, "1", NOW + 300, "", {}),
    400: lambda log: store.append(log, 2, NOW + 400, "triage", "triaged", "", {"whose": "us", "because": "b", "commands": []}),
    590: lambda log: store.append(
        log, 2, NOW + 590, "rollback", "rollback applied", "", {"component": "index", "name": "kb", "to": "7"}
    ),
    600: lambda log: store.append(log, 2, NOW + 600, "rollback", "verified by spans", "", {}),
    1_900: lambda log: store.append(log, 2, NOW + 1_900, "validate", "validated", "", GREEN),
    2_000: lambda log: store.close_incident(log, 2, NOW + 2_000, "", {}),
}


@pytest.fixture
def endpoint() -> Any:
    """An address that answers."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Quiet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_staging_drill_is_scored_by_its_own_incident(tmp_path: Path, endpoint: str) -> None:
    """Another service's incident is not its own; the fault is gone when it was contained, and the drill ends with the close."""
    there = _Staging(tmp_path, endpoint, ANSWERED)
    made = staging.run(there.desk, there.plan)
    assert made.ok, made.verdicts
    assert (made.how, made.service) == ("staging", "shop")
    assert made.timings == Timings(300, 400, 600, 1_900)
    assert there.marked == ["injected", "healed"]


@pytest.mark.parametrize("how", ["no incident", "inject fails", "interrupted", "never contained"])
def test_the_fault_is_taken_away_whatever_happens(tmp_path: Path, endpoint: str, how: str) -> None:
    """Also when the command that plants it fails half way."""
    acts = dict(ANSWERED) if how == "never contained" else {}
    if how == "interrupted":

        def interrupt(_: store.Log) -> None:
            raise KeyboardInterrupt

        acts[20] = interrupt
    if how == "never contained":
        del acts[590], acts[600], acts[1_900], acts[2_000]
    there = _Staging(
        tmp_path, endpoint, acts, inject=f"{sys.executable} -c 'raise SystemExit(3)'" if how == "inject fails" else ""
    )
    if how == "never contained":
        made = staging.run(there.desk, there.plan)
        assert not made.ok
        assert made.timings.contained is None
    else:
        with pytest.raises(KeyboardInterrupt if how == "interrupted" else Failed):
            staging.run(there.desk, there.plan)
    assert there.marked[-1] == "healed"


def test_nothing_is_planted_over_an_open_incident(tmp_path: Path, endpoint: str) -> None:
    """The drill's alert would join it, and whoever answers it would have two faults."""
    there = _Staging(tmp_path, endpoint, {})
    store.open_incident(there.desk.log(), TARGET, "2", NOW - 60, "", {})
    with pytest.raises(Failed, match="incident 1 of shop in production is open"):
        staging.run(there.desk, there.plan)
    assert there.marked == []


def test_a_planted_fault_is_written_down_until_it_is_taken_away(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the machine stop, the next one who lists drills sees what is owed."""
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[str, ...]] = []
    there = _Staging(tmp_path, endpoint, {**ANSWERED, 100: lambda _: seen.append(records.owed(tmp_path / "drills"))})
    staging.run(there.desk, there.plan)
    ((owed,),) = seen
    assert "a fault is planted in shop" in owed
    assert "healed" in owed
    assert records.owed(tmp_path / "drills") == ()


def test_an_endpoint_that_does_not_answer_is_left_alone(tmp_path: Path, endpoint: str) -> None:
    """Nothing is planted where the drill would learn nothing."""
    for url in ("http://127.0.0.1:9", f"{endpoint}/broken"):
        there = _Staging(tmp_path, url, {})
        with pytest.raises(Failed, match="--endpoint"):
            staging.run(there.desk, there.plan)
        assert there.marked == []


def test_a_fault_that_cannot_be_taken_away_is_said(tmp_path: Path, endpoint: str) -> None:
    """It is the last thing that may be silent."""
    there = _Staging(tmp_path, endpoint, ANSWERED, heal=f"{sys.executable} -c 'print(1); raise SystemExit(4)'")
    with pytest.raises(Failed, match="--heal"):
        staging.run(there.desk, there.plan)


@pytest.mark.parametrize(("offered", "mends"), [
    ("truegreen rollback index   # to help-centre@7", True),
    ("truegreen rollback index --to help-centre@7", True),
    ("truegreen rollback index --to help-centre@8", False),
    ("truegreen rollback prompt --to help-centre@7", False),
    ("# nothing to do", False),
    ("", False),
    ("truegreen rollback 'index", False),
])  # fmt: skip
def test_only_the_right_command_mends(offered: str, mends: bool) -> None:
    """The words that triage prints, with those for people around them."""
    assert told.remedies(faults.BY_MODE["retrieval"], offered) is mends


def test_the_table_is_whole() -> None:
    """Each failure mode has a fault, which something of ours must find, and a remedy that undoes all that it changes."""
    assert tuple(faults.BY_MODE) == FAILURE_MODES
    for fault in faults.BY_MODE.values():
        assert fault.alert in targets.DETECT
        healed = faults.healed(fault)
        assert replace(healed, contained="") == faults.HEALTHY


def test_a_drill_without_a_verdict_is_not_one_that_holds() -> None:
    """Nothing was checked."""
    assert not replace(_drill(), verdicts=()).ok
    with pytest.raises(BadInput):
        records.quarter("2026Q5")
    incident = store.Incident(1, TARGET, "1", NOW + 10)
    assert not scored.of_log("retrieval", incident, [], NOW, NOW + 20, AT_SCALE, 1).ok
