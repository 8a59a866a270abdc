"""The help centre of the demo's shop: passages, questions with the truth beside them, and a small retriever. Pure but for `load`."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from truegreen.demo.world.language import terms

NAME: Final = "help-centre"
_SATURATION: Final = 1.2
_LENGTH: Final = 0.4
"""k1 and b of BM25 (Robertson and Zaragoza 2009); the passages have nearly one length, hence the small b."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage of a help article."""

    id: str
    article: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the traffic, with the truth about it.

    Args:
        passages: ids of the passages that answer it.
        right: words that every right answer contains.
        source: the fact in short, for display beside a wrong answer.
    """

    id: str
    question: str
    passages: tuple[str, ...]
    right: str
    source: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """All passages and questions; `digest` is the version of the index, the first 8 hex digits of SHA-256 over the passages."""

    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage and its relevance to the question, 0 to 1."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Index:
    """What the retriever looks into: per passage the saturated weight of each term, and each term's inverse document frequency."""

    passages: tuple[Passage, ...]
    weights: tuple[Mapping[str, float], ...]
    rarity: Mapping[str, float]


@cache
def load() -> Corpus:
    """Read the corpus that is shipped beside this module."""
    data = json.loads(files("truegreen.demo").joinpath("corpus.json").read_text(encoding="utf-8"))
    passages = tuple(Passage(**p) for p in data["passages"])
    questions = tuple(Question(**{**q, "passages": tuple(q["passages"])}) for q in data["questions"])
    return Corpus(passages, questions, digest(passages))


def digest(passages: Sequence[Passage]) -> str:
    """The version of an index of these passages."""
    return sha256("\n".join(p.text for p in passages).encode()).hexdigest()[:8]


def index(passages: Sequence[Passage]) -> Index:
    """Count the terms of the passages once."""
    counts = [Counter(terms(p.text)) for p in passages]
    lengths = [sum(c.values()) for c in counts]
    mean = sum(lengths) / len(lengths)
    holders = Counter(term for c in counts for term in c)
    rarity = {term: math.log(1 + (len(passages) - n + 0.5) / (n + 0.5)) for term, n in holders.items()}
    return Index(
        tuple(passages),
        tuple({term: _saturated(n, length / mean) for term, n in c.items()} for c, length in zip(counts, lengths, strict=True)),
        rarity,
    )


def retrieve(found: Index, query: str, count: int = 3) -> list[Hit]:
    """The passages nearest to a question, best first.

    The relevance is the BM25 score over the best score that this question could get: 1 means that every word of it stands in the
    passage as often as counts, 0 that none does. A word that no passage has counts like the rarest one.
    """
    asked = set(terms(query))
    unknown = max(found.rarity.values())
    best = sum(found.rarity.get(term, unknown) for term in asked)
    if not best:
        return []
    scores = [sum(found.rarity[term] * weight[term] for term in asked if term in weight) / best for weight in found.weights]
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
    return [Hit(found.passages[i], round(min(1.0, scores[i]), 4)) for i in order if scores[i] > 0]


def is_right(question: Question, answer: str) -> bool:
    """Whether an answer contains the words of the truth."""
    return question.right.casefold() in answer.casefold()


def _saturated(count: int, length: float) -> float:
    once = (_SATURATION + 1) / (1 + _SATURATION)
    score = count * (_SATURATION + 1) / (count + _SATURATION * (1 - _LENGTH + _LENGTH * length))
    return min(1.0, score / once)
