"""`truegreen evalset add-case`: from an incident's log to a case of the set, its question from Langfuse, a replay file or the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from evalset_server import serving

from truegreen.core.cli import root
from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import QUANTILES, Calibration, file_name, to_text
from truegreen.evaluation.evalsets import adding, files
from truegreen.runbook import log as store

TRACES = ["a" * 32, "b" * 32]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`add("set.jsonl", …)` in a folder with the log of one incident, whose triage saw two failing traces."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRUEGREEN_CONFIG", "TRUEGREEN_STORE"):
        monkeypatch.delenv(name, raising=False)
    log = store.open_log("sqlite:///incidents.db")
    store.open_incident(log, store.Target("support-agent", "production", "grounding"), "1", 1.0, "x", {})
    store.append(log, 1, 2.0, "triage", "triaged", "x", {"failing": TRACES})
    return lambda *words: CliRunner().invoke(root, ["evalset", "add-case", *map(str, words)])


def calibration(folder: Path, floor: float) -> None:
    made = Calibration(
        "support-agent",
        "production",
        "groundedness",
        "context-support",
        "relative",
        floor,
        QUANTILES,
        0.03,
        1.0,
        600,
        "2026-11-01T12:00:00+00:00",
    )
    folder.mkdir()
    (folder / file_name(made.service, made.environment, made.signal)).write_text(to_text(made))


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_failing_trace_becomes_a_case_checked_by_what_found_it_wrong(add, monkeypatch) -> None:
    """The question is the trace's in Langfuse, the version moves. What found it wrong is no check of a case without passages."""
    calibration(Path("calibration"), 0.41)
    Path("s.jsonl").write_text('{"id": "a", "query": "q", "expected": "x"}')
    before = files.read(Path("s.jsonl")).version

    def langfuse(path: str, _: Any) -> tuple[int, Any]:
        if path.endswith(TRACES[0]):
            return 404, {"message": "no such trace"}
        return 200, {"id": TRACES[1], "input": None, "observations": [
            {"startTime": "2", "input": {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "May I return it?"}]}},
            {"startTime": "1", "input": None}]}  # fmt: skip

    with serving(langfuse) as server:
        for name, value in {"BASE_URL": server.url, "PUBLIC_KEY": "pk", "SECRET_KEY": "sk"}.items():
            monkeypatch.setenv(f"LANGFUSE_{name}", value)
        done = add("s.jsonl", "--from-incident", 1, "--json")
        assert isinstance(done.exception, BadInput), done.output
        assert "no answer could pass: groundedness found it wrong" in str(done.exception) and "no_context" in str(done.exception)
        assert files.read(Path("s.jsonl")).version == before
        done = add("s.jsonl", "--from-incident", 1, "--contains", "yes", "--json")
    assert done.exit_code == 0, done.exception
    told = json.loads(done.stdout)
    assert told["before"] == before and told["eval_dataset"] == files.read(Path("s.jsonl")).version != before
    old, new = lines("s.jsonl")
    assert old["id"] == "a" and new.pop("added")
    assert new == {
        "id": "incident-1-bbbbbbbb",
        "query": "May I return it?",
        "trace": TRACES[1],
        "incident": 1,
        "checks": {"contains": ["yes"]},
    }


def test_with_its_passages_the_check_is_what_found_it_wrong(add) -> None:
    """The incident's evaluation at the floor of the calibration."""
    calibration(Path("calibration"), 0.41)
    Path("r.jsonl").write_text(
        json.dumps({"id": TRACES[0], "query": "How long?", "context": ["30 days."], "answer": "wrong", "model": "m"})
    )
    done = add("new.jsonl", "--from-incident", 1, "--recorded", "r.jsonl")
    assert done.exit_code == 0, done.exception
    assert lines("new.jsonl")[0]["checks"] == {"floors": {"groundedness": 0.41}}


def test_cases_that_are_added_at_the_same_moment_are_all_kept(tmp_path) -> None:
    def one(number: int) -> None:
        adding.add(tmp_path / "s.jsonl", {"id": str(number), "query": "q", "expected": "x"})

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(one, range(10)))
    assert len(files.read(tmp_path / "s.jsonl").cases) == 10 and [one.name for one in tmp_path.iterdir()] == ["s.jsonl"]


def test_the_question_comes_from_a_replay_file_or_the_command_line(add) -> None:
    """A new set is begun; one question is not added twice."""
    Path("r.jsonl").write_text(
        json.dumps({"id": TRACES[0], "query": "How long?", "context": ["30 days."], "answer": "wrong", "model": "m"})
    )
    done = add(
        "new.jsonl",
        "--from-incident",
        1,
        "--recorded",
        "r.jsonl",
        "--expected",
        "30 days",
        "--not-contains",
        "14",
        "--note",
        "why",
    )
    assert done.exit_code == 0, done.exception
    (case,) = lines("new.jsonl")
    assert case["context"] == ["30 days."] and case["checks"] == {"not_contains": ["14"]} and case["expected"] == "30 days"
    assert "wrong" not in Path("new.jsonl").read_text()
    text = Path("new.jsonl").read_bytes()
    again = add("new.jsonl", "--from-incident", 1, "--recorded", "r.jsonl", "--expected", "30 days")
    assert isinstance(again.exception, BadInput) and "found the id of line 1" in str(again.exception)
    assert Path("new.jsonl").read_bytes() == text
    assert add("new.jsonl", "--from-incident", 1, "--query", "Another?", "--floor", "groundedness=0.5").exit_code == 0
    assert add("new.jsonl", "--query", "A third?", "--contains", "x").exit_code == 0
    assert [case.get("incident") for case in lines("new.jsonl")] == [1, 1, None]


def test_what_is_missing_is_said_and_the_set_stays(add, monkeypatch) -> None:
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    Path("r.jsonl").write_text(json.dumps({"id": "other", "query": "q", "context": [], "answer": "a", "model": "m"}))
    Path("broken.jsonl").write_text("{")
    for words, said in {
        ("s.jsonl", "--from-incident", "7"): "--from-incident 7: sqlite:///incidents.db has no incident of that number; known: 1",
        ("s.jsonl", "--from-incident", "1"): "LANGFUSE_PUBLIC_KEY is not set",
        ("s.jsonl", "--from-incident", "1", "--recorded", "r.jsonl"): "r.jsonl: has none of the traces",
        ("s.jsonl", "--from-incident", "1", "--query", "q"): "its floor would be the check, and it cannot be read",
        ("s.jsonl", "--query", "q"): "the case checks nothing; write what a right answer is",
        ("s.jsonl", "--query", "q", "--floor", "x"): "--floor: found 'x'",
        ("s.jsonl", "--query", "q", "--floor", "groundedness=nan"): "--floor: found 'groundedness=nan'",
        ("s.jsonl", "--query", "q", "--expected", "  "): "expected: found a text of 2 characters; write a text that is not blank",
        ("broken.jsonl", "--query", "q", "--contains", "x"): "broken.jsonl:1: found no JSON",
    }.items():
        done = add(*words)
        assert isinstance(done.exception, BadInput) and said in str(done.exception), (words, done.exception)
    assert not Path("s.jsonl").exists() and Path("broken.jsonl").read_text() == "{"
