"""`truegreen rollout` over a real Prometheus that holds two hours of judged answers of two versions; the commands' clock walks through them."""

from __future__ import annotations

import functools
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import Langfuse
from runbook_world import END, LENGTH, STEP, Book

from truegreen.core.clients import engines
from truegreen.core.clients import prometheus as prom
from truegreen.core.errors import BadInput
from truegreen.runbook import flags
from truegreen.runbook import log as store
from truegreen.runbook.commands import common
from truegreen.runbook.rollout import decide, drive
from truegreen.runbook.rollout.model import flag

BEGIN = END - LENGTH + 900
RULE = ("--window", "5m", "--events", "100", "--margin", "6%")
ALERT_AT = BEGIN + 420


def _fill(book: Book, service: str, candidate: float, incumbent: float = 0.03, seed: int = 1) -> None:
    rng = random.Random(seed)
    sides = (
        ("production", "support@5", incumbent),
        ("production", "support@6", candidate),
        ("production-shadow", "support@6", candidate),
    )
    bad = dict.fromkeys(range(3), 0)
    for tick in range(1, LENGTH // STEP + 1):
        time = END - LENGTH + tick * STEP
        for number, (environment, version, share) in enumerate(sides):
            bad[number] += sum(rng.random() < share for _ in range(STEP))
            who = {"service": service, "environment": environment}
            graded = {
                **who,
                "evaluation": "groundedness",
                "evaluator": "overlap",
                "model": "m",
                "cohort": "c",
                "snapshot": version[-1],
                "sampled": "base",
            }
            for result, count in (("fail", bad[number]), ("pass", tick * STEP - bad[number])):
                book.put("truegreen_evaluations_total", "counter", {**graded, "result": result, "reason": ""}, count, time)
            book.put("truegreen_snapshot_info", "gauge", {**who, "snapshot": version[-1], "prompt_version": version}, 1, time)
        if service == "alerted" and time >= ALERT_AT:
            labels = {
                "alertname": "TruegreenBudgetBurn",
                "alertstate": "firing",
                "sev": "1",
                "service": service,
                "environment": "production",
                "slo": "grounding",
            }
            book.put("ALERTS", "gauge", labels, 1, time)


@pytest.fixture(scope="module")
def world(engine: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus with the four services."""
    engine("prometheus")
    folder = tmp_path_factory.mktemp("rollouts")
    book = Book()
    for seed, (service, share) in enumerate({"good": 0.03, "bad": 0.2, "subtle": 0.08, "alerted": 0.03}.items()):
        _fill(book, service, share, seed=seed)
    (folder / "world.txt").write_text(book.text())
    made = subprocess.run([engine("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "world.txt", folder / "tsdb"],
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert made.returncode == 0, made.stderr
    (folder / "prometheus.yml").write_text("global: {}\n")
    with engines.prometheus(folder / "prometheus.yml", folder, args=["--storage.tsdb.retention.time=100y"]) as running:
        yield running.url


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The commands' clock; it walks on by what they sleep."""
    moment = [BEGIN]

    def sleep(seconds: float) -> None:
        moment[0] += seconds

    monkeypatch.setattr(common, "Desk", functools.partial(common.Desk, clock=lambda: moment[0], sleep=sleep))
    return moment


@pytest.fixture
def begin(run: Callable[..., Any], now: list[float], world: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Starts a rollout of prompt 6 to a service."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", world)
    return lambda service, *words: run(
        "rollout", "start", "prompt", "--to", "6", "--service", service, "--environment", "production", *RULE, *words
    )


def _flag(folder: Path) -> tuple[dict[str, Any], float | None]:
    found = flags.state(flags.load(folder / "flags.json"), "rollout")
    return (json.loads(found.value) if found.value else {}), found.expires


def _kinds(folder: Path) -> list[str]:
    return [e.kind for e in store.events(store.open_log(f"sqlite:///{folder / 'incidents.db'}"), 0)]


def test_a_good_candidate_goes_all_the_way_by_its_steps(
    run: Callable[..., Any], begin: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """Mirrored first, then 1, 5, 20 and 100 %, each held for its window, and the flag stays until the team clears it."""
    assert begin("good").code == 0
    assert _flag(tmp_path)[0] == {"component": "prompt", "to": "6", "percent": 0.0, "shadow": 20.0}
    ended = run("rollout", "watch")
    assert ended.code == 0, ended.err
    assert [
        part in ended.out for part in ("from shadow 20 % to 1 %", "from 1 % to 5 %", "from 5 % to 20 %", "from 20 % to 100 %")
    ] == [True] * 4
    assert now[0] - BEGIN >= 5 * 300
    assert _kinds(tmp_path) == ["rollout started", *["rollout step"] * 4, "rollout promoted"]
    value, expires = _flag(tmp_path)
    assert (value["percent"], value["shadow"], expires) == (100.0, 0.0, None)
    assert run("incident", "log", "--verify").code == 0
    assert run("rollout", "step").code == 2
    assert run("rollout", "clear").code == 0
    assert _flag(tmp_path)[0] == {}


def test_a_bad_candidate_goes_back_before_any_user_sees_it(
    run: Callable[..., Any], begin: Callable[..., Any], tmp_path: Path
) -> None:
    """Mirrored calls are enough to know."""
    assert begin("bad").code == 0
    ended = run("rollout", "watch")
    assert ended.code == 1
    assert "back from shadow 20 % to 0 %: the candidate is worse" in ended.err
    assert (_flag(tmp_path)[0], _kinds(tmp_path)) == ({}, ["rollout started", "rollout rolled back"])


def test_a_candidate_that_is_five_points_worse_is_not_promoted(
    run: Callable[..., Any], begin: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """At a margin of three points, at each look there is."""
    assert begin("subtle", "--margin", "3%").code == 0
    for _ in range(12):
        now[0] += 300
        ended = run("rollout", "step")
        assert ended.code == 1, ended.out
        if "rollout step" in _kinds(tmp_path) or "back from" in ended.err:
            break
    assert "rollout step" not in _kinds(tmp_path)


def test_an_alert_of_a_quality_slo_takes_it_back(
    run: Callable[..., Any], begin: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """At once, whatever the counts say; and none is begun while it fires."""
    assert begin("alerted").code == 0
    ended = run("rollout", "watch")
    assert ended.code == 1
    assert "TruegreenBudgetBurn sev 1 grounding fires" in ended.err
    assert ALERT_AT <= now[0] <= ALERT_AT + 30
    assert _flag(tmp_path)[0] == {}
    again = begin("alerted")
    assert (again.code, "nothing was started" in again.err) == (1, True)


def test_without_prometheus_nothing_is_promoted_and_a_person_may(
    run: Callable[..., Any], begin: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """An override has a name and a reason, and is in the log."""
    assert begin("good").code == 0
    now[0] += 600
    nobody = ("--prometheus-url", "http://127.0.0.1:9")
    shown = run("rollout", "status", *nobody)
    assert (shown.code, "hold: not known" in shown.out) == (0, True)
    assert run("rollout", "step", *nobody).code == 1
    assert run("rollout", "step", *nobody, "--override", "ann").code == 2
    assert run("rollout", "step", *nobody, "--override", "ann", "--reason", "seen by hand").code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    last = store.events(log, 0)[-1]
    assert (last.kind, last.data["override"], last.data["reason"]) == ("rollout step", "ann", "seen by hand")
    assert _flag(tmp_path)[0]["percent"] == 1.0


def test_a_rollout_that_nobody_watches_ends_with_its_flag(
    run: Callable[..., Any], begin: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """Users have the version of before again, and the log says why."""
    assert begin("good").code == 0
    now[0] = (_flag(tmp_path)[1] or 0.0) + 1
    ended = run("rollout", "step")
    assert (ended.code, "nobody watched" in ended.err) == (1, True)
    assert _kinds(tmp_path)[-1] == "rollout rolled back"


def test_in_the_teams_own_flag_system_a_rollout_is_renewed_while_it_is_watched_and_ends_when_it_is_not(
    begin: Callable[..., Any], now: list[float], world: str, tmp_path: Path
) -> None:
    """Six hours of looks that hold: the command always has an expiry that lies ahead. The log remembers the last one."""
    seen = tmp_path / "seen"
    put = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.argv[2] + chr(10))"
    how = {"command": [sys.executable, "-c", put, str(seen), "{expires}"], "expires": "1h"}
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": how}))
    assert begin("good").code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    containment = common.load(tmp_path / "truegreen.yaml", {}).containment
    road = drive.Road(log, tmp_path / "flags.json", containment, prom.connect(world), ())
    for _ in range(72):
        now[0] += 300
        drive.act(road, drive.running(log), decide.Decision(decide.HOLD, "x"), now[0])
        held = datetime.fromisoformat(seen.read_text().splitlines()[-1]).timestamp()
        assert held > now[0] + 300, "it would be off before the next look"
    assert len(seen.read_text().splitlines()) < 12, "not at each look"
    now[0] = held + 1
    decision = drive.decided(road, drive.running(log), now[0])
    assert (decision.do, "nobody watched" in decision.says) == (decide.GO_BACK, True)


def test_a_flag_that_somebody_else_set_is_theirs(run: Callable[..., Any], begin: Callable[..., Any], tmp_path: Path) -> None:
    """The rollout ends, and what they wrote stays."""
    assert begin("good").code == 0
    path = tmp_path / "flags.json"
    flags.save(path, flags.turned(flags.load(path), "rollout", flags.Switch('{"x": 1}', None)))
    assert run("rollout", "step").code == 1
    assert _flag(tmp_path)[0] == {"x": 1}
    assert "no rollout here set it" in begin("good").err


def test_one_at_a_time_and_back_at_once(run: Callable[..., Any], begin: Callable[..., Any], world: str, tmp_path: Path) -> None:
    """A second one is refused; who looked before somebody else acted does nothing."""
    assert begin("good").code == 0
    assert begin("good").code == 2
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    seen = drive.running(log)
    assert run("rollout", "abort", "--reason", "lunch").code == 0
    assert _flag(tmp_path)[0] == {}
    road = drive.Road(log, tmp_path / "flags.json", common.load(None, {}).containment, prom.connect(world), ())
    with pytest.raises(BadInput, match="somebody else"):
        drive.act(road, seen, decide.Decision(decide.PROMOTE, "x"), BEGIN)
    assert run("rollout", "abort").code == 2
    assert "rolled back" in run("rollout", "status").out


def test_a_candidate_that_went_back_is_no_version_to_roll_back_to(
    run: Callable[..., Any], begin: Callable[..., Any], langfuse: Langfuse, now: list[float]
) -> None:
    """Prometheus has seen it serve, and the log tells how that ended."""
    langfuse.labels = {5: ["production"], 6: ["latest"]}
    target = ("--service", "good", "--environment", "production", "--slo", "grounding")
    assert run("incident", "open", *target).code == 0
    back = ("rollback", "prompt", "--name", "support", "--to", "6", "--dry-run")
    now[0] = END
    assert "it served as support@6" in run(*back).out
    now[0] = BEGIN
    assert begin("good").code == 0
    assert run("rollout", "abort", "--reason", "worse").code == 0
    refused = run(*back)
    assert (refused.code, "a rollout of it went back from shadow 20 % to 0 %: aborted: worse" in refused.err) == (1, True)
    assert run(*back, "--override", "ann", "--reason", "r").code == 0


@pytest.mark.parametrize("words", [
    ("--steps", "5,1,100"), ("--steps", "1,5"), ("--steps", "a"), ("--steps", "0,100"), ("--margin", "0%"), ("--slo", "llm-latency"),
    ("--slo", "none-such"), ("--window", "soon"), ("--events", "3"), ("--to", "a\x1b[31m"),
])  # fmt: skip
def test_a_rollout_that_makes_no_sense_is_not_begun(begin: Callable[..., Any], tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit 2, nothing written."""
    ended = begin("good", *words)
    assert ended.code == 2, ended.out
    assert not (tmp_path / "flags.json").exists()


def test_a_step_that_was_killed_before_it_was_logged_is_finished_by_the_next_one(
    run: Callable[..., Any], begin: Callable[..., Any], now: list[float], tmp_path: Path
) -> None:
    """The flag is ahead of the log, and the evidence of that look is the same."""
    assert begin("good").code == 0
    road = drive.running(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"))
    path = tmp_path / "flags.json"
    ahead = flags.Switch(flag(road, road.stages[1]), BEGIN + 1_200)
    flags.save(path, flags.turned(flags.load(path), "rollout", ahead))
    now[0] += 310
    assert run("rollout", "step").code == 0
    assert _kinds(tmp_path) == ["rollout started", "rollout step"]
    assert _flag(tmp_path)[0]["percent"] == 1.0


def test_a_start_that_was_killed_before_it_was_logged_is_begun_by_the_same_words(
    begin: Callable[..., Any], tmp_path: Path
) -> None:
    """The flag that it left is its own."""
    assert begin("good").code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.append(log, 0, BEGIN, "mitigate", "rollout rolled back", "x", {"rollout": drive.running(log).id})
    assert begin("good").code == 0
    assert _kinds(tmp_path).count("rollout started") == 2
