"""Judges a window against a frozen baseline: each signal by an empirical null at the same number of answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from truegreen.evaluation.drift import statistics
from truegreen.evaluation.drift.model import (
    BOTH,
    CONDITIONAL,
    EITHER,
    INPUT,
    MMD,
    OF_ANSWERS,
    OUTPUT,
    QUERY,
    RETRIEVAL,
    SIGNALS,
    STYLE,
    Verdict,
    Window,
)
from truegreen.evaluation.drift.statistics import Array
from truegreen.evaluation.model import LIVE, Profile, Rows

SIZES: Final = (25, 100)
"""So many of the newest answers are compared: few find a great change at once, more find a small one."""
LEAST: Final = 2 * SIZES[0]
"""Rows that a baseline needs of a template: of fewer than twice N a window says little."""
TRIALS: Final = 1999
SEED: Final = 1
STRANGE: Final = 0.2
"""The share of the baseline's own questions that are too unlike its others to say how they should be answered; so are new ones that are as unlike."""
ALPHA: Final = 0.005
"""False alarms planned for one look at one template, all its signals and sizes together. Measured they are up to twice as many, 1 %: a baseline has
never seen every kind of answer that comes once in a thousand."""


class _Null(NamedTuple):
    mean: float
    sd: float
    roots: Array


class _Test(NamedTuple):
    reference: Array
    distance: Callable[[Array], float]
    null: Callable[[np.ndarray[tuple[int, ...], np.dtype[np.intp]]], Array]


class Reference:
    """A profile of a frozen baseline, ready to be compared with; nulls are drawn when first needed, and kept for each N.

    Args:
        seed: of every null: the same profile, N and seed give the same verdict in every process.
        trials: windows in each null.
    """

    def __init__(self, profile: Profile, seed: int = SEED, trials: int = TRIALS) -> None:
        self.seed, self.trials = seed, trials
        self.embedder, self.is_live = profile.embedder, profile.source == LIVE
        self._style = statistics.logged(_array(profile.style))
        self._answers, self._queries = _array(profile.answer_vectors), _array(profile.query_vectors)
        self._retrievals = _array(profile.retrievals)
        self._strange = 0.0
        self._tests: dict[str, _Test | None] = {}
        self._nulls: dict[tuple[str, int], _Null] = {}

    def judge(self, window: Window, sizes: Sequence[int] = SIZES) -> tuple[Verdict, ...]:
        """What each signal says, of the size that says it loudest; a signal for which window or baseline have too little is left out."""
        found: list[Verdict] = []
        for signal in SIGNALS:
            test = self._test(signal)
            rows = None if test is None else self._rows(signal, window)
            if test is None or rows is None:
                continue
            said = [self._verdict(signal, test, rows, n) for n in sizes if n <= len(rows) and 2 * n <= len(test.reference)]
            found += [max(said, key=lambda one: one.z)] if said else []
        return tuple(found)

    def _verdict(self, signal: str, test: _Test, rows: Array, n: int) -> Verdict:
        null = self._null(signal, test, n)
        distance = test.distance(rows[-n:])
        root = float(np.cbrt(distance))
        p = (1 + float((null.roots >= root).sum())) / (1 + self.trials)
        return Verdict(signal, n, (root - null.mean) / null.sd, p, distance, null.mean, null.sd, self.trials, self.seed)

    def _null(self, signal: str, test: _Test, n: int) -> _Null:
        """The cube root of a weighted sum of squares is near to a normal variable (Wilson and Hilferty, 1931): z then means the same for all."""
        if (signal, n) not in self._nulls:
            roots = np.cbrt(test.null(_windows(self.seed, len(test.reference), n, self.trials)))
            self._nulls[signal, n] = _Null(float(roots.mean()), _spread(roots), roots)
        return self._nulls[signal, n]

    def _test(self, signal: str) -> _Test | None:
        if signal not in self._tests:
            self._tests[signal] = self._made(signal)
        return self._tests[signal]

    def _made(self, signal: str) -> _Test | None:
        if signal == STYLE:
            style = self._style
            return _Test(style, lambda rows: statistics.style_distance(rows, style), lambda chosen: statistics.style_null(style, chosen)) \
                if len(style) >= LEAST else None  # fmt: skip
        if signal == RETRIEVAL:
            if len(self._retrievals) < LEAST:
                return None
            # As if one more retrieval had brought one chunk under the floor: where none ever did, the first is no alarm.
            one_more = np.array([[1.0, max(1.0, self._retrievals[:, 1].mean())]])
            retrievals = np.concatenate([self._retrievals, one_more])
            return _Test(
                retrievals,
                lambda rows: float(statistics.share_distance(rows)),
                lambda chosen: statistics.share_distance(retrievals[chosen]),
            )
        answers, queries = self._answers, self._queries
        rows = queries if signal == QUERY else answers
        if signal == CONDITIONAL:
            if len(answers) != len(queries) or len(answers) < LEAST:
                return None
            alike = statistics.similar(queries, queries, own=True)
            self._strange = float(np.quantile(statistics.nearness(alike), STRANGE))
            rows = statistics.residuals(answers, alike, answers)
        if len(rows) < LEAST:
            return None
        kernel = statistics.gaussian(rows) if signal in (MMD, QUERY) else statistics.linear
        inside = statistics.within(kernel, rows)
        return _Test(
            rows,
            lambda window: statistics.kernel_distance(kernel, window, rows, inside),
            lambda chosen: statistics.kernel_null(kernel, rows, chosen),
        )

    def _rows(self, signal: str, window: Window) -> Array | None:
        """The rows of a window as this signal compares them; None where there are none that can be."""
        if signal == STYLE:
            return statistics.logged(_array(window.style[-max(SIZES) :])) if window.style else None
        if signal == RETRIEVAL:
            return _array(window.retrievals[-max(SIZES) :]) if window.retrievals else None
        if window.embedder != self.embedder or not window.answers:
            return None
        # The questions of expected answers are those of an evaluation set, not those that come.
        if signal in (QUERY, CONDITIONAL) and (not self.is_live or len(window.queries) != len(window.answers)):
            return None
        rows = _array(window.queries if signal == QUERY else window.answers)
        test = self._test(signal)
        if test is None or not rows.size or rows.shape[1:] != test.reference.shape[1:]:
            return None
        if signal != CONDITIONAL:
            return rows
        alike = statistics.similar(_array(window.queries), self._queries)
        known = statistics.nearness(alike) >= self._strange
        return statistics.residuals(rows[known], alike[known], self._answers) if known.any() else None


