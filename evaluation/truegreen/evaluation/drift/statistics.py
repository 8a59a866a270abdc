"""Distances between a window and a baseline, and of windows that the baseline itself makes likely: the two halves of a test. Pure.

Each is divided by 1/N + 1/R, for N answers against R: what chance alone does to a squared distance of means grows with that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Kernel = Callable[[Array, Array], Array]
"""Rows and rows to how alike each is to each."""
NEAR: Final = 5
_TINY: Final = 1e-12


def linear(left: Array, right: Array) -> Array:
    """The scalar product: the distance is then that of the two centroids, squared."""
    return np.asarray(left @ right.T)


def gaussian(rows: Array) -> Kernel:
    """exp(-d^2 / 2 m^2) with m the median distance between the rows: the distance is then the MMD, squared (biased, V-statistic).

    Gretton et al., 2012, "A kernel two-sample test", with its median heuristic.
    """
    between = _squared(rows, rows)[np.triu_indices(len(rows), 1)]
    apart = between[between > _TINY]
    scale = float(np.median(apart)) if apart.size else 1.0
    return lambda left, right: np.exp(-_squared(left, right) / (2 * scale))


def kernel_distance(kernel: Kernel, window: Array, reference: Array, within: float) -> float:
    """The distance of a window from a reference.

    Args:
        within: what `within` gave for the reference.
    """
    n, r = len(window), len(reference)
    own, cross = kernel(window, window).mean(dtype=float), kernel(window, reference).mean(dtype=float)
    return float(max(own - 2 * cross + within, 0.0) / (1 / n + 1 / r))


def within(kernel: Kernel, reference: Array) -> float:
    """The mean of the kernel over all pairs of the reference."""
    return float(kernel(reference, reference).mean(dtype=float))


def kernel_null(kernel: Kernel, reference: Array, chosen: NDArray[np.intp]) -> Array:
    """The distances of windows that were drawn from a reference.

    Args:
        chosen: the rows of one window in each line.
    """
    alike = kernel(reference, reference).astype(float)
    b, n = len(reference), chosen.shape[1]
    counts = np.stack([np.bincount(rows, minlength=b) for rows in chosen]).astype(float)
    own = np.einsum("ij,ij->i", counts @ alike, counts) / n**2
    cross = counts @ alike.sum(axis=1) / (n * b)
    return np.asarray(np.maximum(own - 2 * cross + alike.mean(), 0.0) / (1 / n + 1 / b))


def style_distance(window: Array, reference: Array) -> float:
    """z2: the squared differences of the means of ten numbers, each in its own standard errors, summed.

    Counts and rates are skewed, so their logarithms (of 1 + x) are compared. The variance is the pooled one about the common mean and the square of
    the window's farthest row over N: one answer alone, whatever it does that the baseline never did, then moves a number by one at most.
    """
    return float(_z2(window[None], _Sums(reference))[0])


def style_null(reference: Array, chosen: NDArray[np.intp]) -> Array:
    """The same for windows that were drawn from a reference."""
    return _z2(reference[chosen], _Sums(reference))


def drawn(size: int, many: int, trials: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Windows of `many` rows that a reference of `size` rows makes likely: the Bayesian bootstrap (Rubin, 1981).

    What the reference was drawn from is itself uncertain: a kind of answer that it has twice may be one in a hundred or one in a thousand. So each
    window has weights of the rows of its own, uniform over all such weights, and is drawn by them.
    """
    weights = np.cumsum(rng.standard_exponential((trials, size)), axis=1)
    points = rng.random((trials, many)) * weights[:, -1:]
    found = [np.searchsorted(row, point, side="right") for row, point in zip(weights, points, strict=True)]
    return np.asarray(np.minimum(np.stack(found), size - 1))


def logged(rows: Array) -> Array:
    """Style numbers as they are compared."""
    return np.asarray(np.log1p(np.maximum(rows.astype(float), 0.0)))


def share_distance(rows: Array) -> Array:
    """The first number of the rows out of the second, over all rows of each window, to the power of 1.5.

    Its cube root is the square root of the share, which varies as much for any small share (Bartlett, 1936, "The square root transformation").
    """
    bad, of = np.moveaxis(rows.sum(axis=-2), -1, 0)
    return np.asarray((bad / of) ** 1.5)


def residuals(answers: Array, alike: Array, known_answers: Array, near: int = NEAR) -> Array:
    """Each answer less the mean answer to the most similar questions of the baseline: what of it the question does not explain.

    Args:
        alike: how similar the question of each is to each of the baseline's.
        near: how many similar questions.
    """
    near = min(near, alike.shape[1] - 1)
    nearest = np.argpartition(-alike, near - 1, axis=1)[:, :near]
    return np.asarray(answers - known_answers[nearest].mean(axis=1))


def similar(queries: Array, known: Array, *, own: bool = False) -> Array:
    """How similar questions are to those of a baseline: scalar products; a baseline's own leave themselves out."""
    alike = np.asarray(queries @ known.T)
    if own:
        np.fill_diagonal(alike, -np.inf)
    return alike


def nearness(alike: Array, near: int = NEAR) -> Array:
    """How similar each question is to the last of those that explain it."""
    near = min(near, alike.shape[1] - 1)
    return np.asarray(-np.partition(-alike, near - 1, axis=1)[:, near - 1])


class _Sums:
    # Of a reference, which is compared with many windows.
    def __init__(self, rows: Array) -> None:
        self.count, self.total, self.squares = len(rows), rows.sum(axis=0), (rows**2).sum(axis=0)


def _z2(windows: Array, sums: _Sums) -> Array:
    n, r = windows.shape[1], sums.count
    total, squares = windows.sum(axis=1), (windows**2).sum(axis=1)
    rest, mean = sums.total / r, (sums.total + total) / (n + r)
    pooled = np.maximum((sums.squares + squares) / (n + r) - mean**2, 0.0)
    farthest = ((windows - rest) ** 2).max(axis=1) / n
    variance = pooled + farthest
    z2 = np.where(variance > _TINY, (total / n - rest) ** 2 / np.maximum(variance, _TINY), 0.0)
    return np.asarray(z2.sum(axis=1) / (1 / n + 1 / r))


def _squared(left: Array, right: Array) -> Array:
    found = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None] - 2 * left @ right.T
    return np.asarray(np.maximum(found, 0.0))
