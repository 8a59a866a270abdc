"""Groundedness by model on RAGTruth, beside what costs nothing: the length of the answer, and the share of its words that the passages have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from labelled import read

from truegreen.core.words.shapes import Sample
from truegreen.evaluation.baselines.baseline import quantile
from truegreen.evaluation.evaluators.groundedness import make
from truegreen.evaluation.lexical.features import NAMES, features
from truegreen.evaluation.measure.judging import Judged
from truegreen.evaluation.measure.measurement import area, break_even, columns, rates, within_models

FEW: Final = 10
"""Wrong answers under which a model has no AUROC of its own."""
PERCENTILE: Final = 0.03
GOOD: Final = ("gpt-4-0613", "gpt-3.5-turbo-0613")
BAD: Final = "mistral-7B-instruct"
RAWS: Final = ("groundedness", "length alone", "overlap alone")


def run(data: Path, seed: int) -> dict[str, Any]:
    """Measure."""
    rows = read(data, "ragtruth_qa_dev.jsonl.gz")
    judge = make({}, None)
    for row in rows:
        passages = tuple(row["context"])
        row["groundedness"] = judge(Sample(row["query"], row["answer"], passages)).raw
        row["length alone"] = -float(len(row["answer"].split()))
        row["overlap alone"] = features(row["query"], row["answer"], passages)[NAMES.index("words_supported")]
    models = sorted({row["model"] for row in rows}, key=lambda model: (_wrong(rows, model), model))
    table = [_line(model, [row for row in rows if row["model"] == model], seed) for model in models]
    whole = _line("all", rows, seed)
    inside = {name: within_models(columns([_judged(row, name) for row in rows])) for name in RAWS}
    table += [whole, {"model": "within one model", "answers": len(rows), "wrong": whole["wrong"], **inside}]
    aurocs = {name: area(columns([_judged(row, name) for row in rows]), seed)[0] for name in RAWS}
    bars = [
        {"says": f"groundedness tells more than {name}, AUROC {aurocs[name]:.3f}", "found": aurocs["groundedness"], "held": aurocs["groundedness"] > aurocs[name]}
        for name in RAWS[1:]
    ]  # fmt: skip
    return {"title": "Groundedness by model, on answers that people marked", "rows": table, "bars": bars, "note": _relative(rows)}


def _line(model: str, rows: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    wrong = sum(row["y"] for row in rows)
    line: dict[str, Any] = {"model": model, "answers": len(rows), "wrong": wrong}
    if wrong < FEW:
        return line | dict.fromkeys(RAWS, "too few wrong")
    for name in RAWS:
        found = columns([_judged(row, name) for row in rows])
        value, (low, high) = area(found, seed)
        line[name] = f"{value:.3f} [{low:.3f}, {high:.3f}]"
    found = columns([_judged(row, "groundedness") for row in rows])
    its = rates(found, break_even(found))
    return line | {"right ones that fail": its.false_positive_rate, "wrong ones that pass": its.false_negative_rate}


def _judged(row: dict[str, Any], name: str) -> Judged:
    return Judged(row["model"], row[name], "", bool(row["y"]), f"group {row['group']}", name, 0.0)


def _relative(rows: Sequence[dict[str, Any]]) -> str:
    """What a baseline of each kind makes of the others: it shows a change, not a level."""

    def raws(*models: str) -> list[float]:
        return sorted(row["groundedness"] for row in rows if row["model"] in models)

    def fails(floor: float, *models: str) -> float:
        mine = raws(*models)
        return sum(raw < floor for raw in mine) / len(mine)

    of_bad, of_good = quantile(raws(BAD), PERCENTILE), quantile(raws(*GOOD), PERCENTILE)
    worst = max(sorted({row["model"] for row in rows}), key=lambda model: fails(of_good, model))
    return (
        "The two rates are at the floor where as many fail as are wrong. "
        f"Relative is not absolute: under a baseline of {BAD}, {fails(of_bad, BAD):.0%} of its answers fail, and people mark {_wrong(rows, BAD):.0%} wrong. "
        f"Under one of {' and '.join(GOOD)}, {fails(of_good, *GOOD):.0%} of theirs fail and {fails(of_good, worst):.0%} of {worst}'s, of which people mark "
        f"{_wrong(rows, worst):.0%} wrong: the rest is its style."
    )


def _wrong(rows: Sequence[dict[str, Any]], model: str) -> float:
    mine = [row["y"] for row in rows if row["model"] == model]
    return sum(mine) / len(mine)
