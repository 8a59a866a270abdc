"""Whether more of what comes in groups is bad than in a baseline, such as chunks under a similarity floor, three to a request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from truegreen.evaluation.drift.detect import SEED, TRIALS

LEAST: Final = 50
"""Groups that a baseline needs."""


class Share(NamedTuple):
    """The bad share of a window against a baseline.

    Args:
        share, before: of the window, and of the baseline, 0 to 1.
        groups: N, how many groups the window has.
        z: in standard deviations of the null at the same N.
        p: the share of the null that is at least as bad, (1 + k) / (1 + trials).
        trials, seed: how the null was drawn.
    """

    share: float
    before: float
    groups: int
    z: float
    p: float
    trials: int
    seed: int


def judge(
    window: Sequence[tuple[int, int]], baseline: Sequence[tuple[int, int]], seed: int = SEED, trials: int = TRIALS
) -> Share | None:
    """Compare a window with windows of as many groups that are drawn from the baseline: whole groups, for what is in one goes together.

    Args:
        window, baseline: how many were bad of how many, in each group.

    Returns:
        None where the window is empty or the baseline has under 50 groups.
    """
    seen, known = (np.array(groups, dtype=float).reshape(-1, 2) for groups in (window, baseline))
    if not seen[:, 1].sum() or len(known) < LEAST:
        return None
    rng = np.random.default_rng([seed, len(seen)])
    drawn = known[rng.integers(len(known), size=(trials, len(seen)))].sum(axis=1)
    null = np.divide(drawn[:, 0], drawn[:, 1], out=np.zeros(trials), where=drawn[:, 1] > 0)
    found = float(seen[:, 0].sum() / seen[:, 1].sum())
    spread = max(float(null.std()), 1e-6)
    return Share(
        found, float(known[:, 0].sum() / known[:, 1].sum()), len(seen), (found - float(null.mean())) / spread,
        (1 + float((null >= found).sum())) / (1 + trials), trials, seed,
    )  # fmt: skip
