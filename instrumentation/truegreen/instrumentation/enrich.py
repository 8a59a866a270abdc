"""What a GenAI span gets: decided from its state and its attributes stage by stage, put on by the processor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from opentelemetry import baggage
from opentelemetry.sdk.trace import Span

from truegreen.core.words import attributes as names
from truegreen.core.words.normalise import View, read, select
from truegreen.instrumentation import normalised
from truegreen.instrumentation.answers import Answers, text_of
from truegreen.instrumentation.call import Call, attributes_of, scope_of
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.model import State
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.serving import Serving, nothing
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.snapshot import Snapshots
from truegreen.instrumentation.spans import OURS
from truegreen.instrumentation.steps import Steps
from truegreen.instrumentation.tally import Runs
from truegreen.instrumentation.text import template

_LEAVES = (*names.LLM_OPERATIONS, names.RETRIEVAL_OPERATION, names.TOOL_OPERATION)


class Enricher:
    """Knows what to put on a span at its start and at its end."""

    def __init__(
        self, settings: Settings, snapshots: Snapshots, evaluators: Evaluators, store: Store, duplicates: Duplicates
    ) -> None:
        self._settings = settings
        self._serving = Serving(settings, snapshots)
        self._answers = Answers(settings, evaluators, store)
        self._store = store
        self._steps = Steps(settings, store, Runs())
        self._duplicates = duplicates

    def at_start(self, span: Span, state: State, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """The attributes for a span that is a GenAI span from its first moment; nothing for any other.

        Args:
            attributes: a copy of what it has.
        """
        scope = scope_of(span)
        state.dialect = select(scope, attributes)
        cohort = self._settings.cohort_attribute
        if cohort and names.COHORT not in state.stamps and (carried := baggage.get_baggage(cohort)):
            state.stamps = {**state.stamps, names.COHORT: str(carried)}
        self._duplicates.opened(span, state, attributes)
        if state.dialect is None and scope != OURS:
            return {}
        fields = partial(_read, state, View(attributes)) if state.dialect else nothing
        return _lacking({**self._serving.attributes(span, state, attributes, fields), **state.stamps}, attributes)

    def at_end(self, span: Span, state: State, parent: State | None) -> Mapping[str, Any]:
        """The attributes that a span still lacks when it ends."""
        present = attributes_of(span)
        attributes = {**state.source, **present}
        scope = scope_of(span)
        dialect = select(scope, attributes) or state.dialect
        found: dict[str, Any] = {}
        call, operation, beneath = None, "", self._steps.beneath(span)
        if dialect is not None:
            call = Call(span, state, parent, dialect, normalised.view_of(span, attributes))
            operation = call.operation
            lent = call.borrow() if state.lent else {}
            found = {
                **state.source,
                **lent,
                **self._traffic(call),
                **self._serving.attributes(span, state, attributes, call.read),
            }
            found.update(normalised.attributes(call, len(found)))
            found.update(self._model(call, {**attributes, **found}))
            found.update(self._steps.attributes(call, beneath))
            if operation == names.RETRIEVAL_OPERATION:
                self._serving.retrieved(call, found)
            elif operation in names.LLM_OPERATIONS and names.DUPLICATE not in found:
                self._serving.count(call, found)
        elif scope == OURS:
            found = {**self._serving.attributes(span, state, attributes), **state.stamps}
        self._steps.pass_on(span, call, beneath, duplicate=names.DUPLICATE in found)
        if state.local_root and not (state.remote_parent and operation in _LEAVES):
            self._store.drop(span.get_span_context().trace_id)
        return _lacking(found, present) if found else found

    def _traffic(self, call: Call) -> Mapping[str, Any]:
        found: dict[str, Any] = {names.DIALECT: call.dialect.name, **call.state.stamps}
        cohort = self._settings.cohort_attribute
        if cohort and names.COHORT not in found and cohort in call.view.attributes:
            found[names.COHORT] = str(call.view.attributes[cohort])
        return found

    def _model(self, call: Call, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a call of a model gets beyond every other GenAI span."""
        if call.operation not in names.LLM_OPERATIONS:
            return {}
        text = text_of(call)
        prompt = call.state.prompt or template(text.system)
        found: dict[str, Any] = {names.PROMPT_TEMPLATE: prompt} if prompt else {}
        if self._duplicates.is_one(call, text):
            return {**found, names.DUPLICATE: True}
        return {**found, **self._answers.attributes(call, text, {**known, **found})}


def _read(state: State, view: View, field: str) -> Any:
    return read(state.dialect, field, view) if state.dialect else None


def _lacking(found: Mapping[str, Any], present: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is missing or differs; an attribute that is not ours is never overwritten."""
    return {
        name: value
        for name, value in found.items()
        if (present.get(name) != value if name.startswith("truegreen.") else name not in present)
    }
