"""Who gets which version while a rollout runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen import containment
from truegreen.containment import staged
from truegreen.instrumentation import failures

KEYS = [f"user-{n}" for n in range(20_000)]


def _flag(**parts):
    return json.dumps({"component": "model", "to": "new", "percent": 0, "shadow": 0, **parts})


@given(key=st.text(min_size=1), to=st.text(min_size=1), low=st.floats(0, 100), high=st.floats(0, 100))
def test_a_key_that_is_in_stays_in_while_the_share_rises(key, to, low, high):
    """At 100 everybody is in, at 0 nobody."""
    low, high = sorted((low, high))
    at = staged.place("model", to, key)
    assert 0 <= at < 100
    assert at >= low or at < high


@pytest.mark.parametrize("percent", [1, 5, 20, 50, 99.5])
def test_the_share_of_keys_is_what_was_asked_for(percent):
    """Within four standard errors of 20,000 keys, for several staged."""
    for to in ("a", "b", "c"):
        share = sum(staged.place("model", to, key) < percent for key in KEYS) / len(KEYS) * 100
        assert abs(share - percent) < 4 * (percent * (100 - percent) / len(KEYS)) ** 0.5


def test_shares_are_nested_and_other_rollouts_take_other_keys_first(flagged):
    """Through the flag, as the application sees it."""
    chosen = {}
    for percent in (1, 5, 20, 100):
        flagged(rollout=_flag(percent=percent))
        chosen[percent] = {key for key in KEYS[:2_000] if containment.rollout("model", "old", key).version == "new"}
    assert chosen[1] < chosen[5] < chosen[20] < chosen[100] == set(KEYS[:2_000])
    flagged(rollout=_flag(percent=5, to="newer"))
    other = {key for key in KEYS[:2_000] if containment.rollout("model", "old", key).version == "newer"}
    assert len(other & chosen[5]) < len(other) / 2


def test_shadow_mirrors_only_calls_that_the_current_version_answers(flagged):
    """And says to which candidate."""
    flagged(rollout=_flag(percent=20, shadow=50))
    got = [containment.rollout("model", "old", key) for key in KEYS[:2_000]]
    assert {choice.version for choice in got if choice.shadow} == {"old"}
    assert {choice.candidate for choice in got} == {"new"}
    of_current = [choice for choice in got if choice.version == "old"]
    assert 0.45 < sum(choice.shadow for choice in of_current) / len(of_current) < 0.55


def test_other_components_the_same_version_and_no_key_stay_with_what_is_in_use(flagged):
    """Nobody can stay with a version without a key."""
    flagged(rollout=_flag(percent=100, shadow=100))
    assert containment.rollout("prompt", "old", "user") == ("old", False, "")
    assert containment.rollout("model", "new", "user") == ("new", False, "")
    assert containment.rollout("model", "old", "") == ("old", False, "")


@pytest.mark.parametrize(
    "value",
    ["no json", "[]", "3", "null", _flag(percent=101), _flag(percent=-1), _flag(percent="5"), _flag(percent=True), _flag(shadow=1e9), _flag(to=""), _flag(to=3), '{"to": "x"}', "[" * 100_000, _flag(percent=float("nan"))],
)  # fmt: skip
def test_nonsense_rolls_nothing_out_and_is_said_once(flagged, caplog, value):
    """With what to write."""
    flagged(rollout=value)
    assert containment.rollout("model", "old", "user") == ("old", False, "")
    assert containment.rollout("model", "old", "user") == ("old", False, "")
    assert [staged.WRITE in record.getMessage() for record in caplog.records] == [True]
    assert failures.counted() == {}
