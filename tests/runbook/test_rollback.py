"""`truegreen rollback prompt` against a server that speaks Langfuse's contract and a real Prometheus."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from runbook_shop import App, Langfuse, serving

from truegreen.runbook import flags


@pytest.fixture
def served_four(live: App) -> App:
    """Version 4 has served before."""
    live.prompts = {4: 100, **live.prompts}
    return live


def test_the_label_moves_back_and_the_old_version_is_seen_to_serve_alone(
    run: Callable[..., Any], langfuse: Langfuse, served_four: App, until: Callable[[Callable[[], bool]], None]
) -> None:
    """The whole path: plan, freeze, move, watch, undo."""
    until(lambda: run("rollback", "prompt", "--name", "support", "--to", "4", "--dry-run").code == 0)
    assert langfuse.production() == 5
    ended = run("rollback", "prompt", "--name", "support", "--to", "4", "--timeout", "20s")
    assert ended.code == 0, ended.err
    assert "verified by spans: 20 of 20 by support@4 after" in ended.out
    assert langfuse.labels[4] == ["eu", "production"]
    assert langfuse.production() == 4
    told = run("incident", "log", "--json").facts["events"]
    assert [e["kind"] for e in told] == [
        "incident opened",
        "evidence frozen",
        "rollback begun",
        "rollback applied",
        "verified by spans",
    ]
    assert run("rollback", "undo", str(told[3]["seq"])).code == 0
    assert langfuse.production() == 5


def test_a_prometheus_that_loses_answers_while_the_spans_are_watched_is_asked_again(
    run: Callable[..., Any], langfuse: Langfuse, live: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """502 for each third question after the label has moved."""
    behind, asked = os.environ["TRUEGREEN_PROMETHEUS_URL"], [0, 0]

    def between(method: str, path: str, _: Any, __: str) -> tuple[int, Any]:
        if langfuse.production() == 4:
            asked[0] += 1
            if asked[0] % 3 == 0:
                asked[1] += 1
                return 502, {}
        answer = httpx.request(method, behind + path, trust_env=False)
        return answer.status_code, answer.json()

    with serving(between) as url:
        monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", url)
        ended = run(
            "rollback", "prompt", "--name", "support", "--to", "4", "--override", "ann", "--reason", "r", "--timeout", "20s"
        )
    assert ended.code == 0, ended.err
    assert "verified by spans: 20 of 20 by support@4" in ended.out
    assert asked[1] > 0


def test_a_watch_that_was_cut_off_goes_on_with_the_same_words(run: Callable[..., Any], langfuse: Langfuse, live: App) -> None:
    """Nothing is moved a second time; what was seen to serve once is not looked at again."""
    words = ("rollback", "prompt", "--name", "support", "--to", "4")
    stand = ("--override", "ann", "--reason", "r", "--timeout", "20s")
    nobody = ("--prometheus-url", "http://127.0.0.1:9")
    vain = run(*words, *stand, *nobody)
    assert (vain.code, "the change stands" in vain.err, langfuse.production()) == (1, True, 4)
    ended = run(*words, *stand)
    assert (ended.code, "verified by spans: 20 of 20" in ended.out) == (0, True), ended.err
    assert [m for m, _ in langfuse.calls].count("PATCH") == 1
    assert [e["kind"] for e in run("incident", "log", "--json").facts["events"]].count("evidence frozen") == 1
    assert "is on 4 already" in run(*words, *stand).err


def test_applications_are_told_of_a_moved_prompt_where_flags_reach_them(
    run: Callable[..., Any], langfuse: Langfuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the flag file; what goes wrong there is said, and the label has moved all the same."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    move = ("rollback", "prompt", "--name", "support", "--override", "ann", "--reason", "r", "--verify-count", "0", "--to")
    assert run(*move, "4").code == 0
    told = flags.state(flags.load(tmp_path / "flags.json"), "prompts_moved")
    event = run("incident", "log", "--json").facts["events"][-1]
    assert (float(told.value) <= event["time"] < (told.expires or 0), event["data"]["announced"]) == (True, True)
    (tmp_path / "flags.json").write_text("{nonsense")
    untold = run(*move, "5")
    assert (untold.code, langfuse.production(), "were not told" in untold.out) == (0, 5, True), untold.err
    assert (tmp_path / "flags.json").read_text() == "{nonsense"
    (tmp_path / "flags.json").unlink()
    monkeypatch.delenv("TRUEGREEN_FLAGS")
    assert run(*move, "4").code == 0
    assert not (tmp_path / "flags.json").exists()


def test_a_version_that_never_served_is_refused_until_somebody_stands_for_it(
    run: Callable[..., Any], langfuse: Langfuse, live: App
) -> None:
    """Version 3 exists, but nobody has seen it."""
    ended = run("rollback", "prompt", "--name", "support", "--to", "3")
    assert ended.code == 1
    assert f"support version 3 is not known to be good: it never served {live.service}/production" in ended.err
    assert [m for m, _ in langfuse.calls if m == "PATCH"] == []
    assert run("rollback", "prompt", "--name", "support", "--to", "3", "--override", "ann").code == 2
    forced = run(
        "rollback",
        "prompt",
        "--name",
        "support",
        "--to",
        "3",
        "--override",
        "ann",
        "--reason",
        "tested in staging",
        "--verify-count",
        "0",
    )
    assert forced.code == 0, forced.err
    assert langfuse.production() == 3
    assert run("incident", "log", "--json").facts["events"][-1]["data"]["forced_by"] == "ann"


def test_how_a_version_did_when_it_served_is_said_before_it_serves_again(
    run: Callable[..., Any], langfuse: Langfuse, filled: str
) -> None:
    """How many answers, and how they were judged: one answer in a rollout is no long service."""
    target = ("--service", "us-prompt", "--environment", "production", "--slo", "grounding")
    assert run("incident", "open", *target, "--prometheus-url", filled).code == 0
    words = ("rollback", "prompt", "--name", "support", "--prometheus-url", filled, "--dry-run", "--to")
    langfuse.labels = {3: [], 4: ["production"], 5: ["latest"]}
    bad = re.search(r"it served as support@5: (\d+) answers or more, groundedness bad (\S+)% of (\d+)", run(*words, "5").out)
    langfuse.labels = {3: [], 4: [], 5: ["production", "latest"]}
    good = re.search(r"it served as support@4: (\d+) answers or more, groundedness bad (\S+)% of (\d+)", run(*words, "4").out)
    assert bad and good
    assert (int(good[1]) > 1_000, float(good[2]) < 6, float(bad[2]) > 35) == (True, True, True), (good[0], bad[0])


def test_a_version_that_was_rolled_away_from_wants_somebody_who_stands_for_it(
    run: Callable[..., Any], langfuse: Langfuse
) -> None:
    """Until the rollback is undone, or somebody has taken it again."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    words = ("rollback", "prompt", "--name", "support", "--verify-count", "0", "--to")
    stand = ("--override", "ann", "--reason", "r")
    away = run(*words, "4", *stand, "--json").facts["event"]
    refused = run(*words, "5")
    assert (refused.code, langfuse.production()) == (1, 4)
    assert f"event {away} (incident 1) rolled prompt support back from it to 4" in refused.err
    assert run("rollback", "undo", str(away), "--verify-count", "0").code == 0
    assert "cannot be known" in run(*words, "4").err, "the undone rollback says nothing against either"
    assert run(*words, "4", *stand).code == 0
    assert run(*words, "5", *stand).code == 0
    assert "cannot be known" in run(*words, "5").err, "somebody has taken it again"
    assert "rolled prompt support back from it to 5" in run(*words, "4").err