def judge(window: Window, profile: Profile, seed: int = SEED, sizes: Sequence[int] = SIZES) -> tuple[Verdict, ...]:
    """What each signal says of a window against a baseline; `Reference` keeps its nulls where this is asked more than once."""
    return Reference(profile, seed).judge(window, sizes)


def critical(verdicts: Sequence[Verdict], alpha: float = ALPHA, sizes: int = len(SIZES)) -> float:
    """The z over which a signal has moved, so that one look at all of them is wrong with a chance of `alpha` at most (Bonferroni)."""
    return NormalDist().inv_cdf(1 - alpha / max(len(verdicts) * sizes, 1))


def change(verdicts: Sequence[Verdict], over: float | None = None) -> str:
    """Which of `CHANGES` the verdicts show; empty for none.

    Args:
        over: a signal has moved over this z; None takes `critical`.
    """
    over = critical(verdicts) if over is None else over
    moved = {one.signal: one.z > over for one in verdicts}
    answers = any(moved.get(signal, False) for signal in OF_ANSWERS)
    asked, given = moved.get(QUERY), moved.get(CONDITIONAL)
    if asked:
        return BOTH if given else INPUT
    if not answers and not given:
        return RETRIEVAL if moved.get(RETRIEVAL) else ""
    return OUTPUT if asked is not None else EITHER


@lru_cache(16)
def _windows(seed: int, size: int, many: int, trials: int) -> NDArray[np.intp]:
    """The windows of every null of this size: which rows, not of what."""
    return statistics.drawn(size, many, trials, np.random.default_rng([seed, size, many]))


def _spread(roots: Array) -> float:
    """The standard deviation of a null, or the larger one that its upper tail asks for: answers of which one in twenty is of another kind make it heavy."""
    mean, levels = float(roots.mean()), (0.99, 0.999)
    tails = [(float(np.quantile(roots, level)) - mean) / NormalDist().inv_cdf(level) for level in levels]
    # A baseline of equal answers has no spread: then what differs at all is far away, and not infinitely so.
    return max(float(roots.std()), *tails, 1e-3)


def _array(rows: Rows) -> Array:
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(rows[0]) if rows else 0)
