"""The shapes that cross plugin borders: a sample, a result, a recorded call, what a generator returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer with what an evaluator may look at. It never leaves the process.

    Args:
        query: the user's question; empty when unknown.
        answer: the text of the answer.
        passages: the retrieved passages, in the order given to the model; empty when none were seen.
        model: the requested model.
        expected: the expected answer where one is known, such as in an evaluation set; else empty.
        finish: the finish reasons that the provider gave; empty when unknown.
    """

    query: str
    answer: str
    passages: tuple[str, ...] = ()
    model: str = ""
    expected: str = ""
    finish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What an evaluator says of one sample.

    Args:
        raw: the evaluator's own number, higher is better; None when it could not judge.
        score: 0 to 1 on the calibration's scale, None without a calibration.
        label: `pass` or `fail`, empty without a calibration.
        scale: `relative` or `calibrated`, empty without a calibration.
        calibration: the digest of the calibration file used, empty without one.
        skipped: one of `terms.SKIP_REASONS`, empty when judged.
        vector: an embedding of the answer, watched for drift; empty where the evaluator makes none.
        query_vector: the same of its question.
    """

    evaluation: str
    evaluator: str
    raw: float | None = None
    score: float | None = None
    label: str = ""
    scale: str = ""
    calibration: str = ""
    skipped: str = ""
    vector: tuple[float, ...] = ()
    query_vector: tuple[float, ...] = ()


Judge = Callable[[Sample], Result]
"""What an evaluator's factory makes. A factory is `make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge`;
it is found by name in the entry-point group `truegreen_evaluator`."""


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """One recorded LLM call (`replay.schema.json`); `wrong` is the human label `y`, None when unlabelled."""

    query: str
    context: tuple[str, ...]
    answer: str
    model: str
    id: str = ""
    time: float | None = None
    wrong: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Generated:
    """The files that a generator makes, path below the output folder to text, and what it has to say about them.

    `figures` holds the same statement as numbers (`--json`).
    """

    files: Mapping[str, str]
    statement: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
