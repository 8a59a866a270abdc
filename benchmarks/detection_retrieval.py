"""Retrieval that degrades: one chunk in ten replaced by a near miss, found from the share of chunks under a similarity floor (RAGTruth's passages), by `truegreen watch`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from truegreen.collector.watch.model import TICKET
from truegreen.core.errors import BadInput
from truegreen.evaluation.drift.detect import SIZES, Reference
from truegreen.evaluation.drift.model import Verdict, Window
from truegreen.evaluation.embedding import LEXICAL, MINILM, lexical, minilm
from truegreen.evaluation.model import RESERVOIR, Profile

FILE: Final = "ragtruth_qa_dev.jsonl.gz"
FLOORS: Final = {MINILM: 0.4, LEXICAL: 0.1}
WINDOWS: Final = 500
BASELINES: Final = 20
SAME: Final = "the same questions"
REPLACED: Final = 0.1
NEAR: Final = 3
"""A near miss is one of the so many chunks of other questions that are most similar to the question."""
ALPHA: Final = 0.01
NULL: Final = 999


def run(data: Path, seed: int) -> dict[str, object]:
    """How often a window of requests is told, with and without replaced chunks."""
    asked = _read(data / FILE)
    rows: list[dict[str, Any]] = []
    for name, embed in _embedders():
        own, misses = _similarities(asked, embed)
        for drawn in (SAME, "other questions"):
            rows += [_row(name, own, misses, drawn, many, seed) for many in SIZES]
    best = next((row for row in rows if row["similarity"] == MINILM and row["requests"] == SIZES[-1]), None)
    kinds = ("share under the floor", "false alarms")
    found, false = (float(best[kind]) if best else "MiniLM is not installed" for kind in kinds)
    bars = [
        {"says": "10 % of chunks replaced by near misses, found within 100 requests at p of 1 % (share of windows)", "found": found,
         "held": isinstance(found, float) and found >= 0.95},
        {"says": "false alarms of it, at most 1 %", "found": false, "held": isinstance(false, float) and false <= ALPHA},
    ]  # fmt: skip
    note = (
        f"{len(asked)} questions with their three retrieved chunks; floors {FLOORS[MINILM]} ({MINILM}) and {FLOORS[LEXICAL]} ({LEXICAL}); a near miss is one of the "
        f"{NEAR} most similar chunks of other questions. Each share is of {WINDOWS} windows of requests drawn with replacement, against {BASELINES} baselines of {RESERVOIR} requests: p at most 1 %, tickets z over "
        f"{TICKET:g}. `other questions`: each baseline has one half of the questions and the windows the other, so false alarms are also those of a change of questions."
    )
    return {"title": "Retrieval: chunks replaced by near misses", "rows": rows, "bars": bars, "note": note}


def _read(path: Path) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            context = one["context"]
            found.setdefault(one["query"], json.loads(context) if isinstance(context, str) else context)
    return list(found.items())


def _embedders() -> list[tuple[str, Callable[[list[str]], Any]]]:
    made: list[tuple[str, Callable[[list[str]], Any]]] = [(LEXICAL, lambda texts: np.array([lexical(text) for text in texts]))]
    try:
        return [(MINILM, minilm()), *made]
    except BadInput:
        return made


def _similarities(asked: list[tuple[str, list[str]]], embed: Callable[[list[str]], Any]) -> tuple[Any, Any]:
    """Cosines of each question with its own three chunks, and with its near misses."""
    questions = np.asarray(embed([question for question, _ in asked]))
    chunks = np.stack([np.asarray(embed(passages)) for _, passages in asked])
    every = np.einsum("qd,pcd->qpc", questions, chunks)
    at = np.arange(len(asked))
    own = every[at, at].copy()
    every[at, at] = -np.inf
    return own, -np.sort(-every.reshape(len(asked), -1), axis=1)[:, :NEAR]


def _row(name: str, own: Any, misses: Any, drawn: str, many: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    told: dict[str, list[bool]] = {
        "false alarms": [],
        "false tickets": [],
        "share under the floor": [],
        "tickets": [],
        "mean": [],
        "maximum": [],
    }
    for _ in range(BASELINES):
        order = rng.permutation(len(own))
        known, new = (order, order) if drawn == SAME else (order[: len(own) // 2], order[len(own) // 2 :])
        # A baseline has more requests than questions.
        base = own[rng.choice(known, RESERVOIR)]
        null = {
            kind: np.array([_of(kind, base[rng.integers(len(base), size=many)]) for _ in range(NULL)])
            for kind in ("mean", "maximum")
        }
        reference = Reference(Profile("retrieved", 0, (), retrievals=_counted(base, FLOORS[name])), seed)
        for _ in range(WINDOWS // BASELINES):
            requests = rng.choice(new, many)
            healthy = own[requests]
            replaced = np.where(rng.random(healthy.shape) < REPLACED, misses[requests][:, rng.integers(NEAR, size=3)], healthy)
            looked = [_looked(reference, _counted(rows, FLOORS[name])) for rows in (healthy, replaced)]
            told["false alarms"].append(looked[0].p <= ALPHA)
            told["false tickets"].append(looked[0].z > TICKET)
            told["share under the floor"].append(looked[1].p <= ALPHA)
            told["tickets"].append(looked[1].z > TICKET)
            for kind, values in null.items():
                told[kind].append(_of(kind, replaced) < np.quantile(values, ALPHA))
    return {
        "similarity": name,
        "windows from": drawn,
        "requests": many,
        **{kind: round(float(np.mean(found)), 3) for kind, found in told.items()},
    }


def _of(kind: str, rows: Any) -> float:
    return float(rows.mean() if kind == "mean" else rows.max(axis=1).mean())


def _counted(rows: Any, floor: float) -> tuple[tuple[int, int], ...]:
    return tuple((int((row < floor).sum()), row.size) for row in rows)


def _looked(reference: Reference, requests: tuple[tuple[int, int], ...]) -> Verdict:
    return reference.judge(Window(retrievals=requests), (len(requests),))[0]
