"""`repetition`: whether the answer says the same over and over. Any language, standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge
from truegreen.evaluation.evaluators.judging import Kind, answer_only, judge
from truegreen.evaluation.lexical.overlap import terms

KIND: Final = Kind("repetition", "distinct-4-grams", answer_only)
SIZE: Final = 4


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of one service.

    Args:
        settings: `words`.
        calibration: the frozen baseline; without one, `skipped: no_baseline` with `raw`.

    Returns:
        a function that never raises. `raw` is the share of the answer's runs of four words that are distinct, over 0 to 1 (one minus
        seq-rep-4 of Welleck et al., 2020); 1 for an answer of fewer than four words.
    """
    return judge(KIND, lambda sample: distinct(sample.answer), settings, calibration)


def distinct(text: str) -> float:
    """The share of the runs of four words that are distinct; a CJK character is a word."""
    said = terms(text)
    runs = list(zip(*(said[at:] for at in range(SIZE)), strict=False))
    return len(set(runs)) / len(runs) if runs else 1.0
