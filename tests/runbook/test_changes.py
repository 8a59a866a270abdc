"""What counts as a change near the onset."""

from __future__ import annotations

from dataclasses import replace

from truegreen.runbook import changes
from truegreen.runbook.model import Evidence, Served, Target

ONSET = 1_000.0
EMPTY = Evidence(Target("s", "e", "grounding"), 2_000.0, "1", "hallucination", "none", None, ONSET, 60.0)


def _moved(first: float | None, second: float | None) -> Evidence:
    return replace(EMPTY, served=(
        Served("large", "large-1", "fp", None, 90, 10), Served("small", "small-1", "fp_1", first, 10, 50),
        Served("small", "small-1", "fp_2", second, 0, 40),
    ))  # fmt: skip


def test_a_requested_model_that_was_always_there_did_not_begin_with_its_newest_fingerprint() -> None:
    """Two models in use, the mix moves, and one of them gets another fingerprint at the onset."""
    assert changes.ours(_moved(None, ONSET)) == ()


def test_a_requested_model_that_began_at_the_onset_is_ours() -> None:
    """Its earliest moment counts."""
    assert [(c.component, c.new, c.time) for c in changes.ours(_moved(ONSET, ONSET + 20))] == [("model", "small", ONSET)]
