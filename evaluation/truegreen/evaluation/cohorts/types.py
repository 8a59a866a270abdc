"""Types of questions, clustered from recorded questions or a baseline's: numbers only, and the function by which an application names one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.model import Rows

CLUSTERS: Final = 8
UNKNOWN: Final = "unknown"
VERSION: Final = 1
MOST: Final = 50
"""Types: the collector keeps 50 cohorts of a service."""


@dataclass(frozen=True, slots=True)
class Types:
    """Types of questions.

    Args:
        embedder: what makes the vectors.
        names: one for each; rename them in the file as you like.
        centres: one for each.
        questions: how many of those it was made from each has.
        seed: of the clustering.
    """

    embedder: str
    names: tuple[str, ...]
    centres: Rows
    questions: tuple[int, ...]
    seed: int

    def of(self, vector: Sequence[float]) -> str:
        """The type of a question by its vector: the nearest centre; `unknown` for a text without a word."""
        if not any(vector):
            return UNKNOWN
        apart = [math.dist(vector, centre) for centre in self.centres]
        return self.names[apart.index(min(apart))]


def fit(vectors: Sequence[Sequence[float]], clusters: int, embedder: str, seed: int) -> tuple[Types, list[str]]:
    """The types of questions, the most frequent first, and the type of each.

    Raises:
        BadInput: fewer questions than types.
    """
    from truegreen.evaluation.cohorts import kmeans

    usable = [vector for vector in vectors if any(vector)]
    if len(usable) < clusters:
        raise BadInput(f"--clusters: found {clusters} for {len(usable)} questions; write fewer, or give more questions")
    centres, labels = kmeans.fit(usable, clusters, seed)
    names = tuple(f"type-{place}" for place in range(1, len(centres) + 1))
    counts = [0] * len(names)
    for label in labels.tolist():
        counts[label] += 1
    rows = tuple(tuple(round(float(value), 6) for value in centre) for centre in centres)
    made = Types(embedder, names, rows, tuple(counts), seed)
    return made, [made.of(vector) for vector in vectors]


def write(path: Path, types: Types) -> None:
    """Write them as JSON.

    Raises:
        Failed: the file cannot be written.
    """
    data = {
        "version": VERSION, "embedder": types.embedder, "seed": types.seed,
        "types": [
            {"name": name, "questions": count, "centre": list(centre)}
            for name, count, centre in zip(types.names, types.questions, types.centres, strict=True)
        ],
    }  # fmt: skip
    try:
        path.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from None


def read(path: Path) -> Types:
    """Read them.

    Raises:
        BadInput: it cannot be read, or is no such file.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
        rows = data["types"]
        made = Types(
            str(data["embedder"]), tuple(_name(row) for row in rows), tuple(tuple(map(float, row["centre"])) for row in rows),
            tuple(int(row["questions"]) for row in rows), int(data["seed"]),
        )  # fmt: skip
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{path}: is no file of question types; write it with `truegreen cohort types`") from None
    if data.get("version") != VERSION or not rows or len({len(centre) for centre in made.centres}) != 1:
        raise BadInput(f"{path}: is no file of question types of this version; write it anew with `truegreen cohort types`")
    return made


def namer(path: Path | str) -> Callable[[str], str]:
    """For an application: a question to its type, to be given as `traffic(cohort=…)`; standard library only, and it never raises.

    Raises:
        BadInput: the file cannot be used (said here, at the start), or its vectors are not the lexical ones.
    """
    types = read(Path(path))
    if types.embedder != LEXICAL:
        raise BadInput(f"{path}: made with {types.embedder}; an application names types with {LEXICAL}: write --embedder lexical")

    def name(question: str) -> str:
        try:
            return types.of(lexical(question))
        except Exception:  # an application must not fail for the sake of a label
            return UNKNOWN

    return name


def _name(row: Any) -> str:
    name = row["name"]
    if not isinstance(name, str) or not name:
        raise ValueError(name)
    return name
