"""The slice that explains a drop, on answers that people labelled: whether `cohort find` names it, and how often it names one where there is none.

Two models that are wrong in some 3 % of their answers (RAGTruth, human labels) serve two models' names, two prompt versions and four cohorts.
Then the answers of a slice come from models that are wrong in some 30 %. Answers are drawn with replacement, so that only those two shares count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from labelled import read

from truegreen.evaluation.cohorts.find import Cell, slices

RUNS: Final = 200
GOOD: Final = ("gpt-4-0613", "gpt-3.5-turbo-0613")
LABELS: Final[Mapping[str, Sequence[str]]] = {
    "model": ("a", "b"),
    "prompt_version": ("v1", "v2"),
    "cohort": ("gold", "free", "eu", "us"),
}
CAUSES: Final[Sequence[Mapping[str, str]]] = (
    {"model": "b"},
    {"model": "b", "cohort": "eu"},
    {"model": "b", "prompt_version": "v2", "cohort": "eu"},
)
SIZES: Final = (500, 2_000, 10_000)
EXACT: Final = 0.9
FALSE: Final = 0.05


def run(data: Path, seed: int) -> dict[str, Any]:
    """Measure."""
    rows = read(data, "ragtruth_qa_dev.jsonl.gz")
    good, bad = (float(np.mean([row["y"] for row in rows if (row["model"] in GOOD) == right])) for right in (True, False))
    table = [_line(cause, size, good, bad, seed) for cause in ({}, *CAUSES) for size in SIZES]
    none = max(line["names a slice"] for line in table if line["cause"] == "none")
    largest = [line["exact"] for line in table if line["cause"] != "none" and line["answers"] == SIZES[-1]]
    return {
        "title": "The slice that explains a drop",
        "rows": table,
        "bars": [
            {"says": f"without a cause at most {FALSE:.0%} of {RUNS} searches name a slice", "found": none, "held": none <= FALSE},
            {"says": f"of {SIZES[-1]:,} answers the planted slice is named first, with its conditions and no others, in at least {EXACT:.0%}",
             "found": min(largest), "held": min(largest) >= EXACT},
        ],
        "note": f"{RUNS} runs a line; as many answers after the start as in `answers`, three times as many before it. `exact`: the first slice has the "
        "conditions of the cause and no others; `inside`: it has some of them and none that is not.",
    }  # fmt: skip


def _line(cause: Mapping[str, str], answers: int, good: float, bad: float, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, answers, len(cause)])
    found = [slices(_table(cause, answers, good, bad, rng)) for _ in range(RUNS)]
    firsts = [dict(one[0].where) if one else None for one in found]
    line = {
        "cause": " and ".join(f"{key}={value}" for key, value in cause.items()) or "none",
        "answers": answers,
        "names a slice": sum(one is not None for one in firsts) / RUNS,
    }
    if cause:
        line["exact"] = sum(one == cause for one in firsts) / RUNS
        line["inside"] = sum(one is not None and one.items() <= cause.items() for one in firsts) / RUNS
    return line


def _table(cause: Mapping[str, str], answers: int, good: float, bad: float, rng: np.random.Generator) -> list[Cell]:
    every = [dict(zip(LABELS, values, strict=True)) for values in product(*LABELS.values())]
    before, after = (rng.multinomial(number, [1 / len(every)] * len(every)) for number in (3 * answers, answers))
    return [
        Cell(labels, float(rng.binomial(now, bad if cause and cause.items() <= labels.items() else good)), float(now),
             float(rng.binomial(was, good)), float(was))
        for labels, was, now in zip(every, before, after, strict=True)
    ]  # fmt: skip
