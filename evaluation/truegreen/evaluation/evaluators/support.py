"""`number_support` and `entity_support`: whether the numbers and names of an answer stand in its passages or question.

English; standard library only; under a millisecond. `raw` is the share that stands there, 0 to 1, and 1 where the answer has none. On
RAGTruth each alone finds unsupported answers worse than `groundedness` does: they say which kind of claim went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.judging import Kind, all_texts, judge, why_not
from truegreen.evaluation.lexical.features import NAMES, features

NUMBERS: Final = Kind("number_support", "number-support", all_texts)
ENTITIES: Final = Kind("entity_support", "entity-support", all_texts)


def make_numbers(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of numbers: digits and number words in one form (`1,000.50` is `1000.5`, "three" is 3), list numbering left out.

    Args:
        settings: `words` (whole number, at least 1): the largest question, answer and passages together.
        calibration: the frozen baseline; without one, `skipped: no_baseline` with `raw`.

    Returns:
        a function that never raises; without passages `skipped: no_context`, in another language `skipped: unsupported_language`.
    """
    return judge(NUMBERS, partial(_share, NAMES.index("numbers_absent_share")), settings, calibration)


def make_entities(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of names: words with a capital that do not begin a sentence. A name of two words counts twice.

    Args and returns: as `make_numbers`.
    """
    return judge(ENTITIES, partial(_share, NAMES.index("names_absent_share")), settings, calibration)


def _share(at: int, sample: Sample) -> float | str:
    return why_not(sample) or 1.0 - features(sample.query, sample.answer, sample.passages)[at]
