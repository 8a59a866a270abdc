"""Asks the cases of a set, some at a time and within a budget, and judges what comes back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.core.clients.http import HttpFailed, TimedOut, TooLong
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.shapes import Judge
from truegreen.evaluation.evalsets import checks
from truegreen.evaluation.evalsets.asking import Ask
from truegreen.evaluation.evalsets.model import ERROR, Answer, Case, Verdict
from truegreen.evaluation.plain import plain

KINDS: Final = ("calls", "tokens", "seconds")
ERRORS: Final = "errors"
SHOWN: Final = 500
"""So many characters of an error are shown: a server's words may be in it."""
MOST_ERRORS: Final = 20
"""So many in a row end a run: the endpoint is gone."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent; None is without bound.

    Args:
        calls: questions asked; a call that is tried again counts once.
        tokens: input and output together, as the endpoint says. Answers that are on their way are reckoned at the mean of those that came.
        seconds: time since the start; what is on its way then is waited for.
    """

    calls: float | None = None
    tokens: float | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Spent:
    """What was spent so far; `errors` in a row, `ended` what ended the run before its end, empty when nothing did."""

    calls: int = 0
    came: int = 0
    tokens: int = 0
    errors: int = 0
    ended: str = ""
    first_error: str = ""


def budget(given: Sequence[str]) -> Budget:
    """From `calls=200`, `tokens=50000`, `seconds=600`.

    Raises:
        BadInput: another kind, or no number above 0.
    """
    found: dict[str, float] = {}
    for text in given:
        kind, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if kind not in KINDS or not 0 < value < float("inf"):
            raise BadInput(f"--budget: found {text!r}; write {', '.join(f'{one}=N' for one in KINDS)}, N above 0")
        found[kind] = value
    return Budget(**found)


def run(
    cases: Sequence[Case], ask: Ask, judges: Mapping[str, Judge], allowed: Budget, spent: Spent, *, parallel: int, keep: bool,
    clock: Callable[[], float],
) -> Iterator[Verdict]:  # fmt: skip
    """The verdicts as they come. Evaluators and checks run in the caller's thread, one at a time.

    Args:
        spent: filled on the way.
        parallel: so many questions are under way at once, at least 1.
        clock: seconds that only rise.
    """
    began = clock()
    waiting: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
    came: queue.SimpleQueue[tuple[Case, Answer | BaseException]] = queue.SimpleQueue()
    left = iter(cases)
    under_way = 0
    # Daemons: after Ctrl-C nobody waits for an endpoint that takes its time.
    workers = [threading.Thread(target=_work, args=(ask, waiting, came), daemon=True) for _ in range(min(parallel, len(cases)))]
    for worker in workers:
        worker.start()
    try:
        while True:
            while under_way < len(workers) and not spent.ended:
                spent.ended = _over(allowed, spent, under_way, clock() - began)
                case = None if spent.ended else next(left, None)
                if case is None:
                    break
                spent.calls += 1
                under_way += 1
                waiting.put(case)
            if not under_way:
                break
            case, answer = came.get()
            under_way -= 1
            spent.came += 1
            yield _verdict(case, answer, judges, spent, keep)
    finally:
        for _ in workers:
            waiting.put(None)
    if spent.ended and next(left, None) is None:
        spent.ended = ""


def _work(
    ask: Ask, waiting: queue.SimpleQueue[Case | None], came: queue.SimpleQueue[tuple[Case, Answer | BaseException]]
) -> None:
    while (case := waiting.get()) is not None:
        try:
            came.put((case, ask(case)))
        except Exception as error:  # told with the case
            came.put((case, error))


def _over(allowed: Budget, spent: Spent, under_way: int, seconds: float) -> str:
    each = spent.tokens / spent.came if spent.came else 0.0
    if allowed.calls is not None and spent.calls >= allowed.calls:
        return "calls"
    if allowed.tokens is not None and spent.tokens + each * (under_way + 1) > allowed.tokens:
        return "tokens"
    return "seconds" if allowed.seconds is not None and seconds >= allowed.seconds else ""


def _verdict(case: Case, answer: Answer | BaseException, judges: Mapping[str, Judge], spent: Spent, keep: bool) -> Verdict:
    if isinstance(answer, BaseException):
        if not isinstance(answer, Failed):
            raise answer
        spent.first_error = spent.first_error or plain(str(answer), SHOWN)
        spent.errors += 1
        spent.ended = spent.ended or (ERRORS if spent.errors >= MOST_ERRORS else "")
        return Verdict(case.id, ERROR, why=_without_words(answer))
    spent.tokens += answer.tokens
    spent.errors = 0
    return checks.judged(case, answer, judges, keep)


def _without_words(error: Failed) -> str:
    """What went wrong, without the server's own words: they may hold a question or an answer."""
    if isinstance(error, HttpFailed):
        return f"the endpoint answered {error.status}"
    if isinstance(error, TooLong):
        return "its answer is too long"
    return "no answer in time" if isinstance(error, TimedOut) else "no answer"
