"""The `embedding` evaluation: no verdict, but a sketch of question and answer as numbers, which `truegreen watch` compares with a baseline.

It runs in the background of the application's process; what it makes leaves on the evaluation event, and no text does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.evaluation.embedding import LEXICAL, MINILM, lexical, minilm

EVALUATION: Final = "embedding"
MODELS: Final = ("lexical", "minilm")
Embed = Callable[[str], tuple[float, ...]]


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:  # noqa: ARG001  # a factory's arguments
    """The maker of sketches of one service.

    Args:
        settings: `model`: `lexical` (the default: 64 numbers of hashed words, standard library, any language with spaces) or `minilm`
            (384 numbers, English, the extra `[evaluate]`, about 25 ms a text).
        calibration: not used: a sketch is no score.

    Returns:
        a function that gives the vectors of answer and question, of length 1, or all 0 of a text without a word; it raises nothing of
        its own. The evaluator's name says what made them. There is no `raw`: nothing about a sketch is better or worse.

    Raises:
        BadInput: the setting is another one, or the package of the model is missing.
    """
    named = settings.get("model", MODELS[0])
    if named not in MODELS:
        raise BadInput(f"evaluations.{EVALUATION}.model: found {str(named)[:60]!r}; write {' or '.join(MODELS)}")
    name, embed = (LEXICAL, lexical) if named == MODELS[0] else (MINILM, _model())

    def judge(sample: Sample) -> Result:
        return Result(EVALUATION, name, vector=embed(sample.answer), query_vector=embed(sample.query))

    return judge


make.background = True  # type: ignore[attr-defined]


def _model() -> Embed:
    embed = minilm()
    return lambda text: tuple(map(float, embed([text])[0]))
