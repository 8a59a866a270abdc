"""`truegreen rollback` of every component but Langfuse's prompts: real files, a real Git, real commands, servers that speak the documented contract."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import serving

STAND = ("--override", "ann", "--reason", "it served in May", "--verify-count", "0")


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


def test_aliases_of_weaviate_and_qdrant_move_in_one_call(answer: Callable[..., Any]) -> None:
    """By their documented contracts."""
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
