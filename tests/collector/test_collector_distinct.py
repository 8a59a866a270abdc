"""Estimates of affected users and sessions: exact while they are few, within a stated error when they are many, bounded memory."""

from __future__ import annotations

import sys

import pytest

from truegreen.collector.evidence import DISTINCT, SLICES, Distinct

SIGMAS = 4.5
"""Hashes are salted for each process: a bound that fails once in some 100,000 runs."""
ERROR = DISTINCT**-0.5 * 2**0.5
"""A slice that has just halved its bound holds half of what it may."""


def counted(ids: int, slices: int) -> tuple[int, Distinct]:
    """What is said of so many ids, each seen twice, one after the other in so many slices of an hour."""
    made = Distinct()
    for at in range(ids):
        for _ in range(2):
            made.add(b"user-%d" % at, at * slices // ids)
    return made.count(slices - 1), made


@pytest.mark.parametrize("slices", [1, SLICES])
@pytest.mark.parametrize(("ids", "error"), [(100, 0.0), (10_000, 0.0), (1_000_000, ERROR * SIGMAS)])
def test_the_error_is_0_up_to_10000_in_ten_minutes_and_bounded_past_it(ids: int, error: float, slices: int) -> None:
    """100 and 10,000 ids are exact; a million is within 4.5 standard errors, in one slice as in six."""
    found, made = counted(ids, slices)
    assert abs(found / ids - 1) <= error
    held = sum(sys.getsizeof(kept) + (32 * len(kept) if isinstance(kept, set) else 0) for _, kept in made._slices.values())  # noqa: SLF001
    assert held < 2_000_000


def test_ids_of_several_slices_are_counted_once_and_leave_after_an_hour() -> None:
    """The same users in every slice are no more users; a full slice beside a small one does not hide the small one."""
    made = Distinct()
    for part in range(SLICES):
        for at in range(1000):
            made.add(b"user-%d" % at, part)
    assert made.count(SLICES - 1) == 1000
    for at in range(100_000):
        made.add(b"other-%d" % at, SLICES)
    assert abs(made.count(SLICES) / 101_000 - 1) <= ERROR * SIGMAS
    assert made.count(3 * SLICES) == 0
