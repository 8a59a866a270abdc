"""`truegreen contain` against a real Prometheus that scrapes an application which obeys the flag file."""

from __future__ import annotations

import hashlib
import json
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import App

from truegreen.runbook import bundle, freeze


def test_pinning_freezes_first_then_flips_then_is_verified_by_spans(run: Callable[..., Any], live: App, tmp_path: Path) -> None:
    """The whole path, with its undo."""
    ended = run("contain", "pin-model", "support-large-0613", "--expires", "60m", "--timeout", "20s")
    assert ended.code == 0, ended.err
    assert "verified by spans: 20 of 20 on the pinned model after" in ended.out
    kinds = [e["kind"] for e in run("incident", "log", "--json").facts["events"]]
    assert kinds == ["incident opened", "evidence frozen", "contain begun", "contain applied", "verified by spans"]
    flag = json.loads((tmp_path / "flags.json").read_text())["flags"]["pinned_model"]
    assert flag["variants"][flag["defaultVariant"]] == "support-large-0613"
    assert flag["metadata"]["expires_unix"] > 0
    listed = run("contain", "list", "--json").facts["switches"]
    assert [(s["number"], s["value"], s["expired"], s["file"]) for s in listed] == [
        (4, "support-large-0613", False, "support-large-0613")
    ]
    assert "undo: truegreen contain undo 4" in ended.out
    undone = run("contain", "undo", "4")
    assert undone.code == 0, undone.err
    assert "back to off" in undone.out
    assert run("contain", "list", "--json").facts["switches"] == []
    assert run("incident", "log", "--verify").code == 0
    assert run("contain", "undo", "4").code == 2


def test_a_bundle_holds_what_was_before_and_neither_prompt_nor_answer(run: Callable[..., Any], live: App, tmp_path: Path) -> None:
    """Its hash is printed, its manifest fits, its flag file is the old one."""
    theirs = '{"flags": {"other": {"state": "ENABLED", "variants": {"x": "THEIR-SECRET"}, "defaultVariant": "x"}}}'
    (tmp_path / "flags.json").write_text(theirs)
    made = run("contain", "pin-model", "m-1", "--verify-count", "0", "--prompt", "support", "--json").facts
    path = Path(made["evidence"]["path"])
    assert freeze.verify(path) == ()
    with tarfile.open(path) as tar:
        held = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
    assert set(held) == {"manifest.json", "rules.json", "queries.json", "snapshot.json", "log.json", "flags.json", "prompt.json"}
    assert json.loads(held["flags.json"]) == {"sha256": hashlib.sha256(theirs.encode()).hexdigest(), "flags": {}}
    again = run("contain", "pin-model", "m-2", "--verify-count", "0", "--json").facts["evidence"]["path"]
    with tarfile.open(again) as tar:
        frozen = json.loads(tar.extractfile("flags.json").read())["flags"]  # type: ignore[union-attr]
    assert frozen["pinned_model"]["variants"]["on"] == "m-1"
    assert "other" not in frozen
    assert b"THEIR-SECRET" not in b"".join(held.values())
    assert b"SECRET-PROMPT-TEXT" not in b"".join(held.values())
    assert json.loads(held["prompt.json"])["version"] == 5
    assert "alerts.json" in json.loads(held["manifest.json"])["missing"][0]
    assert "other" in json.loads((tmp_path / "flags.json").read_text())["flags"]
    assert run("incident", "log", "--verify", "--head", json.loads(held["manifest.json"])["log_head"]).code == 0


def test_an_application_that_does_not_obey_is_exit_1_and_says_how_to_undo(run: Callable[..., Any], live: App) -> None:
    """A written file is not a contained incident."""
    live.obeys = False
    ended = run("contain", "pin-model", "support-large-0613", "--timeout", "2s")
    assert ended.code == 1
    assert "not verified by spans: 0 of 20" in ended.err
    assert "truegreen contain undo 4" in ended.err


def test_a_full_disk_changes_nothing_and_is_one_line(
    run: Callable[..., Any], live: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No evidence, no change."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(freeze, "replace", full)
    ended = run("contain", "pin-model", "support-large-0613")
    assert ended.code == 1
    assert "the evidence cannot be written (No space left on device), so nothing was changed" in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "flags.json").exists()


def test_without_prometheus_the_evidence_says_what_is_missing(run: Callable[..., Any], tmp_path: Path) -> None:
    """At 3 AM a broken Prometheus does not keep anybody from containing, when nobody asks for proof."""
    run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding")
    made = run("contain", "pin-model", "m-1", "--verify-count", "0", "--json").facts
    assert len(made["evidence"]["missing"]) == 4
    assert (tmp_path / "flags.json").exists()


@pytest.mark.parametrize("words", [("m\x1b[31m",), ("m", "--expires", "soon"), ("m", "--expires", "0m")])
def test_a_model_or_duration_that_is_none_is_refused_before_anything_happens(
    run: Callable[..., Any], words: tuple[str, ...]
) -> None:
    """Exit 2, no incident needed to say so."""
    assert run("contain", "pin-model", *words).code == 2


def test_a_flag_file_that_is_broken_is_named_and_left_alone(run: Callable[..., Any], tmp_path: Path) -> None:
    """The team's file is theirs to mend."""
    run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding")
    (tmp_path / "flags.json").write_text("{nonsense")
    ended = run("contain", "pin-model", "m-1", "--verify-count", "0")
    assert (ended.code, (tmp_path / "flags.json").read_text()) == (2, "{nonsense")
    assert "is not a flagd document" in ended.err


def test_a_change_needs_an_open_incident(run: Callable[..., Any]) -> None:
    """There is a log for every change."""
    ended = run("contain", "pin-model", "m-1")
    assert (ended.code, "no incident is open" in ended.err) == (2, True)


def test_a_server_that_takes_the_call_and_says_nothing_holds_up_no_switch(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch is turned, and the bundle says what it could not have."""
    assert bundle.PATIENCE < 5
    monkeypatch.setattr(bundle, "PATIENCE", 0.3)
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ended = run("contain", "pin-model", "m", "--verify-count", "0", "--prometheus-url", url, "--json")
    assert ended.code == 0, ended.err
    assert (
        "queries.json: no answer in time" in ended.facts["evidence"]["missing"] and "log.json" in ended.facts["evidence"]["files"]
    )
    assert json.loads((tmp_path / "flags.json").read_text())["flags"]["pinned_model"]["defaultVariant"] == "on"
