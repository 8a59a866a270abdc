"""What a call of a model says about its answer: the text of it, whether it is an answer, its markers, its style, and its evaluations."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext, TraceFlags

from truegreen.core.words import attributes as names
from truegreen.core.words.shapes import Result, Sample
from truegreen.instrumentation import evaluate, events, failures, forward, notices, sampling, sketch
from truegreen.instrumentation.background import Job, background
from truegreen.instrumentation.boost import Boost
from truegreen.instrumentation.call import Call, identity
from truegreen.instrumentation.context import Carried
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.markers import markers
from truegreen.instrumentation.model import State
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.settings import WORDS, Settings
from truegreen.instrumentation.style import style
from truegreen.instrumentation.text import TOOL_FINISHES, Messages, Text

SAMPLED = TraceFlags.SAMPLED


class _Known(NamedTuple):
    """The rates of the service that was asked for last: most processes are one.

    Args:
        sampled: those over 0.
    """

    resource: Resource | None
    rates: tuple[tuple[str, float], ...]
    sampled: tuple[tuple[str, float], ...]


class Answers:
    """Judges the answers among the calls, here or in the background."""

    def __init__(self, settings: Settings, evaluators: Evaluators, store: Store, boost: Boost | None = None) -> None:
        self._settings = settings
        self._evaluators = evaluators
        self._store = store
        self._boost = boost or Boost()
        self._rates: dict[tuple[str, str], float] = {}
        self._known = _Known(None, (), ())

    def samples(self, span: SpanContext, resource: Resource, carried: Carried) -> Mapping[str, str]:
        """The evaluations that an answer is in the sample of, `base` or `boost`; empty when nobody judges it."""
        try:
            boosted = carried.boost or (self._settings.boosted and carried.stamps.get(names.COHORT) in self._settings.boosted)
            boost = 1.0 if boosted else self._boost.share()
            known = self._known if self._known.resource is resource else self._know(resource)
            rates = known.rates if boost else known.sampled
            if not rates or not span.trace_flags & SAMPLED:  # recorded, and exported by nobody
                return {}
            found = {name: sampling.sampled(span.trace_id, name, rate, boost=boost) for name, rate in rates}
            return {name: sampled for name, sampled in found.items() if sampled != sampling.NONE}
        except Exception as error:  # the rest of the span is worth having without its evaluation
            failures.count("evaluation", error)
            return {}

    def attributes(self, call: Call, text: Text, samples: Mapping[str, str], known: Mapping[str, Any]) -> Mapping[str, Any]:
        """Markers, style and evaluations of an answer; nothing for a call that is none.

        Args:
            samples: what `samples` gave.
            known: the attributes that the span will have, without these.
        """
        try:
            return self._attributes(call, text, samples, known) if is_answer(call, text) else {}
        except Exception as error:
            failures.count("evaluation", error)
            return {}

    def _attributes(self, call: Call, text: Text, samples: Mapping[str, str], known: Mapping[str, Any]) -> Mapping[str, Any]:
        found: dict[str, Any] = {names.EVALUATION_SAMPLED: sampling.NONE}
        if text.answer is not None and (marks := markers(text.answer, call.read("finish_reasons") or ())):
            found[names.ANSWER_MARKERS] = marks
        if not samples:
            return found
        identified = identity(call.resource)
        sample = None if text.answer is None else self._sample(call, text)
        for evaluation, sampled in samples.items():
            found.update(self._evaluated(call, evaluation, sampled, identified, sample, known))
        found[names.EVALUATION_SAMPLED] = sampling.BASE if sampling.BASE in samples.values() else sampling.BOOST
        if text.answer and len(text.answer) <= WORDS * evaluate.LETTERS_PER_WORD:
            found[names.ANSWER_STYLE] = style(text.answer)
        return found

    def _know(self, resource: Resource) -> _Known:
        service, _ = identity(resource)
        rates = tuple((evaluation, self._rate(evaluation, service)) for evaluation in self._settings.evaluations)
        self._known = _Known(resource, rates, tuple((name, rate) for name, rate in rates if rate > 0))
        return self._known

    def _rate(self, evaluation: str, service: str) -> float:
        key = (evaluation, service)
        rate = self._rates.get(key)
        if rate is None:
            try:
                slow = self._evaluators.is_slow(evaluation)
            except Exception as error:
                failures.count(f"evaluator {evaluation}", error, textless=True)
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
        span, copied, resource = call.context, events.labels(known), call.resource
        targets = self._targets(evaluation)
        run = forward.run_id(known) if "langsmith" in targets else ""

        def done(judged: Result | None) -> None:
            result = judged or Result(evaluation, "", skipped="error")
            if events.destination():
                found = {**evaluate.attributes(result), **sketch.attributes(result, sample)}
                events.emit(result, sampled, span, copied, found, resource=resource)
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
        span = call.context
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
            passages, query = self._store.of(call.context.trace_id)
        asked = (told.query if told else "") or query or text.query
        finish = tuple(map(str, call.read("finish_reasons") or ()))
        return Sample(asked, text.answer or "", passages, call.read("request_model") or "", finish=finish)


def _bytes(sample: Sample) -> int:
    return sum(map(sys.getsizeof, (sample.query, sample.answer, *sample.passages)))


def _nothing(_: object) -> None:
    """There is nothing to do when a verdict has been forwarded."""


def use_up(call: Call, text: Text) -> None:
    """The passages that waited for this call wait no more: it answered, or it failed, and those of a request that failed are not those of the next one."""
    try:
        request = call.state.request
        if request is not None and call.operation in names.CHAT_OPERATIONS and (call.failed or is_answer(call, text)):
            request.used = True
    except Exception as error:
        failures.count("passages", error)


def is_answer(call: Call, text: Text) -> bool:
    """Whether a call answers: a chat or generate call that did not fail, whose finish is not a tool call, and that is not a judge's own."""
    finishes = call.read("finish_reasons")
    tools = bool(TOOL_FINISHES.intersection(finishes)) if finishes else text.tools
    return call.operation in names.CHAT_OPERATIONS and not tools and not call.failed and not call.state.judging


def text_of(state: State, call: Call | None = None) -> Text:
    """The text of a call: from the completion hook, else from content attributes, else from `answer`.

    Args:
        call: reads the attributes; None to leave them alone.
    """
    try:
        shown = state.hooked
        if shown is None and call is not None:
            shown = Messages(call.read("input_messages"), call.read("output_messages"), call.read("system"))
        return Text(messages=() if shown is None else (shown,), told=state.told)
    except Exception as error:  # messages of any form come from outside; the rest of the span is worth having without
        failures.count("text", error)
        return Text()
