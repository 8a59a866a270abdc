"""Whether the true start of an injected incident lies in the interval that is printed: streams of real, judged answers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import labelled

from truegreen.core.words.catalogue import EVALUATION_SCORE
from truegreen.core.words.shapes import Sample
from truegreen.evaluation import start
from truegreen.evaluation.evaluators import groundedness
from truegreen.evaluation.start import TrueStart

GOOD: Final = ("gpt-4-0613", "gpt-3.5-turbo-0613")
RUNS: Final = 200
FEWER: Final = 60
"""Runs of the single kinds, which are here to show where the interval is weak."""
MIX: Final = "a mix of all these"
HOURS: Final = 6.0
STEP: Final = 30.0
FLOOR: Final = 0.03
"""The quantile of the good models' scores that is the floor, as `baseline take` has it."""
BAR: Final = 0.90
BURST: Final = 4
"""Answers of one session, minutes apart, all by one draw of good or bad."""

Judged = tuple[float, float]
"""The time of an answer, and its raw score."""


def run(data: Path, seed: int) -> dict[str, Any]:
    """The table of the benchmark."""
    good, bad = _scores(data)
    floor = sorted(good)[math.floor(FLOOR * len(good))]
    rows, found = [], {}
    for name, per_hour, share, burst in (
        ("a switch of all traffic", 500, 1.0, 1),
        ("a switch at low volume", 60, 1.0, 1),
        ("a third of the traffic", 500, 0.3, 1),
        ("a switch, sessions of four", 500, 1.0, BURST),
        (MIX, 0, 0.0, 0),
    ):
        for kind in ("pass and fail", "raw scores"):
            row = found[name, kind] = _row(good, bad, floor, kind, per_hour, share, burst, seed, RUNS if name == MIX else FEWER)
            rows.append({"incident": name, "answers an hour": per_hour or "60 to 500", "stream": kind, **row})
    healthy = {kind: _healthy(good, floor, kind, seed) for kind in ("pass and fail", "raw scores")}
    rows += [
        {"incident": "none", "answers an hour": "60 to 500", "stream": kind, "runs": RUNS, "found": count}
        for kind, count in healthy.items()
    ]
    bars = [
        {"says": f"the true start lies in the printed interval in at least {BAR:.0%} of {RUNS} runs ({name}, {kind})", "found": row["inside, of all runs"],
         "held": row["inside, of all runs"] >= BAR}
        for (name, kind), row in found.items() if name == MIX
    ]  # fmt: skip
    return {
        "title": "The true start of an incident", "rows": rows, "bars": bars,
        "note": f"Answers of {', '.join(GOOD)} before the start and of the other four models after it (RAGTruth, judged by `groundedness`), drawn with replacement; "
                f"{HOURS:g} h in steps of {STEP:g} s; a start that is not found counts as outside. Answers of a session are all good or all bad.",
    }  # fmt: skip


def _scores(data: Path) -> tuple[list[float], list[float]]:
    judge = groundedness.make({}, None)
    sides: tuple[list[float], list[float]] = ([], [])
    for row in labelled.read(data, "ragtruth_qa_dev.jsonl.gz"):
        context = row["context"]
        passages = tuple(context) if isinstance(context, list) else (context,)
        raw = judge(Sample(row["query"], row["answer"], passages)).raw
        if raw is not None:
            sides[row["model"] not in GOOD].append(raw)
    return sides


def _row(
    good: list[float], bad: list[float], floor: float, kind: str, per_hour: int, share: float, burst: int, seed: int, runs: int
) -> dict[str, Any]:
    rng = random.Random(f"{seed} {per_hour} {share} {burst}")
    inside, widths, lost = 0, [], 0
    for _ in range(runs):
        volume, part, size = per_hour or rng.randint(60, 500), share or rng.uniform(0.4, 1.0), burst or rng.choice((1, BURST))
        onset = rng.uniform(1.5, HOURS - 1.0) * 3_600
        stream = _stream(rng, good, bad, volume, part, size, onset)
        at = _find(stream, floor, kind)
        lost += at is None
        inside += at is not None and at.low <= onset <= at.high
        widths += [] if at is None else [(at.high - at.low) / 60]
    return {"runs": runs, "found": runs - lost, "inside, of those found": inside / max(runs - lost, 1), "inside, of all runs": inside / runs,
            "median width, min": median(widths) if widths else 0.0}  # fmt: skip


def _healthy(good: list[float], floor: float, kind: str, seed: int) -> int:
    rng = random.Random(f"{seed} healthy")
    streams = (_stream(rng, good, good, rng.randint(60, 500), 0.0, rng.choice((1, BURST)), 0.0) for _ in range(RUNS))
    return sum(_find(stream, floor, kind) is not None for stream in streams)


def _stream(
    rng: random.Random, good: Sequence[float], bad: Sequence[float], volume: int, share: float, size: int, onset: float
) -> list[Judged]:
    made, time, mean = [], 0.0, 3_600 * size / volume
    while (time := time + rng.expovariate(1 / mean)) < HOURS * 3_600:
        shared = rng.random() < share
        for _ in range(size):
            moment = time if size == 1 else time + rng.expovariate(1 / 60)
            made.append((moment, rng.choice(bad if moment >= onset and shared else good)))
    return made


def _find(stream: Sequence[Judged], floor: float, kind: str) -> TrueStart | None:
    if kind == "raw scores":
        return start.find_scores(start.cuts(stream, STEP, EVALUATION_SCORE.buckets))
    return start.find(start.cuts(stream, STEP, [floor])[floor])
