"""What a call of a model says about its answer: the text of it, whether it is an answer, its markers, and its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from truegreen.core.words import attributes as names
from truegreen.core.words.shapes import Sample
from truegreen.instrumentation import evaluate, failures, sampling
from truegreen.instrumentation.call import Call, identity
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.markers import markers
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.text import TOOL_FINISHES, Text, from_messages


class Answers:
    """Judges the answers among the calls."""

    def __init__(self, settings: Settings, evaluators: Evaluators, store: Store) -> None:
        self._settings = settings
        self._evaluators = evaluators
        self._store = store

    def attributes(self, call: Call, text: Text) -> Mapping[str, Any]:
        """Markers and evaluations of an answer; nothing for a call that is none."""
        try:
            answers = is_answer(call, text)
            found = self._judged(call, text) if answers else {}
            request = call.state.request
            if request is not None and (answers or (call.failed and call.operation in names.CHAT_OPERATIONS)):
                request.used = True  # the passages of a request that failed are not those of the next one
        except Exception as error:  # the rest of the span is worth having without its evaluation
            failures.count("evaluation", error)
            return {}
        return found

    def _judged(self, call: Call, text: Text) -> Mapping[str, Any]:
        found: dict[str, Any] = {names.EVALUATION_SAMPLED: sampling.NONE}
        if text.answer is not None:
            marks = markers(text.answer, call.read("finish_reasons") or ())
            if marks:
                found[names.ANSWER_MARKERS] = marks
        sample: Sample | None = None
        for evaluation in self._settings.evaluations:
            sampled = sampling.sampled(call.trace, evaluation, self._settings.rate_of(evaluation), boost=call.state.boost)
            if sampled == sampling.NONE:
                continue
            if found[names.EVALUATION_SAMPLED] != sampling.BASE:
                found[names.EVALUATION_SAMPLED] = sampled
            if sample is None and text.answer is not None:
                sample = self._sample(call, text)
            service, environment = identity(call.span)
            found[names.evaluation(evaluation, "sampled")] = sampled
            found.update(evaluate.attributes(self._evaluators.judge(evaluation, service, environment, sample)))
        return found

    def _sample(self, call: Call, text: Text) -> Sample:
        request, told = call.state.request, call.state.told
        passages, query = (request.texts(), request.query) if request else ((), "")
        if not passages:
            passages, query = self._store.of(call.trace)
        asked = (told.query if told else "") or query or text.query
        return Sample(asked, text.answer or "", passages, call.read("request_model") or "")


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
