"""Judges an answer where it was made: finds evaluators by entry point and runs the one of its service."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from truegreen.core.words import attributes as names
from truegreen.core.words.calibration import MINIMUM_ANSWERS, Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.instrumentation import events, failures, notices
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.results import is_name, wrong
from truegreen.instrumentation.settings import WORDS, Settings

GROUP = "truegreen_evaluator"
LETTERS_PER_WORD = 12
LARGEST = 10
"""An answer of more than so many times `words` is not judged at all, neither here nor in the background: `too_large`."""
BUDGET_SECONDS = 0.002
"""An evaluator whose median over WINDOW answers is longer goes to the background."""
ALONE_SECONDS = 0.05
"""The same where no event would go anywhere: a tenth of a call of 500 ms; over it the evaluator is not run any more."""
WINDOW = 21
AGAIN_SECONDS = 60.0
"""A factory that failed is not tried again for so long: a model that cannot be loaded would hold up every answer."""
INLINE, BACKGROUND = "inline", "background"
NOWHERE = "nothing exports log events (no logger provider with an exporter): set OTEL_LOGS_EXPORTER=otlp, or give instrument(logger_provider=...) one"
NO_CONTEXT = (
    "skipped: no_context: an answer without passages cannot be judged: call truegreen.instrumentation.retrieval(documents=...) before the model is "
    "called, in the trace of the answer or in one traffic() block with it"
)
NO_TEXT = (
    "skipped: error: the text of an answer was not seen: set OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK=truegreen before the LLM library is "
    "instrumented, or call truegreen.instrumentation.answer(query=..., answer=...) inside the span"
)

judging: ContextVar[bool] = ContextVar("truegreen-judging", default=False)
"""Set while an evaluator runs: a call of a model that a judge makes is no answer of the application and is not judged itself."""
Factory = Callable[[Mapping[str, Any], Any], Judge]


def find(name: str) -> Factory | None:
    """The factory of an evaluation, imported now; None when no installed package offers it."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    return found.load() if found else None


def evaluator_of(evaluation: str, settings: Mapping[str, Any]) -> str:
    """The name in the entry-point group of who judges an evaluation: the setting `evaluator`, else its own name."""
    return str(settings.get("evaluator") or evaluation)


def installed() -> tuple[str, ...]:
    """The names of the evaluations that installed packages offer, sorted; nothing is imported."""
    return tuple(sorted({one.name for one in entry_points(group=GROUP)}))


