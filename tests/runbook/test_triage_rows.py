"""The triage table's commands exist; what does not answer is named; evidence that is mixed is said to be."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from runbook_world import END

from truegreen.core.errors import Failed
from truegreen.core.words import triage as table
from truegreen.core.words.terms import PILLARS
from truegreen.evaluation.start import TrueStart
from truegreen.runbook import in_time
from truegreen.runbook import triage as judging
from truegreen.runbook.commands.contain import contain
from truegreen.runbook.commands.rollback import rollback
from truegreen.runbook.model import Evidence, Served, Snapshot, Target

ROWS = (*table.BY_FAILURE_MODE.values(), *table.BY_PILLAR.values())
ONSET = 10_000.0
START = TrueStart(ONSET, ONSET - 30, ONSET + 30, 0.03, 0.5)
BROKEN = Evidence(Target("s", "e", "grounding"), ONSET + 900, "1", "hallucination", "none", START, ONSET, 600.0)


def _parses(command: str) -> None:
    words = shlex.split(command)
    assert words[0] == "truegreen"
    group = {"contain": contain, "rollback": rollback}[words[1]]
    chosen = group.commands[words[2]]
    chosen.make_context(words[2], words[3:])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_both_moves_of_each_row_are_commands_that_the_command_line_takes(row: table.Triage) -> None:
    """Nothing to look up at night."""
    _parses(row.contain.command)
    _parses(row.rollback.command)


@pytest.mark.parametrize("component", ["retrieval_index", "guardrail", "tool_schema", "prompt"])
@pytest.mark.parametrize("version", ["4", "4; rm -rf ~", "$(reboot)", "a\nb", "it's", "`id`"])
def test_a_hostile_version_stays_one_word_of_one_command(component: str, version: str) -> None:
    """The next command is copied into a shell."""
    old, new = ({component: f"name@{v}"} for v in (version, "9"))
    sides = (Snapshot("a", old, None, 100, 0), Snapshot("b", new, ONSET, 0, 100))
    said = judging.judge(replace(BROKEN, snapshots=sides)).commands[0]
    lexed = shlex.shlex(said, posix=True, punctuation_chars=True)
    lexed.whitespace_split = True
    words = list(lexed)
    assert words[:2] == ["truegreen", "rollback"]
    assert not {";", "|", "&", "&&", "(", ")"} & set(words)
    if "--to" in words:
        assert len(words[words.index("--to") + 1 :]) == 1
    else:
        assert "\n" not in said


def test_two_causes_at_once_are_both_named_with_a_command_for_each(run: Callable[..., Any], filled: str) -> None:
    """Neither is an alibi for the other."""
    found = run("triage", "--service", "both", "--environment", "production", "--slo", "grounding", "--at", str(END), "--json",
                "--prometheus-url", filled).facts  # fmt: skip
    assert found["whose"] == "both"
    assert [c.split()[1] for c in found["commands"]] == ["contain", "rollback"]
    assert {c["component"] for c in found["changes"]} == {"served_model", "prompt"}


def test_a_change_without_a_moment_at_which_it_got_worse_is_not_called_a_cause() -> None:
    """Weak evidence: another model serves, and no count rose."""
    served = (Served("m", "m-1", "", None, 100, 0), Served("m", "m-2", "", ONSET, 0, 100))
    assert judging.judge(replace(BROKEN, start=None, served=served)).whose == "not sure"


@pytest.mark.parametrize("pillar", PILLARS)
def test_without_a_known_cause_the_next_step_is_the_pillars_own(pillar: str) -> None:
    """Its board, its switch, its way back."""
    verdict = judging.judge(replace(BROKEN, pillar=pillar))
    row = table.BY_PILLAR[pillar]
    assert verdict.whose == "not sure"
    assert verdict.board == row.board
    assert row.rollback.command in " ".join(verdict.commands)


def test_what_does_not_answer_in_time_is_named_and_the_rest_is_kept() -> None:
    """A question that hangs, one that is refused, and one that answers."""
    never = threading.Event()

    def refused() -> None:
        raise Failed("no Prometheus answers")

    found, failed = in_time.side_by_side({"hangs": never.wait, "refused": refused, "good": lambda: 7}, time.monotonic() + 0.5)
    never.set()
    assert found == {"good": 7}
    assert {name: "time" in str(error) for name, error in failed.items()} == {"hangs": True, "refused": False}


def test_users_are_unknown_with_the_metric_that_would_tell(run: Callable[..., Any], filled: str) -> None:
    """The world counts sessions and no users."""
    shown = run(
        "triage",
        "--service",
        "them",
        "--environment",
        "production",
        "--slo",
        "grounding",
        "--at",
        str(END),
        "--prometheus-url",
        filled,
    )
    assert "users: unknown (no truegreen_affected_users: spans must carry user.id), sessions: about 61" in shown.out
