"""`task`, `feedback`, `escalation` and `downstream`: what the user's task came to, also long after the answer and in another process."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel

from truegreen.core.words import attributes as names
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.spans import Block, Of, facts, point

_TASK = otel.create_key("truegreen-task")


class task(Block):  # noqa: N801
    """A user's task as a span `task <name>`: `completed` unless the block raises (`failed`), is cancelled (`abandoned`) or says otherwise.

    As a block or a decorator. Feedback, escalations and downstream records inside of it carry its name.

    Args:
        name: the task, such as `refund`: one of a few.
    """

    place = "task"

    def __init__(self, name: str) -> None:
        known = facts("task", {names.TASK_NAME: name})
        self._task = known.get(names.TASK_NAME, "unnamed")
        super().__init__(f"task {self._task}", known)
        self._outcome = ""
        self._reason = ""

    def abandoned(self) -> None:
        """Say that the user gave up."""
        self._outcome = "abandoned"

    def failed(self) -> None:
        """Say that it did not come to its end although nothing was raised."""
        self._outcome = "failed"

    def escalated(self, reason: str) -> None:
        """Say that a person took over, and why: one of a few reasons."""
        self._outcome, self._reason = "escalated", reason

    def _around(self, context: otel.Context) -> otel.Context:
        return otel.set_value(_TASK, self._task, context)

    def _closing(self, error: BaseException | None) -> Mapping[str, Any]:
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
            outcome = "abandoned"
        else:
            outcome = self._outcome or ("completed" if error is None else "failed")
        return {names.TASK_OUTCOME: outcome, **facts("task", {names.ESCALATION_REASON: self._reason})}


def feedback(score: float, *, task: str = "", of: Of = None) -> None:
    """Record a user's feedback as a span `feedback`, linked to what it is about.

    Args:
        score: over 0 is positive, under 0 negative, 0 neutral; thumbs are 1 and -1. True and False are 1 and -1.
        task: the name of the task; without it, that of the `task` block around.
        of: the answer's span: a traceparent, a span, or (trace id, span id).
    """
    number = _number(score)
    if number is None:
        notices.once("feedback", f"feedback: score of type {type(score).__name__} is not a finite number and is not counted")
        return
    _about("feedback", task, of, {names.FEEDBACK_SCORE: number})


def escalation(reason: str, *, task: str = "", of: Of = None) -> None:
    """Record that a person took over, as a span `escalation`, linked to what it is about.

    Args:
        reason: why: one of a few, such as `no_answer` or `asked_for_a_person`.
        task: the name of the task; without it, that of the `task` block around.
        of: the answer's span: a traceparent, a span, or (trace id, span id).
    """
    _about("escalation", task, of, facts("escalation", {names.ESCALATION_REASON: reason}) or {names.ESCALATION_REASON: "unknown"})


def downstream(valid: bool, *, task: str = "", of: Of = None) -> None:
    """Record whether what was made of an answer, such as a row or an order, was valid, as a span `downstream`.

    Args:
        valid: whether the downstream system accepted it.
        task: the name of the task; without it, that of the `task` block around.
        of: the answer's span: a traceparent, a span, or (trace id, span id).
    """
    try:
        outcome = "valid" if valid else "invalid"
    except Exception as error:  # an object of the application's that is neither true nor false
        failures.count("downstream", error)
        return
    _about("downstream", task, of, {names.DOWNSTREAM_OUTCOME: outcome})


def _about(name: str, task_: str, of: Of, attributes: Mapping[str, Any]) -> None:
    known = facts(name, {names.TASK_NAME: task_}) or facts(name, {names.TASK_NAME: otel.get_value(_TASK)})
    point(name, {**known, **attributes}, of)


def _number(score: Any) -> float | None:
    if isinstance(score, bool):
        return 1.0 if score else -1.0
    try:
        number = float(score)
    except Exception:  # an object of the application's may raise anything
        return None
    return number if math.isfinite(number) else None
