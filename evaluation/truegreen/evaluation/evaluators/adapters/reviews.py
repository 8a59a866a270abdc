"""What people said of answers: JSONL or CSV, a review a line, several of one answer allowed. No text of it is read or kept."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Result
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS
from truegreen.evaluation.evaluators.adapters.imported import Imported, number
from truegreen.evaluation.files import Broken, BrokenLine

EVALUATOR: Final = "human-review"
RIGHT, WRONG = ("0", "false", PASS), ("1", "true", FAIL)
"""What `y` may be: whether the answer is wrong, as in the replay format; `label` may be `pass` or `fail`."""
WANTED: Final = "0 or 1 in `y` (1 = wrong), or pass or fail in `label`"
SPAN, TRACE = 16, 32
"""Hex digits of the ids."""
HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Review:
    """One person's word on one answer.

    Args:
        answer: the id of the answer, the same in each review of it.
        trace, span: OpenTelemetry ids of it, 0 where unknown.
        reviewer: empty when nobody is named.
        wrong: the word.
    """

    answer: str
    trace: int
    span: int
    reviewer: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One answer and the share of its reviewers, 0 to 1, that find it right; half is no verdict."""

    answer: str
    trace: int
    span: int
    right: float
    reviewers: int


def read(path: Path, broken: Broken) -> Iterator[Review]:
    """The usable reviews of a file, `.csv` with a header, else JSONL.

    A line has `id` or `trace_id` (and `span_id`), `y` or `label`, and `reviewer` where several people review; what else is there is not
    looked at.

    Args:
        broken: receives the lines that cannot be used.

    Raises:
        BadInput: the file cannot be read, or no line of it is usable.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"{path}: cannot be read: {reason}") from None
    usable = 0
    for line, row in _csv(text) if path.suffix == ".csv" else _jsonl(text):
        found = _review(row, str(path), line)
        if isinstance(found, Review):
            usable += 1
            yield found
        else:
            broken.add(found)
    if not usable:
        first = f"; the first: {broken.first[0]}" if broken.first else ""
        raise BadInput(f"{path}: no usable review ({broken.count} broken){first}")


def settled(reviews: Iterable[Review]) -> list[Reviewed]:
    """One line for each answer, in the order of the file; the last word of each reviewer counts, and each unnamed one is another reviewer's."""
    words: dict[str, dict[str, bool]] = defaultdict(dict)
    first: dict[str, Review] = {}
    for at, one in enumerate(reviews):
        first.setdefault(one.answer, one)
        words[one.answer][one.reviewer or f"#{at}"] = one.wrong
    return [
        Reviewed(answer, first[answer].trace, first[answer].span, 1 - sum(said.values()) / len(said), len(said))
        for answer, said in words.items()
    ]


def results(answers: Sequence[Reviewed], evaluation: str) -> list[Imported]:
    """The verdicts: fail where most reviewers find it wrong. An answer whose reviewers are even has none and is left out."""
    return [
        Imported(
            one.answer,
            Result(evaluation, EVALUATOR, one.right, one.right, PASS if one.right > HALF else FAIL, CALIBRATED),
            one.trace,
            one.span,
        )
        for one in answers
        if one.right != HALF
    ]


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error:
        yield reader.line_num, None


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for line, one in enumerate(text.splitlines(), 1):
        if not one.strip():
            continue
        try:
            yield line, json.loads(one)
        except (ValueError, RecursionError):
            yield line, None


def _review(row: Any, file: str, line: int) -> Review | BrokenLine:
    if not isinstance(row, Mapping):
        return BrokenLine(file, line, "", "no review", "one JSON object a line, or a CSV row under its header")
    trace, span = number(row.get("trace_id"), TRACE), number(row.get("span_id"), SPAN)
    answer = str(row.get("id") or "").strip() or (f"{trace:032x}/{span:016x}" if trace else "")
    if not answer:
        return BrokenLine(file, line, "id", "nothing", "the answer's `id`, or its `trace_id` of 32 hex digits")
    wrong = _wrong(row)
    if wrong is None:
        return BrokenLine(file, line, "y" if row.get("y") is not None else "label", "no verdict", WANTED)
    return Review(answer, trace, span, str(row.get("reviewer") or "").strip(), wrong)


def _wrong(row: Mapping[Any, Any]) -> bool | None:
    for key, right, wrong in (("y", RIGHT, WRONG), ("label", (PASS,), (FAIL,))):
        value = row.get(key)
        if value is None or value == "":
            continue
        word = str(int(value) if isinstance(value, bool) else value).strip().lower()
        word = word.removesuffix(".0")
        return True if word in wrong else False if word in right else None
    return None
