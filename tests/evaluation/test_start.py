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
    assert (found.time, found.low, found.high) == (20, 20, 61)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_whatever_the_counts_the_interval_holds_the_moment(rows: list[tuple[int, int]]) -> None:
    """low <= time <= high, and the ratio rose."""
    found = start.find([Count(float(i), e, min(b, e)) for i, (e, b) in enumerate(rows)])
    if found:
        assert found.low <= found.time <= found.high
        assert found.before < found.after


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=20))
def test_growth_is_never_negative_also_after_a_restart(values: list[int]) -> None:
    """A counter that fell counts from 0."""
    assert all(by >= 0 for _, by in start.grown([(float(i), float(v)) for i, v in enumerate(values)]))