class Evaluators:
    """The judges of all services in this process, built when first used and again when their calibration changes.

    Args:
        clock: seconds that only rise, for how long an evaluator takes.
    """

    def __init__(
        self,
        settings: Settings,
        calibrations: Calibrations,
        find_: Callable[[str], Factory | None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._settings = settings
        self._calibrations = calibrations
        self._find = find_ or find
        self._clock = clock
        self._judges: dict[tuple[str, str, str], tuple[str, Judge]] = {}
        self._factories: dict[str, Factory | None] = {}
        self._failed: dict[tuple[str, str], float] = {}
        self._times: dict[str, deque[float]] = {}
        self._slow: dict[str, float] = {}
        self._locks = {evaluation: Lock() for evaluation in settings.evaluations}

    def is_slow(self, evaluation: str) -> bool:
        """Whether an evaluator says of itself, or its settings say, that it runs in the background.

        It says so by `make.background`, True or a function of the settings that gives it; the settings by `background: true`.

        Raises:
            Exception: its package cannot be imported.
        """
        if self._settings.evaluations[evaluation].get("background") is True:
            return True
        factory = self._factory(evaluation)
        says = getattr(factory, "background", False)
        return (says(settings_of(self._settings.evaluations[evaluation])) if callable(says) else says) is True

    def way(self, evaluation: str, sample: Sample) -> str:
        """Where this answer is judged: `inline`, `background`, or why it is not at all (a reason of a skip)."""
        words = self._settings.evaluations[evaluation].get("words", WORDS)
        if too_large(sample, words * LARGEST):
            return "too_large"
        slow = self.is_slow(evaluation)
        if not slow and evaluation not in self._slow and not too_large(sample, words):
            return INLINE
        if events.destination() or self._settings.evaluations[evaluation].get("forward"):
            return BACKGROUND
        if slow:
            notices.once(
                f"nowhere:{evaluation}", f"{evaluation} is judged in the background and {NOWHERE}; until then: `skipped: error`"
            )
            return "error"
        if evaluation in self._slow:
            return (
                INLINE if self._slow[evaluation] <= ALONE_SECONDS and not too_large(sample, words) else self._too_slow(evaluation)
            )
        notices.once(
            f"large:{evaluation}",
            f"answers of more than {words} words are judged by {evaluation} in the background, and {NOWHERE}; until then: `skipped: too_large`",
        )
        return "too_large"

    def judge(self, evaluation: str, service: str, environment: str, sample: Sample | None, *, inline: bool = True) -> Result:
        """The result for one answer; what goes wrong is `skipped: error`, counted.

        Args:
            sample: None when the text of the answer was not seen.
            inline: the caller waits: the time is measured, and an evaluator that is too slow goes to the background for good. It does
                not come back before the process starts anew: there it shares the machine with everything else, and no time measured
                there would say that it is fast here.
        """
        try:
            result = self._judge(evaluation, service, environment, sample, inline=inline)
            # One factory may serve under several names: what it says is told apart by the name that was asked.
            return result if result.evaluation == evaluation else replace(result, evaluation=evaluation)
        except Exception as error:
            failures.count(f"evaluator {evaluation}", error)
            return Result(evaluation, "", skipped="error")

    def _judge(self, evaluation: str, service: str, environment: str, sample: Sample | None, *, inline: bool) -> Result:
        if sample is None:
            notices.once("no text", NO_TEXT)
            return Result(evaluation, "", skipped="error")
        calibration = self._calibrations.get(service, environment, evaluation)
        try:
            found = self._made(evaluation, service, environment, calibration)
        except Exception as error:  # no sample was shown to it: what it says holds no text
            failures.count(f"evaluator {evaluation}", error, textless=True)
            found = None
        if found is None:
            return Result(evaluation, "", skipped="error")
        began = self._clock()
        try:
            with _apart():
                result = found(sample)
        finally:
            if inline:
                self._timed(evaluation, self._clock() - began)
        if why := wrong(result):
            failures.count(f"evaluator {evaluation}", ValueError(why))
            name = getattr(result, "evaluator", "")
            return Result(evaluation, name if is_name(name) else "", skipped="error")
        if result.label and calibration is not None and result.evaluator != calibration.evaluator:
            notices.once(
                f"other evaluator:{evaluation}:{service}:{environment}:{calibration.digest}",
                f"the calibration of {service}/{environment} {evaluation} is by evaluator {calibration.evaluator!r} and answers are judged "
                f"by {result.evaluator!r}: `skipped: no_baseline` until `truegreen baseline take` has run",
            )
            return Result(evaluation, result.evaluator, raw=result.raw, skipped="no_baseline")
        if result.skipped == "no_context":
            notices.once("no context", NO_CONTEXT)
        if calibration is None and not result.label and not result.vector and result.skipped != "shown_only":
            self._calibrations.say_lacking(service, environment, evaluation)
        return result

    def _timed(self, evaluation: str, seconds: float) -> None:
        times = self._times.setdefault(evaluation, deque(maxlen=WINDOW))
        times.append(seconds)
        if len(times) < WINDOW:
            return
        median = sorted(times)[WINDOW // 2]
        if evaluation in self._slow:
            self._slow[evaluation] = median
        elif median > BUDGET_SECONDS:
            self._slow[evaluation] = median
            then = (
                "its verdicts are log events from now on"
                if events.destination()
                else f"it would go to the background, but {NOWHERE}"
            )
            notices.once(
                f"slow:{evaluation}",
                f"{evaluation} took {median * 1000:.1f} ms for an answer (median of {WINDOW}), over {BUDGET_SECONDS * 1000:.0f} ms: {then}. "
                f"Write evaluations.{evaluation}.background: true where that is as expected",
            )

    def _too_slow(self, evaluation: str) -> str:
        notices.once(
            f"too slow:{evaluation}",
            f"{evaluation} takes over {ALONE_SECONDS * 1000:.0f} ms for an answer, or the answer is large, and {NOWHERE}; until then: `skipped: error`",
        )
        return "error"

    def _factory(self, evaluation: str) -> Factory | None:
        if evaluation in self._factories:
            return self._factories[evaluation]
        with self._locks[evaluation]:
            if evaluation not in self._factories:
                self._factories[evaluation] = self._find(evaluator_of(evaluation, self._settings.evaluations[evaluation]))
        factory = self._factories[evaluation]
        if factory is None:
            notices.once(
                f"evaluator:{evaluation}",
                f"evaluation {evaluation}: no installed package has {evaluator_of(evaluation, self._settings.evaluations[evaluation])} in the "
                f"entry-point group {GROUP}",
            )
        return factory

    def _made(self, evaluation: str, service: str, environment: str, calibration: Calibration | None) -> Judge | None:
        digest = calibration.digest if calibration else ""
        key = (evaluation, service, environment)
        known = self._judges.get(key)
        if known is not None and known[0] == digest:
            return known[1]
        factory = self._factory(evaluation)
        if factory is None:
            return None
        with self._locks[evaluation]:
            known = self._judges.get(key)
            if known is None or known[0] != digest:
                if self._clock() - self._failed.get((evaluation, digest), -math.inf) < AGAIN_SECONDS:
                    return None
                try:
                    known = (digest, factory(settings_of(self._settings.evaluations[evaluation]), calibration))
                except Exception:
                    self._failed[evaluation, digest] = self._clock()
                    raise
                self._judges[key] = known
        if calibration is not None:
            few = f"; it has {calibration.answers} answers, under {MINIMUM_ANSWERS} may be `skipped: no_baseline`"
            said = f"calibration {digest} in use for {service}/{environment} {evaluation}{few if not calibration.enough else ''}"
            notices.once(f"calibration:{key}:{digest}", said, logging.INFO)
        return known[1]


def settings_of(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings as an evaluator's factory gets them: its `words` is the largest text that it is shown at all."""
    return {**settings, "words": settings.get("words", WORDS) * LARGEST}


@contextmanager
def _apart() -> Iterator[None]:
    """What an evaluator calls makes no spans where the library can be asked not to, and none of its calls is judged."""
    token = judging.set(True)
    try:
        with suppress_instrumentation():
            yield
    finally:
        judging.reset(token)


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
    letters = sum(map(len, texts))
    if letters > words * LETTERS_PER_WORD:
        return True
    return letters > words and sum(len(text.split()) for text in texts) > words
