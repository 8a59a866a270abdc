"""A provider's silent update: GPT-4 and GPT-3.5 of March and June 2023 on two prompt templates (LLMDrift), by the detectors of `truegreen watch`."""

from __future__ import annotations

import gzip
import json
import re
import statistics
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml

from truegreen.alert_rules import changes
from truegreen.collector.watch.model import TICKET
from truegreen.evaluation.drift.detect import SIZES, Reference, change
from truegreen.evaluation.drift.model import INPUT, Verdict, Window
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.model import Profile
from truegreen.instrumentation.style import style

FILE: Final = "llmdrift_dev.jsonl.gz"
TASKS: Final = {"prime_full": "primes", "countahappynumber": "happy numbers"}
UPDATES: Final = (("gpt-4", "gpt-4-0314", "gpt-4-0613"), ("gpt-3.5", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"))
BASELINE: Final = 250
BASELINES: Final = 50
PROMISED: Final = 0.01
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
    false, tickets = (max(float(row[kind]) for row in rows) for kind in ("false alarms", "false tickets"))
    sev = _sev()
    bars = [
        {"says": "GPT-4, March to June, found within 25 answers of each template (share of windows)",
         "found": min(float(row["found at 25"]) for row in gpt4), "held": all(row["found at 25"] == 1 for row in gpt4)},
        {"says": f"false alarms of {WINDOWS} windows of March, the worst template, at most 1 %", "found": false, "held": false <= PROMISED},
        {"says": f"of them over the z of a ticket ({TICKET:g}), at most 0.1 %", "found": tickets, "held": tickets <= PROMISED / 10},
        {"says": "GPT-3.5 on primes, which improved, is reported as a change (share of windows of 100 answers)",
         "found": min(float(row["found at 100"]) for row in better), "held": all(row["found at 100"] >= 0.9 for row in better)},
        {"says": "and does not page: the sev of the alert on a change", "found": sev, "held": sev == "3"},
        {"says": "the questions were the same, and no window says that only they changed", "found": sum(int(row["said input"]) for row in rows),
         "held": not any(row["said input"] for row in rows)},
    ]  # fmt: skip
    note = (
        f"{BASELINES} baselines of {BASELINE} answers of March, drawn by the seed; {WINDOWS} null windows of {SIZES[-1]} of the other answers of March, looked at in both "
        f"sizes ({SIZES[0]} and {SIZES[-1]}); {CHANGED} windows of June each. `after` is the median number of answers of June in a window of {SIZES[0]} that is "
        f"otherwise of March when a change is first said; `by` is the loudest signal. Embeddings: {LEXICAL}."
    )
    return {"title": "Drift: a provider's silent update", "rows": rows, "bars": bars, "note": note}


def _read(path: Path) -> dict[tuple[str, str], list[_Row]]:
    kept: dict[tuple[str, str], list[_Row]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            said = _said(one["answer"])
            row = _Row(style(one["answer"]), lexical(one["answer"]), lexical(one["query"]), said == _said(one["ref"]))
            kept.setdefault((one["task"], one["model"]), []).append(row)
    return kept


def _said(answer: str) -> str:
    """What an answer ends with: a number in a box, a yes or no in brackets, else its last number or word."""
    boxed = re.findall(r"boxed\{(\d+)\}|\[(yes|no)\]", answer.lower())
    return "".join(boxed[-1]) if boxed else (re.findall(r"\d+|yes|no", answer.lower()) or [""])[-1]


def _of(named: dict[str, Any], before: list[_Row], after: list[_Row], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    null, quick, slow, first = [], [], [], []
    for _ in range(BASELINES):
        order = rng.permutation(len(before))
        base, rest = [before[at] for at in order[:BASELINE]], [before[at] for at in order[BASELINE:]]
        reference = Reference(_profile(base), seed)

        def looks(rows: list[_Row], many: int, n: int, reference: Reference = reference) -> list[tuple[Verdict, ...]]:
            return [reference.judge(_window([rows[at] for at in rng.choice(len(rows), n, replace=False)])) for _ in range(many)]

        null += looks(rest, WINDOWS // BASELINES, SIZES[-1])
        quick += looks(after, CHANGED // BASELINES, SIZES[0])
        slow += looks(after, CHANGED // BASELINES, SIZES[-1])
        first.append(_after(reference, rest, after, rng))
    said = [change(verdicts) for verdicts in slow]
    return {
        **named,
        "right before": _share([row.right for row in before]), "right after": _share([row.right for row in after]),
        "false alarms": _share([bool(change(verdicts)) for verdicts in null]),
        "false tickets": _share([bool(change(verdicts, TICKET)) for verdicts in null]),
        "found at 25": _share([bool(change(verdicts)) for verdicts in quick]),
        "found at 100": _share([bool(change(verdicts)) for verdicts in slow]),
        "tickets at 25": _share([bool(change(verdicts, TICKET)) for verdicts in quick]),
        "tickets at 100": _share([bool(change(verdicts, TICKET)) for verdicts in slow]),
        "after": float(statistics.median(first)), "says": max(set(said), key=said.count) or "nothing",
        "by": max((verdict for verdict in slow[0]), key=lambda one: one.z).signal,
        "said input": sum(one == INPUT for one in said),
    }  # fmt: skip


def _after(reference: Reference, before: list[_Row], after: list[_Row], rng: np.random.Generator) -> int:
    rows = [before[at] for at in rng.choice(len(before), SIZES[0], replace=False)]
    new = [after[at] for at in rng.choice(len(after), SIZES[0], replace=False)]
    told = (n for n in range(1, len(new) + 1) if change(reference.judge(_window([*rows, *new[:n]]), SIZES[:1])))
    return next(told, len(new) + 1)


def _profile(rows: list[_Row]) -> Profile:
    window = _window(rows)
    return Profile("template", len(rows), window.style, window.answers, window.queries, LEXICAL)


def _window(rows: list[_Row]) -> Window:
    return Window(tuple(row.style for row in rows), tuple(row.answer for row in rows), tuple(row.query for row in rows), LEXICAL)


def _share(found: list[bool]) -> float:
    return round(sum(found) / len(found), 3)


def _sev() -> str:
    """The sev of the alert on a change of answers, as it is generated."""
    rules = yaml.safe_load(
        (Path(__file__).parent.parent / "alert_rules" / "generated" / "truegreen.rules.yml").read_text("utf-8")
    )
    named = (rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == changes.ANSWERS_CHANGED)
    return str(next(named)["labels"]["sev"])
