"""The few operations on text that the retriever and the provider share: words without endings, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_WORD: Final = re.compile(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"0-9])")
_ENDINGS: Final = ("ation", "ing", "ies", "ed", "es", "s", "ly", "e")
_STOP: Final = frozenset(
    """
    a an and are as at be been by can could did do does for from get had has have how i if in into is it its long many may me much must
    my need of on once or our shall so soon than that the their then there they this to until up us was we were what when where which
    while who will with within would you your
    """.split()  # noqa: SIM905 - words are read as words
)


def terms(text: str) -> list[str]:
    """The content words of a text in lower case, without common endings (at least four letters stay)."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def sentences(text: str) -> list[str]:
    """A text's sentences, in order."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def overlap(asked: Iterable[str], text: str, weight: Mapping[str, float]) -> float:
    """The summed weight of the asked terms that stand in a text; a term without a weight counts 1."""
    found = set(terms(text))
    return sum(weight.get(term, 1.0) for term in set(asked) if term in found)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
