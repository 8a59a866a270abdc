"""The `groundedness` evaluation by the evaluator `context-support`: lexical support of an answer by its passages.

It runs in the application's process: standard library only, about a millisecond an answer, and it never raises. It says whether the
answer keeps to the passages, not whether it is true. English only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.judging import Kind, all_texts, judge, why_not
from truegreen.evaluation.lexical.coefficients import Coefficients, committed
from truegreen.evaluation.lexical.features import features

EVALUATION: Final = "groundedness"
EVALUATOR: Final = "context-support"
KIND: Final = Kind(EVALUATION, EVALUATOR, all_texts)
_FARTHEST: Final = 700.0


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of one service.

    Args:
        settings: `words` (whole number, at least 1): the largest question, answer and passages together that are judged here.
        calibration: the frozen baseline; without one, or with one of too few answers, results are `skipped: no_baseline`
            and hold `raw` only.

    Returns:
        a function that gives the answer's result and never raises. `raw` is the uncalibrated probability that the answer is
        supported, 0 to 1, higher is better. Without passages `skipped: no_context`, in another language `skipped: unsupported_language`.
    """
    weights = committed()

    def measure(sample: Sample) -> float | str:
        return why_not(sample) or support(sample.query, sample.answer, sample.passages, weights)

    return judge(KIND, measure, settings, calibration)


def support(query: str, answer: str, passages: tuple[str, ...], weights: Coefficients) -> float:
    """The probability that the answer is supported by its passages, 0 to 1 (not calibrated to any domain)."""
    log_odds = weights.log_odds(features(query, answer, passages))
    return 1.0 / (1.0 + math.exp(max(-_FARTHEST, min(_FARTHEST, log_odds))))
