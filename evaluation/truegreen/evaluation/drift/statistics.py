"""Distances between a window and a baseline, and the same between parts of the baseline: the two halves of a test. Pure.

Each is divided by 1/N + 1/R, for N answers against R: what chance alone does to a squared distance of means grows with that, so that parts of a
baseline (N against B - N) say what a window (N against all B) may do.
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
    """The distances of parts of a reference from its rest.

    Args:
        chosen: the rows of one part in each line.
    """
    alike = kernel(reference, reference).astype(float)
    b, n = len(reference), chosen.shape[1]
    r = b - n
    weights = np.zeros((len(chosen), b))
    np.put_along_axis(weights, chosen, 1.0, axis=1)
    own = np.einsum("ij,ij->i", weights @ alike, weights)
    every = weights @ alike.sum(axis=1)
    rest = alike.sum() - 2 * every + own
    found = own / n**2 - 2 * (every - own) / (n * r) + rest / r**2
    return np.asarray(np.maximum(found, 0.0) / (1 / n + 1 / r))


def style_distance(window: Array, reference: Array) -> float:
    """z2: the squared differences of the means of ten numbers, each in its own standard errors, summed.

    Counts and rates are skewed, so their logarithms (of 1 + x) are compared. The variance is the pooled one about the common mean and the square of
    the window's farthest row over N: one answer alone, whatever it does that the baseline never did, then moves a number by one at most.
    """
    return float(_z2(window[None], _Sums(reference))[0])


def style_null(reference: Array, chosen: NDArray[np.intp]) -> Array:
    """The same for parts of a reference against its rest."""
    parts = reference[chosen]
    return _z2(parts, _Sums(reference), inside=True)


def logged(rows: Array) -> Array:
    """Style numbers as they are compared."""
    return np.asarray(np.log1p(np.maximum(rows.astype(float), 0.0)))


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
    # Of a reference: what is left of it without a part needs no second pass.
    def __init__(self, rows: Array) -> None:
        self.count, self.total, self.squares = len(rows), rows.sum(axis=0), (rows**2).sum(axis=0)


def _z2(parts: Array, sums: _Sums, *, inside: bool = False) -> Array:
    n = parts.shape[1]
    total, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    r = sums.count - n if inside else sums.count
    rest = (sums.total - total if inside else sums.total) / r
    everything = sums.squares if inside else sums.squares + squares
    mean = (sums.total if inside else sums.total + total) / (n + r)
    pooled = np.maximum(everything / (n + r) - mean**2, 0.0)
    farthest = ((parts - np.expand_dims(rest, -2)) ** 2).max(axis=1) / n
    variance = pooled + farthest
    z2 = np.where(variance > _TINY, (total / n - rest) ** 2 / np.maximum(variance, _TINY), 0.0)
    return np.asarray(z2.sum(axis=1) / (1 / n + 1 / r))


def _squared(left: Array, right: Array) -> Array:
    found = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None] - 2 * left @ right.T
    return np.asarray(np.maximum(found, 0.0))
