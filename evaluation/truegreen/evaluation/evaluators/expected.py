"""`expected_similarity`: how like the expected answer an answer is, where one is known, as in an evaluation set.

By MiniLM where the extra `[evaluate]` is installed (English; in the background), else by shared words (any language that writes spaces,
and CJK by character); the evaluator's name says which. Neither sees a "not": an answer that says the contrary in the same words is alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.comparing import chosen, uses_model
from truegreen.evaluation.evaluators.judging import Kind, judge
from truegreen.evaluation.lexical.language import not_english
from truegreen.evaluation.lexical.overlap import f1

EVALUATION: Final = "expected_similarity"


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of one service.

    Args:
        settings: `words`; `embedding` (`auto`, `minilm`, `lexical`).
        calibration: the frozen baseline; without one, `skipped: no_baseline` with `raw`.

    Returns:
        a function that never raises. `raw` is the cosine (-1 to 1), or by words their F1 (0 to 1); 0 for an empty answer. Without an
        expected answer `skipped: no_expected`.

    Raises:
        BadInput: the setting is wrong, or it asks for MiniLM and the package is missing.
    """
    way = chosen(EVALUATION, settings, f1)

    def measure(sample: Sample) -> float | str:
        if not sample.expected.strip():
            return "no_expected"
        if way.model and (not_english(sample.expected) or not_english(sample.answer)):
            return "unsupported_language"
        return way.alike(sample.expected, [sample.answer])[0] if sample.answer.strip() else 0.0

    kind = Kind(EVALUATION, f"expected-answer:{way.name}", lambda sample: (sample.expected, sample.answer))
    return judge(kind, measure, settings, calibration)


make.background = uses_model  # type: ignore[attr-defined]
