"""`truegreen rollback` of every component but Langfuse's prompts: real files, a real Git, real commands, servers that speak the documented contract."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from runbook_shop import Impatient, Langfuse, serving

from truegreen.evaluation.evalsets import pinning
from truegreen.runbook import log as store
from truegreen.runbook.commands import common
from truegreen.runbook.rollback.alone import alone

STAND = ("--override", "ann", "--reason", "it served in May", "--verify-count", "0")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of these tests have no Prometheus."""
    monkeypatch.setattr(common, "Desk", Impatient)


@pytest.fixture
def answer(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """`answer(component, way)` configures one way and opens an incident; gives back `run`."""

    def made(component: str, way: dict[str, Any]) -> Callable[..., Any]:
        (tmp_path / "truegreen.yaml").write_text(json.dumps({"incidents": {"rollback": {component: way}}}))
        assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
        return run

    return made


def _there_and_back(run: Callable[..., Any], component: str, to: str, now: Callable[[], str], old: str) -> None:
    assert run("rollback", "check").code == 0
    refused = run("rollback", component, "--to", to)
    assert (refused.code, "cannot be known" in refused.err, now()) == (1, True, old), refused.err
    assert run("rollback", component, "--to", to, *STAND, "--dry-run").code == 0
    assert now() == old
    done = run("rollback", component, "--to", to, *STAND, "--json")
    assert now() == to, done.err
    assert run("rollback", "undo", str(done.facts["event"]), "--verify-count", "0").code == 0
    assert now() == old
    kinds = [e["kind"] for e in run("incident", "log", "--json").facts["events"]]
    assert kinds == ["incident opened", *["evidence frozen", "rollback begun", "rollback applied"] * 2]


def test_a_link_a_pointer_and_a_copy_in_a_folder_go_back(answer: Callable[..., Any], tmp_path: Path) -> None:
    """What the application reads is never half written."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    for name in ("v1", "v2"):
        (folder / name).write_text(f"text of {name}")
    (folder / "live").symlink_to("v2")
    run = answer("prompt", {"type": "folder", "path": "prompts", "file": "live"})
    _there_and_back(run, "prompt", "v1", lambda: (folder / "live").readlink().name, "v2")
    (folder / "live").unlink()
    (folder / "live").write_text("v2\n")
    assert run("rollback", "prompt", "--to", "v1", *STAND).code == 0
    assert (folder / "live").read_text() == "v1\n"
    (folder / "live").write_text("text of v2")
    assert run("rollback", "prompt", "--to", "v1", *STAND).code == 0
    assert (folder / "live").read_text() == "text of v1"
    (folder / "live").write_text("nobody kept this")
    refused = run("rollback", "prompt", "--to", "v1", *STAND)
    assert (refused.code, (folder / "live").read_text()) == (2, "nobody kept this")
    assert run("rollback", "check").code == 1
    assert run("rollback", "prompt", "--to", "../v1", *STAND).code == 2


def test_a_path_goes_back_to_a_tag_and_uncommitted_work_stays(answer: Callable[..., Any], tmp_path: Path) -> None:
    """Also beside it; a tag that has shell characters is a tag like another."""
    top = tmp_path / "repository"
    top.mkdir()

    def git(*words: str) -> None:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", "-C", top, *who, *words], check=True, capture_output=True)

    git("init", "-q")
    tags = ("v1;touch$IFS`x`", "v2")
    for tag in tags:
        (top / "tools.json").write_text(tag)
        (top / "other.txt").write_text(tag)
        git("add", ".")
        git("commit", "-q", "-m", tag)
        git("tag", tag)
    (top / "other.txt").write_text("my work")
    run = answer("tools", {"type": "git", "path": "repository", "file": "tools.json"})
    _there_and_back(run, "tools", tags[0], (top / "tools.json").read_text, "v2")
    assert (top / "other.txt").read_text() == "my work"
    (top / "tools.json").write_text("my work too")
    refused = run("rollback", "tools", "--to", tags[0], *STAND)
    assert (refused.code, (top / "tools.json").read_text()) == (2, "my work too")
    assert run("rollback", "tools", "--to=--all", *STAND).code == 2
    assert sorted(one.name for one in top.iterdir()) == [".git", "other.txt", "tools.json"]


def test_a_flag_goes_back_and_then_off(answer: Callable[..., Any], tmp_path: Path) -> None:
    """The way of Pinecone, which has no aliases."""
    flags = tmp_path / "flags.json"
    from truegreen.runbook.flags import load, state

    run = answer("index", {"type": "flag", "name": "retrieval_index"})
    _there_and_back(run, "index", "kb-may", lambda: state(load(flags), "retrieval_index").value, "")


def test_a_command_gets_the_version_as_one_argument_and_is_believed_only_when_it_shows(
    answer: Callable[..., Any], tmp_path: Path
) -> None:
    """A command that ends well and moves nothing is a failure."""
    kept = tmp_path / "kept"
    kept.write_text("g2")
    put = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    way = {
        "type": "command", "current": ["cat", str(kept)], "dry_run": ["test", "-w", str(kept)],
        "apply": [sys.executable, "-c", put, str(kept), "{to}"],
    }  # fmt: skip
    run = answer("guardrail", way)
    _there_and_back(run, "guardrail", "g1; rm -rf $HOME", kept.read_text, "g2")
    (tmp_path / "truegreen.yaml").write_text(
        json.dumps({"incidents": {"rollback": {"guardrail": {**way, "apply": ["true", "{to}"]}}}})
    )
    ended = run("rollback", "guardrail", "--to", "g1", *STAND)
    assert (ended.code, "is on g2" in ended.err) == (1, True)
    assert run("incident", "log", "--json").facts["events"][-1]["kind"] == "rollback failed"


def test_an_alias_of_weaviate_moves_in_one_call(answer: Callable[..., Any]) -> None:
    """By the documented contract."""
    kept, calls = {"Kb": "Kb_v2"}, []

    def weaviate(method: str, path: str, body: Any, _: str) -> tuple[int, Any]:
        if path == "/v1/schema":
            return 200, {"classes": [{"class": "Kb_v1"}, {"class": "Kb_v2"}]}
        if method == "PUT":
            calls.append((path, body))
            kept["Kb"] = body["class"]
        return (200, {"alias": "Kb", "class": kept["Kb"]}) if path == "/v1/aliases/Kb" else (404, {})

    with serving(weaviate) as url:
        run = answer("index", {"type": "weaviate", "url": url, "name": "Kb"})
        _there_and_back(run, "index", "Kb_v1", lambda: kept["Kb"], "Kb_v2")
        assert run("rollback", "index", "--to", "Kb_v9", *STAND).code == 2
    assert calls[0] == ("/v1/aliases/Kb", {"class": "Kb_v1"})


def test_an_alias_of_qdrant_moves_in_one_call(answer: Callable[..., Any], tmp_path: Path) -> None:
    """Deleted and made in one request, which Qdrant does as one; the key goes as a header and into no message."""
    kept, calls = {"kb": "kb_v2"}, []
    (tmp_path / "key").write_text("sesame\n")

    def qdrant(method: str, path: str, body: Any, _: str) -> tuple[int, Any]:
        if path == "/collections":
            return 200, {"result": {"collections": [{"name": "kb_v1"}, {"name": "kb_v2"}]}, "status": "ok"}
        if path == "/aliases":
            return 200, {"result": {"aliases": [{"alias_name": a, "collection_name": c} for a, c in kept.items()]}}
        if (method, path) == ("POST", "/collections/aliases"):
            calls.append(body)
            for action in body["actions"]:
                if gone := action.get("delete_alias"):
                    kept.pop(gone["alias_name"])
                if made := action.get("create_alias"):
                    kept[made["alias_name"]] = made["collection_name"]
            return 200, {"result": True, "status": "ok"}
        return 404, {}

    with serving(qdrant) as url:
        run = answer("index", {"type": "qdrant", "url": url, "name": "kb", "secret_file": "key"})
        _there_and_back(run, "index", "kb_v1", lambda: kept["kb"], "kb_v2")
        assert "kb_v1, kb_v2" in run("rollback", "index", "--to", "kb_v9", *STAND).err
    assert calls[0] == {
        "actions": [
            {"delete_alias": {"alias_name": "kb"}},
            {"create_alias": {"collection_name": "kb_v1", "alias_name": "kb"}},
        ]
    }
    away = run("rollback", "index", "--to", "kb_v1", *STAND)
    assert (away.code, "sesame" in away.err + away.out) == (1, False)


def test_a_model_goes_back_in_the_lock_file_with_the_evidence_that_it_had(answer: Callable[..., Any], tmp_path: Path) -> None:
    """What was pinned meanwhile is kept in the history; a version with a passing run needs no override."""
    evidence = {"run": "r" * 12, "evalset": "e" * 12, "date": "2026-11-01", "passed": 20, "cases": 20, "ratio": 1.0}
    pin = {"provider": "openai", "model": "support-large", "pinned": "2026-11-01T00:00:00Z", "evalset": "e", "require": 1.0}
    old = {**pin, "version": "support-large-0613", "evidence": evidence, "until": "2026-11-20T00:00:00Z", "let_go_by": "r"}
    new = {**pin, "version": "support-large-1106", "evidence": None}
    pinning.save(tmp_path / "truegreen.lock", [new], [old])
    run = answer("model", {"type": "lock", "path": "truegreen.lock", "name": "support-large"})
    assert run("rollback", "check").code == 0
    done = run("rollback", "model", "--to", "support-large-0613", "--verify-count", "0", "--json")
    models, history = pinning.load(tmp_path / "truegreen.lock")
    assert [(one["version"], one["evidence"]) for one in models] == [("support-large-0613", evidence)], done.err
    assert [one["version"] for one in history] == ["support-large-0613", "support-large-1106"]
    assert run("rollback", "undo", str(done.facts["event"]), "--verify-count", "0").code == 0
    assert [one["version"] for one in pinning.load(tmp_path / "truegreen.lock")[0]] == ["support-large-1106"]
    unknown = run("rollback", "model", "--to", "support-large-0301", "--verify-count", "0")
    assert (unknown.code, "--override" in unknown.err) == (1, True)


def test_an_index_is_refreshed_by_the_teams_command_and_believed_when_the_application_says_so(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """Evidence first; a command that fails is a failure; what no span shows is not verified."""
    mark = tmp_path / "mark"
    words = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('x'); print('ASKED-BY-A-USER')"
    touch = [sys.executable, "-c", words, str(mark)]

    def prometheus(_: str, path: str, _body: Any, _auth: str) -> tuple[int, Any]:
        value = "1900000000" if mark.exists() else "1700000000"
        found = [{"metric": {}, "value": [1, value]}] if "rebuilt" in path else []
        return 200, {"status": "success", "data": {"resultType": "vector", "result": found}}

    def configured(words: list[str]) -> None:
        (tmp_path / "truegreen.yaml").write_text(json.dumps({"incidents": {"refresh": words}}))

    configured([])
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "index_freshness").code == 0
    assert run("index", "refresh").code == 2
    with serving(prometheus) as url:
        configured(touch)
        assert "2023-11-14" in run("index", "refresh", "--dry-run", "--prometheus-url", url).out
        assert not mark.exists()
        done = run("index", "refresh", "--prometheus-url", url, "--json")
        assert (done.code, done.facts["verified"]) == (0, 1_900_000_000.0), done.err
        configured([sys.executable, "-c", "print('ASKED-BY-A-USER'); raise SystemExit(3)"])
        with alone(store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}"), "index"):
            busy = run("index", "refresh", "--prometheus-url", url)
        assert (busy.code, "somebody else moves the index" in busy.err) == (1, True), busy.err
        failed = run("index", "refresh", "--prometheus-url", url)
        assert (failed.code, "ASKED-BY-A-USER (exit code 3)" in failed.err) == (1, True)
        configured(touch)
        late = run("index", "refresh", "--prometheus-url", url, "--timeout", "1s")
        assert (late.code, "the refresh stands" in late.err) == (1, True)
    told = run("incident", "log", "--json")
    assert "ASKED-BY-A-USER" not in told.out, "what the command prints is shown, and not kept"
    assert [e["kind"] for e in told.facts["events"]] == [
        "incident opened",
        *["evidence frozen", "refresh begun", "refresh applied", "verified by spans"],
        *["evidence frozen", "refresh begun", "refresh failed"],
        *["evidence frozen", "refresh begun", "refresh applied", "not verified"],
    ]


def test_what_a_command_prints_when_it_fails_is_shown_and_not_kept(answer: Callable[..., Any], tmp_path: Path) -> None:
    """It may quote an answer, and the log goes to Slack. Of a way back and of a switch."""
    loud = [sys.executable, "-c", "print('ASKED-BY-A-USER'); raise SystemExit(3)", "{to}"]
    run = answer("guardrail", {"type": "command", "current": ["echo", "g2"], "dry_run": ["true"], "apply": loud})
    for words in (
        ("rollback", "guardrail", "--to", "g1", *STAND),
        ("contain", "run", "drain"),
        ("contain", "strict-guardrail", "--verify-count", "0"),
    ):
        if words[0] == "contain":
            (tmp_path / "truegreen.yaml").write_text(
                json.dumps({"containment": {"command": [*loud, "{flag}"], "commands": {"drain": {"says": "x", "apply": loud}}}})
            )
        ended = run(*words)
        assert (ended.code, "ASKED-BY-A-USER" in ended.err) == (1, True), ended.err
    kept = run("incident", "log", "--json")
    assert "ASKED-BY-A-USER" not in kept.out
    kinds = [e["kind"] for e in kept.facts["events"] if e["kind"].endswith("failed")]
    assert kinds == ["rollback failed", "contain failed", "contain failed"]


def _of_the_page() -> list[dict[str, Any]]:
    """The steps of the workflow that docs/rollback.md gives to copy."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "rollback.md").read_text("utf-8")
    found = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]
    steps: list[dict[str, Any]] = next(one["jobs"]["check"]["steps"] for one in found if "jobs" in one)
    return steps


