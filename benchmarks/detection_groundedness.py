"""How well each evaluator of answers and passages finds what people marked as unsupported, and what it was trained on; RAGTruth decides nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from labelled import read

from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.groundedness import make
from truegreen.evaluation.evaluators.relevance import make_answer, make_retrieval
from truegreen.evaluation.evaluators.repetition import make as make_repetition
from truegreen.evaluation.evaluators.support import make_entities, make_numbers
from truegreen.evaluation.evaluators.wording import make_confident
from truegreen.evaluation.lexical import training
from truegreen.evaluation.measure.statistics import auroc, auroc_interval

FILE: Final = "ragtruth_qa_dev.jsonl.gz"
WANTED: Final = 0.82
SWAPPED: Final = 0.9
MILLISECONDS: Final = 2.0
ROUNDS: Final = 3
WORDS: Final = {"embedding": "lexical"}
EVALUATORS: Final[dict[str, Callable[[], Judge]]] = {
    "groundedness": lambda: make({}, None),
    "number_support": lambda: make_numbers({}, None),
    "entity_support": lambda: make_entities({}, None),
    "answer_relevance": lambda: make_answer(WORDS, None),
    "retrieval_relevance": lambda: make_retrieval(WORDS, None),
    "repetition": lambda: make_repetition({}, None),
    "confident_wording": lambda: make_confident({}, None),
}


def run(data: Path, seed: int) -> dict[str, Any]:
    """Measure."""
    rows = read(data, FILE)
    samples = [Sample(row["query"], row["answer"], tuple(row["context"]), row["model"]) for row in rows]
    wrong, groups = [bool(row["y"]) for row in rows], [row["group"] for row in rows]
    table: list[dict[str, Any]] = []
    found: dict[str, float] = {}
    for name, made in EVALUATORS.items():
        raws = _raws(made(), samples)
        found[name] = auroc(raws, wrong)
        low, high = auroc_interval(raws, wrong, groups, seed)
        table.append(
            {
                "evaluator": name,
                "AUROC": found[name],
                "95 % interval": f"{low:.3f} to {high:.3f}",
                "ms an answer": _cost(made(), samples),
            }
        )
    judge = make({}, None)
    swapped = _raws(
        judge, [Sample(one.query, one.answer, other.passages) for one, other in zip(samples, _others(samples), strict=True)]
    )
    moved = auroc([*_raws(judge, samples), *swapped], [False] * len(samples) + [True] * len(samples))
    inside, outside = training.validate(training.read_rows(data), training.read_rows(data, training.HELD_OUT))
    cost = float(table[0]["ms an answer"])
    bars = [
        {
            "says": f"groundedness: AUROC at least {WANTED}",
            "found": found["groundedness"],
            "held": found["groundedness"] >= WANTED,
        },
        {"says": f"groundedness: at most {MILLISECONDS:g} ms of one core an answer", "found": cost, "held": cost <= MILLISECONDS},
        {
            "says": f"groundedness: an answer beside another question's passages, AUROC at least {SWAPPED}",
            "found": moved,
            "held": moved >= SWAPPED,
        },
    ]
    note = (
        f"{len(rows)} answers of RAGTruth QA, {sum(wrong)} with a span that people marked; intervals draw whole questions. Higher than .5: a low score finds "
        f"the marked ones. What choices are judged by, on the training file alone: AUROC {inside:.3f} on {training.FOLDS} folds that share no conversation, "
        f"{outside:.3f} on {', '.join(training.HELD_OUT)}, which nothing is trained on. Milliseconds are CPU time, the best of {ROUNDS} rounds."
    )
    return {"title": "Groundedness: what finds an unsupported answer", "rows": table, "bars": bars, "note": note}


def _raws(judge: Judge, samples: Sequence[Sample]) -> list[float]:
    # What cannot be judged is no evidence: it gets the middle, as a tie with everything.
    raws = [judge(sample).raw for sample in samples]
    middle = statistics.median(raw for raw in raws if raw is not None)
    return [middle if raw is None else raw for raw in raws]


def _cost(judge: Judge, samples: Sequence[Sample]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for sample in samples:
            judge(sample)
        rounds.append(time.process_time() - began)
    return 1000 * min(rounds) / len(samples)


def _others(samples: Sequence[Sample]) -> list[Sample]:
    # The next sample of another question: its passages speak of something else.
    return [next(other for other in [*samples[at + 1 :], *samples] if other.query != one.query) for at, one in enumerate(samples)]
