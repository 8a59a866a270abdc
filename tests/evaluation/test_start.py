"""The true start: a change-point of binomial counts, against simulated streams."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.evaluation import start
from truegreen.evaluation.start import Count


def stream(rng: random.Random, steps: int, per_step: float, before: float, after: float, change: int) -> list[Count]:
    """Counts whose ratio changes after `change` steps."""
    made = []
    for i in range(steps):
        events = sum(rng.random() < per_step / 20 for _ in range(20))
        bad = sum(rng.random() < (before if i < change else after) for _ in range(events))
        made.append(Count(float(i + 1), events, bad))
    return made


def test_a_step_is_found_and_its_interval_holds_the_truth_nearly_always() -> None:
    """200 seeded streams with 5 answers a step and a step from 3 % to 45 %."""
    rng, hits, misses = random.Random(11), 0, 0
    for _ in range(200):
        found = start.find(stream(rng, 120, 5, 0.03, 0.45, 97))
        misses += found is None
        hits += found is not None and found.low <= 97.0 <= found.high
    assert misses == 0
    assert hits >= 190


@pytest.mark.full
def test_a_healthy_stream_has_no_start() -> None:
    """2,000 seeded streams of 360 steps at 3 %: less than 1 in 500 shows one."""
    rng = random.Random(12)
    false = sum(start.find(stream(rng, 360, 2, 0.03, 0.03, 0)) is not None for _ in range(2_000))
    assert false <= 4


def test_an_improvement_is_not_the_start_of_an_incident() -> None:
    """The ratio fell."""
    assert start.find(stream(random.Random(13), 100, 5, 0.5, 0.02, 40)) is None


@pytest.mark.parametrize("counts", [[], [Count(1, 5, 1)], [Count(1, 0, 0), Count(2, 0, 0)], [Count(1, 5, 5), Count(2, 5, 5)]])
def test_too_little_to_tell_is_none(counts: list[Count]) -> None:
    """No division by nothing."""
    assert start.find(counts) is None


def test_steps_without_traffic_widen_the_interval() -> None:
    """The night between the last good and the first bad answer."""
    counts = [
        *(Count(t, 10, 0) for t in range(1, 21)),
        *(Count(t, 0, 0) for t in range(21, 61)),
        *(Count(t, 10, 8) for t in range(61, 71)),
    ]
    found = start.find(counts)
    assert found is not None
    assert (found.time, found.low, found.high) == (20, 19, 61)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_whatever_the_counts_the_interval_holds_the_moment(rows: list[tuple[int, int]]) -> None:
    """low <= time <= high, and the ratio rose."""
    found = start.find([Count(float(i), e, min(b, e)) for i, (e, b) in enumerate(rows)])
    if found:
        assert found.low < found.time <= found.high
        assert found.before < found.after


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=20))
def test_growth_is_never_negative_also_after_a_restart(values: list[int]) -> None:
    """A counter that fell counts from 0."""
    assert all(by >= 0 for _, by in start.grown([(float(i), float(v)) for i, v in enumerate(values)]))


def test_scores_that_sink_are_dated_by_the_bound_that_tells_most() -> None:
    """40 streams whose scores fall from near 1 to anywhere, 5 a step: none is missed, and the interval holds the truth in at least 9 of 10."""
    rng, bounds, hits = random.Random(14), (0.2, 0.5, 0.8, 0.9, 0.95), 0
    for _ in range(40):
        judged = [
            (t + 0.5, rng.uniform(0.2, 1) if t >= 57 and rng.random() < 0.6 else rng.uniform(0.9, 1))
            for t in range(80)
            for _ in range(5)
        ]
        found = start.find_scores(start.cuts(judged, 1.0, bounds))
        assert found is not None
        assert found.of in ("share of scores up to 0.8", "share of scores up to 0.9")
        hits += found.low <= 57.0 <= found.high
    assert hits >= 36


def test_scores_of_a_healthy_stream_have_no_start() -> None:
    """Many bounds are many chances: the evidence asked for grows with them."""
    rng, bounds = random.Random(15), [i / 20 for i in range(1, 20)]
    streams = ([(t + 0.5, rng.random()) for t in range(100) for _ in range(3)] for _ in range(50))
    assert [start.find_scores(start.cuts(judged, 1.0, bounds)) for judged in streams] == [None] * 50


def test_sessions_that_fail_together_widen_the_interval() -> None:
    """Bursts of ten answers, all good or all bad, are not ten answers: the spread says so, and a healthy stream of them has no start."""
    rng = random.Random(16)

    def burst(ratio: float) -> float:
        return 10.0 * (rng.random() < ratio)

    found = start.find([Count(float(t), 10, burst(0.05 if t <= 150 else 0.6)) for t in range(1, 201)])
    assert found is not None
    assert 5 < found.spread < 15
    assert found.low <= 150 <= found.high
    healthy = ([Count(float(t), 10, burst(0.1)) for t in range(1, 201)] for _ in range(100))
    assert sum(start.find(counts) is not None for counts in healthy) <= 1
