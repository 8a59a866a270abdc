"""k-means of vectors, seeded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROUNDS: Final = 100
STARTS: Final = 8


def fit(rows: Sequence[Sequence[float]], clusters: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Centroids, the largest cluster first, and the cluster of each row: the best of eight starts.

    Lloyd's algorithm (1982) from centres that k-means++ draws (Arthur and Vassilvitskii 2007). A cluster that loses all its rows takes
    the row that is farthest from its centre, so that there are as many as asked for, or as there are different rows.

    Args:
        rows: at least one, all of one length.
        clusters: at least 1.
        seed: of the starts.
    """
    every = np.array(rows, dtype=np.float64)
    clusters = min(clusters, len(np.unique(every, axis=0)))
    rng = np.random.default_rng(seed)
    found = [_lloyd(every, _plus_plus(every, clusters, rng)) for _ in range(STARTS)]
    centres, labels, _ = min(found, key=lambda one: one[2])
    order = np.argsort(-np.bincount(labels, minlength=clusters), kind="stable")
    place = np.empty(clusters, dtype=np.intp)
    place[order] = np.arange(clusters)
    return centres[order], place[labels]


def _plus_plus(rows: NDArray[np.float64], clusters: int, rng: np.random.Generator) -> NDArray[np.float64]:
    centres = [rows[rng.integers(len(rows))]]
    nearest = ((rows - centres[0]) ** 2).sum(axis=1)
    while len(centres) < clusters:
        centres.append(rows[rng.choice(len(rows), p=nearest / nearest.sum())])
        nearest = np.minimum(nearest, ((rows - centres[-1]) ** 2).sum(axis=1))
    return np.array(centres)


def _lloyd(rows: NDArray[np.float64], centres: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp], float]:
    labels = np.full(len(rows), -1, dtype=np.intp)
    squares = np.zeros(len(rows))
    for _ in range(ROUNDS):
        apart = (rows**2).sum(axis=1)[:, None] - 2 * rows @ centres.T + (centres**2).sum(axis=1)[None]
        now = apart.argmin(axis=1)
        squares = np.maximum(apart[np.arange(len(rows)), now], 0.0)
        for empty in set(range(len(centres))) - set(now.tolist()):
            farthest = int(squares.argmax())
            now[farthest], squares[farthest] = empty, 0.0
        if (now == labels).all():
            break
        labels = now
        centres = np.array([rows[labels == place].mean(axis=0) for place in range(len(centres))])
    return centres, labels, float(squares.sum())
