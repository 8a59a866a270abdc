"""What the event of an embedding carries beside an evaluation's attributes: numbers that `truegreen watch` compares with a baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.core.words.shapes import Result, Sample
from truegreen.instrumentation.style import style

LONGEST = 4_096
"""Numbers of one vector, at most: an event stays under 100 kB."""


def attributes(result: Result, sample: Sample) -> Mapping[str, Any]:
    """The vectors of answer and question and the answer's style; nothing where the evaluator made none.

    The event is no verdict, so it says that it is not to be counted as one.
    """
    if not result.vector:
        return {}
    found: dict[str, Any] = {names.ANSWER_EMBEDDING: result.vector, names.ANSWER_STYLE: style(sample.answer)}
    if result.query_vector:
        found[names.QUERY_EMBEDDING] = result.query_vector
    return {**found, names.EVALUATION_MIRRORED: True} if not result.label else found


def is_vector(value: Any) -> bool:
    """Whether it may leave as an embedding: finite numbers, not too many; none is allowed too."""
    if not isinstance(value, tuple) or len(value) > LONGEST:
        return False
    return all(isinstance(one, float) and math.isfinite(one) for one in value)
