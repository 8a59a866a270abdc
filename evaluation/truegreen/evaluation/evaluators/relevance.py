"""`retrieval_relevance` and `answer_relevance`: whether the passages, and the answer, are about the question.

By MiniLM where the extra `[evaluate]` is installed (about 25 ms a text, in the background), else by the question's content words; the
evaluator's name says which. English. Neither says that anything is true.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.comparing import chosen, uses_model
from truegreen.evaluation.evaluators.judging import Kind, judge
from truegreen.evaluation.lexical.language import not_english
from truegreen.evaluation.lexical.overlap import found

RETRIEVAL: Final = "retrieval_relevance"
ANSWER: Final = "answer_relevance"
MODEL_FLOOR: Final = 0.4
"""Of a cosine: the share of chunks under it found near misses with less traffic than the mean did, and the maximum was nearly blind."""
WORDS_FLOOR: Final = 0.5
PASSAGES: Final = 20
"""So many passages are compared, the first that the model was given."""


def make_retrieval(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of what was retrieved.

    Args:
        settings: `words`; `embedding` (`auto`, `minilm`, `lexical`); `similarity_floor`: a chunk at or over it is relevant, default
            0.4 of MiniLM's cosine, 0.5 of the share of the question's content words that stand in the chunk.
        calibration: the frozen baseline; without one, `skipped: no_baseline` with `raw`.

    Returns:
        a function that never raises. `raw` is the share of the first 20 passages that are relevant, 0 to 1. Without passages
        `skipped: no_context`, without a question `no_question`, in another language `unsupported_language`.

    Raises:
        BadInput: a setting is wrong, or it asks for MiniLM and the package is missing.
    """
    way = chosen(RETRIEVAL, settings, found)
    floor = _floor(settings, MODEL_FLOOR if way.model else WORDS_FLOOR)

    def measure(sample: Sample) -> float | str:
        chunks = [passage for passage in sample.passages if passage.strip()][:PASSAGES]
        if not chunks:
            return "no_context"
        if why := _asked(sample, chunks[0]):
            return why
        alike = way.alike(sample.query, chunks)
        return sum(value >= floor for value in alike) / len(alike)

    kind = Kind(RETRIEVAL, f"chunks-over-{floor:g}:{way.name}", lambda sample: (sample.query, *sample.passages))
    return judge(kind, measure, settings, calibration)


def make_answer(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of whether the answer is about the question.

    Args:
        settings: `words`; `embedding` (`auto`, `minilm`, `lexical`).
        calibration: the frozen baseline; without one, `skipped: no_baseline` with `raw`.

    Returns:
        a function that never raises. `raw` is the cosine of question and answer (-1 to 1), or by words the share of the question's
        content words that stand in the answer (0 to 1); 0 for an empty answer. Without a question `skipped: no_question`.

    Raises:
        BadInput: a setting is wrong, or it asks for MiniLM and the package is missing.
    """
    way = chosen(ANSWER, settings, found)

    def measure(sample: Sample) -> float | str:
        if why := _asked(sample, sample.answer):
            return why
        return way.alike(sample.query, [sample.answer])[0] if sample.answer.strip() else 0.0

    kind = Kind(ANSWER, f"question-answer:{way.name}", lambda sample: (sample.query, sample.answer))
    return judge(kind, measure, settings, calibration)


make_retrieval.background = make_answer.background = uses_model  # type: ignore[attr-defined]


def _asked(sample: Sample, text: str) -> str:
    if not sample.query.strip():
        return "no_question"
    return "unsupported_language" if not_english(sample.query) or not_english(text) else ""


def _floor(settings: Mapping[str, Any], default: float) -> float:
    value = settings.get("similarity_floor", default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 < value <= 1:
        raise BadInput(
            f"evaluations.{RETRIEVAL}.similarity_floor: found {str(value)[:60]!r}; write a number over 0 and at most 1, such as 0.4"
        )
    return float(value)
