"""The eleven lexical features of an answer beside its passages. Pure; none of them measures a length of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from truegreen.evaluation.lexical.text import is_number, is_stop, sentences, stem, without_numbering, words

NAMES: Final = (
    "words_supported",
    "bigrams_supported",
    "trigrams_supported",
    "worst_sentence_supported",
    "numbers_absent",
    "numbers_absent_share",
    "names_absent",
    "names_absent_share",
    "longest_unsupported_run",
    "weak_sentences_share",
    "question_words_answered",
)
WEAK_SENTENCE: Final = 0.5
"""A sentence is weak when a smaller share of its content words is supported."""


def features(query: str, answer: str, passages: Sequence[str]) -> tuple[float, ...]:
    """What speaks for and against the answer's support, in the order of `NAMES`.

    A word is supported when its stem stands in the passages or the question. Where an answer has no word of a kind, nothing of that
    kind is unsupported: its share of support is 1 and its count of absences 0. Without a question no word of it is answered.

    Args:
        query: the question, may be empty.
        answer: the answer's text.
        passages: the retrieved passages.

    Returns:
        eleven finite numbers: shares from 0 to 1, and three counts of at least 0.
    """
    context = [[stem(word) for word in words(passage)] for passage in passages]
    asked = words(query)
    known = {word for passage in context for word in passage}
    known.update(stem(word) for word in asked)

    text = without_numbering(answer)
    spoken = words(text)
    stems = [stem(word) for word in spoken]
    support = [(s in known) for word, s in zip(spoken, stems, strict=True) if not is_stop(word)]
    parts = sentences(answer)
    shares = [_share([stem(word) in known for word in part if not is_stop(word)]) for part in parts] or [_share(support)]
    numbers = [s not in known for word, s in zip(spoken, stems, strict=True) if is_number(word)]
    names = [stem(word) not in known for part in parts for word in part[1:] if word[0].isupper() and not is_stop(word)]
    said = set(stems)
    return (
        _share(support),
        _grams_found(stems, context, 2),
        _grams_found(stems, context, 3),
        min(shares),
        float(sum(numbers)),
        1.0 - _share([not absent for absent in numbers]),
        float(sum(names)),
        1.0 - _share([not absent for absent in names]),
        float(_longest_run(support)),
        sum(share < WEAK_SENTENCE for share in shares) / len(shares),
        _share([stem(word) in said for word in asked if not is_stop(word)], nothing=0.0),
    )


def _share(flags: Sequence[bool], nothing: float = 1.0) -> float:
    return sum(flags) / len(flags) if flags else nothing


def _grams_found(stems: Sequence[str], context: Sequence[Sequence[str]], size: int) -> float:
    spoken = list(zip(*(stems[i:] for i in range(size)), strict=False))
    if not spoken:
        return 1.0
    found = {gram for passage in context for gram in zip(*(passage[i:] for i in range(size)), strict=False)}
    return sum(gram in found for gram in spoken) / len(spoken)


def _longest_run(support: Sequence[bool]) -> int:
    longest = run = 0
    for supported in support:
        run = 0 if supported else run + 1
        longest = max(longest, run)
    return longest