@pytest.mark.parametrize(
    ("status", "says"), [(401, "keys"), (404, "has no"), (409, "another change"), (429, "too often"), (500, "trouble of its own")]
)
def test_a_refused_move_is_one_line_and_is_logged(
    run: Callable[..., Any], langfuse: Langfuse, live: App, status: int, says: str
) -> None:
    """The label is where it was."""
    langfuse.fault = status
    ended = run(
        "rollback", "prompt", "--name", "support", "--to", "4", "--override", "ann", "--reason", "r", "--verify-count", "0"
    )
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert says in ended.err
    assert langfuse.production() == 5
    assert run("incident", "log", "--json").facts["events"][-1]["kind"] == "rollback failed"


def test_a_move_that_answered_with_an_error_all_the_same_says_where_it_stands(
    run: Callable[..., Any], langfuse: Langfuse
) -> None:
    """And what to do: its own words lead to the end, or back."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    words = ("rollback", "prompt", "--name", "support", "--to", "4", "--override", "ann", "--reason", "r", "--verify-count", "0")
    langfuse.late_fault = 500
    ended = run(*words)
    assert (ended.code, langfuse.production(), ended.err.count("\n")) == (1, 4, 1)
    last = run("incident", "log", "--json").facts["events"][-2:]
    assert [e["kind"] for e in last] == ["rollback begun", "rollback unanswered"]
    assert f"prompt support is on 4 now: give the same words again, or truegreen rollback undo {last[0]['seq']}" in ended.err
    langfuse.late_fault = 0
    assert run(*words).code == 0
    assert run("rollback", "undo", str(last[0]["seq"]), "--verify-count", "0").code == 2, (
        "the finished move has a number of its own"
    )
    langfuse.labels[4], langfuse.labels[5] = ["eu"], ["production", "latest"]
    langfuse.late_fault = 500
    begun = run(*words).err.rpartition(" ")[2].strip()
    langfuse.late_fault = 0
    assert run("rollback", "undo", begun, "--verify-count", "0").code == 0
    assert langfuse.production() == 5


def test_a_version_that_does_not_exist_is_refused(run: Callable[..., Any], live: App) -> None:
    """Nothing is moved to nowhere."""
    ended = run("rollback", "prompt", "--name", "support", "--to", "9")
    assert (ended.code, "has no version '9'; there are: 3, 4, 5" in ended.err) == (2, True)


def test_without_a_version_the_one_before_the_onset_is_taken_or_asked_for(run: Callable[..., Any], live: App) -> None:
    """Triage has not named one."""
    ended = run("rollback", "prompt", "--name", "support")
    assert (ended.code, "which version?" in ended.err) == (2, True)


def test_the_version_in_service_is_not_moved_again(run: Callable[..., Any], live: App) -> None:
    """The cause is elsewhere then."""
    ended = run("rollback", "prompt", "--name", "support", "--to", "5")
    assert (ended.code, "already" in ended.err) == (1, True)
