"""The answers of a replay file, judged one by one with the time that each took; no text is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from truegreen.core.words.shapes import Judge, ReplayRecord, Sample


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
        skipped = "" if result.raw is not None else result.skipped or "error"
        yield Judged(record.model, result.raw, skipped, record.wrong, _cluster(record), result.evaluator, took)


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
