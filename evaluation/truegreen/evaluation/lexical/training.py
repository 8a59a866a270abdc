"""The recipe of the committed coefficients: `python -m truegreen.evaluation.lexical.training DATA_DIR [--write]`.

Trained on the BEGIN rows of `grounding_train.jsonl.gz` alone: human-labelled dialogue answers and their evidence. Words, features and
regularisation are chosen by what it prints, on that file alone: the AUROC on folds of the training rows that share no conversation, and
on FactcheckGPT, which is not trained on. RAGTruth decides none of it; the list of stop words was mended after a look at figures on it. scikit-learn is needed here only, never where an answer is judged.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from truegreen.evaluation.lexical import coefficients
from truegreen.evaluation.lexical.coefficients import Coefficients
from truegreen.evaluation.lexical.features import NAMES, features

TRAINING_FILE: Final = "grounding_train.jsonl.gz"
SOURCES: Final = ("BEGIN-wow", "BEGIN-cmu-dog")
HELD_OUT: Final = ("FactcheckGPT",)
FOLDS: Final = 5
INVERSE_REGULARISATION: Final = 0.1
RECIPE: Final = {
    "model": "logistic regression, log odds of unsupported",
    "C": INVERSE_REGULARISATION,
    "class_weight": "balanced",
    "features": "standardised; every source has equal weight",
    "trained_on": f"{TRAINING_FILE}: {', '.join(SOURCES)}",
}


def read_rows(folder: Path, sources: Sequence[str] = SOURCES) -> list[dict[str, Any]]:
    """The rows of the chosen sources, in the file's order."""
    with gzip.open(folder / TRAINING_FILE, "rt", encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        return [row for row in rows if row["source"] in sources]


def train(rows: Sequence[dict[str, Any]]) -> Coefficients:
    """Fit the coefficients; the same rows give the same numbers (to about 1e-9: the solver is run to convergence).

    Args:
        rows: with `query`, `context`, `answer`, `y` (1 = unsupported) and `source`.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    x = np.array([features(row["query"], row["answer"], row["context"]) for row in rows])
    y = np.array([row["y"] for row in rows])
    equal = weights(rows)
    mean = np.average(x, axis=0, weights=equal)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=equal))
    model = LogisticRegression(C=INVERSE_REGULARISATION, class_weight="balanced", tol=1e-10, max_iter=10_000)
    model.fit((x - mean) / scale, y, sample_weight=equal)
    return Coefficients(_floats(mean), _floats(scale), _floats(model.coef_[0]), float(model.intercept_[0]))


def weights(rows: Sequence[dict[str, Any]]) -> list[float]:
    """The weight of each row: every source weighs the same, and the mean is 1."""
    sizes = Counter(row["source"] for row in rows)
    return [len(rows) / len(sizes) / sizes[row["source"]] for row in rows]


def validate(rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """What a choice is judged by: the mean AUROC over folds of `rows` that share no conversation, and the AUROC on `others`.

    Args:
        rows: as `train` takes them, each with its `group`.
        others: rows of another source, which nothing is trained on.
    """
    from sklearn.metrics import roc_auc_score

    groups = {group: at % FOLDS for at, group in enumerate(sorted({row["group"] for row in rows}))}

    def found(trained: Coefficients, on: Sequence[dict[str, Any]]) -> float:
        odds = [trained.log_odds(features(row["query"], row["answer"], row["context"])) for row in on]
        return float(roc_auc_score([row["y"] for row in on], odds))

    inside = [
        found(train([row for row in rows if groups[row["group"]] != fold]), [row for row in rows if groups[row["group"]] == fold])
        for fold in range(FOLDS)
    ]
    return sum(inside) / FOLDS, found(train(rows), others)


def main(arguments: Sequence[str]) -> int:
    """Train, print the coefficients and, with `--write`, replace the committed file."""
    folders = [a for a in arguments if a != "--write"]
    if len(folders) != 1 or not (Path(folders[0]) / TRAINING_FILE).is_file():
        print(
            f"usage: python -m truegreen.evaluation.lexical.training DATA_DIR [--write]; DATA_DIR holds {TRAINING_FILE}",
            file=sys.stderr,
        )
        return 2
    rows = read_rows(Path(folders[0]))
    made = train(rows)
    print(f"{len(rows)} rows, intercept {made.intercept:+.3f}")
    for name, weight in zip(NAMES, made.weight, strict=True):
        print(f"{weight:+.3f}  {name}")
    inside, outside = validate(rows, read_rows(Path(folders[0]), HELD_OUT))
    print(
        f"AUROC {inside:.3f} on {FOLDS} folds that share no conversation, {outside:.3f} on {', '.join(HELD_OUT)}, which is not trained on"
    )
    if "--write" in arguments:
        target = Path(__file__).with_name(coefficients.FILE)
        target.write_text(coefficients.to_text(made, {**RECIPE, "rows": len(rows)}), encoding="utf-8")
        print(f"written: {target.name}")
    return 0


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