def test_the_workflow_of_the_page_dry_runs_every_way_that_is_configured(
    run: Callable[..., Any], langfuse: Langfuse, tmp_path: Path
) -> None:
    """Its commands, on good ways and on broken ones; the doctor finds the same; nothing is moved."""
    steps = _of_the_page()
    (checked,) = [shlex.split(step["run"]) for step in steps if step.get("run", "").startswith("truegreen")]
    (installed,) = [shlex.split(step["run"])[-1] for step in steps if step.get("run", "").startswith("pip")]
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert installed == "truegreen[runbook]"
    assert "runbook" in project["optional-dependencies"]
    assert {name for step in steps for name in step.get("env", ())} == {
        "LANGFUSE_BASE_URL", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"
    }  # fmt: skip

    def found(rollback: dict[str, Any]) -> tuple[int, dict[str, bool], str]:
        (tmp_path / "truegreen.yaml").write_text(json.dumps({"incidents": {"rollback": rollback}}))
        ended = run(*checked[1:], "--json")
        told = [json.loads(line) for line in ended.out.splitlines()]
        states = {one["component"]: one["ok"] for one in told[0]["findings"]} if told and "findings" in told[0] else {}
        doctor = {one["name"]: one["state"] for one in json.loads(run("doctor", "--json").out.splitlines()[0])["findings"]}
        return ended.code, states, doctor["rollback"]

    versions = tmp_path / "versions"
    versions.mkdir()
    for name in ("t1", "t2"):
        (versions / name).write_text(name)
    (versions / "live").symlink_to("t2")
    good = {
        "prompt": {"type": "langfuse", "name": "support"},
        "index": {"type": "flag", "name": "retrieval_index"},
        "guardrail": {"type": "command", "current": ["echo", "g2"], "dry_run": ["test", "{to}"], "apply": ["touch", "moved"]},
        "tools": {"type": "folder", "path": "versions", "file": "live"},
    }
    assert found(good) == (0, dict.fromkeys(good, True), "ok")
    broken = {
        **good,
        "prompt": {"type": "langfuse", "name": "suport"},
        "guardrail": {**good["guardrail"], "dry_run": ["false"]},
        "tools": {"type": "folder", "path": "versions", "file": "alive"},
    }
    assert found(broken) == (1, {"prompt": False, "index": True, "guardrail": False, "tools": False}, "wrong")
    assert found({}) == (2, {}, "unknown")
    assert not (tmp_path / "moved").exists()
    assert (langfuse.production(), (versions / "live").readlink().name) == (5, "t2")
