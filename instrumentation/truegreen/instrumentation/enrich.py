"""What a GenAI span gets: decided from its state and its attributes, put on by the processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import baggage
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import StatusCode

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import Dialect
from truegreen.core.words.shapes import Sample
from truegreen.instrumentation import evaluate, failures, sampling
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.markers import markers
from truegreen.instrumentation.model import State
from truegreen.instrumentation.normalise import View, read, select
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.snapshot import Snapshots
from truegreen.instrumentation.text import TOOL_FINISHES, Text, from_messages, template

OURS = "truegreen.instrumentation"
"""The scope of the spans that this package makes; they get snapshot and stamps as GenAI spans do."""
UNKNOWN_SERVICE, UNKNOWN_ENVIRONMENT = "unknown_service", "unknown"
_LEAVES = (*names.LLM_OPERATIONS, names.RETRIEVAL_OPERATION, names.TOOL_OPERATION)


class Enricher:
    """Knows what to put on a span at its start and at its end."""

    def __init__(
        self, settings: Settings, snapshots: Snapshots, evaluators: Evaluators, store: Store, duplicates: Duplicates
    ) -> None:
        self._settings = settings
        self._snapshots = snapshots
        self._evaluators = evaluators
        self._store = store
        self._duplicates = duplicates

    def at_start(self, span: Span, state: State) -> Mapping[str, Any]:
        """The attributes for a span that is a GenAI span from its first moment; nothing for any other."""
        attributes: Mapping[str, Any] = span.attributes or {}
        scope = _scope(span)
        state.dialect = select(scope, attributes)
        cohort = self._settings.cohort_attribute
        if cohort and names.COHORT not in state.stamps and (carried := baggage.get_baggage(cohort)):
            state.stamps = {**state.stamps, names.COHORT: str(carried)}
        if state.dialect is None and scope != OURS:
            return {}
        return _lacking({**self._serving(state, View(attributes)), **state.stamps}, attributes)

    def at_end(self, span: Span, state: State, parent: State | None) -> Mapping[str, Any]:
        """The attributes that a span still lacks when it ends."""
        attributes: Mapping[str, Any] = {**state.source, **(span.attributes or {})}
        scope = _scope(span)
        dialect = select(scope, attributes) or state.dialect
        found: dict[str, Any] = {}
        operation = ""
        if dialect is not None:
            view = View(attributes)
            operation = read(dialect, "operation", view) or ""
            found = {**state.source, **self._complete(span, state, parent, dialect, view, operation)}
        elif scope == OURS:
            found = {**self._serving(state, View(attributes)), **state.stamps}
        if state.local_root and not (state.remote_parent and operation in _LEAVES):
            self._store.drop(span.get_span_context().trace_id)
        return _lacking(found, span.attributes or {})

    def _complete(
        self, span: Span, state: State, parent: State | None, dialect: Dialect, view: View, operation: str
    ) -> Mapping[str, Any]:
        found: dict[str, Any] = {names.DIALECT: dialect.name, **state.stamps}
        cohort = self._settings.cohort_attribute
        if cohort and names.COHORT not in found and cohort in view.attributes:
            found[names.COHORT] = str(view.attributes[cohort])
        text = _text(state, dialect, view) if operation in names.LLM_OPERATIONS else Text()
        found.update(self._serving(state, view, dialect, operation))
        if operation not in names.LLM_OPERATIONS:
            return found
        name = _prompt(state, self._settings, dialect, view)
        if name or text.system:
            found[names.PROMPT_TEMPLATE] = name or template(text.system)
        if self._duplicates.is_one(span, _scope(span), state, dialect, view):
            if parent is not None and parent.told is None and text.answer is not None:
                parent.told = text  # the span that counts may belong to a library that shows no text
            return {**found, names.DUPLICATE: True}
        try:
            if self._is_answer(span, dialect, view, operation, text):
                found.update(self._judged(span, state, dialect, view, text))
                ended = True
            else:
                ended = operation in names.CHAT_OPERATIONS and self._failed(span, dialect, view)
            if ended and state.request is not None:
                state.request.used = True  # the passages of a request that failed are not those of the next one
        except Exception as error:  # the rest of the span is worth having without its evaluation
            failures.count("evaluation", error)
        return found

    def _serving(self, state: State, view: View, dialect: Dialect | None = None, operation: str = "") -> Mapping[str, Any]:
        """Snapshot attributes; the model is what was served, else what was served last for the name asked for, else that name."""
        dialect = dialect or state.dialect
        versions = {**self._settings.snapshot, **state.versions}
        if dialect is not None:
            prompt = _prompt(state, self._settings, dialect, view)
            if prompt:
                versions.setdefault("prompt", prompt)
            operation = operation or read(dialect, "operation", view) or ""
            if operation in names.LLM_OPERATIONS and "model" not in versions:
                model = self._snapshots.served(
                    read(dialect, "request_model", view) or "", read(dialect, "response_model", view) or ""
                )
                versions.update({"model": model} if model else {})
        return self._snapshots.attributes(versions)

    @staticmethod
    def _failed(span: Span, dialect: Dialect, view: View) -> bool:
        return span.status.status_code is StatusCode.ERROR or read(dialect, "error_type", view) is not None

    def _is_answer(self, span: Span, dialect: Dialect, view: View, operation: str, text: Text) -> bool:
        finishes = read(dialect, "finish_reasons", view)
        tools = bool(TOOL_FINISHES.intersection(finishes)) if finishes else text.tools
        return operation in names.CHAT_OPERATIONS and not self._failed(span, dialect, view) and not tools

    def _judged(self, span: Span, state: State, dialect: Dialect, view: View, text: Text) -> Mapping[str, Any]:
        found: dict[str, Any] = {names.EVALUATION_SAMPLED: sampling.NONE}
        if text.answer is not None:
            marks = markers(text.answer, read(dialect, "finish_reasons", view) or ())
            if marks:
                found[names.ANSWER_MARKERS] = marks
        trace = span.get_span_context().trace_id
        sample: Sample | None = None
        for evaluation in self._settings.evaluations:
            sampled = sampling.sampled(trace, evaluation, self._settings.rate_of(evaluation), boost=state.boost)
            if sampled == sampling.NONE:
                continue
            if found[names.EVALUATION_SAMPLED] != sampling.BASE:
                found[names.EVALUATION_SAMPLED] = sampled
            if sample is None and text.answer is not None:
                sample = self._sample(state, trace, text, read(dialect, "request_model", view) or "")
            service, environment = identity(span)
            found[names.evaluation(evaluation, "sampled")] = sampled
            found.update(evaluate.attributes(self._evaluators.judge(evaluation, service, environment, sample)))
        return found

    def _sample(self, state: State, trace: int, text: Text, model: str) -> Sample:
        passages, query = (state.request.texts(), state.request.query) if state.request else ((), "")
        if not passages:
            passages, query = self._store.of(trace)
        return Sample((state.told.query if state.told else "") or query or text.query, text.answer or "", passages, model)


def identity(span: Span) -> tuple[str, str]:
    """Service and environment of a span's resource, as the collector names them."""
    resource = span.resource.attributes
    environment = resource.get(names.ENVIRONMENT_NAME) or resource.get(names.ENVIRONMENT_NAME_OLD) or UNKNOWN_ENVIRONMENT
    return str(resource.get(names.SERVICE_NAME) or UNKNOWN_SERVICE), str(environment)


