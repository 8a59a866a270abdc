"""`refusal` and `confident_wording`: what the wording of an answer alone gives away. English, standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.judging import Kind, answer_only, judge
from truegreen.evaluation.lexical.language import not_english

REFUSAL: Final = Kind("refusal", "first-250-letters", answer_only, exact=True)
CONFIDENT: Final = Kind("confident_wording", "phrases", answer_only, shown=True)
HEAD: Final = 250
"""Letters of an answer in which a refusal says so."""
LONGEST: Final = 24_000
"""Letters of an answer whose wording is counted."""
_ABLE: Final = r"(?:help|assist|answer|provide|offer|give|do|fulfil+|comply|support|engage|discuss|create|write|generate|share|tell|recommend|encourage|condone|satisfy|complete|suggest|advise|participate|respond|continue|promote|explain|describe|teach|guide|show|endorse|speak|comment|be able|in good)"
_REFUSES: Final = re.compile(
    rf"""\b(?:
        i\ (?:can(?:not|'t)|could\ not|couldn't|won't|will\ not|am\ unable\ to|am\ not\ able\ to|must\ decline|have\ to\ decline|refuse\ to|decline\ to)
          \ (?:\w+\ ){{0,2}}?{_ABLE}(?!(?<=recommend)[^.!?]*\benough\b)
      | i'm\ (?:unable|not\ able)\ to
      | i\ am\ (?:unable|not\ able)\ to
      | (?:it|that)\ (?:is|would\ be)\ (?:not|never|in)\ ?(?:appropriate|ethical|acceptable|right|okay|possible)\ (?:for\ me\ )?to\ (?:provide|help|assist|answer|give|offer)
      | (?:against|violates?|goes\ against)\ (?:my|our)\ (?:programming|guidelines|policy|policies|ethical|values|principles|rules)
      | (?:as|i'm\ just|i\ am\ just)\ an\ (?:ai|language\ model|assistant)[^.!?]{{0,80}}\b(?:can(?:not|'t)|not\ able|unable|do\ not|don't|must|won't)
      | (?:sorry|apologi[sz]e)\b[^.!?]{{0,60}}\b(?:i|we)\ (?:can(?:not|'t)|won't|(?:am|are)\ (?:not\ able|unable))
      | i\ (?:do\ not|don't|cannot|can't)\ (?:ever\ )?(?:condone|encourage|promote|endorse|engage\ in|feel\ comfortable|participate\ in)
      | i\ (?:must|have\ to|will\ have\ to|would)\ (?:respectfully\ |politely\ )?(?:decline|refuse)
      | (?:illegal|unethical|immoral|inappropriate|harmful)\b[^.!?]{{0,60}}[.,;]?\ (?:and\ |so\ |therefore,?\ )?i\ (?:can(?:not|'t)|do\ not|don't|am\ not|won't|will\ not|must\ (?:respectfully\ |politely\ )?(?:decline|refuse))
      | i(?:'m|\ am)\ not\ (?:comfortable|willing|permitted|allowed)
      | \A(?:unable|not\ able)\ to\ {_ABLE}
    )""",
    re.VERBOSE,
)


def make_refusal(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of refusals: `raw` is 0, a fail, where the first 250 letters say that the question is not answered, else 1.

    It does not say whether a refusal is right: a refused unsafe question counts too. Exact: it needs no baseline; its results carry the
    scale `calibrated`, since 0 and 1 are the verdict itself and no estimate of it, also where this expression is wrong.

    Args:
        settings: `words`.
        calibration: named on the results; it moves no verdict.

    Returns:
        a function that never raises; in another language `skipped: unsupported_language`.
    """

    def measure(sample: Sample) -> float | str:
        return "unsupported_language" if not_english(sample.answer) else float(not refuses(sample.answer))

    return judge(REFUSAL, measure, settings, calibration)


def refuses(answer: str) -> bool:
    """Whether the first 250 letters of an English answer say that the question is not answered."""
    head = " ".join(answer[: 4 * HEAD].lower().replace("’", "'").split())[:HEAD]
    return _REFUSES.search(head) is not None


def make_confident(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The count of confident words: shown (`skipped: shown_only`, with a score) and never judged, for it does not predict a wrong answer (AUROC .48 to .515).

    Args:
        settings: `words`.
        calibration: not used: there is never a label, and the configuration refuses an SLO on it.

    Returns:
        a function that never raises. `raw` is (1 + hedges) / (2 + hedges + confident phrases): over 0 to under 1, lower is more
        confident, one half where there is neither. In another language `skipped: unsupported_language`.
    """
    from truegreen.instrumentation.markers import CONFIDENT as SURE
    from truegreen.instrumentation.markers import HEDGES

    sure, hedged = _any_of(SURE), _any_of(HEDGES)

    def measure(sample: Sample) -> float | str:
        if not_english(sample.answer):
            return "unsupported_language"
        text = sample.answer[:LONGEST].lower().replace("’", "'")
        hedges = len(hedged.findall(text))
        return (1 + hedges) / (2 + hedges + len(sure.findall(text)))

    return judge(CONFIDENT, measure, settings, calibration)


def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, phrases))})(?!\w)")
