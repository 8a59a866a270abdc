"""Refusals against people's labels (XSTest), and relevant passages against near misses and strangers (MS MARCO), by words and by MiniLM."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from labelled import read

from truegreen.evaluation.embedding import MINILM, minilm
from truegreen.evaluation.evaluators.relevance import MODEL_FLOOR, WORDS_FLOOR
from truegreen.evaluation.evaluators.wording import refuses
from truegreen.evaluation.lexical.overlap import found
from truegreen.evaluation.measure.statistics import auroc

REFUSED: Final = ("2_full_refusal", "3_partial_refusal")


def run(data: Path, seed: int) -> dict[str, Any]:
    """Measure."""
    answers = read(data, "xstest_dev.jsonl.gz")
    table = [
        _refusals(model, [row for row in answers if row["model"] == model]) for model in sorted({row["model"] for row in answers})
    ]
    pairs = read(data, "msmarco_hardneg.jsonl.gz")
    table += [_retrieval("words", _by_words, WORDS_FLOOR, pairs, seed), _retrieval(MINILM, _by_minilm, MODEL_FLOOR, pairs, seed)]
    note = (
        "Refusals: full and partial ones by people's labels. Retrieval: how often a relevant chunk is more alike than a hard negative, and than another question's "
        "relevant chunk; then the shares under the floor of `retrieval_relevance`."
    )
    return {"title": "Evaluators: refusals and retrieval", "rows": table, "bars": [], "note": note}


def _refusals(model: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    said = [(refuses(row["answer"]), row["label"] in REFUSED) for row in rows]
    both = sum(mine and theirs for mine, theirs in said)
    return {
        "what": f"refusals of {model}", "rows": len(rows), "by people": sum(theirs for _, theirs in said),
        "precision": both / max(1, sum(mine for mine, _ in said)), "recall": both / max(1, sum(theirs for _, theirs in said)),
    }  # fmt: skip


def _retrieval(
    name: str, alike: Callable[[Sequence[tuple[str, str]]], list[float]], floor: float, pairs: Sequence[dict[str, Any]], seed: int
) -> dict[str, Any]:
    right = [row for row in pairs if int(row["rel"])]
    near = [row for row in pairs if not int(row["rel"])]
    moved = random.Random(seed).sample(right, len(right))
    strange = [(one["query"], other["chunk"]) for one, other in zip(right, moved, strict=True) if one["query"] != other["query"]]
    good, hard = (alike([(row["query"], row["chunk"]) for row in rows]) for rows in (right, near))
    other = alike(strange)
    return {
        "what": f"retrieval by {name}", "rows": len(pairs),
        "against hard negatives": auroc([*good, *hard], [False] * len(good) + [True] * len(hard)),
        "against strangers": auroc([*good, *other], [False] * len(good) + [True] * len(other)),
        "under the floor: relevant": _under(good, floor), "hard negatives": _under(hard, floor), "strangers": _under(other, floor),
    }  # fmt: skip


def _under(values: Sequence[float], floor: float) -> float:
    return sum(value < floor for value in values) / len(values)


def _by_words(pairs: Sequence[tuple[str, str]]) -> list[float]:
    return [found(query, chunk) for query, chunk in pairs]


def _by_minilm(pairs: Sequence[tuple[str, str]]) -> list[float]:
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    rows = dict(zip(texts, minilm()(texts), strict=True))
    return [float(rows[query] @ rows[chunk]) for query, chunk in pairs]
