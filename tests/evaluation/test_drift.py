"""The detectors of drift: what they find, what they leave alone, and that chance alone moves them as seldom as they say."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest

from truegreen.evaluation.drift import statistics
from truegreen.evaluation.drift.detect import ALPHA, SIZES, Reference, change, critical, judge
from truegreen.evaluation.drift.model import (
    BOTH,
    CONDITIONAL,
    EITHER,
    EMBEDDING,
    INPUT,
    MMD,
    OUTPUT,
    QUERY,
    RETRIEVAL,
    SIGNALS,
    STYLE,
    Window,
)
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.model import EXPECTED, Profile
from truegreen.instrumentation.style import style

SIZE = 24
PROMISED = 0.01


def conversation(rng, many, asked=0.3, given=0.0, long=1.0, new=0.0):
    """Style, answers and questions; an answer says much of its question, and one in twenty is of another kind.

    Args:
        asked: the share of the second of two topics; given: how far the answers to the same questions are shifted; long: how long the
            answers are; new: how far the questions are from both topics.
    """
    topic = np.where(rng.random(many) < asked, 3.0, -3.0)
    where = np.full((many, SIZE), new * np.eye(SIZE)[3]) if new else topic[:, None] * np.eye(SIZE)[0]
    queries = rng.normal(size=(many, SIZE)) + where
    answers = 0.7 * queries + rng.normal(size=(many, SIZE)) + given * np.eye(SIZE)[1]
    odd = rng.random(many) < 0.05
    answers[odd] += 3 * np.eye(SIZE)[2]
    words = np.exp(rng.normal(4, 0.5, many)) * long
    rare = (rng.random((many, 7)) < 0.05) * rng.exponential(2, (many, 7))
    styles = np.column_stack((words, words / 12, np.full(many, 12.0) + rng.normal(0, 1, many), rare))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (answers, queries)]
    return tuple(tuple(map(tuple, rows)) for rows in (styles, *unit))


def profile(rng, many=256, **more):
    styles, answers, queries = conversation(rng, many)
    return Profile("support@3", many, styles, answers, queries, "test", **more)


def window(rng, many, **shifts):
    return Window(*conversation(rng, many, **shifts), "test")


def by_signal(verdicts):
    return {one.signal: one for one in verdicts}


# --- what is found ---


@pytest.fixture(scope="module")
def reference():
    return Reference(profile(np.random.default_rng(3)))


@pytest.mark.parametrize(("shifts", "said"), [
    ({}, ""),
    ({"long": 2.0}, OUTPUT),
    ({"given": 3.0}, OUTPUT),
    ({"asked": 0.9}, INPUT),
    ({"new": 9.0}, INPUT),
    ({"asked": 0.9, "given": 3.0}, BOTH),
])  # fmt: skip
def test_it_says_what_changed(reference, shifts, said):
    rng = np.random.default_rng(14)
    assert [change(reference.judge(window(rng, 100, **shifts))) for _ in range(5)] == [said] * 5


def test_without_questions_it_does_not_say_whose_change_it_was():
    rng = np.random.default_rng(3)
    base, seen = profile(rng), window(rng, 100, given=3.0)
    verdicts = judge(Window(seen.style, seen.answers, (), "test"), base)
    assert {one.signal for one in verdicts} == {STYLE, EMBEDDING, MMD}
    assert change(verdicts) == EITHER


def test_a_great_change_is_found_within_25_answers_and_a_small_one_within_100(reference):
    rng = np.random.default_rng(4)
    great = by_signal(reference.judge(window(rng, SIZES[0], long=4.0)))
    assert great[STYLE].answers == SIZES[0] and great[STYLE].z > 6
    small = [by_signal(reference.judge(window(rng, SIZES[-1], long=1.4))) for _ in range(5)]
    assert all(one[STYLE].answers == SIZES[-1] and one[STYLE].z > 3 for one in small)


def test_the_silent_update_of_gpt_4_is_found_on_a_template_and_march_is_not(data):
    march, june = [], []
    with gzip.open(data("llmdrift_dev.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            kept = march if '"gpt-4-0314"' in line else june if '"gpt-4-0613"' in line else None
            if kept is not None and '"prime_full"' in line and len(kept) < (225 if kept is march else 25):
                kept.append(json.loads(line))

    def seen(rows):
        return Window(
            tuple(style(row["answer"]) for row in rows),
            tuple(lexical(row["answer"]) for row in rows),
            tuple(lexical(row["query"]) for row in rows),
            LEXICAL,
        )

    base = seen(march[:200])
    reference = Reference(Profile("primes", 200, base.style, base.answers, base.queries, LEXICAL))
    assert change(reference.judge(seen(june))) == OUTPUT
    assert change(reference.judge(seen(march[200:]))) == ""


# --- what chance does ---


def _false(baselines, looks, many, sizes, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(baselines):
        reference = Reference(profile(rng, many))
        for _ in range(looks):
            verdicts = reference.judge(window(rng, max(sizes)), sizes)
            found.append(bool(change(verdicts, critical(verdicts, ALPHA, len(sizes)))))
    return sum(found), len(found)


def test_chance_alone_is_told_at_most_as_often_as_promised():
    found, looks = _false(4, 40, 96, SIZES[:1], seed=5)
    assert found <= PROMISED * looks + 3 * math.sqrt(PROMISED * looks), (found, looks)


@pytest.mark.full
@pytest.mark.parametrize("many", [256, 512])
def test_chance_alone_is_told_at_most_as_often_as_promised_in_both_sizes(many):
    found, looks = _false(60, 25, many, SIZES, seed=6)
    assert found <= PROMISED * looks + 3 * math.sqrt(PROMISED * looks), (found, looks)


def test_one_answer_that_does_what_no_other_ever_did_is_no_change():
    """A heading, a code block, a refusal and a hundred hedges at once, in one of 25 answers."""
    rng = np.random.default_rng(7)
    plain = [(*row[:3], *[0.0] * 7) for row in conversation(rng, 256)[0]]
    seen = [(*row[:3], *[0.0] * 7) for row in conversation(rng, 25)[0]]
    seen[11] = (*seen[11][:3], *[50.0] * 7)
    (before,) = judge(Window(tuple(map(tuple, plain[:25]))), Profile("t", 256, tuple(plain)))
    (after,) = judge(Window(tuple(map(tuple, seen))), Profile("t", 256, tuple(plain)))
    assert before.z < 3
    assert after.distance < before.distance + 7 * 1.2 + 12
    several = [*seen[:5], *[(*row[:3], 5.0, *[0.0] * 6) for row in seen[5:]]]
    assert change(judge(Window(tuple(several)), Profile("t", 256, tuple(plain)))) == EITHER


# --- the numbers ---


def test_a_number_of_the_null_is_the_distance_of_a_window_that_was_drawn():
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(60, 5))
    chosen = statistics.drawn(60, 25, 3, rng)
    for kernel in (statistics.linear, statistics.gaussian(rows)):
        inside = statistics.within(kernel, rows)
        null = statistics.kernel_null(kernel, rows, chosen)
        for window_, found in zip(chosen, null, strict=True):
            assert found == pytest.approx(statistics.kernel_distance(kernel, rows[window_], rows, inside))
    null = statistics.style_null(np.abs(rows), chosen)
    for window_, found in zip(chosen, null, strict=True):
        assert found == pytest.approx(statistics.style_distance(np.abs(rows)[window_], np.abs(rows)))


def test_windows_of_the_null_vary_as_real_ones_do_and_as_much_again_as_the_baseline_leaves_open():
    """Mean 1/2, and the variance of a mean of N rows whose own mean is known to one part in B + 1."""
    chosen = statistics.drawn(50, 25, 20_000, np.random.default_rng(1))
    assert (chosen.min(), chosen.max()) == (0, 49)
    share = (chosen < 25).mean(axis=1)
    assert share.mean() == pytest.approx(0.5, abs=0.005)
    assert share.var() == pytest.approx(0.25 * (1 / 25 * (1 - 1 / 51) + 1 / 51), rel=0.05)


def test_the_distance_of_centroids_and_the_mmd_are_what_their_definitions_say():
    rng = np.random.default_rng(9)
    left, right = rng.normal(size=(7, 3)), rng.normal(size=(11, 3))
    scale = 1 / 7 + 1 / 11
    inside = statistics.within(statistics.linear, right)
    assert statistics.kernel_distance(statistics.linear, left, right, inside) * scale == pytest.approx(
        ((left.mean(0) - right.mean(0)) ** 2).sum()
    )
    kernel = statistics.gaussian(right)
    between = [math.dist(a, b) ** 2 for i, a in enumerate(right) for b in right[i + 1 :]]

    def mean(rows, others):
        return np.mean([[math.exp(-(math.dist(a, b) ** 2) / (2 * np.median(between))) for b in others] for a in rows])

    mmd = mean(left, left) - 2 * mean(left, right) + mean(right, right)
    assert statistics.kernel_distance(kernel, left, right, statistics.within(kernel, right)) * scale == pytest.approx(mmd)


def test_the_same_seed_gives_the_same_verdict_in_any_order_and_another_seed_another_null():
    rng = np.random.default_rng(10)
    base, first, second = profile(rng, 64), window(rng, 32), window(rng, 25)
    there = Reference(base, seed=4)
    assert (there.judge(first), there.judge(second)) == tuple(reversed([judge(second, base, 4), judge(first, base, 4)]))
    assert all(one.seed == 4 and one.trials == 1999 and 0 < one.p <= 1 for one in there.judge(first))
    assert judge(second, base, 5, SIZES[:1])[0].null_mean != there.judge(second)[0].null_mean


# --- too little, and what cannot be compared ---


def test_answers_that_are_all_alike_are_compared_without_an_infinity():
    same = Profile("t", 60, ((1.0, 1.0, 1.0, *[0.0] * 7),) * 60, ((1.0, 0.0),) * 60, ((0.0, 1.0),) * 60, "test")
    alike = judge(Window(same.style[:25], same.answer_vectors[:25], same.query_vectors[:25], "test"), same)
    assert {one.signal for one in alike} == {*SIGNALS} - {RETRIEVAL}
    assert change(alike) == ""
    other = judge(Window(((300.0, 20.0, 15.0, *[0.0] * 7),) * 25, ((0.0, 1.0),) * 25, same.query_vectors[:25], "test"), same)
    assert change(other) == OUTPUT
    assert all(math.isfinite(one.z) for one in other)


def test_too_few_answers_and_too_small_a_baseline_give_no_verdict():
    rng = np.random.default_rng(11)
    assert judge(window(rng, SIZES[0] - 1), profile(rng)) == ()
    assert judge(window(rng, 100), profile(rng, 2 * SIZES[0] - 1)) == ()
    assert all(one.answers == SIZES[0] for one in judge(window(rng, 100), profile(rng, 2 * SIZES[-1] - 1)))


def retrieved(rng, many, low):
    return tuple((int(below), 3) for below in rng.binomial(3, low, many))


@pytest.mark.parametrize(("before", "now", "said"), [(0.04, 0.2, RETRIEVAL), (0.04, 0.04, ""), (0.3, 0.05, "")])
def test_more_chunks_under_the_floor_are_a_change_of_the_retrieval_and_fewer_are_none(before, now, said):
    rng = np.random.default_rng(5)
    known = Reference(Profile("orders", 0, (), retrievals=retrieved(rng, 400, before)))
    found = [known.judge(Window(retrievals=retrieved(rng, 100, now))) for _ in range(20)]
    assert {change(verdicts, 5.0) for verdicts in found} == {said}
    assert all(set(by_signal(verdicts)) == {RETRIEVAL} for verdicts in found)


def test_where_no_chunk_was_ever_under_the_floor_the_first_retrieval_that_is_writes_no_ticket():
    known = Reference(Profile("orders", 0, (), retrievals=((0, 3),) * 400))
    assert not change(known.judge(Window(retrievals=(*((0, 3),) * 99, (3, 3)))), 5.0)
    assert change(known.judge(Window(retrievals=(*((0, 3),) * 90, *((1, 3),) * 30))), 5.0) == RETRIEVAL
    assert not Reference(Profile("orders", 0, (), retrievals=((0, 3),) * 49)).judge(Window(retrievals=((3, 3),) * 100))


def test_vectors_of_another_embedder_or_size_are_not_compared():
    rng = np.random.default_rng(12)
    base, seen = profile(rng), window(rng, 100)
    assert [one.signal for one in judge(Window(seen.style, seen.answers, seen.queries, "other"), base)] == [STYLE]
    short = tuple(row[:5] for row in seen.answers)
    assert [one.signal for one in judge(Window(seen.style, short, short, "test"), base)] == [STYLE]


def test_the_questions_of_expected_answers_are_not_those_that_come():
    rng = np.random.default_rng(13)
    found = {one.signal for one in judge(window(rng, 100), profile(rng, source=EXPECTED))}
    assert found == {STYLE, EMBEDDING, MMD}
    assert not {QUERY, CONDITIONAL} & found
