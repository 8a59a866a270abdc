"""The smoke suite of `validate`, taken from a kept run of an evaluation set."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from runbook_world import END, ONSET

from truegreen.core.errors import BadInput
from truegreen.evaluation.evalsets import files, keeping, result
from truegreen.evaluation.evalsets.model import FAILED, PASSED, Verdict
from truegreen.runbook import log as store
from truegreen.runbook.validate import smoke, smoke_of_run

SINCE = 1_000_000.0


def ran(  # noqa: PLR0913 (each says one thing about the run)
    folder: Path, moment: float, verdict: str = PASSED, *, live: bool = True, name: str = "s", endpoint: str = "http://127.0.0.1:9",
    require: float = 1.0,
) -> Path:  # fmt: skip
    """Keep a run of two cases, the first of which passes, that began at this moment."""
    file = folder / f"{name}.jsonl"
    file.write_text(f'{{"id": "a", "query": "{name}", "expected": "x"}}\n{{"id": "b", "query": "q", "expected": "x"}}\n')
    when = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    target = result.Target(endpoint, "", "m", "", live)
    verdicts = [Verdict("a", PASSED, model="m"), Verdict("b", verdict, model="m")]
    made = result.result(files.read(file), target, verdicts, started=when, ended=when, require=require)
    path = keeping.keep(folder / "runs", made)
    os.utime(path, (moment, moment))
    return path


def test_the_newest_live_run_after_the_last_change_is_the_smoke_suite(tmp_path: Path) -> None:
    """An earlier run knows nothing of the change, recorded answers nothing of what serves now, another set nothing of this one."""
    runs, evalset = tmp_path / "runs", tmp_path / "s.jsonl"
    before = ran(tmp_path, SINCE - 1)
    assert smoke_of_run(before, evalset, SINCE).state == "unknown"
    ran(tmp_path, SINCE + 9, live=False)
    found = smoke_of_run(runs, evalset, SINCE)
    assert found.state == "unknown" and "no run of a live endpoint of s@" in found.says, found
    assert f"run: truegreen evalset run {evalset} --endpoint URL" in found.says
    ran(tmp_path, SINCE + 3, name="other")
    assert smoke_of_run(runs, evalset, SINCE).state == "unknown"
    ran(tmp_path, SINCE + 1)
    found = smoke_of_run(runs, evalset, SINCE)
    assert (found.state, found.number, found.bound) == ("ok", "2 of 2 pass", "100% of the cases"), found
    ran(tmp_path, SINCE + 2, FAILED)
    assert smoke_of_run(runs, evalset, SINCE).state == "not ok"
    with evalset.open("a") as file:
        file.write('{"query": "what the incident added", "expected": "x"}\n')
    assert smoke_of_run(runs, evalset, SINCE).state == "unknown"


def test_what_a_run_was_content_with_is_not_what_validate_wants(tmp_path: Path) -> None:
    """A lower share is said to validate itself, and stands in the check that the log keeps."""
    ran(tmp_path, SINCE + 1, FAILED, require=0.01)
    assert smoke_of_run(tmp_path / "runs", tmp_path / "s.jsonl", SINCE).state == "not ok"
    lower = smoke_of_run(tmp_path / "runs", tmp_path / "s.jsonl", SINCE, 0.5)
    assert (lower.state, lower.bound) == ("ok", "50% of the cases")


def test_one_service_does_not_vouch_for_another(tmp_path: Path) -> None:
    """The same set asked of two endpoints: which one counts is to be said."""
    runs, evalset = tmp_path / "runs", tmp_path / "s.jsonl"
    ran(tmp_path, SINCE + 1, FAILED)
    ran(tmp_path, SINCE + 2, endpoint="http://127.0.0.1:8")
    found = smoke_of_run(runs, evalset, SINCE)
    assert found.state == "unknown" and "asked http://127.0.0.1:8 m, http://127.0.0.1:9 m: say whose counts" in found.says
    assert smoke_of_run(runs, evalset, SINCE, endpoint="http://127.0.0.1:9/").state == "not ok"
    assert smoke_of_run(runs, evalset, SINCE, endpoint="http://127.0.0.1:8", model="m").state == "ok"
    assert smoke_of_run(runs, evalset, SINCE, model="n").state == "unknown"


def test_a_newer_file_that_cannot_be_read_leaves_it_unknown(tmp_path: Path) -> None:
    """It may be the run that failed; one from before the change is not asked for."""
    runs, evalset = tmp_path / "runs", tmp_path / "s.jsonl"
    old, _ = ran(tmp_path, SINCE - 9), ran(tmp_path, SINCE + 1)
    old.write_text("{")
    os.utime(old, (SINCE - 9, SINCE - 9))
    assert smoke_of_run(runs, evalset, SINCE).state == "ok"
    newer = ran(tmp_path, SINCE + 2, FAILED)
    newer.write_text(newer.read_text().replace('"pass": 1', '"pass": 2'))
    os.utime(newer, (SINCE - 9, SINCE - 9))
    found = smoke_of_run(runs, evalset, SINCE)
    assert found.state == "unknown" and "it was edited" in found.says, "told by its name, whatever its time"
    with pytest.raises(BadInput, match="it was edited"):
        smoke_of_run(newer, evalset, SINCE)


@pytest.mark.full
def test_validate_takes_it_by_its_option(run: Callable[..., Any], filled: str, tmp_path: Path) -> None:
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, store.Target("them", "production", "grounding"), "1", ONSET + 120, "x", {})
    ran(tmp_path, ONSET + 500)
    words = ("validate", "--at", str(END), "--prometheus-url", filled, "--smoke-run", "runs")
    done = run(*words, "--smoke-evalset", "s.jsonl")
    assert done.code == 1 and "ok       smoke" in done.out and "s@" in done.out, done
    alone = run(*words)
    assert alone.code == 2 and "--smoke-run DIR and --smoke-evalset FILE belong together" in alone.err, alone


@pytest.mark.full
def test_the_command_itself_can_be_the_smoke_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code and last line are what validate reads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.jsonl").write_text('{"query": "q", "expected": "30 days"}\n')
    (tmp_path / "r.jsonl").write_text('{"query": "q", "context": [], "answer": "14 days", "model": "m"}\n')
    found = smoke([sys.executable, "-m", "truegreen.core", "evalset", "run", "s.jsonl", "--recorded", "r.jsonl"])
    assert found.state == "not ok" and found.says.startswith("NOT passed 0/1 (0.0%, 95% 0.0% to 79.3%"), found
