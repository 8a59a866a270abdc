"""What a GenAI span gets at its end, decided stage by stage.

What depends on the order of things, or is needed by another span, is decided in the thread of the call. Of a call whose answer nobody judges the
rest, which is most of the work, waits until somebody looks at the span: see `later`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from opentelemetry.sdk.trace import Span

from truegreen.core.words import attributes as names
from truegreen.core.words.normalise import select
from truegreen.instrumentation import failures, later, normalised
from truegreen.instrumentation.answers import Answers, text_of, use_up
from truegreen.instrumentation.call import Call, attributes_of, scope_of
from truegreen.instrumentation.context import carried_cohort
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.model import State
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.serving import Serving
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.snapshot import Snapshots
from truegreen.instrumentation.spans import OURS
from truegreen.instrumentation.steps import Steps
from truegreen.instrumentation.tally import Runs, Tally
from truegreen.instrumentation.text import Text, template

KEPT = (names.OPERATION_NAME, names.PROVIDER_NAME, names.REQUEST_MODEL)
"""Source attributes that are put back when the span's attribute limit evicted them: without them nobody knows that it is an LLM span."""
CHARACTERS = 8_000
"""Answer and system message of a call wait with it for a look at its span while they are not longer: an exporter has up to 2,048 spans in its queue."""
_LEAVES = (*names.LLM_OPERATIONS, names.RETRIEVAL_OPERATION, names.TOOL_OPERATION)


class Enricher:
    """Knows what to note when a span starts and what to put on it when it ends."""

    def __init__(
        self, settings: Settings, snapshots: Snapshots, evaluators: Evaluators, store: Store, duplicates: Duplicates
    ) -> None:
        self._settings = settings
        self._serving = Serving(settings, snapshots)
        self._answers = Answers(settings, evaluators, store)
        self._store = store
        self._steps = Steps(settings, store, Runs())
        self._duplicates = duplicates

    def at_start(self, span: Span, state: State) -> None:
        """Take note of a span that is a GenAI span from its first moment, or whose library makes such spans."""
        scope, attributes = scope_of(span), attributes_of(span)
        state.dialect = select(scope, attributes)
        if state.dialect is not None:
            state.source = {name: attributes[name] for name in KEPT if name in attributes}
        self._duplicates.opened(span, state, scope, attributes)

    def at_end(self, span: Span, state: State, at: int) -> None:
        """Complete a span that is about to end.

        Args:
            at: its end, in unix ns.
        """
        scope, present = scope_of(span), attributes_of(span)
        dialect, operation = state.dialect, ""
        if dialect is None or not dialect.scopes:  # by its attributes alone: there may be more of them by now
            dialect = select(scope, present) or dialect
        beneath = self._steps.beneath(span)
        if dialect is not None:
            if state.source and (kept := {name: value for name, value in state.source.items() if name not in present}):
                span.set_attributes(kept)
                present = attributes_of(span)
            call = Call(span, state, dialect, scope, present, at)
            operation = call.operation
            self._serving.note(state, call.context.trace_id)
            if operation in names.LLM_OPERATIONS:
                self._model(span, call, beneath)
            else:
                self._step(span, call, beneath)
        else:
            if scope == OURS:
                self._serving.note(state, span.get_span_context().trace_id)
                served, _ = self._serving.snapshot(state, span.resource, present, at)
                span.set_attributes(_lacking({**served.attributes, **self._stamps(state, present)}, present))
            self._steps.pass_on(span.parent, None, beneath, duplicate=False)
        if state.local_root and not (state.remote_parent and operation in _LEAVES):
            self._store.drop(span.get_span_context().trace_id)

    def _model(self, span: Span, call: Call, beneath: Tally | None) -> None:
        """Complete a call of a model: most of it waits where nobody judges the answer, and no other span of the process is concerned."""
        state, text = call.state, _text(call)
        stamps = self._stamps(state, call.attributes)
        if stamps is not state.carried.stamps:
            state.carried = state.carried._replace(stamps=stamps)
        samples = self._answers.samples(call, stamps.get(names.COHORT))
        if state.request is not None:
            use_up(call, text)
        waits = not samples and beneath is None and self._duplicates.alone(span, state) and text.settle(CHARACTERS)
        if waits and later.put(span, partial(self._completed, call, text)):
            self._duplicates.ends(call)
            self._steps.pass_on(call.parent, call, None, duplicate=False)
            return
        self._duplicates.among(span, state)
        found = self._called(call, text, samples, alone=False)
        self._steps.pass_on(call.parent, call, beneath, duplicate=names.DUPLICATE in found)
        span.set_attributes(_lacking(found, call.attributes))

    def _completed(self, call: Call, text: Text, present: Mapping[str, Any]) -> Mapping[str, Any]:
        call.attributes = present
        return _lacking(self._called(call, text, {}, alone=True), present)

    def _called(self, call: Call, text: Text, samples: Mapping[str, str], *, alone: bool) -> Mapping[str, Any]:
        """What a call of a model gets.

        Args:
            samples: the evaluations that it is in the sample of.
            alone: no other span is concerned.
        """
        present = call.attributes
        found = {names.DIALECT: call.dialect.name, **(call.borrow() if call.state.lent else {}), **call.state.carried.stamps}
        served, prompt = self._serving.snapshot(call.state, call.resource, present, call.at, call)
        found.update(served.attributes)
        if prompt := prompt or _template(text):
            found[names.PROMPT_TEMPLATE] = prompt
        found.update(normalised.attributes(call, len(found)))
        if self._duplicates.is_one(call, text, alone=alone):
            found[names.DUPLICATE] = True
        else:
            self._serving.count(call, served)
            found.update(self._answers.attributes(call, text, samples, {**present, **found} if samples else found))
        return found

    def _step(self, span: Span, call: Call, beneath: Tally | None) -> None:
        """Complete any other GenAI span."""
        state, present = call.state, call.attributes
        served, _ = self._serving.snapshot(state, call.resource, present, call.at, call)
        found = {names.DIALECT: call.dialect.name, **self._stamps(state, present), **served.attributes}
        found.update(normalised.attributes(call, len(found)))
        found.update(self._steps.attributes(call, beneath))
        if call.operation == names.RETRIEVAL_OPERATION:
            self._serving.retrieved(call, found)
        self._steps.pass_on(call.parent, call, beneath, duplicate=names.DUPLICATE in found)
        span.set_attributes(_lacking(found, present))

    def _stamps(self, state: State, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the context says of the request, with its cohort."""
        stamps, name = state.carried.stamps, self._settings.cohort_attribute
        if not name or names.COHORT in stamps:
            return stamps
        cohort = carried_cohort(name, state.context) or attributes.get(name)
        return stamps if cohort is None else {**stamps, names.COHORT: str(cohort)}


def _text(call: Call) -> Text:
    try:
        return text_of(call)
    except Exception as error:  # messages of any form come from outside; the rest of the span is worth having without
        failures.count("text", error)
        return Text()


def _template(text: Text) -> str:
    try:
        return template(text.system)
    except Exception as error:
        failures.count("text", error)
        return ""


def _lacking(found: Mapping[str, Any], present: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is missing or differs; an attribute that is not ours is never overwritten."""
    return {
        name: value
        for name, value in found.items()
        if (present.get(name) != value if name.startswith("truegreen.") else name not in present)
    }
