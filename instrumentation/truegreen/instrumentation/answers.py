"""What a call of a model says about its answer: the text of it, whether it is an answer, its markers, its style, and its evaluations."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.core.words.shapes import Result, Sample
from truegreen.instrumentation import evaluate, events, failures, forward, notices, sampling
from truegreen.instrumentation.background import Job, background
from truegreen.instrumentation.boost import Boost
from truegreen.instrumentation.call import Call, identity
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.markers import markers
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.settings import WORDS, Settings
from truegreen.instrumentation.style import style
from truegreen.instrumentation.text import TOOL_FINISHES, Text, from_messages


class Answers:
    """Judges the answers among the calls, here or in the background."""

    def __init__(self, settings: Settings, evaluators: Evaluators, store: Store, boost: Boost | None = None) -> None:
        self._settings = settings
        self._evaluators = evaluators
        self._store = store
        self._boost = boost or Boost()
        self._rates: dict[tuple[str, str], float] = {}

    def attributes(self, call: Call, text: Text, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """Markers, style and evaluations of an answer; nothing for a call that is none.

        Args:
            known: the attributes that the span will have, without these.
        """
        try:
            answers = is_answer(call, text) and not evaluate.judging.get()
            found = self._judged(call, text, known) if answers else {}
            request = call.state.request
            if request is not None and (answers or (call.failed and call.operation in names.CHAT_OPERATIONS)):
                request.used = True  # the passages of a request that failed are not those of the next one
        except Exception as error:  # the rest of the span is worth having without its evaluation
            failures.count("evaluation", error)
            return {}
        return found

    def _judged(self, call: Call, text: Text, known: Mapping[str, Any]) -> Mapping[str, Any]:
        found: dict[str, Any] = {names.EVALUATION_SAMPLED: sampling.NONE}
        if text.answer is not None:
            marks = markers(text.answer, call.read("finish_reasons") or ())
            if marks:
                found[names.ANSWER_MARKERS] = marks
        if not call.span.get_span_context().trace_flags.sampled:
            return found  # recorded, and exported by nobody
        identified = identity(call.span)
        boost = self._boosted(call, known)
        sample: Sample | None = None
        for evaluation in self._settings.evaluations:
            sampled = sampling.sampled(call.trace, evaluation, self._rate(evaluation, identified[0]), boost=boost)
            if sampled == sampling.NONE:
                continue
            if found[names.EVALUATION_SAMPLED] != sampling.BASE:
                found[names.EVALUATION_SAMPLED] = sampled
            if sample is None and text.answer is not None:
                sample = self._sample(call, text)
            found.update(self._evaluated(call, evaluation, sampled, identified, sample, known))
        if (
            found[names.EVALUATION_SAMPLED] != sampling.NONE
            and text.answer
            and len(text.answer) <= WORDS * evaluate.LETTERS_PER_WORD
        ):
            found[names.ANSWER_STYLE] = style(text.answer)
        return found

    def _boosted(self, call: Call, known: Mapping[str, Any]) -> float:
        if call.state.boost or (self._settings.boosted and known.get(names.COHORT) in self._settings.boosted):
            return 1.0
        return self._boost.share()

    def _rate(self, evaluation: str, service: str) -> float:
        key = (evaluation, service)
        rate = self._rates.get(key)
        if rate is None:
            try:
                slow = self._evaluators.is_slow(evaluation)
            except Exception as error:
                failures.count(f"evaluator {evaluation}", error)
                slow = False
            rate = self._settings.rate_of(evaluation, service, background=slow)
            if slow and rate != self._settings.rate_of(evaluation, service):
                notices.once(
                    f"rate:{evaluation}",
                    f"{evaluation} says of itself that it is slow: {rate:.0%} of answers are judged, in the background. Write "
                    f"evaluations.{evaluation}.background: true, so that the rules expect as much",
                )
            if len(self._rates) < 1_000:
                self._rates[key] = rate
        return rate

    def _evaluated(
        self,
        call: Call,
        evaluation: str,
        sampled: str,
        identified: tuple[str, str],
        sample: Sample | None,
        known: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """One evaluation of an answer, as the span says it: a verdict, why there is none, or that it is deferred."""
        way = evaluate.INLINE if sample is None else self._way(evaluation, sample)
        if way == evaluate.BACKGROUND and sample is not None:
            if self._deferred(call, evaluation, sampled, identified, sample, known):
                return {names.evaluation(evaluation, "deferred"): sampled}
            way = "queue_full"
            notices.once(
                f"full:{evaluation}",
                f"{evaluation}: more answers than its background thread can judge: `skipped: queue_full`; lower its sampling",
            )
        if way == evaluate.INLINE:
            result = self._evaluators.judge(evaluation, *identified, sample)
            self._forwarded(call, result, sampled, known)
        else:
            result = Result(evaluation, "", skipped=way)
        return {names.evaluation(evaluation, "sampled"): sampled, **evaluate.attributes(result)}

    def _way(self, evaluation: str, sample: Sample) -> str:
        try:
            return self._evaluators.way(evaluation, sample)
        except Exception as error:
            failures.count(f"evaluator {evaluation}", error)
            return "error"

    def _deferred(
        self, call: Call, evaluation: str, sampled: str, identified: tuple[str, str], sample: Sample, known: Mapping[str, Any]
    ) -> bool:
        span, copied = call.span.get_span_context(), events.labels(known)
        targets = self._targets(evaluation)
        run = forward.run_id(known) if "langsmith" in targets else ""

        def done(judged: Result | None) -> None:
            result = judged or Result(evaluation, "", skipped="error")
            if events.destination():
                events.emit(result, sampled, span, copied, evaluate.attributes(result))
            elif not targets:
                failures.count("evaluation event", LookupError())
            if targets:
                forward.send(forward.Verdict(result, sampled, span.trace_id, span.span_id, run), targets)

        return self._submitted(
            Job(lambda: self._evaluators.judge(evaluation, *identified, sample, inline=False), done, _bytes(sample))
        )

    def _forwarded(self, call: Call, result: Result, sampled: str, known: Mapping[str, Any]) -> None:
        targets = self._targets(result.evaluation)
        if not targets or (result.raw is None and result.score is None):
            return
        span = call.span.get_span_context()
        run = forward.run_id(known) if "langsmith" in targets else ""
        verdict = forward.Verdict(result, sampled, span.trace_id, span.span_id, run)
        if not self._submitted(Job(lambda: forward.send(verdict, targets), _nothing)):
            failures.count("forward", OverflowError())

    def _targets(self, evaluation: str) -> tuple[str, ...]:
        return tuple(self._settings.evaluations[evaluation].get("forward") or ())

    @staticmethod
    def _submitted(job: Job) -> bool:
        try:
            return background.submit(job)
        except Exception as error:
            failures.count("background", error)
            return False

    def _sample(self, call: Call, text: Text) -> Sample:
        request, told = call.state.request, call.state.told
        passages, query = (request.texts(), request.query) if request else ((), "")
        if not passages:
            passages, query = self._store.of(call.trace)
        asked = (told.query if told else "") or query or text.query
        return Sample(asked, text.answer or "", passages, call.read("request_model") or "")


def _bytes(sample: Sample) -> int:
    return sum(map(sys.getsizeof, (sample.query, sample.answer, *sample.passages)))


def _nothing(_: object) -> None:
    """There is nothing to do when a verdict has been forwarded."""


def is_answer(call: Call, text: Text) -> bool:
    """Whether a call answers: a chat or generate call that did not fail and whose finish is not a tool call."""
    finishes = call.read("finish_reasons")
    tools = bool(TOOL_FINISHES.intersection(finishes)) if finishes else text.tools
    return call.operation in names.CHAT_OPERATIONS and not call.failed and not tools


def text_of(call: Call) -> Text:
    """The text of a call: from content attributes, else from the completion hook, else from `answer`."""
    written = from_messages(call.read("input_messages"), call.read("output_messages"), call.read("system"))
    text = Text()
    for known in (written, call.state.hooked, call.state.told):
        if known is not None:
            text.answer = known.answer if text.answer is None else text.answer
            text.query = text.query or known.query
            text.system = text.system or known.system
            text.tools = text.tools or known.tools
    return text
