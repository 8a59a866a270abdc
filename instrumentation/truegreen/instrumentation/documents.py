"""Retrieved documents as retrievers give them: text, score and id of each, and what a retrieval says about relevance."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.instrumentation import notices

TEXTS = ("text", "page_content")
"""Where mappings and objects hold their text; the second is LangChain's name."""
SCORES = ("relevance_score", "score")
"""Where LangChain's retrievers keep a document's score in its metadata: a reranker's comes before the vector store's."""


@dataclass(frozen=True, slots=True)
class Document:
    """One hit; score and id are None where the retriever gives none."""

    text: str
    score: float | None = None
    id: str | None = None


def read(hits: Iterable[Any]) -> list[Document]:
    """Strings, mappings or objects with `text` or `page_content`, `score` and `id`, and pairs of one of them and its score.

    What is none of these is left out, with one notice for each type.
    """
    found = []
    for hit in hits:
        document = _read(hit)
        if document is None:
            kind = type(hit).__name__
            notices.once(
                f"document:{kind}", f"retrieval: a document of type {kind} was left out: give a string, or an object with `text`"
            )
        else:
            found.append(document)
    return found


def relevance(documents: list[Document], floor: float | None, listed: bool) -> Mapping[str, Any]:
    """The attributes of a retrieval.

    Args:
        floor: similarity under which a document counts as irrelevant.
        listed: list ids and scores as well; texts are never listed.
    """
    scores = [one.score for one in documents if one.score is not None]
    found: dict[str, Any] = {names.RETRIEVAL_COUNT: len(documents)}
    if scores:
        found |= {
            names.RELEVANCE_SCORES: scores,
            names.RELEVANCE_MAX: max(scores),
            names.RELEVANCE_MEAN: sum(scores) / len(scores),
        }
        if floor is not None:
            found[names.RELEVANCE_BELOW_FLOOR] = below(scores, floor)
    if listed:
        known = [{"id": one.id, "score": one.score} for one in documents]
        found[names.RETRIEVAL_DOCUMENTS] = json.dumps([{k: v for k, v in one.items() if v is not None} for one in known])
    return found


def below(scores: Sequence[float], floor: float) -> int:
    """How many scores lie under the floor."""
    return sum(score < floor for score in scores)


def _read(hit: Any) -> Document | None:
    if isinstance(hit, str):
        return Document(hit)
    if isinstance(hit, tuple) and len(hit) == 2:
        document = None if isinstance(hit[0], tuple) else _read(hit[0])
        return document and Document(document.text, _number(hit[1]), document.id)
    if isinstance(hit, Mapping):
        values = [hit.get(name) for name in TEXTS]
        text = str(next((value for value in values if value), ""))
        score, identity, more = hit.get("score"), hit.get("id"), hit.get("metadata")
    else:
        texts = [value for value in (getattr(hit, name, None) for name in TEXTS) if isinstance(value, str)]
        if not texts:
            return None
        text, score, identity = next(filter(None, texts), ""), getattr(hit, "score", None), getattr(hit, "id", None)
        more = getattr(hit, "metadata", None)
    if score is None and isinstance(more, Mapping):
        score = next((more[name] for name in SCORES if name in more), None)
    return Document(text, _number(score), None if identity is None else str(identity))


def _number(value: Any) -> float | None:
    """A finite number, also one of numpy or torch; None for anything else."""
    if value is None or isinstance(value, str | bytes | bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return number if math.isfinite(number) else None
