"""Which recorded calls are sent, and in which order."""

from collections import Counter

import pytest

from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import ReplayRecord
from truegreen.evaluation.replay import mix, select

CALLS = [ReplayRecord("q", ("p",), "a", model, id=str(i)) for i, model in enumerate(["good", "bad", "good", "other"] * 5)]


def test_without_a_number_each_call_comes_once_and_in_order():
    """Of the named models, or of all."""
    assert select(CALLS, [], 1, None) == CALLS
    assert [call.id for call in select(CALLS, ["bad"], 1, None)] == ["1", "5", "9", "13", "17"]


def test_a_drawing_is_with_replacement_and_told_by_its_seed():
    """More calls than were recorded; the same seed gives the same ones."""
    drawn = select(CALLS, ["good", "other"], 3, 100)
    assert len(drawn) == 100 and {call.model for call in drawn} == {"good", "other"}
    assert drawn == select(CALLS, ["good", "other"], 3, 100) != select(CALLS, ["good", "other"], 4, 100)


def test_a_mix_switches_once_at_its_fraction():
    """The first part of one kind, the rest of the other."""
    sent = list(mix(CALLS, ["good"], ["bad", "other"], 0.25, 200, seed=1))
    assert Counter(call.model for call in sent[:50]) == {"good": 50}
    assert {call.model for call in sent[50:]} == {"bad", "other"}
    assert sent == list(mix(CALLS, ["good"], ["bad", "other"], 0.25, 200, seed=1))


def test_a_switch_at_the_end_is_none():
    """Then the other models need not exist."""
    assert {call.model for call in mix(CALLS, ["good"], ["nobody"], 1.0, 30, seed=1)} == {"good"}


def test_a_model_that_nobody_recorded_is_named_at_once_with_those_there_are():
    """Before the first record is asked for."""
    with pytest.raises(BadInput, match="no recorded call of the model 'gpt'; there are: bad, good, other"):
        mix(CALLS, ["gpt"], ["bad"], 0.5, 10, seed=1)
    with pytest.raises(BadInput, match="there are: none"):
        select([], ["m"], 1, None)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    """0 to 1."""
    with pytest.raises(BadInput, match="from 0 to 1"):
        mix(CALLS, [], [], fraction, 10, seed=1)
