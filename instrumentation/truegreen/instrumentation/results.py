"""Whether what an evaluator gave is a result at all: it is foreign code, and what it gives is exported."""

from __future__ import annotations

import math
import re
from typing import Any

from truegreen.core.words.shapes import Result
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS, RELATIVE, SKIP_REASONS
from truegreen.instrumentation import sketch

_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{0,100}")
"""What the name of an evaluator and a digest look like: one word, for a sentence in their place would be exported."""


def wrong(result: Any) -> str:
    """What is wrong with a result, empty when nothing is: no comparison with a number that is not finite says `fail`."""
    if not isinstance(result, Result):
        return f"found {type(result).__name__}, expected a Result"
    for name, value in (("raw", result.raw), ("score", result.score)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
            return f"{name}, expected a finite number"
    if result.score is not None and not 0 <= result.score <= 1:
        return "score, expected 0 to 1"
    allowed = (("label", (PASS, FAIL)), ("scale", (RELATIVE, CALIBRATED)), ("skipped", SKIP_REASONS))
    for name, values in allowed:
        if getattr(result, name) not in ("", *values):
            return f"{name}, expected one of {', '.join(values)}"
    for name in ("vector", "query_vector"):
        if not sketch.is_vector(getattr(result, name)):
            return f"{name}, expected a tuple of at most {sketch.LONGEST} finite floats"
    for name in ("evaluator", "calibration"):
        if not is_name(getattr(result, name)):
            return f"{name}, expected one word of at most 100 letters, digits, ., _, :, /, @, + and -"
    return ""


def is_name(value: Any) -> bool:
    """Whether it is one word that may stand as an evaluator's name or a digest."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
