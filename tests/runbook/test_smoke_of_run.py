"""The smoke suite of `validate`, taken from a kept run of an evaluation set."""

from __future__ import annotations

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


def ran(folder: Path, moment: float, verdict: str = PASSED, *, live: bool = True) -> Path:
    """Keep a run of one case that began at this moment."""
    (folder / "s.jsonl").write_text('{"id": "a", "query": "q", "expected": "x"}\n')
    when = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    target = result.Target("http://127.0.0.1:9", "", "m", "", live)
    made = result.result(
        files.read(folder / "s.jsonl"), target, [Verdict("a", verdict, model="m")], started=when, ended=when, require=1.0
    )
    return keeping.keep(folder / "runs", made)


def test_the_newest_live_run_after_the_last_change_is_the_smoke_suite(tmp_path: Path) -> None:
    """An earlier run knows nothing of the change, and recorded answers nothing of what serves now."""
    runs = tmp_path / "runs"
    before = ran(tmp_path, SINCE - 1)
    assert smoke_of_run(before, SINCE).state == "unknown"
    ran(tmp_path, SINCE + 9, live=False)
    found = smoke_of_run(runs, SINCE)
    assert (
        found.state == "unknown"
        and "no run of a live endpoint began after the last change; run: truegreen evalset run" in found.says
    )
    ran(tmp_path, SINCE + 1)
    found = smoke_of_run(runs, SINCE)
    assert found.state == "ok" and "1/1, wanted 100%" in found.says, found
    ran(tmp_path, SINCE + 2, FAILED)
    assert smoke_of_run(runs, SINCE).state == "not ok"
    before.write_text(before.read_text().replace('"cases": 1', '"cases": 2'))
    with pytest.raises(BadInput, match="it was edited"):
        smoke_of_run(before, SINCE)


@pytest.mark.full
def test_validate_takes_it_by_its_option(run: Callable[..., Any], filled: str, tmp_path: Path) -> None:
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, store.Target("them", "production", "grounding"), "1", ONSET + 120, "x", {})
    ran(tmp_path, ONSET + 500)
    done = run("validate", "--at", str(END), "--prometheus-url", filled, "--smoke-run", "runs")
    assert done.code == 1 and "ok       smoke" in done.out and "s@" in done.out, done


@pytest.mark.full
def test_the_command_itself_can_be_the_smoke_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code and last line are what validate reads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.jsonl").write_text('{"query": "q", "expected": "30 days"}\n')
    (tmp_path / "r.jsonl").write_text('{"query": "q", "context": [], "answer": "14 days", "model": "m"}\n')
    found = smoke([sys.executable, "-m", "truegreen.core", "evalset", "run", "s.jsonl", "--recorded", "r.jsonl"])
    assert found.state == "not ok" and found.says.startswith("NOT passed 0/1 (0.0%, 95% 0.0% to 79.3%"), found
