"""The answers of a replay file, judged one by one with the time that each took; no text is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from truegreen.core.words.shapes import Judge, ReplayRecord, Sample

CPU, WALL = "cpu", "wall"
CLOCKS: Final[Mapping[str, Callable[[], float]]] = {CPU: time.thread_time, WALL: time.perf_counter}
"""Seconds of the calling thread's processor time, and of the wall clock, which runs on while others have the processor."""
NO_SCORE: Final = "no_score"
"""A result that has neither a number nor a reason: the evaluation makes none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer.

    Args:
        raw: None when it was skipped, for the reason in `skipped`.
        wrong: the human label, None when unlabelled.
        cluster: its `session`, else its `group`; empty when it has neither.
        seconds: how long its judge took.
    """

    model: str
    raw: float | None
    skipped: str
    wrong: bool | None
    cluster: str
    evaluator: str
    seconds: float


def judged(records: Iterable[ReplayRecord], judge: Judge, clock: Callable[[], float]) -> Iterator[Judged]:
    """Judge recorded calls.

    Args:
        clock: seconds that only rise.
    """
    for record in records:
        sample = sample_of(record)
        began = clock()
        result = judge(sample)
        took = clock() - began
        skipped = "" if result.raw is not None else result.skipped or NO_SCORE
        yield Judged(record.model, result.raw, skipped, record.wrong, _cluster(record), result.evaluator, took)


def clock_of(signal: str, settings: Mapping[str, Any]) -> str:
    """Which of CLOCKS times an evaluator: the caller's processor time where it runs inline, the wall where it may wait or use threads of its own.

    Args:
        settings: of this evaluation.

    Raises:
        Exception: its package cannot be imported.
    """
    from truegreen.instrumentation import evaluate

    says = getattr(evaluate.find(evaluate.evaluator_of(signal, settings)), "background", False)
    slow = (says(evaluate.settings_of(settings)) if callable(says) else says) is True
    return WALL if slow or settings.get("background") is True else CPU


def sample_of(record: ReplayRecord) -> Sample:
    """What an evaluator sees of a recorded call; `expected` and `finish` where the file has them."""
    finish = record.extra.get("finish")
    reasons = (finish,) if isinstance(finish, str) else finish if isinstance(finish, list) else ()
    return Sample(
        record.query,
        record.answer,
        record.context,
        record.model,
        expected=_text(record.extra.get("expected")),
        finish=tuple(reason for reason in reasons if isinstance(reason, str)),
    )


def _cluster(record: ReplayRecord) -> str:
    for key in ("session", "group"):
        found = record.extra.get(key)
        if isinstance(found, (str, int)) and str(found):
            return f"{key} {found}"
    return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
