"""What an evaluation set, an answer, a verdict and a run are. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PASSED: Final = "pass"
FAILED: Final = "fail"
ERROR: Final = "error"
"""There is no answer: the endpoint failed, or nothing was recorded."""
UNKNOWN: Final = "unknown"
"""An evaluator skipped the answer: nothing failed, and not everything could be checked."""
VERDICTS: Final = (PASSED, FAILED, ERROR, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Case:
    """One question with what is checked of its answer.

    Args:
        id: unique in its set.
        query: the question.
        context: the passages that are given to the model; empty where the endpoint finds its own.
        expected: the expected answer; empty where only `checks` are there.
        checks: as `evalset.schema.json` has them.
        line: where it stands in the file, from 1.
    """

    id: str
    query: str
    context: tuple[str, ...] = ()
    expected: str = ""
    checks: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class EvalSet:
    """A whole set; `version` is what `truegreen.version.eval_dataset` says of this file: `<stem>@<12 hex>`."""

    path: str
    version: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one case.

    Args:
        text: the answer.
        model: the model that served it, as the endpoint says; empty when it does not.
        tokens: input and output together; 0 when the endpoint does not say.
        seconds: how long it took.
        passages: what the endpoint found itself; None: the case's own were given.
        finish: finish reasons.
    """

    text: str
    model: str = ""
    tokens: int = 0
    seconds: float = 0.0
    passages: tuple[str, ...] | None = None
    finish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case.

    Args:
        verdict: one of `VERDICTS`.
        failed: the checks that failed or could not be judged, by name, such as `contains[1]`; never a text of the answer.
        raw: the raw value of each evaluator with a floor.
        answer: the answer where it is to be kept, else None.
    """

    id: str
    verdict: str
    failed: tuple[str, ...] = ()
    why: str = ""
    model: str = ""
    tokens: int = 0
    milliseconds: float = 0.0
    raw: Mapping[str, float] = field(default_factory=dict)
    answer: str | None = None
