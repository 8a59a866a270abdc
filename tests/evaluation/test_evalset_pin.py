"""`truegreen model pin` and `unpin`: what the lock file lets go, and on what evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from truegreen.core.cli import root
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets import files, keeping, model_commands, result
from truegreen.evaluation.evalsets.model import ERROR, FAILED, PASSED, Verdict

ALIAS, OLD, NEW = "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
WHO = ("--provider", "openai", "--model", ALIAS)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`model("pin", …)` in a folder with a set of two cases."""
    monkeypatch.chdir(tmp_path)
    Path("s.jsonl").write_text('{"id": "a", "query": "q", "expected": "x"}\n{"id": "b", "query": "r", "expected": "y"}\n')
    return lambda *words: CliRunner().invoke(root, ["model", *map(str, words)])


def ran(  # noqa: PLR0913 (each says one thing about the run)
    asked: str = ALIAS,
    served: str = NEW,
    second: str = PASSED,
    hours: float = 1.0,
    provider: str = "openai",
    *,
    live: bool = True,
    only: int = 2,
    require: float = 1.0,
) -> Mapping[str, Any]:
    """Keep a run that began so many hours from now."""
    began = datetime.now(UTC) + timedelta(hours=hours)
    verdicts = [Verdict("a", PASSED, model=served), Verdict("b", second, model=served)][:only]
    target = result.Target("http://127.0.0.1:9/v1", provider, asked, "", live)
    moment = began.isoformat(timespec="milliseconds")
    made = result.result(files.read(Path("s.jsonl")), target, verdicts, started=moment, ended=moment, require=require)
    keeping.keep(Path(keeping.FOLDER), made)
    return made


def refused(done: Result) -> str:
    assert isinstance(done.exception, Failed), (done.exception, done.output)
    return str(done.exception)


def lock() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path("truegreen.lock").read_text())
    return loaded


def test_a_pin_is_let_go_only_by_a_run_that_passes_without_it(model) -> None:
    """The whole way: pinned in an incident, refused with the command that is missing, let go on evidence, which the file keeps."""
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl").exit_code == 0
    said = refused(model("unpin", *WHO))
    assert "truegreen.lock: stays as it is: no passing run of s@" in said and "there is none" in said
    assert said.endswith("Run: truegreen evalset run s.jsonl --endpoint URL --provider openai --model gpt-4o")
    made = ran()
    done = model("unpin", *WHO)
    assert done.exit_code == 0 and f"run {made['digest']}" in done.output, done.output
    assert lock()["models"] == []
    (past,) = lock()["history"]
    assert past["version"] == OLD and past["let_go_by"]["run"] == made["digest"] and past["let_go_by"]["ratio"] == 1.0
    assert isinstance(model("unpin", *WHO).exception, BadInput)


NO_EVIDENCE: dict[str, tuple[dict[str, Any], str]] = {
    "it failed": ({"second": FAILED}, "it did not pass (1 of 2, wanted 100%)"),
    "an answer is missing": ({"second": ERROR}, "it is not whole"),
    "half of it": ({"only": 1}, "it is not whole"),
    "before the pin": ({"hours": -1}, "it is older than the pin"),
    "of the pinned version": ({"asked": OLD, "served": OLD}, f"it asked for {OLD}, not for {ALIAS}"),
    "of another provider": ({"provider": "azure"}, "it asked azure"),
    "of nobody knows whom": ({"provider": ""}, "it does not say whom it asked (--provider openai)"),
    "of an endpoint that does not say what serves": ({"served": ""}, "not every answer says which model served it"),
    "of a template that asks for no model": ({"asked": ""}, f"it asked for no model by name, not for {ALIAS}"),
    "content with half": ({"second": FAILED, "require": 0.5}, "it did not pass (1 of 2, wanted 100%)"),
    "of recorded answers": ({"live": False}, "it judged recorded answers"),
}


@pytest.mark.parametrize("name", NO_EVIDENCE)
def test_what_is_no_evidence_is_said_and_changes_nothing(model, name) -> None:
    more, why = NO_EVIDENCE[name]
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl").exit_code == 0
    before = Path("truegreen.lock").read_bytes()
    ran(**more)
    assert why in refused(model("unpin", *WHO))
    assert Path("truegreen.lock").read_bytes() == before


def test_a_lower_share_is_good_enough_only_with_a_reason_that_is_kept(model) -> None:
    """What a run was content with counts for nothing; what the pin wants does, and who wants less says why, in the lock file."""
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl").exit_code == 0
    made = ran(second=FAILED, require=0.5)
    assert made["passed"]
    done = model("unpin", *WHO, "--require", "50%")
    assert isinstance(done.exception, BadInput) and "50% is less than the 100% that count here; say why" in str(done.exception)
    assert lock()["models"][0]["require"] == 1.0
    done = model("unpin", *WHO, "--require", "50%", "--reason", "case b is the provider's own bug")
    assert done.exit_code == 0 and "wanted    50% of the cases, not all" in done.output
    let_go = lock()["history"][0]["let_go_by"]
    assert (let_go["require"], let_go["passed"], let_go["reason"]) == (0.5, 1, "case b is the provider's own bug")


