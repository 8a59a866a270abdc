"""The shapes of drift detection: a window of answers, a verdict of each signal, and what changed. Frozen, no I/O, never text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from truegreen.evaluation.model import Retrievals, Rows

STYLE: Final = "style"
EMBEDDING: Final = "embedding"
MMD: Final = "mmd"
QUERY: Final = "query"
CONDITIONAL: Final = "conditional"
RETRIEVAL: Final = "retrieval"
SIGNALS: Final = (STYLE, EMBEDDING, MMD, QUERY, CONDITIONAL, RETRIEVAL)
"""How the answers are written; the centroid of their embeddings; their distribution; that of the questions; the answers given their questions; the share of
retrieved chunks under the similarity floor."""
OF_ANSWERS: Final = (STYLE, EMBEDDING, MMD)

INPUT: Final = "input"
OUTPUT: Final = "output"
BOTH: Final = "both"
EITHER: Final = "either"
CHANGES: Final = (INPUT, OUTPUT, BOTH, EITHER, RETRIEVAL)
"""Other questions; other answers to the same questions; both; other answers, and nobody has looked at the questions; only the retrieved chunks are worse."""
SAYS: Final[Mapping[str, str]] = {
    "": "nothing has changed that these numbers see",
    INPUT: "the input changed: other questions come; those that are like questions of before are answered as they were",
    OUTPUT: "the output changed for the same input",
    BOTH: "input and output changed: other questions come, and those that are like questions of before are answered otherwise",
    EITHER: "the answers changed; whether the questions did is not known, for their embeddings are not watched",
    RETRIEVAL: "more of the retrieved chunks are under the similarity floor",
}


@dataclass(frozen=True, slots=True)
class Window:
    """The newest answers of one prompt template, the oldest first.

    Args:
        style: rows of `terms.STYLE`.
        answers: embeddings of answers.
        queries: of their questions: none, or one for each of `answers`.
        embedder: what made the vectors; those of another one than the baseline's are not compared.
        retrievals: of the newest retrievals of a data source, how many chunks are under the floor of how many.
    """

    style: Rows = ()
    answers: Rows = ()
    queries: Rows = ()
    embedder: str = ""
    retrievals: Retrievals = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one signal says of a window.

    Args:
        signal: one of SIGNALS.
        answers: N, how many of the newest answers were compared.
        z: cube root of the distance, in standard deviations of its null at the same N.
        p: the share of the null at least as far away, (1 + k) / (1 + trials).
        distance: the statistic itself; its unit means nothing without the null.
        null_mean, null_sd: of the cube root of the distance; the sd is at least what the 99 % and 99.9 % quantiles of the null ask for.
        trials, seed: how the null was drawn.
    """

    signal: str
    answers: int
    z: float
    p: float
    distance: float
    null_mean: float
    null_sd: float
    trials: int
    seed: int
