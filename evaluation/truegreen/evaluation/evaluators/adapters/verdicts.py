"""What the adapters share: which inputs a judgement needs, and what its number means. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Result, Sample
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS

NEEDS: Final = {"passages": "no_context", "query": "no_question", "expected": "no_expected"}
"""What a judgement may need beside the answer, to the reason of a skip where it is not there."""
LONGEST: Final = 100
_ODD: Final = re.compile(r"[^A-Za-z0-9._:/@+-]+")

Verdict = Callable[[str, float], Result]
"""From the evaluator's name and its number, higher is better, to the result."""


def verdict(evaluation: str, settings: Mapping[str, Any], calibration: Calibration | None) -> Verdict:
    """What a raw number of an evaluation means.

    Args:
        settings: `scale: calibrated` with `floor` (a number): the evaluator's own number, 0 to 1, is the score, and one under the floor
            fails. A calibration file wins.
        calibration: the frozen baseline; without one of enough answers, and without `scale`, results are `skipped: no_baseline`
            and hold `raw` only.

    Raises:
        BadInput: `floor` is no number, or it stands without `scale: calibrated`.
    """
    floor = settings.get("floor")
    number = isinstance(floor, int | float) and not isinstance(floor, bool) and math.isfinite(floor)
    if floor is not None and not number:
        raise BadInput(f"floor: found {floor!r:.60}, write a number such as 0.7: raw values under it fail")
    if floor is not None and settings.get("scale") != CALIBRATED:
        raise BadInput("floor: a number is a level; write scale: calibrated beside it, or take a baseline and leave it out")
    frozen = calibration if calibration is not None and calibration.enough else None

    def said(evaluator: str, raw: float) -> Result:
        if frozen is not None:
            return Result(evaluation, evaluator, raw, frozen.score(raw), frozen.label(raw), frozen.scale, frozen.digest)
        if floor is None:
            return Result(evaluation, evaluator, raw, skipped="no_baseline")
        return Result(evaluation, evaluator, raw, min(1.0, max(0.0, raw)), FAIL if raw < floor else PASS, CALIBRATED)

    return said


def needs(value: Any, default: Sequence[str] = ()) -> tuple[str, ...]:
    """The inputs that the setting `needs` names.

    Raises:
        BadInput: it is no list of them.
    """
    named = default if value is None else value
    if (
        isinstance(named, str)
        or not isinstance(named, Sequence)
        or any(not isinstance(one, str) or one not in NEEDS for one in named)
    ):
        raise BadInput(f"needs: found {value!r:.60}, write a list of {', '.join(NEEDS)}")
    return tuple(named)


def lacking(sample: Sample, wanted: Sequence[str]) -> str:
    """Why a sample cannot be judged, a reason of a skip; empty when all that is wanted is there."""
    there = {
        "passages": any(passage.strip() for passage in sample.passages),
        "query": bool(sample.query.strip()),
        "expected": bool(sample.expected.strip()),
    }
    return next((NEEDS[one] for one in wanted if not there[one]), "")


def one_word(name: str) -> str:
    """A name as an evaluator may have it: letters, digits, `. _ : / @ + -`, at most 100."""
    return _ODD.sub("-", name)[:LONGEST]