def test_a_pin_keeps_the_share_that_it_wants(model) -> None:
    assert isinstance(model("pin", *WHO, "--version", OLD, "--require", "50%").exception, BadInput)
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl", "--require", "50%", "--reason", "flaky").exit_code == 0
    assert (lock()["models"][0]["require"], lock()["models"][0]["reason"]) == (0.5, "flaky")
    ran(second=FAILED)
    assert "wanted 80%" in refused(model("unpin", *WHO, "--require", "80%"))
    assert model("unpin", *WHO).exit_code == 0


def test_pins_at_the_same_moment_are_all_kept(model) -> None:
    """Ten commands at once, each of another model; nothing is left beside the lock file."""
    more = {"provider": "p", "lock": None, "evalset": None, "runs": Path(), "file": None, "require": None, "reason": ""}

    def pin(number: int) -> None:
        model_commands.pin.callback(version="v", model=f"m{number}", config_path=None, as_json=True, **more)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(pin, range(10)))
    assert len(lock()["models"]) == 10 and sorted(one.name for one in Path().iterdir()) == ["s.jsonl", "truegreen.lock"]


def test_a_case_that_an_incident_added_must_pass_too(model) -> None:
    """The run of the shorter set is of another version."""
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl").exit_code == 0
    short = ran()
    with Path("s.jsonl").open("a") as file:
        file.write('{"id": "c", "query": "s", "expected": "z"}\n')
    assert f"it is of {short['evalset']}" in refused(model("unpin", *WHO))


def test_another_version_is_let_in_by_its_own_run_alone(model) -> None:
    """A second pin takes the first away, so it needs what an unpin needs; the same version needs nothing."""
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl").exit_code == 0
    assert model("pin", *WHO, "--version", OLD).exit_code == 0
    ran(served=OLD)
    assert f"it was answered by {OLD}, not by {NEW}" in refused(model("pin", *WHO, "--version", NEW))
    made = ran(asked=NEW)
    done = model("pin", *WHO, "--version", NEW, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["evidence"]["run"] == made["digest"]
    assert [one["version"] for one in lock()["models"]] == [NEW] and [one["version"] for one in lock()["history"]] == [OLD, OLD]


def test_a_first_pin_takes_no_bad_run_for_evidence(model) -> None:
    made = ran(served=OLD, hours=-24 * 8)
    (path,) = Path(keeping.FOLDER).glob("*.json")
    assert "it is older than 7 days" in refused(model("pin", *WHO, "--version", OLD, "--run", path))
    assert not Path("truegreen.lock").exists()
    path.unlink()
    made = ran(served=OLD, hours=-1)
    (path,) = Path(keeping.FOLDER).glob("*.json")
    assert model("pin", *WHO, "--version", OLD, "--run", path).exit_code == 0
    (kept,) = lock()["models"]
    assert kept["evidence"]["run"] == made["digest"] and kept["evalset"] == "s.jsonl"


def test_what_was_edited_is_named_and_never_written_over(model) -> None:
    """A lock file or a run with another digest than its content's."""
    assert model("pin", *WHO, "--version", OLD, "--evalset", "s.jsonl").exit_code == 0
    ran(second=FAILED)
    (path,) = Path(keeping.FOLDER).glob("*.json")
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    done = model("unpin", *WHO, "--run", path)
    assert isinstance(done.exception, BadInput) and "it was edited; run the set again" in str(done.exception)
    assert "there is none" in refused(model("unpin", *WHO))
    for text, said in (
        (Path("truegreen.lock").read_text().replace(OLD, NEW), "it was edited"),
        ("{", "found no JSON"),
        ("{}", "found no lock file"),
    ):
        Path("truegreen.lock").write_text(text)
        for command in (("unpin",), ("pin", "--version", NEW)):
            done = model(command[0], *WHO, *command[1:])
            assert isinstance(done.exception, BadInput) and said in str(done.exception)
        assert Path("truegreen.lock").read_text() == text


def test_the_lock_file_lies_beside_the_configuration(model, tmp_path) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "truegreen.yaml").write_text("services: {a: {}}\n")
    assert model("pin", *WHO, "--version", OLD, "--config", "ops/truegreen.yaml").exit_code == 0
    assert (tmp_path / "ops" / "truegreen.lock").exists() and not Path("truegreen.lock").exists()
