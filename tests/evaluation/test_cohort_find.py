"""The search for the slice that explains a drop, on tables of which the truth is known."""

import random

import pytest

from truegreen.evaluation.cohorts.find import Cell, slices

MODELS, PROMPTS, COHORTS = ("gpt-4", "gpt-3.5", "claude"), ("v1", "v2"), ("gold", "free", "eu", "us")


def binomial(dice, events, share):
    """Bad events out of so many."""
    return sum(dice.random() < share for _ in range(events))


def table(dice, hit, size=60, ill=0.3):
    """Three models, two prompts that are also two snapshots, four cohorts, of which one is always three times as bad."""
    made = []
    for model in MODELS:
        for prompt in PROMPTS:
            for cohort in COHORTS:
                labels = {"model": model, "prompt_version": prompt, "snapshot": f"of {prompt}", "cohort": cohort}
                usual = 0.09 if cohort == "free" else 0.03
                after, before = dice.randint(size // 2, size * 2), dice.randint(size, size * 4)
                bad = binomial(dice, after, ill if hit(labels) else usual)
                made.append(Cell(labels, bad, after, binomial(dice, before, usual), before))
    return made


@pytest.mark.parametrize(
    ("cause", "least"),
    [
        ({"model": "claude"}, 0.95),
        ({"cohort": "eu", "model": "claude"}, 0.8),
        ({"cohort": "eu", "model": "claude", "prompt_version": "v2"}, 0.5),
    ],
)
def test_the_planted_slice_comes_first_and_explains_the_drop(cause, least):
    """Even of 24 small cells the cause is named with the conditions that it has, no fewer and no more."""
    dice = random.Random(3)
    found = [slices(table(dice, lambda labels: cause.items() <= labels.items())) for _ in range(60)]
    exact = [one[0] for one in found if one and dict(one[0].where) == cause]
    assert len(exact) >= least * len(found)
    assert sum(one.explains for one in exact) / len(exact) > 0.5


def test_what_was_always_bad_and_what_falls_alike_is_no_slice():
    """No cause: at most 5 % of searches name one. One cohort is three times as bad as the others before and after."""
    dice = random.Random(4)
    assert sum(bool(slices(table(dice, lambda _: False))) for _ in range(100)) <= 5
    alike = sum(bool(slices(table(dice, lambda _: True, ill=0.03))) for _ in range(100))
    assert alike <= 5


def test_two_causes_are_two_slices_and_neither_is_the_others_shadow():
    """What the first explains is taken away before the second is looked for."""
    dice, right = random.Random(5), 0
    for _ in range(20):
        both = table(dice, lambda labels: labels["model"] == "claude" or labels["cohort"] == "us", size=200)
        found = [dict(one.where) for one in slices(both)]
        right += len(found) < 4 and all(one in found[:2] for one in ({"model": "claude"}, {"cohort": "us"}))
    assert right >= 18


def test_conditions_that_choose_the_same_traffic_are_said_together():
    """The prompt and its snapshot cannot be told apart, and the line says so."""
    found = slices(table(random.Random(6), lambda labels: labels["prompt_version"] == "v2"))
    assert found[0].where == (("prompt_version", "v2"),)
    assert found[0].also == (("snapshot", "of v2"),)
    assert "prompt_version=v2 (the same traffic: snapshot=of v2)" in str(found[0])


def test_a_new_version_is_compared_with_the_old_one_beside_it_or_before_it():
    """Half moved: with the half that did not. All moved: with what it replaced, and the line says that nothing is beside it."""
    half = [Cell({"prompt": "v1"}, 10, 400, 20, 800), Cell({"prompt": "v2"}, 120, 400)]
    found = slices(half)
    assert [(one.where, one.switched) for one in found] == [((("prompt", "v2"),), False)]
    assert found[0].explains == 1.0
    moved = [Cell({"prompt": "v1"}, 0, 0, 20, 800), Cell({"prompt": "v2"}, 120, 400)]
    assert [(one.where, one.switched) for one in slices(moved)] == [((("prompt", "v2"),), True)]
    assert "new" in str(slices(moved)[0])
    assert "nothing beside it compares" in str(slices(moved)[0])


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [Cell({"model": "a"}, 0, 0)],
        [Cell({}, 5, 10, 0, 10)],
        [Cell({"model": "a"}, 5, 10, 0, 10)],
        [Cell({"model": "a"}, 1, 100, 5, 100), Cell({"model": "b"}, 1, 100, 5, 100)],
    ],
)
def test_without_a_drop_or_anything_to_compare_nothing_is_said(cells):
    """No events, no labels, one slice that is everything, a ratio that fell."""
    assert slices(cells) == ()


def test_answers_of_one_session_weigh_less():
    """With a design effect of 20 the same counts are no evidence any more."""
    cells = [Cell({"model": "a"}, 12, 400, 12, 400), Cell({"model": "b"}, 36, 400, 12, 400)]
    assert slices(cells)
    assert slices(cells, design_effect=20) == ()
