"""Whether an answer is what its case wants. Pure, but for the evaluators that a case names."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evalsets.files import listed
from truegreen.evaluation.evalsets.model import FAILED, PASSED, UNKNOWN, Answer, Case, Verdict
from truegreen.evaluation.lexical import text as lexical
from truegreen.evaluation.lexical.language import not_english

RECALL: Final = 0.6
"""Default of `expected_recall`: a convention, tuned on nothing."""
Check = Callable[[Any, Case, str], Iterator[str]]
"""What a check finds wrong: names such as `contains[1]`, where it is one of a list."""


def judged(case: Case, answer: Answer, judges: Mapping[str, Judge], keep: bool = False) -> Verdict:
    """The verdict on one answer; an empty one fails whatever is checked.

    Args:
        judges: the evaluators that `floors` may name.
        keep: whether the verdict holds the answer.
    """
    wrong = list(_wrong(case, answer.text))
    raw: dict[str, float] = {}
    skipped = ["expected: skipped unsupported_language"] if "empty" not in wrong and _untold(case, answer.text) else []
    passages = case.context if answer.passages is None else answer.passages
    sample = Sample(case.query, answer.text, passages, answer.model, case.expected, answer.finish)
    for name, floor in case.checks.get("floors", {}).items():
        result = judges[name](sample)
        if result.raw is None:
            skipped.append(f"floors.{name}: skipped {result.skipped or 'without a reason'}")
            continue
        raw[name] = result.raw
        wrong += [f"floors.{name}"] if result.raw < floor else []
    verdict = FAILED if wrong else UNKNOWN if skipped else PASSED
    return Verdict(
        case.id, verdict, tuple(wrong or (one.partition(":")[0] for one in skipped)), "; ".join(skipped), answer.model, answer.tokens,
        round(answer.seconds * 1000, 1), raw, answer.text if keep else None,
    )  # fmt: skip


def evaluators(cases: tuple[Case, ...]) -> Mapping[str, int]:
    """The evaluators that the cases name, each with the line that names it first."""
    found: dict[str, int] = {}
    for case in cases:
        for name in case.checks.get("floors", {}):
            found.setdefault(name, case.line)
    return found


def recall(expected: str, answer: str) -> float:
    """The share of the expected answer's different words that the answer has, 0 to 1, in any order; 0 where a number of it is missing.

    Words are stems (English suffixes), stop words are left out where others are there. Word recall goes with people's judgement of long
    answers better than exact match or F1 (Adlakha et al., TACL 2024); a number that differs is another answer, whatever else is said.
    """
    wanted, there = _stems(expected), _stems(answer)
    telling = {stem for stem, stop in wanted.items() if not stop} or set(wanted)
    if not telling:
        return float(_plain(expected) in _plain(answer))
    missing = telling - set(there)
    return 0.0 if any(stem[0].isdigit() for stem in missing) else 1 - len(missing) / len(telling)


def _wrong(case: Case, answer: str) -> Iterator[str]:
    if not answer.strip():
        yield "empty"
        return
    if (
        case.expected
        and not not_english(case.expected)
        and recall(case.expected, answer) < case.checks.get("expected_recall", RECALL)
    ):
        yield "expected"
    for name, check in _CHECKS.items():
        if name in case.checks:
            yield from check(case.checks[name], case, answer)


def _untold(case: Case, answer: str) -> bool:
    """Whether words cannot tell: the expected answer is plainly not English, and is not there as it is written."""
    return not_english(case.expected) and _plain(case.expected) not in _plain(answer)


def _contains(wanted: Any, _: Case, answer: str) -> Iterator[str]:
    plain = _plain(answer)
    return (name for name, text in _numbered("contains", wanted) if _plain(text) not in plain)


def _not_contains(unwanted: Any, _: Case, answer: str) -> Iterator[str]:
    plain = _plain(answer)
    return (name for name, text in _numbered("not_contains", unwanted) if _plain(text) in plain)


def _regex(patterns: Any, _: Case, answer: str) -> Iterator[str]:
    return (name for name, pattern in _numbered("regex", patterns) if not re.search(pattern, answer))


def _json_schema(schema: Any, _: Case, answer: str) -> Iterator[str]:
    from jsonschema import Draft202012Validator

    try:
        fits = Draft202012Validator(schema).is_valid(json.loads(answer))
    except (ValueError, RecursionError):
        fits = False
    if not fits:
        yield "json_schema"


def _min_words(least: Any, _: Case, answer: str) -> Iterator[str]:
    if len(answer.split()) < least:
        yield "min_words"


def _max_words(most: Any, _: Case, answer: str) -> Iterator[str]:
    if len(answer.split()) > most:
        yield "max_words"


_CHECKS: Final[Mapping[str, Check]] = {
    "contains": _contains, "not_contains": _not_contains, "regex": _regex, "json_schema": _json_schema,
    "min_words": _min_words, "max_words": _max_words,
}  # fmt: skip


def _numbered(name: str, value: Any) -> Iterator[tuple[str, str]]:
    texts = listed(value)
    return ((name if len(texts) == 1 else f"{name}[{at}]", text) for at, text in enumerate(texts))


def _plain(text: str) -> str:
    """In one case, one form of each character, single spaces: what a reader takes for the same text."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _stems(text: str) -> Mapping[str, bool]:
    """The stems of a text, each with whether it is a stop word; a number word is its number."""
    found: dict[str, bool] = {}
    for word in lexical.words(unicodedata.normalize("NFKC", text)):
        stem = lexical.stem(word)
        found[lexical.NUMBER_WORDS.get(stem, stem)] = lexical.is_stop(word)
    return found
