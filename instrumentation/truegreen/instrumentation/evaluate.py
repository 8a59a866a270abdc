"""Judges an answer where it was made: finds evaluators by entry point and runs the one of its service."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.core.words.calibration import MINIMUM_ANSWERS, Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.core.words.terms import FAIL, PASS
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.settings import WORDS, Settings

GROUP = "truegreen_evaluator"
LETTERS_PER_WORD = 12
NO_CONTEXT = (
    "skipped: no_context: an answer without passages cannot be judged: call truegreen.instrumentation.retrieval(documents=...) before the model is "
    "called, in the trace of the answer or in one traffic() block with it"
)
NO_TEXT = (
    "skipped: error: the text of an answer was not seen: set OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK=truegreen before the LLM library is "
    "instrumented, or call truegreen.instrumentation.answer(query=..., answer=...) inside the span"
)

Factory = Callable[[Mapping[str, Any], Any], Judge]


def find(name: str) -> Factory | None:
    """The factory of an evaluation, imported now; None when no installed package offers it."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    return found.load() if found else None


def installed() -> tuple[str, ...]:
    """The names of the evaluations that installed packages offer, sorted; nothing is imported."""
    return tuple(sorted({one.name for one in entry_points(group=GROUP)}))


class Evaluators:
    """The judges of all services in this process, built when first used and again when their calibration changes."""

    def __init__(
        self, settings: Settings, calibrations: Calibrations, find_: Callable[[str], Factory | None] | None = None
    ) -> None:
        self._settings = settings
        self._calibrations = calibrations
        self._find = find_ or find
        self._judges: dict[tuple[str, str, str], tuple[str, Judge]] = {}
        self._factories: dict[str, Factory | None] = {}
        self._lock = Lock()

    def judge(self, evaluation: str, service: str, environment: str, sample: Sample | None) -> Result:
        """The result for one answer; what goes wrong is `skipped: error`, counted.

        Args:
            sample: None when the text of the answer was not seen.
        """
        try:
            result = self._judge(evaluation, service, environment, sample)
            # One factory may serve under several names: what it says is told apart by the name that was asked.
            return result if result.evaluation == evaluation else replace(result, evaluation=evaluation)
        except Exception as error:
            failures.count(f"evaluator {evaluation}", error)
            return Result(evaluation, "", skipped="error")

    def _judge(self, evaluation: str, service: str, environment: str, sample: Sample | None) -> Result:
        if sample is None:
            notices.once("no text", NO_TEXT)
            return Result(evaluation, "", skipped="error")
        if too_large(sample, self._settings.evaluations[evaluation].get("words", WORDS)):
            return Result(evaluation, "", skipped="too_large")
        calibration = self._calibrations.get(service, environment, evaluation)
        found = self._made(evaluation, service, environment, calibration)
        if found is None:
            return Result(evaluation, "", skipped="error")
        result = found(sample)
        if wrong := _wrong(result):
            failures.count(f"evaluator {evaluation}", ValueError(wrong))
            return Result(evaluation, result.evaluator, skipped="error")
        if result.label and calibration is not None and result.evaluator != calibration.evaluator:
            notices.once(
                f"other evaluator:{evaluation}:{service}:{environment}:{calibration.digest}",
                f"the calibration of {service}/{environment} {evaluation} is by evaluator {calibration.evaluator!r} and answers are judged "
                f"by {result.evaluator!r}: `skipped: no_baseline` until `truegreen baseline take` has run",
            )
            return Result(evaluation, result.evaluator, raw=result.raw, skipped="no_baseline")
        if result.skipped == "no_context":
            notices.once("no context", NO_CONTEXT)
        return result

    def _made(self, evaluation: str, service: str, environment: str, calibration: Calibration | None) -> Judge | None:
        digest = calibration.digest if calibration else ""
        key = (evaluation, service, environment)
        known = self._judges.get(key)
        if known is not None and known[0] == digest:
            return known[1]
        with self._lock:
            if evaluation not in self._factories:
                self._factories[evaluation] = self._find(evaluation)
            factory = self._factories[evaluation]
            known = self._judges.get(key)
            if factory is not None and (known is None or known[0] != digest):
                known = self._judges[key] = (digest, factory(self._settings.evaluations[evaluation], calibration))
        if factory is None or known is None:
            notices.once(
                f"evaluator:{evaluation}",
                f"evaluation {evaluation}: no installed package has it in the entry-point group {GROUP}",
            )
            return None
        if calibration is not None:
            few = f"; it has {calibration.answers} answers, under {MINIMUM_ANSWERS} may be `skipped: no_baseline`"
            said = f"calibration {digest} in use for {service}/{environment} {evaluation}{few if calibration.answers < MINIMUM_ANSWERS else ''}"
            notices.once(f"calibration:{key}:{digest}", said, logging.INFO)
        return known[1]


def _wrong(result: Result) -> str:
    """What is wrong with a result, empty when nothing is: no comparison with a number that is not finite says `fail`."""
    for name, value in (("raw", result.raw), ("score", result.score)):
        if value is not None and not math.isfinite(value):
            return f"{name} {value}, expected a finite number"
    return "" if result.label in ("", PASS, FAIL) else f"label {result.label!r}, expected {PASS} or {FAIL}"


def attributes(result: Result) -> Mapping[str, Any]:
    """The span attributes of a result: `evaluator` always, so that a skipped one is counted by name too; the rest where there is one."""
    parts = {
        "raw": result.raw, "evaluator": result.evaluator or "unknown", "score": result.score,
        "label": result.label or None, "scale": result.scale or None, "calibration": result.calibration or None,
        "skipped": result.skipped or None,
    }  # fmt: skip
    return {names.evaluation(result.evaluation, part): value for part, value in parts.items() if value is not None}


def too_large(sample: Sample, words: int) -> bool:
    """Whether question, answer and passages together are over so many words, or 12 characters for each of them."""
    texts = (sample.query, sample.answer, *sample.passages)
    return sum(map(len, texts)) > words * LETTERS_PER_WORD or sum(len(text.split()) for text in texts) > words
