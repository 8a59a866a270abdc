"""What all evaluators here share: an answer to a number, the number to a result, and nothing that raises. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS
from truegreen.evaluation.lexical.language import not_english

WORDS: Final = 2000
"""Default of the setting `words`: what the evaluator reads of a sample; more is `skipped: too_large`."""
LETTERS_PER_WORD: Final = 12
"""A text without spaces is bounded too: `words` times this many characters."""
HALF: Final = 0.5
PASSAGES: Final = 3
"""So many passages are looked at for their language."""

Measure = Callable[[Sample], float | str]
"""An answer's `raw`, higher is better, or why there is none: one of `terms.SKIP_REASONS`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One evaluator.

    Args:
        evaluation: the name under `evaluations` in `truegreen.yaml`.
        evaluator: the name of the way in which it is judged; it changes when the numbers do.
        reads: the texts of a sample that are looked at, whose size is bounded.
        exact: `raw` is 1 or 0 and is the verdict itself: no baseline is needed, and none moves it.
        shown: there is never a verdict, whatever the calibration; `raw`, which is from 0 to 1, is the score.
    """

    evaluation: str
    evaluator: str
    reads: Callable[[Sample], tuple[str, ...]]
    exact: bool = False
    shown: bool = False


def all_texts(sample: Sample) -> tuple[str, ...]:
    """Question, answer and passages."""
    return (sample.query, sample.answer, *sample.passages)


def answer_only(sample: Sample) -> tuple[str, ...]:
    """The answer."""
    return (sample.answer,)


def why_not(sample: Sample) -> str:
    """Why an English evaluator of an answer beside its passages cannot judge it; empty when it can.

    A short answer does not show its language: its passages do.
    """
    if not any(passage.strip() for passage in sample.passages):
        return "no_context"
    return "unsupported_language" if any(map(not_english, (sample.answer, *sample.passages[:PASSAGES]))) else ""


def judge(kind: Kind, measure: Measure, settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of one service.

    Args:
        kind: who judges.
        measure: gives `raw`, or the reason of a skip; what it raises is `skipped: error`.
        settings: `words` (whole number, at least 1).
        calibration: the frozen baseline; without one, or with one of too few answers, results are `skipped: no_baseline`
            and hold `raw` only, unless the evaluator is exact.

    Returns:
        a function that never raises.
    """
    limit = words_limit(settings)
    frozen = calibration if calibration is not None and calibration.enough else None
    digest = frozen.digest if frozen else ""

    def skipped(reason: str, raw: float | None = None) -> Result:
        return Result(kind.evaluation, kind.evaluator, raw=raw, skipped=reason)

    def judged(sample: Sample) -> Result:
        try:
            if too_large(kind.reads(sample), limit):
                return skipped("too_large")
            raw = measure(sample)
        except Exception:  # the watched application must never see an error of the watching
            return skipped("error")
        if isinstance(raw, str):
            return skipped(raw)
        if kind.shown:
            return Result(kind.evaluation, kind.evaluator, raw, raw, skipped="shown_only")
        if kind.exact:
            return Result(kind.evaluation, kind.evaluator, raw, raw, PASS if raw >= HALF else FAIL, CALIBRATED, digest)
        if frozen is None:
            return skipped("no_baseline", raw)
        return Result(kind.evaluation, kind.evaluator, raw, frozen.score(raw), frozen.label(raw), frozen.scale, digest)

    return judged


def too_large(texts: tuple[str, ...], limit: int) -> bool:
    """Whether the texts together are over so many words, or 12 characters for each of them."""
    letters = sum(map(len, texts))
    return letters > limit * LETTERS_PER_WORD or (letters > limit and sum(len(text.split()) for text in texts) > limit)


def words_limit(settings: Mapping[str, Any]) -> int:
    """The setting `words`; what is no whole number of at least 1 counts as not written."""
    value = settings.get("words", WORDS)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else WORDS
