"""Scores that a Langfuse project holds, as judgements: of its evaluators, of its annotators, or sent by API.

Read through `GET /api/public/v3/scores` (Langfuse 3.179 and later; the contract that the Langfuse SDK 5.0 speaks). Its comments come
along and are not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evaluators.adapters.imported import Imported, number
from truegreen.evaluation.evaluators.adapters.verdicts import Verdict, one_word

SCORES: Final = "/api/public/v3/scores"
PAGE: Final = 100
SOURCES: Final = ("EVAL", "ANNOTATION", "API")
OWN: Final = frozenset({"evaluator", "sampled"})
"""A score with these in its metadata is a verdict that the application forwarded: it was counted where it was made."""


@dataclass(frozen=True, slots=True)
class Score:
    """One score.

    Args:
        value: a number; of a category the word itself.
        trace, span: OpenTelemetry ids of what was scored, 0 where it is another's.
        own: whether truegreen sent it there itself.
    """

    id: str
    name: str
    source: str
    value: float | str
    at: datetime
    trace: int
    span: int
    own: bool


def scores(
    server: http.Server, name: str, since: datetime, until: datetime, sources: Sequence[str], environment: str = ""
) -> Iterator[Score]:
    """The scores of one name whose time is in [since, until), page by page.

    Args:
        environment: Langfuse's own, empty for all.

    Raises:
        Failed: Langfuse does not answer, refuses, or answers something else.
    """
    asked = [
        ("name", name), ("source", ",".join(sources)), ("fromTimestamp", _iso(since)), ("toTimestamp", _iso(until)),
        ("fields", "subject,details"), ("limit", str(PAGE)), *([("environment", environment)] if environment else []),
    ]  # fmt: skip
    cursor = ""
    while True:
        try:
            answer = http.get(server, SCORES, [*asked, *([("cursor", cursor)] if cursor else [])])
        except http.HttpFailed as error:
            raise _explained(server, error) from None
        page, following = http.shaped(server, SCORES, answer, _page)
        yield from page
        if not following or following == cursor:
            return
        cursor = following


def judged(found: Sequence[Score], verdict: Verdict, words: Mapping[str, float], sign: float = 1.0) -> tuple[list[Imported], int]:
    """The judgements, and how many scores are none: a word without a number in `words`, or no finite number.

    Args:
        words: category to number.
        sign: -1 where a lower score is better.
    """
    values = [(one, words.get(one.value) if isinstance(one.value, str) else one.value) for one in found]
    made = [
        Imported(one.id, verdict(one_word(f"langfuse/{one.name}"), sign * value), one.trace, one.span)
        for one, value in values
        if value is not None and math.isfinite(value)
    ]
    return made, len(values) - len(made)


def words_of(given: Sequence[str]) -> dict[str, float]:
    """Category to number from `good=1`.

    Raises:
        BadInput: one is not of that form.
    """
    found: dict[str, float] = {}
    for one in given:
        word, _, value = one.rpartition("=")
        try:
            found[word] = float(value)
        except ValueError:
            word = ""
        if not word:
            raise BadInput(f"--category: found {one!r:.60}, write a category and its number, such as good=1")
    return found


def _page(answer: Any) -> tuple[list[Score], str]:
    return [_score(one) for one in answer["data"]], str(answer["meta"].get("cursor") or "")


def _score(one: Any) -> Score:
    subject = one.get("subject") or {}
    of_span = subject.get("kind") == "observation"
    trace = subject.get("traceId") if of_span else subject.get("id") if subject.get("kind") == "trace" else ""
    value = one["value"]
    return Score(
        id=str(one["id"]),
        name=str(one["name"]),
        source=str(one["source"]),
        value=value if isinstance(value, str) else float(value),
        at=datetime.fromisoformat(one["timestamp"]),
        trace=number(trace, 32),
        span=number(subject.get("id"), 16) if of_span else 0,
        own=set(one.get("metadata") or {}) >= OWN,
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _explained(server: http.Server, error: http.HttpFailed) -> Failed:
    where = http.bare(server.url)
    if error.status == http.NOT_FOUND:
        return Failed(f"Langfuse at {where} has no {SCORES}: it is there since Langfuse 3.179; update it")
    if error.status == http.UNAUTHORIZED:
        return Failed(f"Langfuse at {where} does not know the keys: check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
    return error
