"""A provider's silent update: GPT-4 and GPT-3.5 of March and June 2023 on two prompt templates (LLMDrift), by the detectors of `truegreen watch`."""

from __future__ import annotations

import gzip
import json
import statistics
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from truegreen.alert_rules import changes
from truegreen.evaluation.drift.detect import SIZES, Reference, change, critical
from truegreen.evaluation.drift.model import INPUT, Window
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.model import Profile
from truegreen.instrumentation.style import style

FILE: Final = "llmdrift_dev.jsonl.gz"
TASKS: Final = {"prime_full": "primes", "countahappynumber": "happy numbers"}
UPDATES: Final = (("gpt-4", "gpt-4-0314", "gpt-4-0613"), ("gpt-3.5", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"))
BASELINE: Final = 250
WINDOWS: Final = 1000
CHANGED: Final = 100


class _Row(NamedTuple):
    style: tuple[float, ...]
    answer: tuple[float, ...]
    query: tuple[float, ...]
    right: bool


def run(data: Path, seed: int) -> dict[str, object]:
    """Each template and model: what March says of March, and of June."""
    kept = _read(data / FILE)
    rows: list[dict[str, Any]] = []
    for task, name in TASKS.items():
        for family, before, after in UPDATES:
            rows.append(_of({"template": name, "model": family}, kept[task, before], kept[task, after], seed))
    gpt4 = [row for row in rows if row["model"] == "gpt-4"]
    better = [row for row in rows if row["right after"] > row["right before"]]
    false = max(float(row["false alarms"]) for row in rows)
    sevs = _sevs()
    bars = [
        {"says": "GPT-4, March to June, found within 25 answers of each template (share of windows)",
         "found": min(float(row["found at 25"]) for row in gpt4), "held": all(row["found at 25"] == 1 for row in gpt4)},
        {"says": f"false alarms of {WINDOWS} windows of March, the worst template, at most 1 %", "found": false, "held": false <= 0.01},
        {"says": "GPT-3.5 on primes, which improved, is reported as a change (share of windows of 100 answers)",
         "found": min(float(row["found at 100"]) for row in better), "held": all(row["found at 100"] >= 0.9 for row in better)},
        {"says": "and does not page: the sev of the alert on a change", "found": sevs, "held": sevs == "3"},
        {"says": "the questions were the same, and no window says that only they changed", "found": sum(int(row["said input"]) for row in rows),
         "held": not any(row["said input"] for row in rows)},
    ]  # fmt: skip
    note = (
        f"Baseline: {BASELINE} answers of March; null windows: {WINDOWS} of the other answers of March, of {SIZES[0]} and {SIZES[-1]} answers, so they overlap; "
        f"changed: {CHANGED} windows of June. `after` is the median number of answers of June in a window of {SIZES[0]} that is otherwise of March when a "
        f"change is first said. Embeddings: {LEXICAL}."
    )
    return {"title": "Drift: a provider's silent update", "rows": rows, "bars": bars, "note": note}


def _read(path: Path) -> dict[tuple[str, str], list[_Row]]:
    kept: dict[tuple[str, str], list[_Row]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            said = _said(one["answer"])
            row = _Row(style(one["answer"]), lexical(one["answer"]), lexical(one["query"]), said == one["ref"].strip().lower())
            kept.setdefault((one["task"], one["model"]), []).append(row)
    return kept


def _said(answer: str) -> str:
    # The last word or number in brackets, as the question asks for; else the last of the answer.
    inside = [part.split("]")[0] for part in answer.split("[")[1:]]
    return (inside or answer.split() or [""])[-1].strip(" .").lower()


def _of(named: dict[str, Any], before: list[_Row], after: list[_Row], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(before))
    base, rest = [before[at] for at in order[:BASELINE]], [before[at] for at in order[BASELINE:]]
    reference = Reference(_profile(base), seed)

    def looks(rows: list[_Row], many: int, n: int) -> list[str]:
        said = []
        for _ in range(many):
            verdicts = reference.judge(_window([rows[at] for at in rng.choice(len(rows), n, replace=False)]))
            said.append(change(verdicts, critical(verdicts)))
        return said

    null, quick, slow = looks(rest, WINDOWS, SIZES[-1]), looks(after, CHANGED, SIZES[0]), looks(after, CHANGED, SIZES[-1])
    return {
        **named,
        "right before": _share([row.right for row in before]), "right after": _share([row.right for row in after]),
        "false alarms": _share([bool(said) for said in null]),
        "found at 25": _share([bool(said) for said in quick]), "found at 100": _share([bool(said) for said in slow]),
        "after": _after(reference, rest, after, rng), "says": max(set(slow), key=slow.count) or "nothing",
        "said input": sum(said == INPUT for said in quick + slow),
    }  # fmt: skip


def _after(reference: Reference, before: list[_Row], after: list[_Row], rng: np.random.Generator) -> float:
    found = []
    for _ in range(20):
        rows = [before[at] for at in rng.choice(len(before), SIZES[0], replace=False)]
        new = [after[at] for at in rng.choice(len(after), SIZES[0], replace=False)]
        first = next(
            (n for n in range(1, len(new) + 1) if change(reference.judge(_window([*rows, *new[:n]]), SIZES[:1]))), len(new) + 1
        )
        found.append(first)
    return float(statistics.median(found))


def _profile(rows: list[_Row]) -> Profile:
    window = _window(rows)
    return Profile("template", len(rows), window.style, window.answers, window.queries, LEXICAL)


def _window(rows: list[_Row]) -> Window:
    return Window(tuple(row.style for row in rows), tuple(row.answer for row in rows), tuple(row.query for row in rows), LEXICAL)


def _share(found: list[bool]) -> float:
    return round(sum(found) / len(found), 3)


def _sevs() -> str:
    """The sev of every rule on a change of answers, as it is generated."""
    from truegreen.alert_rules.windows import Clock
    from truegreen.core.config.model import Routes

    made = changes.rules(Routes(), Clock(), lambda sev: {"sev": sev}, "none")
    return ", ".join(sorted({one.labels["sev"] for one in made}))