def _lacking(found: Mapping[str, Any], present: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is missing or differs; an attribute that is not ours is never overwritten."""
    return {
        name: value
        for name, value in found.items()
        if (present.get(name) != value if name.startswith("truegreen.") else name not in present)
    }


def _scope(span: Span) -> str:
    scope = span.instrumentation_scope
    return scope.name if scope else ""


def _prompt(state: State, settings: Settings, dialect: Dialect, view: View) -> str:
    told = state.versions.get("prompt") or settings.snapshot.get("prompt")
    if told:
        return told
    name, version = read(dialect, "prompt_name", view), read(dialect, "prompt_version", view)
    return f"{name}@{version}" if name and version else name or read(dialect, "prompt_template", view) or ""


def _text(state: State, dialect: Dialect, view: View) -> Text:
    """The text of a call: from content attributes, else from the completion hook, else from `answer`."""
    inputs, outputs, system = (read(dialect, field, view) for field in ("input_messages", "output_messages", "system"))
    written = from_messages(inputs, outputs, system)
    text = Text()
    for known in (written, state.hooked, state.told):
        if known is not None:
            text.answer = known.answer if text.answer is None else text.answer
            text.query = text.query or known.query
            text.system = text.system or known.system
            text.tools = text.tools or known.tools
    return text
