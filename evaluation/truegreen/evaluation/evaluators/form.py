"""`empty` and `truncated`: whether there is an answer, and whether it is whole. Any language, standard library only.

Both are exact: 1 or 0, and the verdict with it; they need no baseline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.judging import Kind, answer_only, judge

EMPTY: Final = Kind("empty", "any-letter", answer_only, exact=True)
TRUNCATED: Final = Kind("truncated", "finish-or-mid-sentence", answer_only, exact=True)
FENCE: Final = "```"
WHOLE_LINE: Final = 12
"""A last line of fewer words may be a heading, a list's item or a signature: nothing says that it was cut."""
_LETTER: Final = re.compile(r"\w")
_CUT: Final = re.compile(r"[\w,;(\[{'’-]\Z")


def make_empty(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of emptiness: `raw` is 0, a fail, where the answer has no letter and no digit, else 1.

    Args:
        settings: `words`.
        calibration: named on the results; it moves no verdict.
    """
    return judge(EMPTY, lambda sample: float(_LETTER.search(sample.answer) is not None), settings, calibration)


def make_truncated(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of wholeness: `raw` is 0, a fail, where the provider's finish reason says so, else 1.

    Where no finish reason is known the text decides: an open code block, or a last line of at least 12 words that ends in a letter, a
    comma or an open bracket, was cut. An empty answer is whole: `empty` has it.

    Args:
        settings: `words`.
        calibration: named on the results; it moves no verdict.
    """
    from truegreen.instrumentation.markers import CUT

    def measure(sample: Sample) -> float:
        if any(sample.finish):
            return float(not CUT.intersection(sample.finish))
        return float(not _is_cut(sample.answer))

    return judge(TRUNCATED, measure, settings, calibration)


def _is_cut(answer: str) -> bool:
    text = answer.rstrip()
    if text.count(FENCE) % 2:
        return True
    last = text[text.rfind("\n") + 1 :]
    return _CUT.search(last) is not None and len(last.split()) >= WHOLE_LINE
