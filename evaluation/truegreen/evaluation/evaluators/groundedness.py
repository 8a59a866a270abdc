"""The `groundedness` evaluation by the evaluator `context-support`: lexical support of an answer by its passages.

It runs in the application's process: standard library only, about a millisecond an answer, and it never raises. It says whether the
answer keeps to the passages, not whether it is true.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.evaluation.lexical.coefficients import Coefficients, committed
from truegreen.evaluation.lexical.features import features

EVALUATION: Final = "groundedness"
EVALUATOR: Final = "context-support"
WORDS: Final = 2000
"""Default of the setting `words`: question, answer and passages together; more is `skipped: too_large`."""
LETTERS_PER_WORD: Final = 12
"""A text without spaces is bounded too: `words` times this many characters."""
_FARTHEST: Final = 700.0


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of one service.

    Args:
        settings: `words` (whole number, at least 1): the largest question, answer and passages together that are judged here.
        calibration: the frozen baseline; without one, or with one of too few (`Calibration.enough`), results are `skipped: no_baseline`
            and hold `raw` only.

    Returns:
        a function that gives the answer's result and never raises. `raw` is the uncalibrated probability that the answer is
        supported, 0 to 1, higher is better.
    """
    limit = _limit(settings.get("words", WORDS))
    weights = committed()
    frozen = calibration if calibration is not None and calibration.enough else None
    digest = frozen.digest if frozen else ""

    def judge(sample: Sample) -> Result:
        try:
            return _judge(sample, limit, weights, frozen, digest)
        except Exception:  # the watched application must never see an error of the watching
            return _skipped("error")

    return judge


def support(query: str, answer: str, passages: tuple[str, ...], weights: Coefficients) -> float:
    """The probability that the answer is supported by its passages, 0 to 1 (not calibrated to any domain)."""
    log_odds = weights.log_odds(features(query, answer, passages))
    return 1.0 / (1.0 + math.exp(max(-_FARTHEST, min(_FARTHEST, log_odds))))


def _judge(sample: Sample, limit: int, weights: Coefficients, frozen: Calibration | None, digest: str) -> Result:
    if not any(passage.strip() for passage in sample.passages):
        return _skipped("no_context")
    if _too_large(sample, limit):
        return _skipped("too_large")
    raw = support(sample.query, sample.answer, sample.passages, weights)
    if frozen is None:
        return _skipped("no_baseline", raw)
    return Result(EVALUATION, EVALUATOR, raw, frozen.score(raw), frozen.label(raw), frozen.scale, digest)


def _too_large(sample: Sample, limit: int) -> bool:
    texts = (sample.query, sample.answer, *sample.passages)
    return sum(map(len, texts)) > limit * LETTERS_PER_WORD or sum(len(text.split()) for text in texts) > limit


def _skipped(reason: str, raw: float | None = None) -> Result:
    return Result(EVALUATION, EVALUATOR, raw=raw, skipped=reason)


def _limit(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else WORDS
