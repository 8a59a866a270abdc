"""Cohen's kappa: scikit-learn's number, and an interval that holds the truth as often as it says."""

from __future__ import annotations

import random

import pytest

from truegreen.evaluation.agreement import agreement, by_pair


def test_kappa_of_the_example_that_everybody_knows():
    """Two readers of 50 grant proposals: 20 both yes, 15 both no, 5 and 10 apart: observed .7, by chance .5."""
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    one = agreement(pairs)
    assert (one.pairs, one.observed, round(one.kappa, 12)) == (50, 0.7, 0.4)


@pytest.mark.full
@pytest.mark.parametrize("words", [(True, False), ("good", "fair", "bad")])
def test_kappa_is_that_of_scikit_learn(words):
    """Two and three words, chances that differ."""
    metrics = pytest.importorskip("sklearn.metrics")
    dice = random.Random(3)
    for same in (0.0, 0.4, 0.9):
        first = dice.choices(words, range(1, len(words) + 1), k=120)
        second = [one if dice.random() < same else dice.choice(words) for one in first]
        found = agreement(list(zip(first, second, strict=True)))
        assert found.kappa == pytest.approx(metrics.cohen_kappa_score([str(w) for w in first], [str(w) for w in second]))
        assert found.low < found.kappa < found.high
        assert found.observed == pytest.approx(sum(a == b for a, b in zip(first, second, strict=True)) / 120)


def test_the_interval_holds_the_true_kappa_in_95_of_100_runs():
    """Two reviewers who see a wrong answer in 30 %, and each errs in 10 %: the true kappa follows."""
    wrong, err = 0.3, 0.1
    said = wrong * (1 - err) + (1 - wrong) * err
    same = (1 - err) ** 2 + err**2
    true = (same - (said**2 + (1 - said) ** 2)) / (1 - (said**2 + (1 - said) ** 2))
    held = 0
    for seed in range(400):
        dice = random.Random(seed)
        pairs = []
        for _ in range(150):
            truth = dice.random() < wrong
            pairs.append(tuple(truth != (dice.random() < err) for _ in range(2)))
        one = agreement(pairs)
        held += one.low <= true <= one.high
    assert 0.92 <= held / 400 <= 0.98


def test_two_who_always_say_the_same_word_have_no_kappa():
    """Chance alone would make them agree."""
    one = agreement([(True, True)] * 5)
    assert (one.observed, one.kappa, one.low, one.high) == (1.0, None, None, None)
    assert agreement([]) is None
    assert agreement([(True, True), (False, False)]).kappa == 1.0


def test_reviewers_are_compared_where_both_looked_and_the_last_word_counts():
    reviews = [
        ("1", "ann", True),
        ("1", "bob", False),
        ("1", "bob", True),
        ("2", "ann", False),
        ("2", "bob", False),
        ("2", "cy", True),
        ("3", "cy", True),
    ]
    found = by_pair(reviews)
    assert {pair: (one.pairs, one.observed) for pair, one in found.items()} == {
        ("ann", "bob"): (2, 1.0),
        ("ann", "cy"): (1, 0.0),
        ("bob", "cy"): (1, 0.0),
    }
    assert next(iter(found)) == ("ann", "bob")
