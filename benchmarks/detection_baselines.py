"""Two frozen baselines compared, on LLMDrift: how often halves of one model's answers are called different, and what is said of March and June.

Every answer is in one half only. A comparison tests ten style numbers and the embeddings of answers and questions, of two prompt templates.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from labelled import read

from truegreen.evaluation.baselines import comparison
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.model import FrozenBaseline, Profile
from truegreen.instrumentation.style import style

RUNS: Final = 150
SIZES: Final = (25, 50, 100)
FALSE: Final = 0.05
MARCH: Final = {"gpt-4": "gpt-4-0314", "gpt-3.5-turbo": "gpt-3.5-turbo-0301"}
JUNE: Final = {"gpt-4": "gpt-4-0613", "gpt-3.5-turbo": "gpt-3.5-turbo-0613"}

Row = tuple[tuple[float, ...], ...]


def run(data: Path, seed: int) -> dict[str, Any]:
    """Measure."""
    answers: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in read(data, "llmdrift_dev.jsonl.gz"):
        answers[row["model"], row["task"]].append((style(row["answer"]), lexical(row["answer"]), lexical(row["query"])))
    table = [_line(name, size, answers, seed) for name in MARCH for size in SIZES]
    worst = sum(line["halves of March differ"] for line in table) / len(table)
    found = min(line["March and June differ"] for line in table)
    allowed = FALSE + 3 * (FALSE * (1 - FALSE) / (RUNS * len(table))) ** 0.5
    return {
        "title": "What moved between two baselines, on LLMDrift",
        "rows": table,
        "bars": [
            {"says": f"of {RUNS * len(table)} pairs of halves of one model at most {FALSE:.0%} (and three standard errors) are called different",
             "found": worst, "held": worst <= allowed},
            {"says": f"March and June are called different from {SIZES[0]} answers a template on", "found": found, "held": found == 1.0},
        ],
        "note": f"{RUNS} pairs a line, q = {comparison.RATE}. `moved`: of the tests of one comparison of March and June, on average.",
    }  # fmt: skip


def _line(name: str, size: int, answers: dict[tuple[str, str], list[Row]], seed: int) -> dict[str, Any]:
    dice = random.Random(f"{seed} {name} {size}")
    tasks = sorted(task for model, task in answers if model == MARCH[name])
    same, other, moved, tests = 0, 0, 0, 0
    for place in range(RUNS):
        halves = {task: dice.sample(answers[MARCH[name], task], 2 * size) for task in tasks}
        june = {task: dice.sample(answers[JUNE[name], task], size) for task in tasks}
        before, beside, after = (
            _frozen({task: rows[part] for task, rows in made.items()})
            for made, part in ((halves, slice(size)), (halves, slice(size, None)), (june, slice(None)))
        )
        same += any(one.moved for one in comparison.compare(before, beside, seed=seed + place).findings)
        found = comparison.compare(before, after, seed=seed + place).findings
        other += any(one.moved for one in found)
        moved, tests = moved + sum(one.moved for one in found), tests + len(found)
    return {
        "model": name, "answers a template": size, "halves of March differ": same / RUNS, "March and June differ": other / RUNS,
        "moved": moved / RUNS, "tests": tests / RUNS,
    }  # fmt: skip


def _frozen(rows: dict[str, Sequence[Row]]) -> FrozenBaseline:
    made = tuple(
        Profile(task, len(kept), *(tuple(row[part] for row in kept) for part in range(3)), LEXICAL) for task, kept in rows.items()
    )
    return FrozenBaseline("bot", "production", "2023-06-27T00:00:00+00:00", profiles=made)
