"""Groundedness with MiniLM beside the lexical features: one combination, trained on the training file alone. Some minutes of one core."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from labelled import read

from truegreen.evaluation.embedding import minilm
from truegreen.evaluation.lexical import training
from truegreen.evaluation.lexical.features import features
from truegreen.evaluation.lexical.text import SENTENCE_WORDS, split_sentences, words
from truegreen.evaluation.measure.statistics import auroc, auroc_interval

FILE: Final = "ragtruth_qa_dev.jsonl.gz"
WANTED: Final = 0.85


def run(data: Path, seed: int) -> dict[str, Any]:
    """Measure."""
    from sklearn.linear_model import LogisticRegression

    rows, tests = training.read_rows(data), read(data, FILE)
    lexical, other = _lexical(rows), _lexical(tests)
    near, beside = _near(rows), _near(tests)
    sets = {
        "lexical features": (lexical, other),
        "MiniLM: mean and least cosine of the answer's sentences to their nearest of the passages": (near, beside),
        "both": (np.hstack([lexical, near]), np.hstack([other, beside])),
    }
    wrong, groups = [bool(row["y"]) for row in tests], [row["group"] for row in tests]
    table = []
    for name, (x, t) in sets.items():
        weights = training.weights(rows)
        mean = np.average(x, axis=0, weights=weights)
        scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
        model = LogisticRegression(C=training.INVERSE_REGULARISATION, class_weight="balanced", max_iter=10_000)
        model.fit((x - mean) / scale, [row["y"] for row in rows], sample_weight=weights)
        raws = [-float(odds) for odds in model.decision_function((t - mean) / scale)]
        low, high = auroc_interval(raws, wrong, groups, seed)
        table.append({"features": name, "AUROC": auroc(raws, wrong), "95 % interval": f"{low:.3f} to {high:.3f}"})
    note = f"Trained on {len(rows)} rows of {', '.join(training.SOURCES)}, tested on {len(tests)} answers of RAGTruth QA, which decide nothing. {WANTED} was asked for where it can be had."
    return {"title": "Groundedness with MiniLM", "rows": table, "bars": [], "note": note}


def _lexical(rows: Sequence[dict[str, Any]]) -> Any:
    return np.array([features(row["query"], row["answer"], row["context"]) for row in rows])


def _near(rows: Sequence[dict[str, Any]]) -> Any:
    # The mean and the least, over the answer's sentences, of the best cosine to a sentence of the passages.
    texts = list(dict.fromkeys(text for row in rows for part in (row["answer"], *row["context"]) for text in _sentences(part)))
    place = {text: at for at, text in enumerate(texts)}
    vectors = minilm()(texts)

    def of(part: str) -> Any:
        return vectors[[place[text] for text in _sentences(part)]]

    found = [(of(row["answer"]) @ np.vstack([of(part) for part in row["context"]]).T).max(axis=1) for row in rows]
    return np.array([(best.mean(), best.min()) for best in found])


def _sentences(text: str) -> list[str]:
    return [piece for piece in split_sentences(text) if len(words(piece)) >= SENTENCE_WORDS] or [text]
